"""Weights of a float .tflite file stored in fewer bytes, the way TensorFlow's converter writes them.

Nothing is calibrated: `float16` is turned back to float32 when the file is loaded, and with int8 weights the
activations are quantized at run time, by the kernels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgekit.export.tflite.tables import operator_code
from edgekit.formats.fixed_batch import builtin_code
from edgekit.formats.tflite.builder import rebuilt
from edgekit.formats.types import TfliteModel, TfliteObject, TfliteSchema

_DYNAMIC = {
    # Operator -> the axis of its channels, and its first version with such weights.
    "CONV_2D": (0, 5),
    "DEPTHWISE_CONV_2D": (3, 6),
    "TRANSPOSE_CONV": (0, 2),
    "FULLY_CONNECTED": (0, 12),
}
_DYNAMIC_ELEMENTS = 1024
"""Weights with fewer values stay float: quantizing the activations costs more time than they save."""
_FLOAT16_ELEMENTS = 32
"""A smaller constant takes fewer bytes than the operator that would turn it back."""
_OPAQUE = ("CUSTOM", "WHILE", "IF", "CALL", "CALL_ONCE", "STABLEHLO_COMPOSITE")
"""Operators that are not known to take a computed tensor where a constant was."""


def to_float16(data: bytes) -> bytes:
    """Store large float constants as float16, each behind a DEQUANTIZE that runtimes fold away."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(data, 0)
    holders = _holders(model)
    opaque = {getattr(schema.BuiltinOperator, name) for name in _OPAQUE if hasattr(schema.BuiltinOperator, name)}
    code = operator_code(model, schema, schema.BuiltinOperator.DEQUANTIZE, 3)
    for graph in model.subgraphs:
        users = _users(graph)
        added = []
        for index, tensor in enumerate(list(graph.tensors)):
            values = _values(model, tensor, schema)
            known = users.get(index) and not any(
                builtin_code(model.operatorCodes[op.opcodeIndex]) in opaque for op, _ in users[index]
            )
            if values is None or not known or holders[tensor.buffer] > 1 or len(values) < _FLOAT16_ELEMENTS:
                continue
            with np.errstate(over="ignore"):
                halves = values.astype("<f2")
            if not np.isfinite(halves).all():
                continue
            model.buffers[tensor.buffer].data = halves.view(np.uint8)
            graph.tensors.append(
                schema.TensorT(
                    shape=tensor.shape,
                    type=schema.TensorType.FLOAT16,
                    buffer=tensor.buffer,
                    name=(tensor.name or b"constant") + b"_float16",
                    hasRank=tensor.hasRank,
                )
            )
            tensor.buffer = 0
            added.append(schema.OperatorT(opcodeIndex=code, inputs=[len(graph.tensors) - 1], outputs=[index]))
        graph.operators[:0] = added
    return rebuilt(model)


def to_dynamic(data: bytes) -> bytes:
    """Store the weights of large layers as int8, a scale a channel; activations are quantized at run time."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(data, 0)
    holders = _holders(model)
    kinds = {getattr(schema.BuiltinOperator, name): kind for name, kind in _DYNAMIC.items()}
    for graph in model.subgraphs:
        for index, uses in _users(graph).items():
            tensor = graph.tensors[index]
            values = _values(model, tensor, schema)
            codes = [model.operatorCodes[op.opcodeIndex] for op, _ in uses]
            if values is None or holders[tensor.buffer] > 1 or len(values) < _DYNAMIC_ELEMENTS:
                continue
            if any(place != 1 for _, place in uses) or len(set(map(builtin_code, codes))) != 1:
                continue
            if builtin_code(codes[0]) not in kinds or not np.isfinite(values).all():
                continue
            axis, version = kinds[builtin_code(codes[0])]
            if not all(_takes_int8(graph, op, tensor, schema) for op, _ in uses):
                continue
            tensor.type = schema.TensorType.INT8
            model.buffers[tensor.buffer].data, scale = _to_int8(values, tensor.shape, axis)
            tensor.quantization = schema.QuantizationParametersT(
                scale=scale, zeroPoint=np.zeros(len(scale), np.int64), quantizedDimension=axis
            )
            for (op, _), code in zip(uses, codes, strict=True):
                code.version = max(code.version, version)
                if isinstance(op.builtinOptions, schema.FullyConnectedOptionsT):
                    op.builtinOptions.asymmetricQuantizeInputs = True
    return rebuilt(model)


def _holders(model: TfliteModel) -> Counter[int]:
    """Return how many tensors hold each buffer; those of metadata count, too."""
    held = Counter(t.buffer for graph in model.subgraphs for t in graph.tensors)
    held.update(entry.buffer for entry in model.metadata or [])
    return held


def _users(graph: TfliteObject) -> dict[int, list[tuple[TfliteObject, int]]]:
    """Return who reads each tensor, and in which place."""
    found: dict[int, list[tuple[TfliteObject, int]]] = {}
    for operator in graph.operators:
        for place, index in enumerate([] if operator.inputs is None else operator.inputs):
            if index >= 0:
                found.setdefault(int(index), []).append((operator, place))
    return found


def _values(model: TfliteModel, tensor: TfliteObject, schema: TfliteSchema) -> npt.NDArray[np.float32] | None:
    """Return the values of a dense float32 constant, flat; None for anything else."""
    data = model.buffers[tensor.buffer].data
    if data is None or tensor.type != schema.TensorType.FLOAT32 or tensor.sparsity is not None or tensor.isVariable:
        return None
    return np.asarray(data, np.uint8).view("<f4")


def _takes_int8(graph: TfliteObject, operator: TfliteObject, weights: TfliteObject, schema: TfliteSchema) -> bool:
    """Whether a layer's kernel takes int8 weights with float activations: not with groups or shuffled weights."""
    options = operator.builtinOptions
    if isinstance(options, schema.FullyConnectedOptionsT):
        return bool(options.weightsFormat == 0)
    if isinstance(options, schema.Conv2DOptionsT):
        return bool(graph.tensors[operator.inputs[0]].shape[3] == weights.shape[3])
    return True


def _to_int8(
    values: npt.NDArray[np.float32], shape: Sequence[int], axis: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Round to -127..127 with a scale a channel; returns the bytes and the scales."""
    whole = values.reshape(shape)
    peaks = np.abs(whole).max(axis=tuple(i for i in range(whole.ndim) if i != axis), keepdims=True)
    scale = np.where(peaks > 0, peaks / 127, 1).astype(np.float32)
    return np.rint(whole / scale).clip(-127, 127).astype(np.int8).ravel().view(np.uint8), scale.ravel()
