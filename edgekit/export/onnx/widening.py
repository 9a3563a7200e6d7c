"""int8 weights of what computes in float, as onnxruntime runs them fastest.

Weights behind DequantizeLinear it dequantizes at every inference, in a slower convolution; between int8 neighbours it
fuses the operator back to int8. Cast and Mul of constants it computes once, when it loads the file, as other runtimes
do. The bytes are the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekit.export.onnx.qdq import Qdq
from edgekit.export.onnx.tidy import sort
from edgekit.export.onnx.unfused import bias_of, from_integers, keep_float, to_integers
from edgekit.formats.types import OnnxGraph, OnnxNode
from edgekit.tasks.samples import Array

_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_WIDEST = 2
"""Bytes of a weight; what has more is a bias."""


def widened(
    integers: str, scale: Array, point: Array, name: str, add: Callable[[Array, str], str]
) -> tuple[list[OnnxNode], str]:
    """Return nodes that make real values of constant integers, and the name of these.

    Args:
        integers: name of the constant.
        scale: real = scale * (integer - point); shaped to fit the integers.
        point: likewise.
        name: begins the names made here.
        add: adds a constant under a name like the one that it gets, and returns its name.
    """
    from onnx import TensorProto, helper

    real = f"{name}_cast"
    nodes = [helper.make_node("Cast", [integers], [real], to=TensorProto.FLOAT)]
    if point.any():
        nodes.append(helper.make_node("Sub", [real, add(point.astype(np.float32), f"{name}_point")], [f"{name}_moved"]))
        real = f"{name}_moved"
    nodes.append(helper.make_node("Mul", [real, add(scale, f"{name}_step")], [f"{name}_real"]))
    return nodes, f"{name}_real"


def write_mixed(graph: OnnxGraph) -> None:
    """Write a QDQ graph, of which some operators compute in float, so that onnxruntime runs those in float.

    An operator with int8 weights between int8 neighbours stays as it is: there the same comes out in int8.

    Args:
        graph: its nodes sorted; changed. Of a graph that is int8 throughout nothing is.
    """
    from onnx import numpy_helper

    qdq = Qdq(graph)
    makers = {name: node for node in graph.node for name in node.output if name}
    readers: dict[str, list[OnnxNode]] = {}
    for node in graph.node:
        for name in dict.fromkeys(node.input):
            readers.setdefault(name, []).append(node)
    constants = {tensor.name for tensor in graph.initializer}
    done: dict[str, str] = {}
    added: list[OnnxNode] = []

    def add(values: Array, name: str) -> str:
        graph.initializer.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    weighted = [node for node in graph.node if node.op_type in _WEIGHTED]
    for node in weighted:
        last = bias_of(node, readers)[0] or node
        if from_integers(node.input[0], makers) and to_integers(last.output[0], readers, constants):
            continue
        for place, name in enumerate(node.input):
            found = qdq.dequantized(name) if qdq.is_constant(name) else None
            if found is None or found[0].dtype.itemsize > _WIDEST:
                continue
            if name not in done:
                nodes, done[name] = widened(makers[name].input[0], *found[1:], name, add)
                added += nodes
            node.input[place] = done[name]
    in_float = {tensor.name for tensor in graph.initializer if tensor.data_type == tensor.FLOAT} | set(done.values())
    outputs = {node.output[0] for node in weighted if node.input[1] in in_float}
    graph.node.extend(added)
    sort(graph)
    keep_float(graph, outputs)
