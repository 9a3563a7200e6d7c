"""A float .tflite file that another converter wrote, as TensorFlow's own writes it: what quantizers expect.

What was found in files of litert-torch, of other converters and of float16 tools, and what came of it: constants in
float16 behind DEQUANTIZE were refused as "float16 already"; the metadata `keep_stablehlo_constant` lets TensorFlow's
quantizer leave every weight float; weights behind TRANSPOSE or RESHAPE are no constants to it; without options it dies;
a second signature stays float, with a copy of all weights. None of it changes what the file computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from edgekit.errors import ConversionError
from edgekit.errors.printable import visible
from edgekit.export.tflite.tables import drop_unused
from edgekit.formats.fixed_batch import builtin_code
from edgekit.formats.tflite.builder import rebuilt
from edgekit.formats.types import TfliteModel, TfliteObject, TfliteSchema
from edgekit.tasks.samples import Array

_HINDERING_METADATA = (b"keep_stablehlo_constant",)
_CALLING = ("IF", "WHILE", "CALL", "CALL_ONCE", "CUSTOM", "STABLEHLO_COMPOSITE", "STABLEHLO_REDUCE", "STABLEHLO_WHILE")
_MOST_FOLDED = 1 << 26
"""Values of a constant that is computed here."""


def normal_form(data: bytes) -> tuple[bytes, list[str]]:
    """Return the file in the form that quantizers expect, and what was done that its reader should know.

    Args:
        data: a float .tflite file; its bytes come back where there is nothing to do.

    Raises:
        ConversionError: it computes in float16.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(data, 0)
    notes = []
    changed = _without_metadata(model)
    dropped = _main_graph_only(model, schema)
    if dropped:
        notes.append(f"without the signature{'s' * (len(dropped) > 1)} {', '.join(f'`{name}`' for name in dropped)}")
    widened = False
    for graph in model.subgraphs:
        folded = _fold_constants(model, graph, schema)
        widened |= "DEQUANTIZE" in folded or "CAST" in folded
        changed |= bool(folded)
        changed |= _with_options(model, graph, schema)
    if widened:
        notes.append("float16 weights widened")
    for graph in model.subgraphs:
        _check_wide(graph, schema)
    if not changed and not dropped:
        return data, []
    drop_unused(model)
    return rebuilt(model), notes


def _check_wide(graph: TfliteObject, schema: TfliteSchema) -> None:
    """Raise if a value that an operator reads or writes is still float16."""
    ends = [int(i) for vector in (graph.inputs, graph.outputs) for i in vector]
    inner = [int(i) for op in graph.operators for i in (*op.inputs, *op.outputs)]
    for tensor in (graph.tensors[i] for i in (*ends, *inner) if i >= 0):
        if tensor.type == schema.TensorType.FLOAT16:
            name = visible((tensor.name or b"").decode("utf-8", "replace")[:100])
            raise ConversionError(
                f"`{name}` is float16, and no operator makes float32 of it: quantizers take files that compute in "
                "float32, with weights of either type",
                "export the model again in float32",
                code="computes-in-float16",
            )


def _without_metadata(model: TfliteModel) -> bool:
    kept = [entry for entry in model.metadata or [] if entry.name not in _HINDERING_METADATA]
    changed = len(kept) < len(model.metadata or [])
    if changed:
        model.metadata = kept or None
    return changed


def _main_graph_only(model: TfliteModel, schema: TfliteSchema) -> list[str]:
    """Drop the graphs of other signatures, unless an operator may call them; return the signatures' names."""
    calling = {getattr(schema.BuiltinOperator, name) for name in _CALLING if hasattr(schema.BuiltinOperator, name)}
    used = {builtin_code(model.operatorCodes[op.opcodeIndex]) for graph in model.subgraphs for op in graph.operators}
    if len(model.subgraphs) < 2 or used & calling:
        return []
    dropped = [s.signatureKey.decode("utf-8", "replace") for s in model.signatureDefs or [] if s.subgraphIndex]
    model.subgraphs = model.subgraphs[:1]
    model.signatureDefs = [s for s in model.signatureDefs or [] if not s.subgraphIndex] or None
    return dropped or ["(none)"]


def _fold_constants(model: TfliteModel, graph: TfliteObject, schema: TfliteSchema) -> set[str]:
    """Compute what moves, widens or copies constants; return the names of the operators that were folded."""
    folds = {getattr(schema.BuiltinOperator, name): (name, fold) for name, fold in _FOLDS.items()}
    ends = {int(i) for vector in (graph.inputs, graph.outputs) for i in vector}
    done: set[str] = set()
    kept = []
    for operator in graph.operators:
        name, fold = folds.get(builtin_code(model.operatorCodes[operator.opcodeIndex]), ("", None))
        values = None
        if fold and len(operator.outputs) == 1 and int(operator.outputs[0]) not in ends:
            values = _folded(model, graph, operator, fold, schema)
        if values is None:
            kept.append(operator)
            continue
        tensor = graph.tensors[operator.outputs[0]]
        model.buffers.append(schema.BufferT(data=np.frombuffer(values.astype("<f4").tobytes(), np.uint8)))
        tensor.buffer, tensor.shape = len(model.buffers) - 1, np.array(values.shape, np.int32)
        tensor.shapeSignature = None
        done.add(name)
    graph.operators = kept
    if done:
        _forget_unread(graph, ends)
    return done


def _forget_unread(graph: TfliteObject, ends: set[int]) -> None:
    """Let go of the constants that no operator reads any more; the tensors stay, since others are known by number."""
    read = ends | {int(i) for operator in graph.operators for i in operator.inputs}
    for index, tensor in enumerate(graph.tensors):
        if index not in read and not tensor.isVariable:
            tensor.buffer = 0


def _folded(
    model: TfliteModel,
    graph: TfliteObject,
    operator: TfliteObject,
    fold: Callable[..., Array | None],
    schema: TfliteSchema,
) -> Array | None:
    target = graph.tensors[operator.outputs[0]]
    inputs = [None if i < 0 else _constant(model, graph.tensors[i], schema) for i in operator.inputs]
    if target.type != schema.TensorType.FLOAT32 or not inputs or inputs[0] is None or target.isVariable:
        return None
    if inputs[0].dtype.kind != "f" or inputs[0].size > _MOST_FOLDED:
        return None
    shape = () if target.shape is None else tuple(int(size) for size in target.shape)
    return fold(inputs, shape)


def _constant(model: TfliteModel, tensor: TfliteObject, schema: TfliteSchema) -> Array | None:
    """Return the values of a dense constant of a type that is folded or says how; None for anything else."""
    kinds = {schema.TensorType.FLOAT32: "<f4", schema.TensorType.FLOAT16: "<f2", schema.TensorType.INT32: "<i4"}
    data = model.buffers[tensor.buffer].data
    how = tensor.quantization
    scaled = how is not None and how.scale is not None and len(how.scale)
    if data is None or tensor.type not in kinds or tensor.sparsity is not None or tensor.isVariable or scaled:
        return None
    values = np.asarray(data, np.uint8).view(kinds[tensor.type])
    shape = [] if tensor.shape is None else [int(size) for size in tensor.shape]
    return values.reshape(shape) if math.prod(shape) == values.size else None


def _same_values(inputs: list[Array | None], shape: tuple[int, ...]) -> Array | None:
    values = inputs[0]
    return values.reshape(shape) if values is not None and math.prod(shape) == values.size else None


def _transposed(inputs: list[Array | None], shape: tuple[int, ...]) -> Array | None:
    values, order = inputs[0], inputs[1] if len(inputs) > 1 else None
    if values is None or order is None or sorted(order.ravel().tolist()) != list(range(values.ndim)):
        return None
    return np.ascontiguousarray(values.transpose(order.ravel()))


_FOLDS: dict[str, Callable[..., Array | None]] = {
    "DEQUANTIZE": _same_values,  # of float16; constants with a scale are not read here
    "CAST": _same_values,
    "RESHAPE": _same_values,
    "SQUEEZE": _same_values,
    "EXPAND_DIMS": _same_values,
    "TRANSPOSE": _transposed,
}


def _with_options(model: TfliteModel, graph: TfliteObject, schema: TfliteSchema) -> bool:
    """Write the options that are left out, with the defaults that runtimes take for them."""
    kinds = {name.removesuffix("Options").lower(): name for name in vars(schema.BuiltinOptions) if name[0] != "_"}
    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    changed = False
    for operator in graph.operators:
        name = names.get(builtin_code(model.operatorCodes[operator.opcodeIndex]), "")
        kind = kinds.get(name.replace("_", "").lower(), "")
        if kind and not operator.builtinOptionsType and name in _OPTIONAL:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = getattr(schema, f"{kind}T")()
            changed = True
    return changed


_OPTIONAL = ("FULLY_CONNECTED", "ADD", "SUB", "MUL", "DIV", "CONCATENATION", "BATCH_MATMUL", "MEAN", "GATHER")
"""Operators with options whose defaults mean what their absence does: no activation, axis 0, nothing transposed."""
