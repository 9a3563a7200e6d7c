"""A .tflite file rebuilt without repetition and without what no reader uses.

The TensorFlow converter writes the zero points of every weight and bias anew (8 bytes a channel), likewise shapes,
options and empty tables; it names every tensor after all the operators that it was fused from, gives every activation
a buffer of its own, and adds a record of the conversion: a good part of a small int8 file.

What stays: every value that an interpreter reads, the alignment of constants, and the names of inputs, outputs and
weights, shortened. What readers were consulted for: TFLite's interpreter wants as many zero points as scales (2.14
refuses fewer), tf2onnx and ai-edge-quantizer want a name for every tensor, `FlatBufferModel::GetMinimumRuntime` reads
the metadata `min_runtime_version`. `CONVERSION_METADATA` is a record for the converter; min and max, where there is a
scale, change no output of the interpreters; and the schema gives tensors without data buffer 0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sized

from edgekit.errors import ConversionError
from edgekit.formats.tflite.builder import rebuilt
from edgekit.formats.tflite.flatbuffer import Damaged, Walker
from edgekit.formats.tflite.graph import IDENTIFIER, parse
from edgekit.formats.types import TfliteModel, TfliteObject

_UNREAD_METADATA = (b"CONVERSION_METADATA",)

_REPEATED = (2, 4)
"""Numbers of the types int32 and int64: without a scale they hold shapes and axes, and equal ones share a buffer."""

_CONVERT_AGAIN = "convert the model again"
READING = (struct.error, TypeError, ValueError, IndexError, AttributeError, OverflowError, RecursionError, MemoryError)
"""What the generated accessors raise where offsets and values make no sense."""


def pack(flatbuffer: bytes) -> bytes:
    """Return the same model in fewer bytes; packing it again changes nothing.

    A file that keeps constants outside the flatbuffer (as files above 2 GB do), or holds something that the installed
    schema does not know, comes back as it is.

    Args:
        flatbuffer: a .tflite file.

    Raises:
        ConversionError: it is not a .tflite file, or damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    if flatbuffer[4:8] != IDENTIFIER:
        raise ConversionError(
            f"packing: not a TFLite file: bytes 4 to 8 are {flatbuffer[4:8]!r}, expected {IDENTIFIER!r}",
            _CONVERT_AGAIN,
            code="format-unexpected",
        )
    try:
        parse(flatbuffer, Walker(len(flatbuffer)))
        model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
        if _unpackable(model):
            return flatbuffer
        _drop_unread(model)
        _drop_buffers(model)
        for index, graph in enumerate(model.subgraphs):
            _name_tensors(graph, _signature_names(model, index), model.buffers)
        packed = rebuilt(model)
    except Damaged as error:
        raise ConversionError(
            f"packing: this TFLite file is cut off or damaged: {error}", _CONVERT_AGAIN, code="file-damaged"
        ) from error
    except READING as error:
        raise ConversionError(
            "packing: this TFLite file is cut off or damaged", _CONVERT_AGAIN, code="file-damaged"
        ) from error
    return packed if len(packed) < len(flatbuffer) else flatbuffer


def _unpackable(model: TfliteModel) -> bool:
    operators = [o for graph in model.subgraphs for o in graph.operators or []]
    return (
        bool(model.externalBuffers)
        or any(b.offset > 1 or b.size for b in model.buffers or [])
        or any(o.largeCustomOptionsOffset > 1 or o.largeCustomOptionsSize for o in operators)
        or any(o.builtinOptionsType and o.builtinOptions is None for o in operators)
        or any(o.builtinOptions2Type and o.builtinOptions2 is None for o in operators)
    )


def _drop_unread(model: TfliteModel) -> None:
    model.metadata = [m for m in model.metadata or [] if m.name not in _UNREAD_METADATA] or None
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            how = tensor.quantization
            if how is None:
                continue
            if how.scale is not None and len(how.scale):
                how.min = how.max = None
            elif how.details is None and all(_is_empty(v) for v in (how.min, how.max, how.zeroPoint)):
                tensor.quantization = None
        for operator in graph.operators or []:
            for field in ("intermediates", "mutatingVariableInputs"):
                if _is_empty(getattr(operator, field)):
                    setattr(operator, field, None)


def _is_empty(vector: Sized | None) -> bool:
    return vector is None or len(vector) == 0


def _drop_buffers(model: TfliteModel) -> None:
    """Keep the buffers with something in them that is used, in order, behind the empty one."""
    old = model.buffers
    new: dict[int, int] = {}
    repeated: dict[bytes, int] = {}
    kept = [type(old[0])()]

    def number(index: int, may_share: bool) -> int:
        data = old[index].data
        if data is None:
            return 0
        if index not in new:
            content = bytes(data) if may_share else b""
            new[index] = repeated.get(content, 0) or len(kept)
            if new[index] == len(kept):
                kept.append(old[index])
            if content:
                repeated[content] = new[index]
        return new[index]

    for tensor in (t for graph in model.subgraphs for t in graph.tensors):
        shared = tensor.quantization is None and tensor.type in _REPEATED and not tensor.isVariable
        tensor.buffer = number(tensor.buffer, shared)
    for entry in model.metadata or []:
        entry.buffer = number(entry.buffer, False)
    if model.metadataBuffer is not None:
        model.metadataBuffer = [number(int(index), False) for index in model.metadataBuffer]
    model.buffers = kept


def _signature_names(model: TfliteModel, graph: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for signature in model.signatureDefs or []:
        if signature.subgraphIndex == graph:
            for entry in (*(signature.inputs or []), *(signature.outputs or [])):
                found.setdefault(entry.tensorIndex, entry.name or b"")
    return found


def _name_tensors(graph: TfliteObject, signature: dict[int, bytes], buffers: list[TfliteObject]) -> None:
    """Name inputs and outputs as the signature does, constants by layer, and the rest by number.

    No two get the same name, and names that are made already stay.
    """
    ends = {int(i) for vector in (graph.inputs, graph.outputs) if vector is not None for i in vector}
    constants = {i: t.name or b"" for i, t in enumerate(graph.tensors) if buffers[t.buffer].data is not None}
    short = _shorten(constants)
    names: dict[int, bytes] = {}
    taken: set[bytes] = set()
    order = sorted(range(len(graph.tensors)), key=lambda i: (i not in ends, i not in constants, i))
    for index in order:
        own = (signature.get(index) or graph.tensors[index].name) if index in ends else short.get(index)
        base = own or str(index).encode()
        name, copy = base, 1
        while name in taken:
            copy += 1
            name = b"%s_%d" % (base, copy)
        taken.add(name)
        names[index] = name
    for index, name in names.items():
        graph.tensors[index].name = name


def _shorten(names: dict[int, bytes]) -> dict[int, bytes]:
    """Return one of the operators that each name lists, without the folders common to all.

    The converter lists `model/conv/Relu;model/conv/BiasAdd;model/conv/BiasAdd/ReadVariableOp` for a bias.
    """
    paths = {index: _own_part(name.split(b";")).split(b"/") for index, name in names.items()}
    inside = [path for path in paths.values() if len(path) > 1]
    while inside and min(map(len, inside)) > 2 and len({path[0] for path in inside}) == 1:
        for path in inside:
            del path[0]
    return {index: b"/".join(path) for index, path in paths.items()}


def _own_part(parts: Iterable[bytes]) -> bytes:
    listed = list(parts)
    return next((part for part in listed if part.endswith(b"/BiasAdd")), listed[0])
