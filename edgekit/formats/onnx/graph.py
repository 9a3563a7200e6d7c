"""An ONNX model's graphs as one index: every node, who makes and who uses a name, and the constants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from edgekit.formats.source import MAX_RANK
from edgekit.formats.types import OnnxGraph, OnnxMessage, OnnxModel, OnnxNode, OnnxTensor

DTYPES: dict[int, str] = {
    **{1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool"},
    **{10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16"},
    **{17: "float8_e4m3fn", 18: "float8_e4m3fnuz", 19: "float8_e5m2", 20: "float8_e5m2fnuz", 21: "uint4", 22: "int4"},
    **{23: "float4_e2m1fn", 24: "float8_e8m0fnu", 25: "uint2", 26: "int2", 27: "float6_e2m3fn", 28: "float6_e3m2fn"},
}
"""By number of `TensorProto.DataType`."""

MAX_NODES = 200_000
"""More than any model has, over all graphs: a few seconds of work."""

_STANDARD = ("", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training")


class BadModel(Exception):
    """The model's parts do not fit together; the message says how."""


@dataclass(frozen=True)
class Constant:
    """A constant tensor.

    Attributes:
        name: the value's name in the graph.
        tensor: the TensorProto; for a sparse one that of its stored values.
        shape: of the whole, dense tensor.
        sparse: whether `tensor` holds only a part of the values.
    """

    name: str
    tensor: OnnxTensor
    shape: tuple[int, ...]
    sparse: bool = False


@dataclass
class Index:
    """All graphs of a model: the main one, the bodies of If, Loop and Scan, and local functions.

    Attributes:
        nodes: (node, whether it belongs to the main graph itself), in the order of the file.
        consumers: name -> {(operator type, place among its inputs): the first such node}.
        uses: name -> every (node, place among its inputs), in the order of the file.
        producers: name -> node.
        constants: initializers and the outputs of Constant nodes.
        by_name: the constants of `constants` by name; of several with the same name the first.
    """

    nodes: list[tuple[OnnxNode, bool]] = field(default_factory=list)
    consumers: dict[str, dict[tuple[str, int], OnnxNode]] = field(default_factory=dict)
    uses: dict[str, list[tuple[OnnxNode, int]]] = field(default_factory=dict)
    producers: dict[str, OnnxNode] = field(default_factory=dict)
    constants: list[Constant] = field(default_factory=list)
    by_name: dict[str, Constant] = field(default_factory=dict)


def index(model: OnnxModel) -> Index:
    """Walk through all graphs of a ModelProto.

    Raises:
        BadModel: a constant has an impossible shape, or there are too many nodes.
    """
    found = Index()
    _graph(model.graph, found, main=True)
    for function in model.functions:
        for node in function.node:
            _node(node, found, main=False)
    for constant in found.constants:
        found.by_name.setdefault(constant.name, constant)
    return found


def operator_name(node: OnnxNode) -> str:
    """Return `Conv`, or `CUSTOM:com.microsoft.QGemm` for an operator outside the ONNX standard."""
    operator = text(node.op_type)
    return operator if node.domain in _STANDARD else f"CUSTOM:{text(node.domain)}.{operator}"


def text(value: str | bytes) -> str:
    """Return a string field as text: protobuf hands out bytes where a damaged one is not UTF-8."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def attribute(node: OnnxNode, name: str, default: int) -> int:
    """Return an integer attribute of a node."""
    return next((int(a.i) for a in node.attribute if a.name == name), default)


def sizes(shape: OnnxMessage) -> tuple[int, ...]:
    """Return a TensorShapeProto as sizes, -1 for those without a number.

    Raises:
        BadModel: more axes than any runtime takes.
    """
    if len(shape.dim) > MAX_RANK:
        raise BadModel(f"a tensor has {len(shape.dim)} axes")
    return tuple(d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else -1 for d in shape.dim)


def _graph(graph: OnnxGraph, found: Index, *, main: bool) -> None:
    found.constants += [Constant(t.name, t, _dims(t)) for t in graph.initializer]
    found.constants += [_sparse(s.values.name, s) for s in graph.sparse_initializer]
    for node in graph.node:
        _node(node, found, main=main)


def _node(node: OnnxNode, found: Index, *, main: bool) -> None:
    found.nodes.append((node, main))
    if len(found.nodes) > MAX_NODES:
        raise BadModel(f"it has more than {MAX_NODES:,} nodes")
    for place, name in enumerate(node.input):
        found.consumers.setdefault(name, {}).setdefault((node.op_type, place), node)
        found.uses.setdefault(name, []).append((node, place))
    for name in node.output:
        found.producers.setdefault(name, node)
    if node.op_type == "Constant" and node.output:
        found.constants += _constants(node)
    for a in node.attribute:
        for body in ([a.g] if a.HasField("g") else []) + list(a.graphs):
            _graph(body, found, main=False)


def _constants(node: OnnxNode) -> Iterator[Constant]:
    from onnx import TensorProto

    name = node.output[0]
    for a in node.attribute:
        if a.name == "value" and a.HasField("t"):
            yield Constant(name, a.t, _dims(a.t))
        elif a.name == "sparse_value" and a.HasField("sparse_tensor"):
            yield _sparse(name, a.sparse_tensor)
        elif a.name == "value_float":
            yield Constant(name, TensorProto(data_type=1, float_data=[a.f]), ())
        elif a.name == "value_floats":
            yield Constant(name, TensorProto(data_type=1, float_data=a.floats), (len(a.floats),))


def _sparse(name: str, sparse: OnnxTensor) -> Constant:
    if len(sparse.values.dims) != 1:
        raise BadModel(f"the sparse constant `{text(name)}` has values of shape {list(sparse.values.dims)[:MAX_RANK]}")
    return Constant(name, sparse.values, _dims(sparse), sparse=True)


def _dims(tensor: OnnxTensor) -> tuple[int, ...]:
    if len(tensor.dims) > MAX_RANK or any(size < 0 for size in tensor.dims):
        raise BadModel(f"the constant `{text(getattr(tensor, 'name', ''))}` has an impossible shape")
    return tuple(tensor.dims)
