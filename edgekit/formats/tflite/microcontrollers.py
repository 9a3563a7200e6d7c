"""What TensorFlow Lite Micro runs of a .tflite file: its operators, and the types and sizes that its kernels take.

Read in November 2026 from github.com/tensorflow/tflite-micro at 90b983c (2026-08-20): the operators from
tensorflow/lite/micro/micro_mutable_op_resolver.h, types and sizes from the reference kernels in
tensorflow/lite/micro/kernels; and tried with its Python package (0.dev20261023), an int8 file for every operator that
the converter makes. Kernels of chip makers (CMSIS-NN, Xtensa, ARC) take less in places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgekit.formats.tflite.flatbuffer import Damaged, Walker
from edgekit.formats.tflite.graph import Graph, Operator, Tensor, parse, quantization

SOURCE = "tensorflow/tflite-micro of 2026-08-20"
OPERATORS = frozenset(
    {"ABS", "ADD", "ADD_N", "ARG_MAX", "ARG_MIN", "ASSIGN_VARIABLE", "AVERAGE_POOL_2D", "BATCH_MATMUL"}
    | {"BATCH_TO_SPACE_ND", "BROADCAST_ARGS", "BROADCAST_TO", "CALL_ONCE", "CAST", "CEIL", "CONCATENATION", "CONV_2D"}
    | {"COS", "CUMSUM", "DEPTH_TO_SPACE", "DEPTHWISE_CONV_2D", "DEQUANTIZE", "DIV", "DYNAMIC_UPDATE_SLICE", "ELU"}
    | {"EMBEDDING_LOOKUP", "EQUAL", "EXP", "EXPAND_DIMS", "FILL", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "FULLY_CONNECTED"}
    | {"GATHER", "GATHER_ND", "GREATER", "GREATER_EQUAL", "HARD_SWISH", "IF", "L2_NORMALIZATION", "L2_POOL_2D"}
    | {"LEAKY_RELU", "LESS", "LESS_EQUAL", "LOG", "LOG_SOFTMAX", "LOGICAL_AND", "LOGICAL_NOT", "LOGICAL_OR", "LOGISTIC"}
    | {"MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MIRROR_PAD", "MUL", "NEG", "NOT_EQUAL", "PACK", "PAD", "PADV2"}
    | {"PRELU", "QUANTIZE", "READ_VARIABLE", "REDUCE_ALL", "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RESHAPE"}
    | {"RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "ROUND", "RSQRT", "SELECT_V2", "SHAPE", "SIN"}
    | {"SLICE", "SOFTMAX", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQRT", "SQUARE"}
    | {"SQUARED_DIFFERENCE", "SQUEEZE", "STRIDED_SLICE", "SUB", "SUM", "SVDF", "TANH", "TRANSPOSE", "TRANSPOSE_CONV"}
    | {"UNIDIRECTIONAL_SEQUENCE_LSTM", "UNPACK", "VAR_HANDLE", "WHILE", "ZEROS_LIKE"}
    | {"CUSTOM:CIRCULAR_BUFFER", "CUSTOM:TFLM_DECODE", "CUSTOM:TFLite_Detection_PostProcess", "CUSTOM:ethos-u"}
)
"""Those that it has at all."""
FLOAT_ONLY = frozenset(
    {"CEIL", "COS", "EXP", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "L2_POOL_2D", "LOG", "NEG", "ROUND", "SIN", "SQRT"}
    | {"SQUARE"}
)
"""Those that take no int8 values."""
AXES = {"BROADCAST_TO": 5, "SLICE": 5, "TRANSPOSE": 5}
"""Axes that these take at most."""
MOST_AXES = 6
"""Of the others (`RuntimeShape::kMaxSmallSize`)."""
MOST_PARTS = 10
"""Inputs of CONCATENATION."""
_HYBRID = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
"""Operators whose weights must be of the type of their input."""


@dataclass(frozen=True)
class _Use:
    """An operator where it stands."""

    operator: Operator
    graph: Graph

    def tensors(self, indices: tuple[int, ...]) -> list[Tensor]:
        return [self.graph.tensors[i] for i in indices if i >= 0]


def lacking(data: bytes) -> list[str]:
    """Return the operators of a .tflite file that TensorFlow Lite Micro cannot run, as a message names them.

    Args:
        data: the file.

    Returns:
        Names, with the reason where it has the operator, but not for these values; each once. Nothing of a file that
        cannot be read.
    """
    walk = Walker(len(data))
    try:
        graphs = parse(data, walk).graphs
        found = [reason for graph in graphs for op in graph.operators for reason in _reasons(_Use(op, graph), walk)]
    except Damaged:
        return []
    return list(dict.fromkeys(found))


def _reasons(use: _Use, walk: Walker) -> Iterator[str]:
    name = use.operator.name
    if name not in OPERATORS:
        yield name.removeprefix("CUSTOM:")
        return
    inputs, outputs = use.tensors(use.operator.inputs), use.tensors(use.operator.outputs)
    values = next((tensor for tensor in inputs if tensor.span is None), inputs[0] if inputs else None)
    if values is not None and values.dtype == "int8" and name in FLOAT_ONLY:
        yield f"{name} of int8 values"
    if name in ("ARG_MAX", "ARG_MIN") and any(tensor.dtype != "int32" for tensor in outputs):
        yield f"{name} with {outputs[0].dtype} results"
    if name in _HYBRID and len(inputs) > 1 and inputs[0].dtype == "float32" and inputs[1].dtype != "float32":
        yield f"{name} with {inputs[1].dtype} weights for float32 values"
    if name == "DEQUANTIZE" and any(len(q.scale) > 1 for t in inputs if (q := quantization(t, walk)) is not None):
        yield "DEQUANTIZE with a scale a channel"  # it takes the first for all
    axes = max((len(tensor.shape) for tensor in (*inputs, *outputs)), default=0)
    if axes > AXES.get(name, MOST_AXES):
        yield f"{name} of {axes} axes"
    if name == "CONCATENATION" and len(inputs) > MOST_PARTS:
        yield f"{name} of {len(inputs)} parts"
