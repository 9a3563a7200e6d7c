"""ONNX files that store or compute in float16, brought to float32: what quantizers and calibration expect."""

from __future__ import annotations

import numpy as np

from edgekit.formats.types import OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, OnnxValue

_TYPE_ATTRIBUTES = ("to", "dtype")
"""Integer attributes that name a type: of Cast, and of operators that make values."""


def widen(model: OnnxModel) -> None:
    """Turn every float16 value of an onnx.ModelProto into float32, in place."""
    _graph(model.graph)
    for function in model.functions:
        for node in function.node:
            _node(node)


def _graph(graph: OnnxGraph) -> None:
    for tensor in (*graph.initializer, *(sparse.values for sparse in graph.sparse_initializer)):
        _tensor(tensor)
    for value in (*graph.input, *graph.output, *graph.value_info):
        _value(value)
    for node in graph.node:
        _node(node)


def _node(node: OnnxNode) -> None:
    from onnx import TensorProto

    for entry in node.attribute:
        if entry.name in _TYPE_ATTRIBUTES and entry.i == TensorProto.FLOAT16:
            entry.i = TensorProto.FLOAT
        for tensor in (*([entry.t] if entry.HasField("t") else []), *entry.tensors):
            _tensor(tensor)
        for inner in (*([entry.g] if entry.HasField("g") else []), *entry.graphs):
            _graph(inner)


def _value(value: OnnxValue) -> None:
    from onnx import TensorProto

    if value.type.HasField("tensor_type") and value.type.tensor_type.elem_type == TensorProto.FLOAT16:
        value.type.tensor_type.elem_type = TensorProto.FLOAT


def _tensor(tensor: OnnxTensor) -> None:
    from onnx import TensorProto, numpy_helper

    if tensor.data_type == TensorProto.FLOAT16:
        values = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
