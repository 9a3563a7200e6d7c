"""A .tflite file as plain Python: graphs, tensors, operators and where the constants stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from mmap import mmap
from typing import TypeVar

from edgekit.formats.info import Quantization
from edgekit.formats.source import MAX_RANK
from edgekit.formats.tflite.flatbuffer import Damaged, Walker
from edgekit.formats.types import Table

IDENTIFIER = b"TFL3"
"""Bytes 4 to 8 of every .tflite file."""

_DTYPES = (
    *("float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8", "float64"),
    *("complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4", "bfloat16", "int2", "uint4"),
    *("float8_e4m3fn", "float8_e5m2"),
)
"""By number of the schema's `TensorType`."""

_USUAL_METADATA = ("min_runtime_version", "CONVERSION_METADATA")


@dataclass(frozen=True)
class Span:
    """Where a constant stands: bytes `start` to `start + length` of the file, or of another one (`start` None)."""

    start: int | None
    length: int


@dataclass(frozen=True)
class Tensor:
    """A tensor of a graph.

    Attributes:
        table: the flatbuffer table, for what is not here.
        shape: sizes of one run; 1 where dynamic.
        signature: sizes, -1 where dynamic.
        dtype: the NumPy name.
        span: its constant values; None for an activation.
        aux: indices of the tensors that hold its blockwise scales and zero points.
    """

    table: Table
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    dtype: str
    span: Span | None
    aux: tuple[int, ...]


@dataclass(frozen=True)
class Operator:
    """An operator; an input of -1 is left out."""

    table: Table
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """A subgraph; `inputs` and `outputs` index `tensors`."""

    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True)
class Signature:
    """A signature; `inputs` and `outputs` map tensor index to name."""

    key: str
    graph: int
    inputs: dict[int, str]
    outputs: dict[int, str]


@dataclass(frozen=True)
class Model:
    """The whole file.

    Attributes:
        graphs: the main one first.
        external: names of other files that hold constants.
        metadata: names of the entries that tell a reader something; not the converter's own record.
    """

    version: int
    description: str
    minimum_runtime: str
    graphs: tuple[Graph, ...]
    signatures: tuple[Signature, ...]
    external: tuple[str, ...]
    metadata: tuple[str, ...]


def parse(data: bytes | mmap, walk: Walker) -> Model:
    """Read the structure of a .tflite file.

    Args:
        data: the file, with the identifier in its place.
        walk: bounds the work.

    Raises:
        Damaged: indices, offsets or sizes do not fit together.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = walk.call(schema.Model.GetRootAs, data)
    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    codes = [_operator_name(code, names, walk) for code in walk.tables(model, "OperatorCodes")]
    buffers = [_span(buffer, len(data), walk) for buffer in walk.tables(model, "Buffers")]
    external = {
        walk.call(table.Id): Span(None, walk.call(table.Length)) for table in walk.tables(model, "ExternalBuffers")
    }
    blocks = schema.QuantizationDetails.BlockwiseQuantization, schema.BlockwiseQuantization
    graphs = []
    for table in walk.tables(model, "Subgraphs"):
        tensors = tuple(_tensor(t, buffers, external, blocks, walk) for t in walk.tables(table, "Tensors"))
        count = len(tensors)
        if any(i >= count for tensor in tensors for i in tensor.aux):
            raise Damaged("a tensor's scales are missing")
        operators = tuple(
            Operator(
                op,
                _pick(codes, walk.call(op.OpcodeIndex), "an operator code"),
                _indices(walk.numbers(op, "Inputs"), count, lowest=-1),
                _indices(walk.numbers(op, "Outputs"), count),
            )
            for op in walk.tables(table, "Operators")
        )
        inputs, outputs = (_indices(walk.numbers(table, f), count) for f in ("Inputs", "Outputs"))
        graphs.append(Graph(tensors, inputs, outputs, operators))
    if not graphs:
        raise Damaged("it has no graph")
    return Model(
        version=walk.call(model.Version),
        description=walk.text(model, "Description"),
        minimum_runtime=_minimum_runtime(model, buffers, data, walk),
        graphs=tuple(graphs),
        signatures=tuple(_signature(s, walk) for s in walk.tables(model, "SignatureDefs")),
        external=tuple(walk.text(group, "Name") for group in walk.tables(model, "ExternalBufferGroups")),
        metadata=tuple(
            name
            for name in (walk.text(entry, "Name") for entry in walk.tables(model, "Metadata"))
            if name and name not in _USUAL_METADATA
        ),
    )


def quantization(tensor: Tensor, walk: Walker) -> Quantization | None:
    """Return the scales and zero points that a tensor's table holds; None without any, also for blockwise ones."""
    table = walk.call(tensor.table.Quantization)
    if table is None:
        return None
    scale = tuple(walk.numbers(table, "Scale"))
    if not scale:
        return None
    zero_point = tuple(walk.numbers(table, "ZeroPoint")) or (0,)
    if len(zero_point) == 1:
        zero_point *= len(scale)
    if len(zero_point) != len(scale):
        raise Damaged(f"a tensor has {len(scale)} scales and {len(zero_point)} zero points")
    return Quantization(scale, zero_point, walk.call(table.QuantizedDimension) if len(scale) > 1 else None)


def _operator_name(code: Table, names: dict[int, str], walk: Walker) -> str:
    # Old files have only the 8-bit field; newer ones write the larger of the two.
    number = max(walk.call(code.BuiltinCode), walk.call(code.DeprecatedBuiltinCode))
    name = names.get(number, f"UNKNOWN:{number}")
    return f"CUSTOM:{walk.text(code, 'CustomCode')}" if name == "CUSTOM" else name


def _span(buffer: Table, size: int, walk: Walker) -> Span | None:
    length, table = walk.call(buffer.DataLength), buffer._tab
    if length:
        start = walk.call(lambda: table.Vector(table.Offset(4)))
    else:
        # Files above 2 GB keep the values after the flatbuffer; an offset of 0 or 1 means that there are none.
        start, length = walk.call(buffer.Offset), walk.call(buffer.Size)
        if start <= 1 or length == 0:
            return None
    if start + length > size:
        raise Damaged(f"a constant ends at byte {start + length}, the file has {size}")
    return Span(start, length)


def _tensor(
    table: Table,
    buffers: Sequence[Span | None],
    external: dict[int, Span],
    blocks: tuple[int, Callable[[], Table]],
    walk: Walker,
) -> Tensor:
    shape = _shape(walk.numbers(table, "Shape"))
    signature = _shape(walk.numbers(table, "ShapeSignature"))
    number = walk.call(table.Type)
    span = _pick(buffers, walk.call(table.Buffer), "a buffer") if buffers else None
    if outside := walk.call(table.ExternalBuffer):
        if outside not in external:
            raise Damaged(f"external buffer {outside} is missing")
        span = external[outside]
    return Tensor(
        table=table,
        shape=shape,
        signature=signature if len(signature) == len(shape) else shape,
        dtype=_DTYPES[number] if 0 <= number < len(_DTYPES) else f"type{number}",
        span=span,
        aux=_blockwise(table, blocks, walk),
    )


def _shape(sizes: list[int]) -> tuple[int, ...]:
    if len(sizes) > MAX_RANK or any(size < -1 for size in sizes):
        raise Damaged(f"a tensor has an impossible shape, of {len(sizes)} axes")
    return tuple(sizes)


def _blockwise(table: Table, blocks: tuple[int, Callable[[], Table]], walk: Walker) -> tuple[int, ...]:
    parameters = walk.call(table.Quantization)
    if parameters is None or walk.call(parameters.DetailsType) != blocks[0]:
        return ()
    details = walk.call(parameters.Details)
    if details is None:
        return ()
    block = blocks[1]()
    walk.call(block.Init, details.Bytes, details.Pos)
    return tuple(i for i in (walk.call(block.Scales), walk.call(block.ZeroPoints)) if i > 0)


def _signature(table: Table, walk: Walker) -> Signature:
    inputs, outputs = (
        {walk.call(entry.TensorIndex): walk.text(entry, "Name") for entry in walk.tables(table, field)}
        for field in ("Inputs", "Outputs")
    )
    return Signature(walk.text(table, "SignatureKey"), walk.call(table.SubgraphIndex), inputs, outputs)


def _minimum_runtime(model: Table, buffers: Sequence[Span | None], data: bytes | mmap, walk: Walker) -> str:
    for entry in walk.tables(model, "Metadata"):
        if walk.text(entry, "Name") == "min_runtime_version":
            span = _pick(buffers, walk.call(entry.Buffer), "a metadata buffer")
            if span and span.start is not None and span.length <= 64:
                return data[span.start : span.start + span.length].rstrip(b"\0").decode("utf-8", "replace")
    return ""


_Item = TypeVar("_Item")


def _pick(items: Sequence[_Item], index: int, what: str) -> _Item:
    if not 0 <= index < len(items):
        raise Damaged(f"it refers to {what} {index} of {len(items)}")
    return items[index]


def _indices(values: list[int], count: int, lowest: int = 0) -> tuple[int, ...]:
    for value in values:
        if not lowest <= value < count:
            raise Damaged(f"it refers to tensor {value} of {count}")
    return tuple(values)
