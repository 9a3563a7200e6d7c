"""Tiny ONNX files made by code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def save(
    path: Path,
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    initializers: Sequence[Any] = (),
    *,
    opset: int = 17,
    domains: Sequence[str] = (),
    functions: Sequence[Any] = (),
    check: bool = True,
) -> Path:
    """Write a model of one graph and return its path.

    Args:
        path: where to.
        nodes, inputs, outputs, initializers: of the graph.
        opset: of the ONNX operators.
        domains: further operator domains, version 1.
        functions: local functions.
        check: let ONNX check the model first.
    """
    from onnx import checker, helper

    graph = helper.make_graph(list(nodes), "graph", list(inputs), list(outputs), list(initializers))
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    model = helper.make_model(
        graph, opset_imports=opsets, functions=list(functions), producer_name="a test", ir_version=10
    )
    if check:
        checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def constant(name: str, values: Any, dtype: str) -> Any:
    """Return an initializer from numbers."""
    from onnx import numpy_helper

    return numpy_helper.from_array(np.asarray(values, dtype), name)


def value(name: str, shape: Sequence[int | str | None], kind: str = "FLOAT") -> Any:
    """Return a graph input or output."""
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, getattr(TensorProto, kind), shape)


def tiny_onnx(path: Path, *, batch: int | str = 1) -> Path:
    """Write a small int8 model in QDQ form and return its path.

    Input (batch, 4, 4, 1) int8 -> Transpose -> DequantizeLinear -> Conv, 2 filters of 3×3 per channel -> Relu ->
    Flatten -> Gemm to 3 classes -> QuantizeLinear -> Identity. It has 18 + 2 + 96 + 3 = 119 parameters and
    4*4*2*9 + 3*32 = 384 MACs a sample.
    """
    from onnx import helper

    random = np.random.default_rng(0)
    node = helper.make_node
    nodes = [
        node("Transpose", ["image"], ["nchw"], perm=[0, 3, 1, 2]),
        node("DequantizeLinear", ["nchw", "in_scale", "in_zero"], ["x"]),
        node("DequantizeLinear", ["conv_w", "conv_w_scale", "conv_w_zero"], ["w"], axis=0),
        node("DequantizeLinear", ["conv_b", "conv_b_scale", "conv_b_zero"], ["b"], axis=0),
        node("Conv", ["x", "w", "b"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"]),
        node("Reshape", ["r", "flat_shape"], ["f"]),
        node("DequantizeLinear", ["dense_w", "dense_w_scale", "dense_w_zero"], ["dw"]),
        node("Gemm", ["f", "dw", "dense_b"], ["y"], transB=1),
        node("QuantizeLinear", ["y", "out_scale", "out_zero"], ["q"]),
        node("Identity", ["q"], ["scores"]),
    ]
    initializers = [
        constant("in_scale", 0.5, "float32"),
        constant("in_zero", -3, "int8"),
        constant("conv_w", np.arange(-9, 9).reshape(2, 1, 3, 3), "int8"),
        constant("conv_w_scale", [0.01, 0.02], "float32"),
        constant("conv_w_zero", [0, 1], "int8"),
        constant("conv_b", [5, -7], "int32"),
        constant("conv_b_scale", [0.005, 0.01], "float32"),
        constant("conv_b_zero", [0, 0], "int32"),
        constant("flat_shape", [-1, 32], "int64"),
        constant("dense_w", random.integers(0, 256, (3, 32)), "uint8"),
        constant("dense_w_scale", 0.03, "float32"),
        constant("dense_w_zero", 128, "uint8"),
        constant("dense_b", [0.5, 0, 2], "float32"),
        constant("out_scale", 0.75, "float32"),
        constant("out_zero", 1, "int8"),
    ]
    inputs, outputs = [value("image", [batch, 4, 4, 1], "INT8")], [value("scores", [batch, 3], "INT8")]
    return save(path, nodes, inputs, outputs, initializers)
