"""Float .tflite files of dense layers with problems for int8, made by code, and samples for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.support.tiny_tflite import Op, T, model

RARE = (3, 104, 205, 57, 307)
"""Samples in which something happens; by `edgekit.export.tflite.nearness.parted` two of 500 are held apart."""
COUNT = 500


def dense(*layers: tuple[Any, Any], relu: Sequence[int] = ()) -> bytes:
    """Return a float file of dense layers, a chain; tensors are `x`, then `y0`, `y1` ... and weights `w0`, `b0` ...

    Args:
        layers: weights (outputs, inputs) and bias (outputs,) of each.
        relu: numbers of the layers that end in one.
    """
    from ai_edge_litert import schema_py_generated as s

    tensors, operators = [T("x", (1, np.shape(layers[0][0])[1]), "FLOAT32")], []
    for number, (weights, bias) in enumerate(layers):
        before = 3 * number
        for name, values in (("w", weights), ("b", bias)):
            array = np.asarray(values, "<f4")
            tensors.append(T(f"{name}{number}", array.shape, "FLOAT32", array.tobytes()))
        tensors.append(T(f"y{number}", (1, len(bias)), "FLOAT32"))
        fused = s.ActivationFunctionType.RELU if number in relu else s.ActivationFunctionType.NONE
        options = s.FullyConnectedOptionsT(fusedActivationFunction=fused)
        operators.append(Op("FULLY_CONNECTED", [before, before + 1, before + 2], [before + 3], options))
    last = 3 * len(layers)
    return model(tensors, operators, [0], [last], signature=(["x"], [f"y{len(layers) - 1}"]))


def mostly_small(rng: Any, width: int = 16, rare: float = 1.0) -> Any:
    """Return samples in [-1, 1], float32 (500, width), whose last value is zero but for the `RARE` samples."""
    x = rng.uniform(-1, 1, (COUNT, width)).astype(np.float32)
    x[:, -1] = 0
    x[list(RARE), -1] = rare
    return x


def spread(rng: Any, width: int, last: float) -> Any:
    """Return weights (width, width) that mix all values but the last, which they multiply."""
    weights = np.zeros((width, width))
    weights[:-1, :-1] = np.linalg.qr(rng.normal(size=(width - 1, width - 1)))[0]
    weights[-1, -1] = last
    return weights


def one_sided(rng: Any, inputs: int = 32, outputs: int = 8) -> Any:
    """Return weights (outputs, inputs) that int8 rounds down, all but one of each channel, by nearly half a step."""
    steps = rng.integers(-60, 60, (outputs, inputs)) + 0.49
    steps[:, 0] = 127
    return steps / 127
