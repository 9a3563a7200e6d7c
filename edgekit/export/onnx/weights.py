"""Weights that the quantizer left in float32, stored in int8: of recurrent layers, embeddings and loops' bodies.

They are dequantized when they are used, and the operator computes in float. That is plain ONNX, which every runtime
reads, and changes no activation.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgekit.formats.types import OnnxGraph, OnnxModel, OnnxNode
from edgekit.tasks.samples import Array

WEIGHTS: dict[tuple[str, int], int] = {
    # (operator, place of the weights) -> axis of the channels; of a Gemm that transposes them the first one.
    **{(operator, place): 1 for operator in ("LSTM", "GRU", "RNN") for place in (1, 2)},
    ("MatMul", 1): -1,
    ("MatMul", 0): 0,
    ("Gemm", 1): 1,
    ("Conv", 1): 0,
    ("ConvTranspose", 1): 1,
    ("Gather", 0): -1,
    ("Einsum", 0): -1,
    ("Einsum", 1): -1,
}
SMALLEST = 256
"""Values of a tensor below which scales and a node would take as much as is saved."""
_FLOAT = 1


def narrow_weights(model: OnnxModel) -> list[str]:
    """Store the float32 weights of a ModelProto in int8, per channel, wherever `WEIGHTS` knows them.

    Args:
        model: changed.

    Returns:
        The operators that read such weights, each once; those in the bodies of loops as `a loop`.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    uses = _uses(graph)
    outside = {id(node) for node in graph.node}
    found: dict[str, None] = {}
    for owner in [graph, *_bodies(graph)]:
        for tensor in list(owner.initializer):
            axis = _axis(uses.get(tensor.name, []))
            if tensor.data_type != _FLOAT or axis is None or any(v.name == tensor.name for v in owner.output):
                continue
            values = numpy_helper.to_array(tensor)
            if values.size < SMALLEST or not np.isfinite(values).all():
                continue
            axis %= values.ndim
            name = tensor.name
            stored, scale = _int8(values, axis)
            owner.initializer.remove(tensor)
            graph.initializer.append(numpy_helper.from_array(stored, f"{name}_int8"))
            graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
            # In the main graph, also for the bodies of loops: it is done once there.
            graph.node.insert(
                0, helper.make_node("DequantizeLinear", [f"{name}_int8", f"{name}_scale"], [name], axis=axis)
            )
            found |= dict.fromkeys(node.op_type if id(node) in outside else "a loop" for node, _ in uses[name])
    return list(found)


def _uses(graph: OnnxGraph) -> dict[str, list[tuple[OnnxNode, int]]]:
    """Return who reads a name, and at which place; a loop that hands a value on unchanged is seen through."""
    uses: dict[str, list[tuple[OnnxNode, int]]] = {}
    nodes = list(_nodes(graph))
    for node in nodes:
        for place, name in enumerate(node.input):
            uses.setdefault(name, []).append((node, place))
    for node in reversed(nodes):  # loops inside of others first
        body = next((a.g for a in node.attribute if a.HasField("g")), None)
        if node.op_type != "Loop" or body is None:
            continue
        for place in range(2, min(len(node.input), len(body.input), len(body.output) + 1)):
            inner, given = body.input[place].name, body.output[place - 1].name
            readers = uses.get(inner, [])
            copies = [n for n, _ in readers if n.op_type == "Identity" and list(n.output) == [given]]
            if copies or given == inner:
                others = [(n, p) for n, p in readers if n not in copies]
                uses[node.input[place]] = [u for u in uses[node.input[place]] if u != (node, place)] + others
    return uses


def _int8(values: Array, axis: int) -> tuple[Array, Array]:
    """Return symmetric int8 values and their scales, one a channel."""
    others = tuple(i for i in range(values.ndim) if i != axis)
    largest = np.abs(values).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    scale = np.maximum(scale, np.finfo(np.float32).tiny)
    return np.clip(np.round(values / scale), -127, 127).astype(np.int8), scale.reshape(-1)


def _axis(uses: list[tuple[OnnxNode, int]]) -> int | None:
    """Return the axis of the channels of weights, if all who read them agree that they are some."""
    axes = {channel_axis(node, place) for node, place in uses}
    return next(iter(axes)) if len(axes) == 1 else None


def channel_axis(node: OnnxNode, place: int) -> int | None:
    """Return the axis of the channels of a node's weights, negative from behind; None where it has none there.

    Args:
        node: the operator.
        place: of the weights among its inputs.
    """
    if node.domain not in ("", "ai.onnx"):
        return None
    if (node.op_type, place) == ("Gemm", 1) and any(a.name == "transB" and a.i for a in node.attribute):
        return 0
    return WEIGHTS.get((node.op_type, place))


def _bodies(graph: OnnxGraph) -> Iterator[OnnxGraph]:
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield attribute.g
                yield from _bodies(attribute.g)


def _nodes(graph: OnnxGraph) -> Iterator[OnnxNode]:
    yield from graph.node
    for body in _bodies(graph):
        yield from body.node
