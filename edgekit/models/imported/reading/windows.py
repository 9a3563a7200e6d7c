"""Convolutions and pooling of ONNX. Definitions: https://onnx.ai/onnx/operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from edgekit.models.imported.graph import Convolution, Pooling, Reduction, Step, TransposedConvolution
from edgekit.models.imported.operators import Unsupported
from edgekit.models.imported.reading.at import At, Reading


def convolution(at: At) -> Sequence[Step]:
    """Conv: kernels (out, in / groups, *spatial)."""
    count, kernel = at.spatial(), at.weights(1, "kernels")
    strides, dilations = at.per_axis("strides", count), at.per_axis("dilations", count)
    pads = at.windows(kernel.shape[2:], strides, dilations)
    kernel = np.moveaxis(kernel, (1, 0), (-2, -1))
    groups = at.node.integer("group", 1)
    return [at.step(Convolution(kernel, at.bias(2), strides, dilations, pads, groups, 1))]


def transposed(at: At) -> Sequence[Step]:
    """ConvTranspose: kernels (in, out / groups, *spatial)."""
    count, kernel = at.spatial(), at.weights(1, "kernels")
    strides, node = at.per_axis("strides", count), at.node
    if node.integer("group", 1) != 1:
        raise Unsupported("it has groups, and Keras's transposed convolutions have none")
    if set(at.per_axis("dilations", count)) != {1}:
        raise Unsupported("it has dilations, and Keras's transposed convolutions take none together with strides")
    longer = node.integers("output_padding") or (0,) * count
    if node.text("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or node.integers("output_shape"):
        wanted = at.made[2:]
        full = [(n - 1) * s + k for n, s, k in zip(at.shape()[2:], strides, kernel.shape[2:], strict=True)]
        upper = node.text("auto_pad") != "SAME_LOWER"
        total = [max(f - w, 0) for f, w in zip(full, wanted, strict=True)]
        longer = tuple(max(w - f, 0) for f, w in zip(full, wanted, strict=True))
        pads = tuple((t // 2, t - t // 2) if upper else (t - t // 2, t // 2) for t in total)
    else:
        pads = at.windows(kernel.shape[2:], strides, (1,) * count)
    kernel = np.moveaxis(kernel, (1, 0), (-2, -1))
    return [at.step(TransposedConvolution(kernel, at.bias(2), strides, pads, longer, 1))]


def pooling(kind: Literal["max", "mean"]) -> Reading:
    """MaxPool or AveragePool."""

    def read(at: At) -> Sequence[Step]:
        count, size = at.spatial(), at.node.integers("kernel_shape") or ()
        strides, dilations = at.per_axis("strides", count), at.per_axis("dilations", count)
        if len(size) != count or set(dilations) != {1}:
            raise Unsupported("its windows are dilated, and Keras's pooling has no dilation")
        if len(at.node.outputs) > 1 and at.node.outputs[1] in {n for node in at.graph.nodes for n in node.inputs}:
            raise Unsupported("its places of the largest values are used, as for unpooling")
        pads = at.windows(size, strides, dilations)
        reached = [
            (made - 1) * s + k - (length + sum(pad))
            for made, length, k, s, pad in zip(at.made[2:], at.shape()[2:], size, strides, pads, strict=True)
        ]
        beyond = tuple(max(n, 0) for n in reached)
        counts = bool(at.node.integer("count_include_pad", 0))
        return [at.step(Pooling(kind, size, strides, pads, beyond, counts, 1))]

    return read


def whole(kind: str) -> Reading:
    """GlobalAveragePool or GlobalMaxPool."""
    return lambda at: [at.step(Reduction(kind, tuple(range(2, at.rank)), keep=True))]
