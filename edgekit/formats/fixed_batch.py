"""Model files with their dynamic batch fixed to one sample, as everything edgekit writes is."""

from __future__ import annotations

from pathlib import Path

from edgekit.errors import ConversionError
from edgekit.formats.onnx.reader import whole
from edgekit.formats.onnx.widened import widen
from edgekit.formats.source import load
from edgekit.formats.tflite.builder import rebuilt
from edgekit.formats.types import OnnxModel, TfliteObject

_SIZES_FROM_DATA = ("WHERE", "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "UNIQUE", "CUSTOM")
"""Operators whose outputs have sizes that only running tells; in files with them, only the inputs are fixed."""


def fixed_tflite(path: Path) -> bytes:
    """Return a `.tflite` file whose inputs have a batch of one; without a dynamic batch its bytes as they are.

    Args:
        path: a file that `inspect` reads.

    Raises:
        ConversionError: it keeps constants outside the flatbuffer, as files above 2 GB do.
    """
    from ai_edge_litert import schema_py_generated as schema

    data = bytes(load(path))
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    if model.externalBuffers or any(buffer.offset > 1 or buffer.size for buffer in model.buffers):
        raise ConversionError(
            f"{path}: its weights are outside the FlatBuffer, in a file that edgekit cannot rewrite",
            "convert the model again with the weights inside, in a file below 2 GB",
            code="weights-outside-file",
        )
    graph = model.subgraphs[0]
    ends = {int(i) for i in graph.inputs}
    surprising = {getattr(schema.BuiltinOperator, name) for name in _SIZES_FROM_DATA}
    if not any(builtin_code(code) in surprising for code in model.operatorCodes or []):
        ends = set(range(len(graph.tensors)))
    changed = False
    for index in ends:
        tensor = graph.tensors[index]
        signature = [] if tensor.shapeSignature is None else [int(n) for n in tensor.shapeSignature]
        if signature[:1] == [-1] and -1 not in signature[1:]:
            tensor.shape, tensor.shapeSignature, changed = [1, *signature[1:]], None, True
    return rebuilt(model) if changed else data


def builtin_code(code: TfliteObject) -> int:
    """Return the number of an operator from its `OperatorCodeT`; old files have it in the 8-bit field only."""
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def fixed_onnx(path: Path) -> OnnxModel:
    """Return an onnx.ModelProto, external data included, whose inputs have a batch of one; float16 becomes float32.

    Constants that are listed as inputs, as files before IR version 4 do, become constants only.

    Args:
        path: a file that `inspect` reads, its external data checked.
    """
    model = whole(path)
    widen(model)
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    fed = [value for value in graph.input if value.name not in constants]
    if len(fed) < len(graph.input):
        model.ir_version = max(model.ir_version, 4)
        kept = [type(value).FromString(value.SerializeToString()) for value in fed]
        del graph.input[:]
        graph.input.extend(kept)
    symbols = set()
    for value in graph.input:
        for first in value.type.tensor_type.shape.dim[:1]:
            if not first.HasField("dim_value"):
                symbols.add(first.dim_param)
                first.dim_value = 1
    for value in (*graph.output, *graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param and size.dim_param in symbols:
                size.dim_value = 1
    return model
