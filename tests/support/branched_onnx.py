"""A small branched network as a float ONNX file, with one of each kind of operator that int8 treats in its own way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.support.tiny_onnx import constant, save, value

SHAPE = (3, 8, 8)
TENSORS = ("r0", "k1", "c2", "a", "p", "u", "cat", "sg", "sw", "gp", "f", "d", "mm", "y")
"""What its operators compute, in the order in which they run; a Relu or Clip belongs to the operator before it."""
KINDS = (
    *("Conv", "Conv", "Conv", "Add", "MaxPool", "Resize", "Concat", "Sigmoid", "Mul", "GlobalAveragePool", "Flatten"),
    *("Gemm", "MatMul", "Softmax"),
)


def branched(path: Path, *, opset: int = 17, batch: int | str = "N") -> Path:
    """Conv-BatchNormalization-Relu, depthwise-Clip, Conv, Add, MaxPool, Resize, Concat, swish, pooling, Gemm, MatMul.

    Input (batch, 3, 8, 8), output (batch, 5) behind a Softmax.
    """
    from onnx import helper

    node, rng = helper.make_node, np.random.default_rng(0)
    nodes = [
        node("Conv", ["image", "w0", "b0"], ["c0"], kernel_shape=[3, 3], pads=[1] * 4),
        node("BatchNormalization", ["c0", "gamma", "beta", "mean", "variance"], ["n0"]),
        node("Relu", ["n0"], ["r0"]),
        node("Conv", ["r0", "w1", "b1"], ["c1"], kernel_shape=[3, 3], pads=[1] * 4, group=8),
        node("Clip", ["c1", "low", "high"], ["k1"]),
        node("Conv", ["k1", "w2"], ["c2"], kernel_shape=[1, 1]),
        node("Add", ["c2", "r0"], ["a"]),
        node("MaxPool", ["a"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        # Other modes give means that lie between two integers, and are rounded to either by chance.
        node("Resize", ["p", "", "twice"], ["u"], mode="linear", coordinate_transformation_mode="align_corners"),
        node("Concat", ["u", "r0"], ["cat"], axis=1),
        node("Sigmoid", ["cat"], ["sg"]),
        node("Mul", ["cat", "sg"], ["sw"]),
        node("GlobalAveragePool", ["sw"], ["gp"]),
        node("Flatten", ["gp"], ["f"]),
        node("Gemm", ["f", "w3", "b3"], ["d"], transB=1),
        node("MatMul", ["d", "w4"], ["mm"]),
        node("Softmax", ["mm"], ["y"]),
    ]

    def random(name: str, shape: Any, size: float) -> Any:
        return constant(name, rng.normal(size=shape) * size, "float32")

    constants = [
        random("w0", (8, 3, 3, 3), 0.2),
        random("b0", 8, 0.2),
        *(constant(name, rng.uniform(0.5, 2, 8), "float32") for name in ("gamma", "beta", "mean", "variance")),
        random("w1", (8, 1, 3, 3), 0.3),
        random("b1", 8, 1),
        constant("low", 0, "float32"),
        constant("high", 6, "float32"),
        random("w2", (8, 8, 1, 1), 0.3),
        constant("twice", [1, 1, 2, 2], "float32"),
        random("w3", (12, 16), 0.25),
        random("b3", 12, 1),
        random("w4", (12, 5), 1),
    ]
    return save(path, nodes, [value("image", [batch, *SHAPE])], [value("y", [batch, 5])], constants, opset=opset)


def images(count: int, seed: int) -> Any:
    """Return samples, (count, 3, 8, 8) float32."""
    return np.random.default_rng(seed).normal(size=(count, *SHAPE)).astype(np.float32)
