"""How near .tflite files come to the float file they were made of, by running both on samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.frameworks.tensorflow import quiet
from edgekit.stats import sqnr_db

Arrays = Sequence[npt.NDArray[Any]]
Outputs = list[npt.NDArray[np.float64]]

MAX_SAMPLES = 100
"""Evenly spaced ones of those given: a tenth of a dB needs no more."""


def some(samples: Arrays, most: int = MAX_SAMPLES) -> list[npt.NDArray[Any]]:
    """Return at most so many of the samples, one array an input."""
    step = max(1, math.ceil(len(samples[0]) / most))
    return [column[::step] for column in samples]


def outputs(flatbuffer: bytes, samples: Arrays) -> Outputs:
    """Return what a file answers, in real units: float64 (n, values) an output, in the order of the file.

    Args:
        flatbuffer: a .tflite file with a batch of one, float or quantized at its inputs.
        samples: one array an input, (n, ...), in the order of the file, in real units.

    Raises:
        RuntimeError, ValueError: the interpreter refuses the file.
    """
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
        interpreter = Interpreter(model_content=flatbuffer, num_threads=1)
        interpreter.allocate_tensors()
    ins, outs = interpreter.get_input_details(), interpreter.get_output_details()
    rows: list[list[npt.NDArray[np.float64]]] = [[] for _ in outs]
    for index in range(len(samples[0])):
        interpreter.reset_all_variables()  # LSTMs keep their state
        for details, column in zip(ins, samples, strict=True):
            interpreter.set_tensor(details["index"], _stored(column[index : index + 1], details))
        interpreter.invoke()
        for row, details in zip(rows, outs, strict=True):
            scale, point = details["quantization"]
            found = interpreter.get_tensor(details["index"]).ravel().astype(np.float64)
            row.append((found - point) * scale if scale else found)
    return [np.stack(row) for row in rows]


def _stored(sample: npt.NDArray[Any], details: dict[str, Any]) -> npt.NDArray[Any]:
    """Return a sample as an input holds it."""
    scale, point = details["quantization"]
    if scale:
        limits = np.iinfo(details["dtype"])
        sample = np.clip(np.rint(sample / scale) + point, limits.min, limits.max)
    return sample.astype(details["dtype"], copy=False).reshape(details["shape"])


def nearness_db(reference: Outputs, other: Outputs) -> float:
    """Return the SQNR of the output that comes off worst, in dB; minus infinity where values are not finite."""
    ratios = [
        sqnr_db(a, b) if np.isfinite(a).all() and np.isfinite(b).all() else -math.inf
        for a, b in zip(reference, other, strict=True)
    ]
    return min(ratios)
