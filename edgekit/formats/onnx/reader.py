"""Reading .onnx files."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.errors import InputError, MissingExtraError
from edgekit.files.opening import brief
from edgekit.files.whole import gzip_bytes
from edgekit.formats import values
from edgekit.formats.info import FileInfo, TensorInfo, WeightInfo
from edgekit.formats.onnx.external import embed
from edgekit.formats.onnx.graph import DTYPES, BadModel, Constant, Index, index, operator_name, sizes, text
from edgekit.formats.onnx.macs import count_macs
from edgekit.formats.onnx.ports import Ports
from edgekit.formats.onnx.quantization import Scales, widened
from edgekit.formats.onnx.values import Store
from edgekit.formats.source import check_file, damaged, load
from edgekit.formats.types import OnnxModel, OnnxValue

_QLINEAR, _QLINEAR_UNARY = {1, 2, 4, 5, 6, 7}, {1, 2, 3, 4}
_NOT_WEIGHTS: dict[str, set[int]] = {
    # Operator -> places of its inputs that are scales, zero points, limits and sizes.
    "QuantizeLinear": {1, 2},
    "DequantizeLinear": {1, 2},
    "QLinearConv": _QLINEAR,
    "QLinearMatMul": _QLINEAR,
    "ConvInteger": {2, 3},
    "MatMulInteger": {2, 3},
    "QLinearAdd": _QLINEAR,
    "QLinearMul": _QLINEAR,
    "QGemm": {1, 2, 4, 5, 7, 8},
    "QLinearGlobalAveragePool": _QLINEAR_UNARY,
    "QLinearAveragePool": _QLINEAR_UNARY,
    "QLinearSigmoid": _QLINEAR_UNARY,
    "QLinearLeakyRelu": _QLINEAR_UNARY,
    "QLinearSoftmax": _QLINEAR_UNARY,
    "Clip": {1, 2},
    "Dropout": {1, 2},
    "OneHot": {1, 2},
    "Resize": {1, 2, 3},
    "Pad": {1, 2, 3},
    "Upsample": {1},
    "Range": {0, 1, 2},
}
_INDEX_TYPES = ("int32", "int64", "uint32", "uint64", "bool", "string")
"""Constants of these types are shapes, axes, indices and the like, unless one of `_WEIGHTS` uses them."""
_WEIGHTS = {("DequantizeLinear", 0), ("QLinearConv", 8), ("QGemm", 6)}
_BIASES = {("Conv", 2), ("ConvTranspose", 2), ("Gemm", 2), ("QLinearConv", 8), ("QGemm", 6)}
_BIASES |= {("LSTM", 3), ("GRU", 3), ("RNN", 3)}
"""Where operators take a bias."""

LIMIT = 1 << 31
"""Bytes at which protobuf messages end."""


def read_onnx(path: Path, shapes: Mapping[str, Sequence[int]] | None = None) -> FileInfo:
    """Read what a .onnx file holds.

    Args:
        path: the file; it may be damaged or hostile.
        shapes: sizes of inputs, by name, for which MACs are counted.

    Raises:
        InputError: it cannot be read, is not an ONNX model, its parts do not fit together, or it wants external data
            that is missing or lies outside its folder; or the shapes do not fit its inputs.
        MissingExtraError: the `onnx` package is not installed.
    """
    model = parse(path)
    try:
        return _describe(path, path.stat().st_size, model, shapes or {})
    except BadModel as error:
        raise damaged(path, "ONNX", str(error)) from error


def parse(path: Path) -> OnnxModel:
    """Return the ModelProto of an .onnx file; external data is not read.

    Raises:
        InputError: it cannot be read, or is not an ONNX model.
        MissingExtraError: the `onnx` package is not installed.
    """
    if check_file(path) >= LIMIT:
        raise InputError(
            f"{brief(path)}: is larger than 2 GiB, the limit of an .onnx file",
            "save the weights in a file beside it, as external data",
            code="model-too-large",
        )
    data = bytes(load(path))
    try:
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]
    except ImportError as error:
        raise MissingExtraError("inspecting an ONNX file", "onnx", str(error)) from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise damaged(path, "ONNX", "it is not a whole protobuf message") from error
    if not model.HasField("graph") or not model.ir_version:
        raise InputError(
            f"{path}: not an ONNX model: it has no graph or no IR version",
            "export the model again",
            code="format-unexpected",
        )
    return model


def whole(path: Path) -> OnnxModel:
    """Return the ModelProto of an .onnx file with its external data in it.

    Raises:
        InputError: as `parse`, or external data is missing, too short, or outside the model's folder.
        MissingExtraError: the `onnx` package is not installed.
    """
    model = parse(path)
    try:
        embed(model, path)
    except BadModel as error:
        raise damaged(path, "ONNX", str(error)) from error
    return model


def _describe(path: Path, size: int, model: OnnxModel, shapes: Mapping[str, Sequence[int]]) -> FileInfo:
    graph = index(model)
    store = Store(path)
    store.check(model)
    scales = Scales(graph, store)
    constants = {t.name for t in model.graph.initializer}
    fed = [value for value in model.graph.input if value.name not in constants]
    ports = Ports(model, graph, scales) if any(map(_is_integer, (*fed, *model.graph.output))) else None
    inputs = tuple(_end(value, ports, "inputs") for value in fed)
    outputs = tuple(_end(value, ports, "outputs") for value in model.graph.output)
    steps = {name for names in widened(graph).values() for name in names}
    held = [c for c in graph.constants if c.name not in steps and _is_weight(c, graph)]
    weights = tuple(_weight(c, scales, store, graph) for c in held)
    macs, note, batch = count_macs(model, graph, _given(path, inputs, shapes))
    return FileInfo(
        path=path,
        format="onnx",
        bytes=size,
        gzip_bytes=gzip_bytes(path),
        inputs=inputs,
        outputs=outputs,
        operators=dict(Counter(operator_name(node) for node, _ in graph.nodes).most_common()),
        parameters=sum(w.elements for w in weights),
        macs=macs,
        macs_note=note,
        weights=weights,
        description=_description(model, store, batch),
    )


def _given(path: Path, inputs: Sequence[TensorInfo], shapes: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
    """Return the shapes that the user gives; raise `InputError` where an input is another."""
    known = {tensor.name: tensor.shape for tensor in inputs}
    for name, sizes_ in shapes.items():
        if name not in known:
            raise InputError(
                f"`--input-shape {name}`: {brief(path)} has no input of this name",
                f"its inputs are: {', '.join(known) or 'none'}",
                code="input-shape-mismatch",
            )
        own = known[name]
        if len(own) != len(sizes_) or any(a < 1 or b not in (-1, a) for a, b in zip(sizes_, own, strict=True)):
            shown = "×".join("?" if size == -1 else str(size) for size in own) or "scalar"
            raise InputError(
                f"`--input-shape {name}`: the input has the shape {shown}",
                "give a size above 0 for every ?, and the other sizes as they are",
                code="input-shape-mismatch",
            )
    return {name: tuple(sizes_) for name, sizes_ in shapes.items()}


def _end(value: OnnxValue, ports: Ports | None, side: str) -> TensorInfo:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return TensorInfo(text(value.name), (), (kind or "unknown").removesuffix("_type"), None)
    tensor = value.type.tensor_type
    dtype, shape = _dtype(tensor.elem_type), sizes(tensor.shape)
    quantization, unscaled = None, False
    if ports is not None and _is_integer(value):
        quantization, unscaled = ports.of(value.name, dtype, side)
    return TensorInfo(text(value.name), shape, dtype, quantization, unscaled=unscaled)


def _is_integer(value: OnnxValue) -> bool:
    """Return whether an input or output holds integers, or the floating point of 8 bits that stands for others."""
    return value.type.HasField("tensor_type") and _dtype(value.type.tensor_type.elem_type).startswith(
        ("int", "uint", "float8")
    )


def _is_weight(constant: Constant, graph: Index) -> bool:
    uses = graph.consumers.get(constant.name, {})
    dtype = _dtype(constant.tensor.data_type)
    if dtype in _INDEX_TYPES:
        return any(use in uses for use in _WEIGHTS)
    return not uses or any(place not in _NOT_WEIGHTS.get(operator, ()) for operator, place in uses)


def _weight(constant: Constant, scales: Scales, store: Store, graph: Index) -> WeightInfo:
    dtype, shape = _dtype(constant.tensor.data_type), constant.shape
    elements = math.prod(shape)
    raw = store.raw(constant)
    quantization = scales.of_constant(constant.name, shape)
    zeros = unique = None
    if raw is not None:
        stored = tuple(constant.tensor.dims) if constant.sparse else shape
        zeros, unique = values.count(raw, dtype, stored, quantization)
    if constant.sparse and zeros is not None:
        stored_elements = constant.tensor.dims[0]
        if stored_elements > elements:
            raise BadModel(f"the sparse constant `{text(constant.name)}` stores {stored_elements} of {elements} values")
        zeros += elements - stored_elements
    size = len(raw if raw is not None else constant.tensor.raw_data)
    bias = dtype in _INDEX_TYPES or _is_bias(constant.name, graph)
    name = text(constant.name)
    return WeightInfo(name, shape, dtype, quantization, size, elements, zeros, unique, constant.sparse, bias)


def _is_bias(name: str, graph: Index) -> bool:
    uses = set(graph.consumers.get(name, {}))
    return bool(uses) and uses <= _BIASES


def _dtype(number: int) -> str:
    return DTYPES.get(number, f"type{number}")


def _description(model: OnnxModel, store: Store, batch: int) -> dict[str, str]:
    facts = {
        "IR version": str(model.ir_version),
        "opset": ", ".join(f"{text(o.domain) or 'ai.onnx'} {o.version}" for o in model.opset_import),
        "producer": f"{text(model.producer_name)} {text(model.producer_version)}".strip(),
        "functions": str(len(model.functions)) if model.functions else "",
        "fixed batch": f"{batch}; MACs are for one sample" if batch > 1 else "",
        "external data": ", ".join(f"{name} ({size:,} bytes)" for name, size in store.external.items()),
    }
    return {key: fact for key, fact in facts.items() if fact}
