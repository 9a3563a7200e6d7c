"""The table of TFLite's operators, and the reading of a whole graph. Channels are last, batches of 1 in front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from edgekit.models.imported import graph as g
from edgekit.models.imported.graph import Graph, Operation, Step
from edgekit.models.imported.operators import Operators, Shape, Unsupported
from edgekit.models.imported.reading.at import At, Reading
from edgekit.models.imported.reading.linear import total
from edgekit.models.imported.reading.tflite_windows import convolution, depthwise, pooling, resize, transposed

_ACTIVATIONS: dict[int, g.Elementwise] = {
    1: g.Elementwise("relu"),
    2: g.Elementwise("clip", (-1.0, 1.0)),
    3: g.Elementwise("clip", (0.0, 6.0)),
    4: g.Elementwise("tanh"),
}
"""By number of `ActivationFunctionType`: what an operator does with its own output."""


def _function(kind: str, *options: float) -> Reading:
    return lambda at: [at.step(g.Elementwise(kind, options))]


def _arithmetic(kind: str) -> Reading:
    return lambda at: [at.step(g.Arithmetic(kind), at.node.inputs)]


def _made(operation: Callable[[At], Operation]) -> Reading:
    return lambda at: [at.step(operation(at))]


def _numbers(at: At, place: int, what: str) -> list[int]:
    values = at.known(place)
    if values is None:
        raise Unsupported(f"its {what} depend on the values of the model's inputs")
    return [int(n) for n in values.reshape(-1)]


def _connected(at: At) -> Sequence[Step]:
    """FULLY_CONNECTED: weights (out, in); what it reads is one row a sample unless it keeps the axes."""
    kernel = at.weights(1, "weights").T
    shape, flat = at.shape(), f"{at.node.outputs[0]}:rows"
    if shape[-1] == kernel.shape[0] and (len(at.made) == len(shape)):
        return [at.step(g.Linear(kernel, at.bias(2)))]
    rows = (*at.made[:-1], kernel.shape[0])
    return [at.step(g.Reshape(rows), output=flat), at.step(g.Linear(kernel, at.bias(2)), [flat])]


def _product(at: At) -> Sequence[Step]:
    """BATCH_MATMUL, either side read across if its option says so."""
    rank, names, steps = at.rank, list(at.node.inputs), []
    for place, option in ((0, "adjX"), (1, "adjY")):
        if at.node.integer(option):
            swap, name = len(at.shape(place)), f"{at.node.outputs[0]}:across{place}"
            order = (*range(swap - 2), swap - 1, swap - 2)
            steps.append(at.step(g.Permute(order), [names[place]], name))
            names[place] = name
    known = at.known(1)
    if known is not None and known.ndim == 2 and not at.node.integer("adjX") and rank >= 2:
        kernel = np.asarray(known.T if at.node.integer("adjY") else known, np.float32)
        return [at.step(g.Linear(kernel, None))]
    if known is not None or at.known(0) is not None:
        raise Unsupported("one of its matrices is a constant of several axes")
    return [*steps, at.step(g.MatrixProduct(), names)]


def _reduction(kind: str) -> Reading:
    def read(at: At) -> Sequence[Step]:
        axes = at.axes(_numbers(at, 1, "axes"))
        return [at.step(g.Reduction(kind, axes, bool(at.node.integer("keepDims"))))]

    return read


def _extreme(kind: str) -> Reading:
    def read(at: At) -> Sequence[Step]:
        axis = at.axis(_numbers(at, 1, "axis")[0])
        return [at.step(g.Extreme("max" if kind == "max" else "min", axis, keep=False))]

    return read


def _pad(at: At) -> Sequence[Step]:
    """PAD, PADV2 and MIRROR_PAD."""
    amounts = _numbers(at, 1, "pads")
    pads = tuple(zip(amounts[::2], amounts[1::2], strict=True))
    if at.node.kind == "MIRROR_PAD":
        return [at.step(g.Pad(pads, "edge" if at.node.integer("mode") else "reflect", 0.0))]
    return [at.step(g.Pad(pads, "constant", at.number("value", 2, 0.0)))]


def _slice(at: At) -> Sequence[Step]:
    """SLICE."""
    return [at.step(g.Slice(tuple(_numbers(at, 1, "starts")), at.made, (1,) * at.rank))]


def _strided(at: At) -> Sequence[Step]:
    """STRIDED_SLICE without new axes; axes that it drops have one place."""
    node = at.node
    if node.integer("ellipsisMask") or node.integer("newAxisMask"):
        raise Unsupported("it has an ellipsis or new axes")
    begins, ends, strides = (_numbers(at, place, "places") for place in (1, 2, 3))
    starts, sizes, steps = list[int](), list[int](), list[int]()
    for axis, length in enumerate(at.shape()):
        if axis >= len(begins):
            starts, sizes, steps = [*starts, 0], [*sizes, length], [*steps, 1]
            continue
        bit = 1 << axis
        dropped = bool(node.integer("shrinkAxisMask") & bit)
        begin = None if node.integer("beginMask") & bit else begins[axis]
        end = None if node.integer("endMask") & bit else ends[axis]
        if dropped:
            begin, end = begins[axis], begins[axis] + 1 or None
        first, last, step = slice(begin, end, 1 if dropped else strides[axis]).indices(length)
        starts, sizes, steps = [*starts, first], [*sizes, len(range(first, last, step))], [*steps, step]
    cut = g.Slice(tuple(starts), tuple(sizes), tuple(steps))
    if tuple(sizes) == at.made:
        return [at.step(cut)]
    name = f"{node.outputs[0]}:cut"
    return [at.step(cut, output=name), at.step(g.Reshape(at.made), [name])]


def _split(at: At) -> Sequence[Step]:
    """SPLIT and SPLIT_V: one slice a part."""
    own = 1 if at.node.kind == "SPLIT" else 0
    shape = at.shape(own)
    axis = at.axis(_numbers(at, 0 if own else 2, "axis")[0], len(shape))
    steps, start = [], 0
    for name in at.node.outputs:
        sizes = at.graph.shapes[name]
        begin = tuple(start if i == axis else 0 for i in range(len(shape)))
        steps.append(at.step(g.Slice(begin, sizes, (1,) * len(shape)), at.node.inputs[own : own + 1], name))
        start += sizes[axis]
    return steps


def _pack(at: At) -> Sequence[Step]:
    """PACK: an axis more each, then one behind the other."""
    axis, names, steps = at.axis(at.node.integer("axis"), len(at.made)), [], []
    for place, name in enumerate(at.node.inputs):
        names.append(f"{at.node.outputs[0]}:{place}")
        sizes: Shape = tuple(1 if i == axis else size for i, size in enumerate(at.made))
        steps.append(at.step(g.Reshape(sizes), [name], names[-1]))
    return [*steps, at.step(g.Concatenate(axis), names)]


def _unpack(at: At) -> Sequence[Step]:
    """UNPACK: one place each, the axis dropped."""
    axis, steps = at.axis(at.node.integer("axis")), []
    for place, name in enumerate(at.node.outputs):
        starts = tuple(place if i == axis else 0 for i in range(at.rank))
        sizes = tuple(1 if i == axis else size for i, size in enumerate(at.shape()))
        steps.append(at.step(g.Slice(starts, sizes, (1,) * at.rank), output=f"{name}:cut"))
        steps.append(at.step(g.Reshape(at.graph.shapes[name]), [f"{name}:cut"], name))
    return steps


def _softmax(at: At) -> Sequence[Step]:
    if at.node.kind == "SOFTMAX" and at.node.real("beta", 1.0) not in (0.0, 1.0):
        raise Unsupported("its beta is not 1")
    return [at.step(g.Softmax(at.rank - 1, at.node.kind == "LOG_SOFTMAX"))]


def _gather(at: At) -> Sequence[Step]:
    """GATHER: constant places of values, or rows of a constant table."""
    table, places, axis = at.known(0), at.known(1), at.axis(at.node.integer("axis"))
    if at.node.integer("batchDims"):
        raise Unsupported("it takes other places for each sample")
    if table is not None and places is None and table.ndim == 2 and not axis:
        return [at.step(g.Lookup(np.asarray(table, np.float32)), at.node.inputs[1:2])]
    if places is None:
        raise Unsupported("its places depend on the values of the model's inputs")
    return [at.step(g.Take(places.astype(np.int64), axis))]


def _choose(at: At) -> Sequence[Step]:
    """SELECT_V2, and SELECT of tensors of one shape."""
    if at.node.kind == "SELECT" and not at.shape(0) == at.shape(1) == at.shape(2):
        raise Unsupported("its condition is one value a sample")
    return [at.step(g.Choose(), at.node.inputs)]


def _distance(at: At) -> Sequence[Step]:
    """SQUARED_DIFFERENCE."""
    name = f"{at.node.outputs[0]}:difference"
    return [at.step(g.Arithmetic("subtract"), at.node.inputs, name), at.step(g.Elementwise("square"), [name])]


def _normalized(at: At) -> Sequence[Step]:
    """L2_NORMALIZATION: x / norm(x) along the last axis."""
    norm = f"{at.node.outputs[0]}:norm"
    return [
        at.step(g.Reduction("l2", (at.rank - 1,), keep=True), output=norm),
        at.step(g.Arithmetic("divide"), [at.node.inputs[0], norm]),
    ]


def _unequal(at: At) -> Sequence[Step]:
    """NOT_EQUAL."""
    same = f"{at.node.outputs[0]}:same"
    return [at.step(g.Arithmetic("equal"), at.node.inputs, same), at.step(g.Elementwise("not"), [same])]


def _prelu(at: At) -> Operation:
    slope = at.weights(1, "slopes")
    return g.ParametricRelu(slope.reshape((1,) * (at.rank - slope.ndim) + slope.shape))


def _cast(at: At) -> Operation:
    to, of = at.graph.dtypes[at.node.outputs[0]], at.graph.dtypes[at.node.inputs[0]]
    if to != of and to != "float32":
        raise Unsupported(f"it makes {to} of {of}")
    return g.Elementwise("identity" if to == of else "to_float")


_RESHAPE = _made(lambda at: g.Reshape(at.made))
OPERATORS: dict[str, Reading] = {
    **dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS"), _RESHAPE),
    **{k: _function(k.lower()) for k in ("ABS", "CEIL", "COS", "EXP", "FLOOR", "LOG", "ROUND", "RSQRT", "RELU")},
    **{k: _function(k.lower()) for k in ("SIGN", "SIN", "SQRT", "SQUARE", "TANH", "HARD_SWISH")},
    **{k: _arithmetic(k.lower()) for k in ("ADD", "MAXIMUM", "MINIMUM", "POW", "EQUAL", "GREATER", "LESS")},
    **{f"{k}_EQUAL": _arithmetic(f"{k.lower()}_equal") for k in ("GREATER", "LESS")},
    **{f"REDUCE_{k}": _reduction(k.lower()) for k in ("MAX", "MIN", "PROD")},
    "ADD_N": total,
    "ARG_MAX": _extreme("max"),
    "ARG_MIN": _extreme("min"),
    "AVERAGE_POOL_2D": pooling("mean"),
    "BATCH_MATMUL": _product,
    "BROADCAST_TO": _made(lambda at: g.Expand(at.made)),
    "CAST": _made(_cast),
    "CONCATENATION": lambda at: [at.step(g.Concatenate(at.axis(at.node.integer("axis"))), at.node.inputs)],
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise,
    "DEPTH_TO_SPACE": _made(lambda at: g.DepthToSpace(at.node.integer("blockSize"), split_first=True, channels=3)),
    "DIV": _arithmetic("divide"),
    "ELU": _function("elu", 1.0),
    "FULLY_CONNECTED": _connected,
    "GATHER": _gather,
    "GELU": _made(lambda at: g.Elementwise("gelu_tanh" if at.node.integer("approximate") else "gelu")),
    "L2_NORMALIZATION": _normalized,
    "LEAKY_RELU": _made(lambda at: g.Elementwise("leaky_relu", (at.node.real("alpha"),))),
    "LOGICAL_AND": _arithmetic("and"),
    "LOGICAL_NOT": _function("not"),
    "LOGICAL_OR": _arithmetic("or"),
    "LOGISTIC": _function("sigmoid"),
    "LOG_SOFTMAX": _softmax,
    "MAX_POOL_2D": pooling("max"),
    "MEAN": _reduction("mean"),
    "MIRROR_PAD": _pad,
    "MUL": _arithmetic("multiply"),
    "NEG": _function("negative"),
    "NOT_EQUAL": _unequal,
    "PACK": _pack,
    "PAD": _pad,
    "PADV2": _pad,
    "PRELU": _made(_prelu),
    "RELU6": _function("clip", 0.0, 6.0),
    "RELU_0_TO_1": _function("clip", 0.0, 1.0),
    "RELU_N1_TO_1": _function("clip", -1.0, 1.0),
    "RESIZE_BILINEAR": resize("linear"),
    "RESIZE_NEAREST_NEIGHBOR": resize("nearest"),
    "SELECT": _choose,
    "SELECT_V2": _choose,
    "SLICE": _slice,
    "SOFTMAX": _softmax,
    "SPACE_TO_DEPTH": _made(lambda at: g.SpaceToDepth(at.node.integer("blockSize"), channels=3)),
    "SPLIT": _split,
    "SPLIT_V": _split,
    "SQUARED_DIFFERENCE": _distance,
    "STRIDED_SLICE": _strided,
    "SUB": _arithmetic("subtract"),
    "SUM": _reduction("sum"),
    "TILE": _made(lambda at: g.Repeat(tuple(_numbers(at, 1, "repeats")))),
    "TRANSPOSE": _made(lambda at: g.Permute(tuple(_numbers(at, 1, "axes")))),
    "TRANSPOSE_CONV": transposed,
    "UNPACK": _unpack,
}
"""By TFLite's name: what reads an operator."""


def graph_of(operators: Operators, file: str) -> Graph:
    """Return the intermediate graph of a TFLite file's operators.

    Raises:
        ConversionError: an operator cannot be rebuilt; it is named, with the reason.
    """
    steps: list[Step] = []
    for node in operators.nodes:
        read = OPERATORS.get(node.kind)
        if read is None:
            raise node.refusal(file, "edgekit knows no layers for it")
        try:
            made = list(read(At(node, operators)))
            acts = _ACTIVATIONS.get(node.integer("fusedActivationFunction"))
            if node.integer("fusedActivationFunction") and acts is None:
                raise Unsupported("edgekit does not know its activation")
        except Unsupported as why:
            raise node.refusal(file, str(why)) from why
        if acts is not None:
            before = f"{node.outputs[0]}:linear"
            made[-1] = replace(made[-1], outputs=(before,))
            made.append(Step(acts, (before,), node.outputs[:1], node))
        steps += made
    return Graph(
        operators.inputs, operators.outputs, tuple(steps), operators.constants, operators.shapes, operators.dtypes
    )
