"""BatchNormalization that onnxruntime's own optimizer leaves in a float ONNX graph, in a form that quantizes well."""

from __future__ import annotations

from collections import Counter

import numpy as np

from edgekit.export.onnx.tidy import captured
from edgekit.formats.types import OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, OnnxValue
from edgekit.tasks.samples import Array


def fold(model: OnnxModel) -> None:
    """Rewrite what a quantizer would spoil; the outputs stay the same, up to rounding in float32.

    A BatchNormalization behind a Gemm goes into its weights; behind anything else, of tensors with at least one axis
    besides the channels, it becomes a depthwise convolution of one tap, whose weights get a scale a channel. Biases of
    a Gemm become one number a channel, as the quantizer takes them.

    Args:
        model: an onnx.ModelProto, its shapes inferred; changed.
    """
    from onnx import numpy_helper

    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    types = (*graph.value_info, *graph.input, *graph.output)
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in types if value.type.HasField("tensor_type")}
    read = [name for node in graph.node for name in (*node.input, *captured(node))]
    uses = Counter([*read, *(value.name for value in graph.output)])
    makers = {name: node for node in graph.node for name in node.output if name and uses[name] == 1}
    for node in list(graph.node):
        if node.op_type == "Gemm":
            _flat_bias(graph, node, constants)
        if node.op_type != "BatchNormalization" or any(name not in constants for name in node.input[1:5]):
            continue
        training = any(a.name == "training_mode" and a.i for a in node.attribute)
        if training or sum(map(bool, node.output)) > 1:
            continue
        gamma, beta, mean, variance = (constants[name].astype(np.float64) for name in node.input[1:5])
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
        factor = gamma / np.sqrt(variance + epsilon)
        shift = beta - mean * factor
        before = makers.get(node.input[0])
        if before is not None and before.op_type == "Gemm" and _into_gemm(graph, before, constants, factor, shift):
            before.output[0] = node.output[0]
            graph.node.remove(node)
        elif ranks.get(node.input[0], 0) > 2:
            _as_convolution(graph, node, factor, shift, ranks[node.input[0]] - 2)


def _as_convolution(graph: OnnxGraph, node: OnnxNode, factor: Array, shift: Array, axes: int) -> None:
    from onnx import helper

    weights = _add(graph, f"{node.output[0]}_factor", factor.reshape(-1, 1, *[1] * axes))
    bias = _add(graph, f"{node.output[0]}_shift", shift)
    inputs, outputs = [node.input[0], weights, bias], [node.output[0]]
    made = helper.make_node(
        "Conv", inputs, outputs, name=f"{node.output[0]}_affine", group=len(factor), kernel_shape=[1] * axes
    )
    node.CopyFrom(made)


def _into_gemm(graph: OnnxGraph, gemm: OnnxNode, constants: dict[str, OnnxTensor], factor: Array, shift: Array) -> bool:
    """Fold an affine step into the Gemm before it; return whether that was possible."""
    given = {a.name: a for a in gemm.attribute}
    plain = all(name not in given or given[name].f == 1 for name in ("alpha", "beta"))
    if not plain or any(name not in constants for name in gemm.input[1:]):
        return False
    weights = constants[gemm.input[1]].astype(np.float64)
    across = "transB" in given and given["transB"].i
    old = constants[gemm.input[2]].astype(np.float64) if len(gemm.input) > 2 else np.zeros(len(factor))
    if old.shape != factor.shape or weights.shape[0 if across else 1] != len(factor):
        return False
    scaled = weights * (factor[:, None] if across else factor)
    gemm.input[1:] = [
        _add(graph, f"{gemm.output[0]}_weights", scaled),
        _add(graph, f"{gemm.output[0]}_bias", old * factor + shift),
    ]
    for name in gemm.input[1:]:
        constants[name] = _value(graph, name)
    return True


def _flat_bias(graph: OnnxGraph, gemm: OnnxNode, constants: dict[str, OnnxTensor]) -> None:
    """Write the bias of a Gemm, which may be a scalar or a row, as one number a channel."""
    if len(gemm.input) < 3 or gemm.input[1] not in constants or gemm.input[2] not in constants:
        return
    across = any(a.name == "transB" and a.i for a in gemm.attribute)
    weights, bias = constants[gemm.input[1]], constants[gemm.input[2]]
    width = weights.shape[0 if across else 1]
    if bias.shape != (width,) and (bias.size == 1 or bias.shape == (1, width)):
        gemm.input[2] = _add(graph, f"{gemm.output[0]}_bias", np.broadcast_to(bias.reshape(-1), (width,)))
        constants[gemm.input[2]] = _value(graph, gemm.input[2])


def _add(graph: OnnxGraph, name: str, values: Array) -> str:
    """Add a constant in float32 and return its name."""
    from onnx import numpy_helper

    taken = {tensor.name for tensor in graph.initializer}
    while name in taken:
        name += "_"
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
    return name


def _value(graph: OnnxGraph, name: str) -> OnnxValue:
    from onnx import numpy_helper

    return numpy_helper.to_array(next(tensor for tensor in graph.initializer if tensor.name == name))
