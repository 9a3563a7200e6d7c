"""Nodes with float weights that onnxruntime would make int8 again, kept in float.

onnxruntime's `WeightBiasQuantization` (core/optimizer/qdq_transformer/weight_bias_quantization.cc) takes float32
weights of a Conv, ConvTranspose or Gemm between DequantizeLinear and QuantizeLinear for a lapse of the quantizer: when
the file is loaded it makes them int8, with one scale for the whole tensor. int8 weights behind a Cast are float to it,
too. It leaves nodes alone whose bias is not a plain constant. So the bias is written as 32-bit integers with a scale of
their own, which hold it as exactly as float32 does. Only where it has to be: other nodes may run in a faster layout if
their bias is plain.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from edgekit.export.onnx.qdq import DEQUANTIZE, QUANTIZE
from edgekit.formats.types import OnnxGraph, OnnxNode, OnnxTensor

_BIASED = ("Conv", "ConvTranspose", "Gemm")
_HANDS_ON = ("Relu", "Clip", "MaxPool", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Flatten", "Identity")
"""Operators through which onnxruntime sees or moves the steps (qdq_propagation.cc)."""
_FUSED_BEFORE, _FUSED_BEHIND = ("Pad",), ("Mul", "Add", "BatchNormalization")
"""Operators with constants that it first makes one with a convolution before or behind them."""
_WIDEST = 2.0**30


def keep_float(graph: OnnxGraph, outputs: Collection[str]) -> None:
    """Write the biases of nodes so that onnxruntime leaves the nodes' weights in float.

    Args:
        graph: its nodes sorted; changed.
        outputs: of the nodes; others stay as they are.
    """
    makers = {name: node for node in graph.node for name in node.output if name}
    readers: dict[str, list[OnnxNode]] = {}
    for node in graph.node:
        for name in dict.fromkeys(node.input):
            readers.setdefault(name, []).append(node)
    constants = {tensor.name: tensor for tensor in graph.initializer}
    at_risk = [n for n in graph.node if n.output[0] in outputs and from_integers(n.input[0], makers)]
    for node in at_risk:
        holder, place = bias_of(node, readers)
        if holder is not None and to_integers(holder.output[0], readers, constants):
            _store(graph, holder, place, _channels(node, makers, constants), constants)


def from_integers(name: str, makers: Mapping[str, OnnxNode]) -> bool:
    """Return whether a value comes from a DequantizeLinear, or did when onnxruntime has moved that."""
    node = makers.get(name)
    while node is not None and node.op_type in (*_HANDS_ON, *_FUSED_BEFORE):
        node = makers.get(node.input[0])
    return node is not None and node.op_type == DEQUANTIZE


def to_integers(name: str, readers: Mapping[str, list[OnnxNode]], constants: Collection[str]) -> bool:
    """Return whether all that reads a value quantizes it, with nothing computed between that would stay there.

    onnxruntime takes one reader only, but makes one of equal ones.
    """
    queue, seen = [name], {name}
    for value in queue:
        found = readers.get(value, [])
        if not found:
            return False
        for node in found:
            fused = node.op_type in _FUSED_BEHIND and all(n == value or n in constants for n in node.input)
            if node.op_type not in (QUANTIZE, *_HANDS_ON) and not fused:
                return False
            if node.op_type != QUANTIZE and node.output[0] not in seen:
                seen.add(node.output[0])
                queue.append(node.output[0])
    return True


def bias_of(node: OnnxNode, readers: Mapping[str, list[OnnxNode]]) -> tuple[OnnxNode | None, int]:
    """Return the node that adds the bias, and the place of it: of a MatMul the Add, which onnxruntime fuses with it."""
    if node.op_type in _BIASED:
        return node, 2
    behind = readers.get(node.output[0], [])
    if node.op_type == "MatMul" and len(behind) == 1 and behind[0].op_type == "Add":
        return behind[0], 1 - list(behind[0].input).index(node.output[0])
    return None, 0


def _store(graph: OnnxGraph, holder: OnnxNode, place: int, channels: int, constants: Mapping[str, OnnxTensor]) -> None:
    """Write a bias, zero where there is none, as 32-bit integers."""
    from onnx import helper, numpy_helper

    name = holder.input[place] if len(holder.input) > place else ""
    if name and name not in constants:  # a node gives it
        return
    bias = numpy_helper.to_array(constants[name]) if name else np.zeros(channels, np.float32)
    scale = np.maximum(np.float32(np.abs(bias).max(initial=0) / _WIDEST), np.finfo(np.float32).tiny)
    base = f"{holder.output[0]}_bias"
    stored = np.round(bias.astype(np.float64) / scale).astype(np.int32)
    graph.initializer.append(numpy_helper.from_array(stored, f"{base}_int32"))
    graph.initializer.append(numpy_helper.from_array(np.asarray(scale), f"{base}_scale"))
    step = helper.make_node(DEQUANTIZE, [f"{base}_int32", f"{base}_scale"], [f"{base}_real"])
    graph.node.insert(0, step)
    if len(holder.input) > place:
        holder.input[place] = step.output[0]
    else:
        holder.input.append(step.output[0])


def _channels(node: OnnxNode, makers: Mapping[str, OnnxNode], constants: Mapping[str, OnnxTensor]) -> int:
    """Return how many numbers the bias of a node has."""
    given = {a.name: int(a.i) for a in node.attribute}
    weights = node.input[1]
    while weights not in constants:  # a Cast and more
        weights = makers[weights].input[0]
    shape: tuple[int, ...] = tuple(constants[weights].dims)
    if node.op_type == "Conv":
        return shape[0]
    if node.op_type == "ConvTranspose":
        return shape[1] * given.get("group", 1)
    return shape[0 if given.get("transB") else 1]
