"""Normalisations of ONNX. Definitions: https://onnx.ai/onnx/operators."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgekit.models.imported.graph import (
    Arithmetic,
    BatchNormalization,
    Elementwise,
    GroupNormalization,
    LayerNormalization,
    Reduction,
    Softmax,
    Step,
)
from edgekit.models.imported.operators import Unsupported
from edgekit.models.imported.reading.at import At
from edgekit.models.imported.reading.shapes import reduction


def batch(at: At) -> Sequence[Step]:
    """BatchNormalization, by moving statistics."""
    gamma, beta, mean, variance = (at.weights(place, "statistics") for place in range(1, 5))
    epsilon = at.node.real("epsilon", 1e-5)
    return [at.step(BatchNormalization(gamma, beta, mean, variance, epsilon, min(1, at.rank - 1)))]


def layer(at: At) -> Sequence[Step]:
    """LayerNormalization, also the one that `patterns` recognised, which has no scale."""
    first = at.axis(at.node.integer("axis", -1))
    sizes = at.shape()[first:]
    gamma = at.weights(1, "scales") if at.has(1) else np.ones(sizes, np.float32)
    beta = at.bias(2)
    return [
        at.step(
            LayerNormalization(
                first,
                np.broadcast_to(gamma, sizes),
                None if beta is None else np.broadcast_to(beta, sizes),
                at.node.real("epsilon", 1e-5),
            )
        )
    ]


def instance(at: At) -> Sequence[Step]:
    """InstanceNormalization: every channel is a group of its own."""
    gamma, beta = at.weights(1, "scales"), at.weights(2, "shifts")
    return [at.step(GroupNormalization(len(gamma), gamma, beta, at.node.real("epsilon", 1e-5), 1))]


def group(at: At) -> Sequence[Step]:
    """GroupNormalization, also as `patterns` recognised it; before opset 21 scales are given for each group."""
    groups, channels = at.node.integer("num_groups", 1), at.shape()[1]
    gamma = at.weights(1, "scales") if at.has(1) else np.ones(channels, np.float32)
    beta = at.weights(2, "shifts") if at.has(2) else np.zeros(channels, np.float32)
    if len(gamma) == groups != channels:
        gamma, beta = (np.repeat(values, channels // groups) for values in (gamma, beta))
    return [at.step(GroupNormalization(groups, gamma, beta, at.node.real("epsilon", 1e-5), 1))]


def rms(at: At) -> Sequence[Step]:
    """RMSNormalization over the last axes: x / sqrt(mean(x * x) + epsilon) * scale (Zhang and Sennrich 2019)."""
    axes = tuple(range(at.axis(at.node.integer("axis", -1)), at.rank))
    base, x = at.node.outputs[0], at.node.inputs[0]
    squares, means, moved, factors, made = (f"{base}:{part}" for part in ("squares", "means", "moved", "rms", "made"))
    return [
        at.step(Elementwise("square"), [x], squares),
        at.step(Reduction("mean", axes, keep=True), [squares], means),
        at.step(Elementwise("affine", (1.0, at.node.real("epsilon", 1e-5))), [means], moved),
        at.step(Elementwise("rsqrt"), [moved], factors),
        at.step(Arithmetic("multiply"), [x, factors], made),
        at.step(Arithmetic("multiply"), [made, at.node.inputs[1]]),
    ]


def lp(at: At) -> Sequence[Step]:
    """LpNormalization: x / norm(x) along an axis, of p 1 or 2."""
    axis, base = at.axis(at.node.integer("axis", -1)), at.node.outputs[0]
    norm = Reduction(f"l{at.node.integer('p', 2)}", (axis,), keep=True)
    return [
        at.step(norm, output=f"{base}:norm"),
        at.step(Arithmetic("divide"), [at.node.inputs[0], f"{base}:norm"]),
    ]


def log_sum(at: At) -> Sequence[Step]:
    """ReduceLogSum."""
    total = f"{at.node.outputs[0]}:sum"
    first, *more = reduction("sum")(at)
    return [replace(first, outputs=(total,)), *more, at.step(Elementwise("log"), [total])]


def softmax(at: At) -> Sequence[Step]:
    """Softmax and LogSoftmax; before opset 13 over all axes from `axis` on."""
    old = at.graph.opset < 13
    axis = at.axis(at.node.integer("axis", 1 if old else -1))
    if old and math.prod(at.shape()[axis + 1 :]) != 1:
        raise Unsupported(
            "it is over several axes at once, as before opset 13: export the model with opset 13 or later"
        )
    return [at.step(Softmax(axis, at.node.kind == "LogSoftmax"))]
