"""How near .tflite files come to the float file they were made of, by running both on samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edgekit.measuring.loaded import load_tflite
from edgekit.stats import sqnr_db
from edgekit.tasks.samples import Array

Arrays = Sequence[Array]
Outputs = list[Array]

MAX_SAMPLES = 100
"""Evenly spaced ones of those given: a tenth of a dB needs no more."""

ENOUGH, LEAST_HELD = 50, 10
"""Samples of which some can be held apart, and how many those are at least."""


def some(samples: Arrays, most: int = MAX_SAMPLES) -> list[Array]:
    """Return at most so many of the samples, one array an input."""
    step = max(1, math.ceil(len(samples[0]) / most))
    return [column[::step] for column in samples]


def parted(samples: Arrays) -> tuple[list[Array], list[Array]]:
    """Return samples to choose with, and others to judge the choice on; of few samples both are all of them.

    Args:
        samples: one array an input, (n, ...).
    """
    count = len(samples[0])
    if count < ENOUGH:
        return list(samples), list(samples)
    step = max(ENOUGH // LEAST_HELD, -(-count // MAX_SAMPLES))
    held = np.arange(count) % step == step // 2
    return [column[~held] for column in samples], [column[held] for column in samples]


def outputs(flatbuffer: bytes, samples: Arrays) -> Outputs:
    """Return the outputs of a file, in real units: float64 (n, values) an output, in the order of the file.

    Args:
        flatbuffer: a .tflite file with a batch of one, float or quantized at its inputs.
        samples: one array an input, (n, ...), in the order of the file, in real units.

    Raises:
        RuntimeError, ValueError: the interpreter refuses the file.
    """
    return load_tflite(flatbuffer).real_outputs(samples)


def nearness_db(reference: Outputs, other: Outputs) -> float:
    """Return the SQNR of the output that comes off worst, in dB; minus infinity where values are not finite."""
    ratios = [
        sqnr_db(a, b) if np.isfinite(a).all() and np.isfinite(b).all() else -math.inf
        for a, b in zip(reference, other, strict=True)
    ]
    return min(ratios)
