"""Which operators of an int8 .tflite file can compute in float32 instead."""

from __future__ import annotations

from collections.abc import Collection

from edgekit.export.tflite.dataflow import Dataflow

MOVING = frozenset(
    {"BATCH_TO_SPACE_ND", "BROADCAST_TO", "CONCATENATION", "DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER", "GATHER_ND"}
    | {"MAX_POOL_2D", "MIRROR_PAD", "PACK", "PAD", "RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "SLICE"}
    | {"SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TILE", "TRANSPOSE"}
    | {"UNPACK"}
)
"""Operators that move values and change none, but for an activation that may be fused to them."""

_NEVER = frozenset(
    {"QUANTIZE", "DEQUANTIZE", "FAKE_QUANT", "DENSIFY", "CAST", "BITCAST", "SHAPE", "RANK", "UNKNOWN"}
    | {"CUSTOM", "DELEGATE", "IF", "WHILE", "CALL", "CALL_ONCE"}
    | {"RNN", "LSTM", "SVDF", "UNIDIRECTIONAL_SEQUENCE_RNN", "UNIDIRECTIONAL_SEQUENCE_LSTM"}
    | {"BIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_LSTM", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"}
)
"""Operators that change how values are stored, that read their integers as such, with a graph inside, or a state."""
_BIAS = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "CONV_3D": 2, "TRANSPOSE_CONV": 3}
"""Operators with a bias, and its place; in old files it has no scale."""
_NARROW = ("INT8", "UINT8", "INT16", "INT4")


def revertible(flow: Dataflow) -> tuple[int, ...]:
    """Return the operators that could compute in float32, by index."""
    return tuple(index for index in range(len(flow.kinds)) if _possible(flow, index))


def moves(flow: Dataflow, operator: int) -> bool:
    """Return whether an operator moves activations and changes no value."""
    options = flow.graph.operators[operator].builtinOptions
    reads = any(map(flow.activation, flow.inputs[operator]))
    return flow.kinds[operator] in MOVING and not getattr(options, "fusedActivationFunction", 0) and reads


def with_moved(flow: Dataflow, chosen: Collection[int]) -> set[int]:
    """Return chosen operators, and those that only move values from ones in float to ones in float."""
    moved: dict[int, bool] = {}  # whether what it moves comes from a chosen one
    for index in revertible(flow):
        if index in chosen or not moves(flow, index):
            continue
        roots = [flow.root(i) for i in flow.inputs[index] if flow.activation(i) and flow.quantized(i)]
        makers = [flow.made_by.get(root, -1) for root in roots]
        in_float = [maker in chosen or maker in moved for maker in makers]
        if all(new or flow.dtype(root) == "FLOAT32" for new, root in zip(in_float, roots, strict=True)):
            moved[index] = any(maker in chosen or moved.get(maker, False) for maker in makers)
    readers: dict[int, list[tuple[int, bool]]] = {}
    for index in range(len(flow.kinds)):
        for i in () if flow.casts(index) else flow.inputs[index]:
            if flow.activation(i):
                readers.setdefault(flow.root(i), []).append((index, flow.dtype(i) == "FLOAT32"))
    found = set(chosen)
    for index in reversed(moved):
        reads = [reader for output in flow.outputs[index] for reader in readers.get(output, ())]
        if any(reader in found for reader, _ in reads) or (moved[index] and any(float_ for _, float_ in reads)):
            found.add(index)
    return found


def _possible(flow: Dataflow, index: int) -> bool:
    kind, operator = flow.kinds[index], flow.graph.operators[index]
    if (
        kind in _NEVER
        or kind.startswith(("STABLEHLO_", "HASHTABLE"))
        or getattr(operator.builtinOptions, "weightsFormat", 0)
    ):
        return False
    if operator.intermediates is not None and len(operator.intermediates):
        return False
    inputs, outputs = [i for i in flow.inputs[index] if i >= 0], flow.outputs[index]
    bias = flow.inputs[index][_BIAS[kind] :][:1] if kind in _BIAS else ()
    if any(flow.tensors[i].isVariable for i in (*inputs, *outputs)) or not all(_real(flow, i) for i in bias if i >= 0):
        return False
    constants = [i for i in inputs if flow.model.buffers[flow.tensors[i].buffer].data is not None]
    activations = {*inputs, *outputs} - set(constants)
    if not all(flow.readable(i) for i in constants if flow.scaled(i)):
        return False
    if any(flow.dtype(i) in _NARROW and not flow.quantized(i) for i in (*inputs, *outputs)):
        return False
    if any(i not in flow.made_by and i not in flow.ends[0] for i in activations):  # its values are outside the file
        return False
    small = [i for i in activations if flow.quantized(i)]
    return bool(small) and all(flow.step(i) is not None for i in small)


def _real(flow: Dataflow, tensor: int) -> bool:
    return flow.scaled(tensor) or flow.dtype(tensor) == "FLOAT32"
