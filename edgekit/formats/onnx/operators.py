"""What ONNX's operators do to stored integers: give them a scale, move them as they are, or use them as numbers.

Read in the operators' definitions: https://onnx.ai/onnx/operators and, for `com.microsoft`, onnxruntime's
docs/ContribOperators.md. What is not listed here is not known to keep a scale.
"""

from __future__ import annotations

from edgekit.formats.types import OnnxNode

LAST, ATTRIBUTE = -1, -2
"""Axes of scales per channel: the last one, and what the operator's attribute says."""
DOMAINS = ("", "ai.onnx", "com.microsoft", "com.ms.internal.nhwc")
"""Of the operators below; other domains may mean something else by the same name."""

_UNARY = (
    *("QLinearGlobalAveragePool", "QLinearAveragePool", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax"),
    "QLinearReduceMean",
)
_BINARY = ("QLinearAdd", "QLinearMul")

READERS: dict[tuple[str, int], tuple[int | None, int, int]] = {
    # (operator, place of the tensor) -> places of its scale and zero point, and the axis if they are per channel.
    ("DequantizeLinear", 0): (1, 2, ATTRIBUTE),
    ("QLinearConv", 0): (1, 2, 1),
    ("QLinearConv", 3): (4, 5, 0),
    ("QLinearMatMul", 0): (1, 2, LAST),
    ("QLinearMatMul", 3): (4, 5, LAST),
    ("ConvInteger", 1): (None, 3, 0),
    ("MatMulInteger", 1): (None, 3, LAST),
    ("MatMulIntegerToFloat", 0): (2, 4, LAST),
    ("MatMulIntegerToFloat", 1): (3, 5, LAST),
    ("QGemm", 0): (1, 2, LAST),
    ("QGemm", 3): (4, 5, LAST),
    ("QAttention", 0): (3, 6, LAST),
    ("QLinearWhere", 1): (2, 3, LAST),
    ("QLinearWhere", 4): (5, 6, LAST),
    **{(name, place): (place + 1, place + 2, LAST) for name in _BINARY for place in (0, 3)},
    **{(name, 0): (1, 2, LAST) for name in _UNARY},
}
WRITERS: dict[str, tuple[int, int]] = {
    # Operator -> places of its first output's scale and zero point.
    "QuantizeLinear": (1, 2),
    "QLinearConv": (6, 7),
    "QLinearMatMul": (6, 7),
    "QGemm": (7, 8),
    "QLinearConcat": (0, 1),
    "QLinearWhere": (7, 8),
    **dict.fromkeys(_BINARY, (6, 7)),
    **dict.fromkeys(_UNARY, (3, 4)),
}

MOVES: dict[str, tuple[int, ...] | None] = {
    # Operator -> the inputs whose values are in its output, on the same scale; None: all of them.
    **dict.fromkeys(("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Dropout"), (0,)),
    **dict.fromkeys(("Slice", "Split", "Gather", "GatherElements", "GatherND", "Compress", "Unique", "TopK"), (0,)),
    **dict.fromkeys(("Pad", "Tile", "Expand", "DepthToSpace", "SpaceToDepth", "CenterCropPad", "Trilu"), (0,)),
    **dict.fromkeys(("MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin", "ReverseSequence"), (0,)),
    **dict.fromkeys(("Clip", "Relu", "Resize", "Upsample"), (0,)),
    **dict.fromkeys(("ScatterND", "ScatterElements", "Scatter"), (0, 2)),
    **dict.fromkeys(("Concat", "Max", "Min"), None),
    "Where": (1, 2),
}
"""Pad, Clip, Relu and the like bring in other values, too, but on the same scale; Resize takes means of neighbours."""
_RESIZED = ("nearest", "linear")
"""The modes in which no value leaves the range of its neighbours."""
ALL_OUTPUTS = ("Split",)
"""Moves that have values in every output; the second outputs of others are positions."""

NEUTRAL = ("Shape", "Size")
"""They look at no value."""
_COMPARED = ("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Not", "And", "Or", "Xor", "OneHot", "Range")
_BITS = ("BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot")
USES_NUMBERS: dict[str, tuple[int, ...] | None] = {
    # Operator -> inputs that it takes for numbers, indices or conditions: the stored value is meant; None: all of them.
    **dict.fromkeys(("Cast", "CastLike"), (0,)),
    **dict.fromkeys((*_COMPARED, *_BITS, "ConstantOfShape"), None),
    **dict.fromkeys(("Gather", "GatherElements", "GatherND", "ScatterND", "ScatterElements", "Scatter"), (1,)),
    **dict.fromkeys(("Reshape", "Tile", "Expand", "TopK", "Squeeze", "Unsqueeze", "Split", "Compress"), (1,)),
    **dict.fromkeys(("ReduceMax", "ReduceMin", "ReduceMean", "ReduceSum", "ReverseSequence"), (1,)),
    "Slice": (1, 2, 3, 4),
    "Pad": (1, 3),
    "Resize": (3,),
    "Where": (0,),
    "If": (0,),
}
MAKES_NUMBERS = (
    *("ArgMax", "ArgMin", "NonZero", "NonMaxSuppression", "Constant", "ConstantOfShape", "Hardmax", "IsInf", "IsNaN"),
    *(*NEUTRAL, *_COMPARED, *_BITS),
)
"""Operators whose integers are positions, classes, counts, conditions: the stored value is meant."""
ACCUMULATORS = ("ConvInteger", "MatMulInteger")
"""Operators whose 32-bit sums mean nothing without the scales of what they multiplied."""


def moved(node: OnnxNode) -> tuple[int, ...]:
    """Return the places of the inputs whose values a node hands on."""
    if node.op_type not in MOVES or node.domain not in DOMAINS[:2]:
        return ()
    if node.op_type in ("Resize", "Upsample"):
        mode = next((a.s.decode("ascii", "replace") for a in node.attribute if a.name == "mode"), "nearest")
        if mode not in _RESIZED:
            return ()
    places = MOVES[node.op_type]
    return tuple(range(len(node.input))) if places is None else tuple(p for p in places if p < len(node.input))


def reader(node: OnnxNode, place: int) -> tuple[int | None, int, int] | None:
    """Return where a node has the scale and zero point of one of its inputs, and their axis; None if nowhere."""
    if node.domain not in DOMAINS:
        return None
    if node.op_type == "QLinearConcat" and place > 1:
        return (place + 1, place + 2, LAST) if place % 3 == 2 else None
    return READERS.get((node.op_type, place))


def writer(node: OnnxNode) -> tuple[int, int] | None:
    """Return where a node has the scale and zero point of its first output; None if nowhere."""
    return WRITERS.get(node.op_type) if node.domain in DOMAINS else None


def uses_number(node: OnnxNode, place: int) -> bool:
    """Return whether a node takes the stored integers of an input for what they are."""
    if node.op_type not in USES_NUMBERS or node.domain not in DOMAINS[:2]:
        return False
    places = USES_NUMBERS[node.op_type]
    return places is None or place in places
