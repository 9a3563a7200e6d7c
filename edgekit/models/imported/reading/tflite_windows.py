"""Convolutions, pooling and resizing of TFLite: channels last, kernels (out, *spatial, in)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from edgekit.models.imported.graph import Convolution, Pads, Pooling, Resize, Step, TransposedConvolution
from edgekit.models.imported.operators import Shape
from edgekit.models.imported.reading.at import At, Reading

CHANNELS = 3
_SAME = 0
"""Number of `Padding`."""


def _options(at: At) -> tuple[Shape, Shape]:
    """Return strides and dilations."""
    node = at.node
    return (
        (node.integer("strideH", 1), node.integer("strideW", 1)),
        (node.integer("dilationHFactor", 1), node.integer("dilationWFactor", 1)),
    )


def _pads(at: At, size: Sequence[int], strides: Shape, dilations: Shape) -> Pads:
    if at.node.integer("padding") != _SAME:
        return ((0, 0), (0, 0))
    totals = [
        max((-(-length // s) - 1) * s + (k - 1) * d + 1 - length, 0)
        for length, k, s, d in zip(at.shape()[1:3], size, strides, dilations, strict=True)
    ]
    return tuple((total // 2, total - total // 2) for total in totals)


def convolution(at: At) -> Sequence[Step]:
    """CONV_2D, grouped where its kernel reads fewer channels than there are."""
    kernel = np.moveaxis(at.weights(1, "kernels"), 0, -1)
    strides, dilations = _options(at)
    pads, groups = _pads(at, kernel.shape[:2], strides, dilations), at.shape()[CHANNELS] // kernel.shape[2]
    return [at.step(Convolution(kernel, at.bias(2), strides, dilations, pads, groups, CHANNELS))]


def depthwise(at: At) -> Sequence[Step]:
    """DEPTHWISE_CONV_2D: kernels (1, *spatial, out)."""
    kernel = np.moveaxis(at.weights(1, "kernels"), 0, 2)
    strides, dilations = _options(at)
    pads, groups = _pads(at, kernel.shape[:2], strides, dilations), at.shape()[CHANNELS]
    return [at.step(Convolution(kernel, at.bias(2), strides, dilations, pads, groups, CHANNELS))]


def transposed(at: At) -> Sequence[Step]:
    """TRANSPOSE_CONV, its input of sizes left out: weights, values, biases."""
    kernel = np.moveaxis(at.weights(0, "kernels"), 0, 2)
    strides, _ = _options(at)
    lengths, made = at.shape(1)[1:3], at.made[1:3]
    whole = [(n - 1) * s + k for n, s, k in zip(lengths, strides, kernel.shape[:2], strict=True)]
    cut = [max(full - size, 0) for full, size in zip(whole, made, strict=True)]
    pads = tuple((total // 2, total - total // 2) for total in cut)
    longer = tuple(max(size - full, 0) for full, size in zip(whole, made, strict=True))
    bias = at.bias(2)
    return [at.step(TransposedConvolution(kernel, bias, strides, pads, longer, CHANNELS), at.node.inputs[1:2])]


def pooling(kind: Literal["max", "mean"]) -> Reading:
    """MAX_POOL_2D or AVERAGE_POOL_2D; padded values never count."""

    def read(at: At) -> Sequence[Step]:
        size, (strides, _) = (at.node.integer("filterHeight"), at.node.integer("filterWidth")), _options(at)
        pads = _pads(at, size, strides, (1, 1))
        return [at.step(Pooling(kind, size, strides, pads, (0, 0), counts_pads=False, channels=CHANNELS))]

    return read


def resize(mode: str) -> Reading:
    """RESIZE_BILINEAR or RESIZE_NEAREST_NEIGHBOR."""

    def read(at: At) -> Sequence[Step]:
        corners, half = bool(at.node.integer("alignCorners")), bool(at.node.integer("halfPixelCenters"))
        return [at.step(Resize(at.made[1:3], mode, corners, half, CHANNELS))]

    return read
