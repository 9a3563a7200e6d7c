"""The first operations of a `.tflite` or `.onnx` file, behind each of its inputs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgekit.formats import values
from edgekit.formats.reading import at_arms_length, format_of
from edgekit.formats.steps import Step, arithmetic, backwards, follow, normalising, reverses
from edgekit.formats.tflite.graph import Operator
from edgekit.formats.types import OnnxNode
from edgekit.formats.values import Array
from edgekit.schema.types import JsonObject

_TFLITE_ARITHMETIC = {"ADD": "add", "SUB": "subtract", "MUL": "multiply", "DIV": "divide"}
_TFLITE_NEUTRAL = (
    *("CAST", "RESHAPE", "TRANSPOSE", "PAD", "PADV2", "MIRROR_PAD", "SLICE", "SQUEEZE", "EXPAND_DIMS", "DEQUANTIZE"),
    *("AVERAGE_POOL_2D", "MAX_POOL_2D", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "QUANTIZE"),
)
_TFLITE_WEIGHTS = (
    *("CONV_2D", "DEPTHWISE_CONV_2D", "CONV_3D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL", "LSTM", "RNN"),
    *("UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_LSTM", "SVDF"),
)
_ONNX_ARITHMETIC = {"Add": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide"}
_ONNX_NEUTRAL = (
    *("Cast", "Identity", "Reshape", "Flatten", "Transpose", "Unsqueeze", "Squeeze", "Pad", "Dropout", "Resize"),
    *("Upsample", "AveragePool", "MaxPool", "QuantizeLinear", "DequantizeLinear"),
)
_ONNX_WEIGHTS = ("Conv", "ConvTranspose", "Gemm", "LSTM", "GRU", "RNN")


def leading(path: Path) -> list[list[Step]]:
    """Return the first operations behind every input, in the order of the file.

    Raises:
        InputError: the file cannot be read, or is damaged.
        MissingExtraError: it is an ONNX file and the `onnx` package is not installed.
    """
    inputs = at_arms_length("describe", path, __name__, kind=format_of(path))
    return [[Step.from_dict(step) for step in steps] for steps in inputs]


def describe(path: str, kind: str) -> tuple[list[list[JsonObject]], list[Array]]:
    """Do what `leading` asks for, in its child."""
    inputs = (_of_tflite if kind == "tflite" else _of_onnx)(Path(path))
    return [[step.to_dict() for step in steps] for steps in inputs], []


def _of_tflite(path: Path) -> list[list[Step]]:
    from edgekit.formats.source import damaged, load
    from edgekit.formats.tflite.flatbuffer import Damaged, Walker
    from edgekit.formats.tflite.graph import parse

    data = load(path)
    try:
        graph = parse(data, Walker(len(data))).graphs[0]
    except Damaged as error:
        raise damaged(path, "TFLite", str(error)) from error
    users: dict[int, list[Operator]] = defaultdict(list)
    for operator in graph.operators:
        for index in dict.fromkeys(operator.inputs):
            users[index].append(operator)

    def constant(index: int) -> Array | None:
        tensor = graph.tensors[index] if index >= 0 else None
        if tensor is None or tensor.span is None or tensor.span.start is None:
            return None
        size = values.stored_bytes(tensor.dtype, math.prod(tensor.shape))
        if size != tensor.span.length or min(tensor.shape, default=0) < 0:
            return None
        raw = data[tensor.span.start : tensor.span.start + tensor.span.length]
        return values.decode(raw, tensor.dtype, math.prod(tensor.shape)).reshape(tensor.shape)

    def step(operator: Operator, tensor: int) -> tuple[Step, int]:
        made = operator.outputs[0] if operator.outputs else -1
        return _tflite_step(operator, tensor, constant, len(graph.tensors[tensor].shape)), made

    return [follow(index, lambda tensor: users.get(tensor, []), step) for index in graph.inputs]


def _tflite_step(operator: Operator, tensor: int, constant: Callable[[int], Array | None], rank: int) -> Step:
    name, inputs = operator.name, operator.inputs
    others = [constant(index) for index in inputs if index != tensor]
    if name in _TFLITE_ARITHMETIC and len(others) == 1 and others[0] is not None and others[0].dtype.kind == "f":
        return arithmetic(name, _TFLITE_ARITHMETIC[name], others[0], swapped=inputs[0] != tensor)
    if name == "REVERSE_V2" and others and others[0] is not None:
        return Step("reverse" if rank - 1 in np.ravel(others[0]) % rank else "neutral", name)
    if name == "STRIDED_SLICE" and len(others) == 3 and others[2] is not None:
        return Step("reverse" if backwards(others[2]) else "neutral", name)
    if name in ("GATHER", "EMBEDDING_LOOKUP") and len(inputs) > 1:
        as_tokens = (inputs[1] if name == "GATHER" else inputs[0]) == tensor
        table = constant(inputs[0] if name == "GATHER" else inputs[1])
        if as_tokens:
            return Step("tokens", name, vocabulary=None if table is None else len(table))
        return Step("reverse" if others[0] is not None and reverses(others[0]) else "other", name)
    if name in _TFLITE_WEIGHTS:
        return Step("weights", name)
    return Step("neutral" if name in _TFLITE_NEUTRAL else "other", name)


def _of_onnx(path: Path) -> list[list[Step]]:
    from edgekit.formats.onnx.graph import DTYPES, BadModel, index, text
    from edgekit.formats.onnx.reader import parse
    from edgekit.formats.onnx.values import Store
    from edgekit.formats.source import damaged

    model = parse(path)
    try:
        known, store = index(model).by_name, Store(path)
    except BadModel as error:
        raise damaged(path, "ONNX", str(error)) from error
    users: dict[str, list[OnnxNode]] = defaultdict(list)
    for node in model.graph.node:
        for name in dict.fromkeys(node.input):
            users[name].append(node)

    def constant(name: str) -> Array | None:
        stored = known.get(name)
        if stored is None or stored.sparse:
            return None
        try:
            raw, dtype = store.raw(stored), DTYPES.get(stored.tensor.data_type, "")
        except BadModel as error:
            raise damaged(path, "ONNX", str(error)) from error
        if raw is None or dtype not in values.BITS:
            return None
        return values.decode(raw, dtype, math.prod(stored.shape)).reshape(stored.shape)

    def step(node: OnnxNode, tensor: str) -> tuple[Step, str]:
        return _onnx_step(node, text(node.op_type), tensor, constant), node.output[0] if node.output else ""

    inputs = [value.name for value in model.graph.input if value.name not in known]
    return [follow(name, lambda tensor: users.get(tensor, []), step) for name in inputs]


def _onnx_step(node: OnnxNode, name: str, tensor: str, constant: Callable[[str], Array | None]) -> Step:
    inputs = list(node.input)
    others = [constant(other) for other in inputs if other != tensor]
    if name in _ONNX_ARITHMETIC and len(others) == 1 and others[0] is not None and others[0].dtype.kind == "f":
        return arithmetic(name, _ONNX_ARITHMETIC[name], others[0], swapped=inputs[0] != tensor)
    if name == "BatchNormalization" and len(inputs) == 5 and inputs[0] == tensor:
        return normalising(name, constant(inputs[3]), constant(inputs[4]))
    if name in ("InstanceNormalization", "LayerNormalization", "LpNormalization"):
        return Step("normalise", name)
    if name == "Slice":
        steps = constant(inputs[4]) if len(inputs) > 4 else None
        return Step("reverse" if steps is not None and backwards(steps) else "neutral", name)
    if name == "Gather" and len(inputs) == 2:
        if inputs[1] == tensor:
            table = constant(inputs[0])
            return Step("tokens", name, vocabulary=None if table is None else len(table))
        return Step("reverse" if others[0] is not None and reverses(others[0]) else "other", name)
    if name in _ONNX_WEIGHTS or (name == "MatMul" and others and others[0] is not None):
        return Step("weights", name)
    return Step("neutral" if name in _ONNX_NEUTRAL else "other", name)
