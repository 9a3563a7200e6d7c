"""Operators of ONNX as layers: every one of the table, in the layouts that it meets, equal to onnxruntime."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.frameworks.tensorflow import tensorflow
from edgekit.models.imported import stepwise
from edgekit.models.imported.proof import TOLERANCE
from edgekit.models.imported.reading.onnx import OPERATORS
from tests.models.imported.nets import Net, proved, rebuilt
from tests.support.raised import raised

pytestmark = pytest.mark.tensorflow


def functions(opset: int) -> Net:
    """Functions of every value, and what exporters write for them."""
    net = Net(opset)
    x = net.image()
    for kind in ("Abs", "Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Selu", "Neg", "Exp", "Erf", "Sin", "Cos"):
        net.out(kind, x)
    for kind in ("Floor", "Ceil", "Round", "Sign", "HardSwish", "Identity"):
        net.out("Mul", net.op(kind, x), x)
    net.out("Elu", x, alpha=0.7)
    net.out("Celu", x)
    net.out("LeakyRelu", x, alpha=0.2)
    net.out("ThresholdedRelu", x, alpha=0.3)
    net.out("HardSigmoid", x, alpha=1 / 6, beta=0.5)
    net.out("HardSigmoid", x)
    above = net.op("Add", net.op("Abs", x), net.const(1.0))
    net.out("Where", net.op("IsNaN", net.op("Sqrt", x)), net.const(0.0), x)
    for kind in ("Log", "Sqrt", "Reciprocal"):
        net.out(kind, above)
    for low, high in ((0.0, 6.0), (-0.5, 0.5), (0.1, None), (None, 0.1)):
        net.out("Clip", x, *("" if limit is None else net.const(limit) for limit in (low, high)))
    net.out("PRelu", x, net.random(4, 1, 1))
    net.out("PRelu", x, net.const([0.3]))
    for power in (2.0, 3.0, 0.5):
        net.out("Pow", above, net.const(power))
    net.out("Cast", net.op("Cast", net.op("Greater", x, net.const(0.0)), to=9), to=1)
    net.out("Softmax", x, axis=1)
    net.out("Softmax", x, axis=3)
    net.out("LogSoftmax", x, axis=1)
    net.out("Mul", x, net.op("Sigmoid", x))
    net.out("Mul", x, net.op("Tanh", net.op("Softplus", x)))
    net.out("Mul", x, net.op("HardSigmoid", x, alpha=1 / 6))
    shifted = net.op("Clip", net.op("Add", x, net.const(3.0)), net.const(0.0), net.const(6.0))
    net.out("Div", net.op("Mul", x, shifted), net.const(6.0))
    net.out("Mul", x, net.op("Div", shifted, net.const(6.0)))
    erf = net.op("Add", net.op("Erf", net.op("Div", x, net.const(1.4142135))), net.const(1.0))
    net.out("Mul", net.op("Mul", x, erf), net.const(0.5))
    net.out("Mul", net.op("Mul", net.const(0.5), x), erf)
    if opset >= 20:
        net.out("Gelu", x)
        net.out("Gelu", x, approximate="tanh")
        net.out("Mish", x)
    return net


def arithmetic() -> Net:
    """Two tensors, or one and a constant, broadcast in every way."""
    net = Net()
    x = net.image()
    y = net.op("Conv", "image", net.random(4, 3, 1, 1))
    gate = net.op("GlobalAveragePool", x)
    for kind in ("Add", "Sub", "Mul", "Max", "Min", "Div"):
        net.out(kind, x, net.op("Add", net.op("Abs", y), net.const(1.0)))
        net.out(kind, x, net.const(2.0))
    net.out("Mul", x, gate)
    for shape in ((4, 1, 1), (1, 4, 1, 1), (6, 8), (1, 1, 6, 1), (1, 4, 6, 8), (1,)):
        for kind in ("Mul", "Sub"):
            net.out(kind, net.random(*shape), x)
    net.out("Div", net.const(1.0), net.op("Exp", x))
    net.out("Sum", x, y, gate)
    for kind in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"):
        net.out("Where", net.op(kind, x, y), x, y)
    inside = net.op("And", net.op("Greater", x, net.const(0.0)), net.op("Not", net.op("Less", y, net.const(0.0))))
    net.out("Where", net.op("Or", inside, inside), x, net.const(0.0))
    flat = net.op("ReduceMean", x, axes=[2, 3], keepdims=0)
    net.out("Mul", net.op("Unsqueeze", net.op("Unsqueeze", flat, net.const([2])), net.const([3])), x)
    net.out("Pow", net.op("Abs", x), net.op("Abs", y))
    return net


def windows() -> Net:
    """Convolutions and pooling, images and series."""
    net = Net()
    x = net.image(4, (9, 10))
    for options in (
        {"pads": [1, 1, 1, 1]},
        {"pads": [1, 1, 1, 1], "strides": [2, 2]},
        {"pads": [0, 2, 1, 0]},
        {"pads": [2, 2, 2, 2], "dilations": [2, 2]},
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
        {"strides": [2, 1]},
    ):
        net.out("Conv", x, net.random(6, 4, 3, 3), net.random(6), **options)
        net.out("Conv", x, net.random(8, 1, 3, 3), group=4, **options)
    net.out("Conv", x, net.random(6, 2, 3, 3), group=2)
    net.out("Add", net.op("Conv", x, net.random(6, 4, 1, 1)), net.random(1, 6, 1, 1))
    for size, options in (
        (2, {"strides": [2, 2]}),
        (4, {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
        (3, {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
        (3, {"pads": [1, 1, 1, 1]}),
        (3, {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
        (2, {"strides": [3, 3]}),
    ):
        net.out("ConvTranspose", x, net.random(4, 5, size, size), net.random(5), **options)
    for relu in (False, True):
        y = net.op("Relu", x) if relu else x
        for options in (
            {"strides": [2, 2]},
            {"strides": [2, 2], "pads": [1, 1, 1, 1]},
            {"strides": [2, 2], "ceil_mode": 1},
            {"strides": [1, 1], "pads": [1, 1, 1, 1]},
        ):
            net.out("MaxPool", y, kernel_shape=[3, 3], **options)
            net.out("AveragePool", y, kernel_shape=[3, 3], **options)
            net.out("AveragePool", y, kernel_shape=[3, 3], count_include_pad=1, **options)
    for kind in ("GlobalAveragePool", "GlobalMaxPool"):
        net.out(kind, x)
    for scale, options in (
        (2, {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}),
        (2, {"mode": "linear"}),
        (2, {"mode": "linear", "coordinate_transformation_mode": "align_corners"}),
        (2, {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}),
    ):
        net.out("Resize", x, "", net.const([1.0, 1.0, scale, scale]), **options)
    net.out("Resize", x, "", "", net.const([1, 4, 13, 15]), mode="linear")
    net.out("DepthToSpace", x, blocksize=2)
    net.out("DepthToSpace", net.op("Relu", x), blocksize=2, mode="CRD")
    net.out("DepthToSpace", net.op("Conv", x, net.random(8, 4, 1, 1)), blocksize=2, mode="CRD")
    even = net.op("Slice", x, net.const([0]), net.const([8]), net.const([2]))
    net.out("SpaceToDepth", even, blocksize=2)
    s = net.op("Conv", net.input("series", 1, 5, 20), net.random(4, 5, 3), pads=[2, 0], dilations=[1])
    net.out("Conv", s, net.random(4, 1, 3), net.random(4), group=4, pads=[1, 1])
    net.out("Conv", s, net.random(6, 2, 3), group=2, strides=[2], pads=[1, 1])
    net.out("ConvTranspose", s, net.random(4, 3, 4), strides=[2], pads=[1, 1])
    net.out("MaxPool", s, kernel_shape=[3], strides=[2], pads=[1, 1])
    net.out("AveragePool", s, kernel_shape=[2], strides=[2])
    net.out("GlobalAveragePool", s)
    net.out("Resize", s, "", net.const([1.0, 1.0, 2.0]), mode="nearest")
    return net


def moves() -> Net:
    """What moves, joins, cuts and reduces values."""
    net = Net()
    x = net.image()  # 4 x 6 x 8
    for shape in ((1, 2, 2, 6, 8), (1, 4, 48), (1, 8, 24), (1, 192), (1, 4, 3, 2, 2, 4), (4, 48), (2, 96), (1, 1, 192)):
        net.out("Reshape", x, net.const(shape))
    groups = net.op("Transpose", net.op("Reshape", x, net.const([1, 2, 2, 6, 8])), perm=[0, 2, 1, 3, 4])
    net.out("Conv", net.op("Reshape", groups, net.const([1, 4, 6, 8])), net.random(3, 4, 1, 1))
    blocks = net.op("Transpose", net.op("Reshape", x, net.const([1, 1, 2, 2, 6, 8])), perm=[0, 1, 4, 2, 5, 3])
    net.out("Conv", net.op("Reshape", blocks, net.const([1, 1, 12, 16])), net.random(3, 1, 1, 1))
    flat = net.op("Relu", net.op("Flatten", x))
    net.out("Gemm", flat, net.random(192, 5), net.random(5))
    net.out("Gemm", net.op("Mul", flat, net.random(192)), net.random(5, 192), transB=1, alpha=0.5)
    net.out("Gemm", net.op("Sub", flat, net.op("Flatten", net.op("Sigmoid", x))), net.random(5, 192), transB=1)
    net.out("Concat", flat, net.op("Flatten", net.op("GlobalMaxPool", x)), axis=1)
    statistics = [net.random(192), net.random(192), net.random(192), net.random(192, low=0.5)]
    net.out("Gemm", net.op("BatchNormalization", flat, *statistics), net.random(192, 3))
    net.out("Softmax", flat)
    net.out("Transpose", x, perm=[0, 2, 3, 1])
    net.out("Transpose", x, perm=[0, 3, 1, 2])
    net.out("Concat", x, net.op("Relu", x), axis=1)
    net.out("Concat", x, net.random(1, 2, 6, 8), axis=1)
    net.out("Concat", x, net.op("Relu", x), axis=3)
    one = [net.op("Gather", "image", net.const([place]), axis=1) for place in (2, 0, 1)]
    net.out("Conv", net.op("Concat", *one, axis=1), net.random(3, 3, 1, 1))
    net.out("Concat", x, net.op("Relu", x), axis=0)
    for starts, ends, axes, steps in (
        ([1], [3], [1], [1]),
        ([1, 2], [-1, 7], [2, 3], [1, 1]),
        ([0], [9], [3], [2]),
        ([-1], [-(1 << 40)], [2], [-1]),
    ):
        net.out("Slice", x, *map(net.const, (starts, ends, axes, steps)))
    net.op("Split", x, net.const([1, 3]), count=2, out=True, axis=1)
    net.out("Pad", x, net.const([0, 0, 1, 0, 0, 0, 2, 1]))
    net.out("Pad", x, net.const([0, 1, 0, 0, 0, 0, 0, 0]), net.const(0.5))
    net.out("Pad", x, net.const([0, 0, 2, 2, 0, 0, 2, 2]), mode="reflect")
    net.out("Pad", x, net.const([0, 0, 1, 1, 0, 0, 1, 1]), mode="edge")
    for keep in (0, 1):
        for kind in ("Mean", "Max", "Min", "Prod", "L1", "L2", "LogSumExp", "SumSquare"):
            net.out(f"Reduce{kind}", x, axes=[2, 3], keepdims=keep)
        net.out("ReduceSum", x, net.const([1]), keepdims=keep)
        net.out("ReduceMean", x, axes=[0, 3], keepdims=keep)
        net.out("Cast", net.op("ArgMax", x, axis=1, keepdims=keep), to=1)
    net.out("Cast", net.op("ArgMin", x, axis=-1), to=1)
    net.out("Gather", x, net.const([2, 0]), axis=1)
    net.out("Gather", x, net.const(-1), axis=2)
    net.out("Gather", x, net.const([[0, 2], [1, 3]]), axis=1)
    row, places = net.op("Reshape", x, net.const([192])), np.arange(192)
    net.out("Gather", row, net.const(places.reshape(1, 4, 6, 8)))
    net.out("Gather", row, net.const(places.reshape(1, 6, 8, 4).transpose(0, 3, 1, 2)))
    net.out("Gather", row, net.const(places[::-1].reshape(4, 48)))
    net.out("Squeeze", net.op("GlobalAveragePool", x), net.const([2, 3]))
    net.out("Expand", net.op("GlobalAveragePool", x), net.const([1, 4, 2, 3]))
    net.out("Tile", x, net.const([1, 2, 1, 3]))
    return net


def products() -> Net:
    """Matrix products, normalisations, and what transformers are made of."""
    net = Net(21)
    s = net.input("tokens_in", 1, 10, 6)
    e = net.op("Add", net.op("MatMul", s, net.random(6, 8)), net.random(8))
    net.out("MatMul", net.random(3, 10), e)
    q, k, v = (
        net.op("Transpose", net.op("Reshape", part, net.const([0, 10, 2, 4])), perm=[0, 2, 1, 3])
        for part in (net.op("MatMul", e, net.random(8, 8)) for _ in range(3))
    )
    scores = net.op("MatMul", q, net.op("Transpose", k, perm=[0, 1, 3, 2]))
    mask = net.const(np.triu(np.full((10, 10), -1e9), 1))
    mixed = net.op("MatMul", net.op("Softmax", net.op("Add", scores, mask)), v)
    back = net.op("Reshape", net.op("Transpose", mixed, perm=[0, 2, 1, 3]), net.const([1, 10, 8]))
    norm = net.op("LayerNormalization", net.op("Add", back, e), net.random(8), net.random(8), axis=-1)
    net.out("ReduceMean", norm, net.const([1]), keepdims=0)
    net.out("Einsum", q, k, equation="bhid,bhjd->bhij")
    centre = net.op("Sub", e, net.op("ReduceMean", e, net.const([-1])))
    variance = net.op("ReduceMean", net.op("Pow", centre, net.const(2.0)), net.const([-1]))
    net.out("Div", centre, net.op("Sqrt", net.op("Add", variance, net.const(1e-5))))
    rows = net.op("Transpose", e, perm=[1, 0, 2])  # steps first, as PyTorch's attention has it
    net.out("Softmax", net.op("Transpose", net.op("Reshape", rows, net.const([10, 2, 4])), perm=[1, 0, 2]))
    table = net.input("words", 1, 7, kind="INT64")
    net.out("Gather", net.random(11, 5), table)
    x = net.image()
    net.out("InstanceNormalization", x, net.random(4), net.random(4))
    net.out("GroupNormalization", x, net.random(4), net.random(4), num_groups=2)
    grouped = net.op("Reshape", x, net.const([0, 2, -1]))
    ones = net.op("InstanceNormalization", grouped, net.const([1.0, 1.0]), net.const([0.0, 0.0]))
    back = net.op("Reshape", ones, net.const([1, 4, 6, 8]))
    net.out("Add", net.op("Mul", back, net.random(4, 1, 1)), net.random(4, 1, 1))
    net.out("Mul", net.op("Conv", x, net.random(2, 4, 1, 1)), net.random(1, 2, 1, 1))
    net.out("LayerNormalization", x, net.random(4, 6, 8), net.random(4, 6, 8), axis=1)
    nhwc = net.op("LayerNormalization", net.op("Transpose", x, perm=[0, 2, 3, 1]), net.random(4), axis=-1)
    net.out("Transpose", nhwc, perm=[0, 3, 1, 2])
    net.out("BatchNormalization", x, net.random(4), net.random(4), net.random(4), net.random(4, low=0.5))
    shape = net.op(
        "Concat", net.op("Slice", net.op("Shape", x), net.const([0]), net.const([1])), net.const([-1]), axis=0
    )
    net.out("Gemm", net.op("Reshape", x, shape), net.random(192, 3))
    return net


def recurrent() -> Net:
    """LSTM and GRU, steps first and batch first, one direction and two."""
    net = Net()
    s = net.op("Transpose", net.input("series", 1, 6, 5), perm=[1, 0, 2])
    for kind, gates in (("LSTM", 4), ("GRU", 3)):
        for directions, options in ((1, {}), (2, {"direction": "bidirectional"})):
            if kind == "GRU":
                options = {**options, "linear_before_reset": directions - 1}
            weights = [net.random(directions, gates * 3, n) for n in (5, 3)] + [net.random(directions, 2 * gates * 3)]
            y, _ = net.op(kind, s, *weights, count=2, hidden_size=3, **options)
            net.out("Reshape", net.op("Transpose", y, perm=[2, 0, 1, 3]), net.const([1, 6, 3 * directions]))
        weights = [net.random(1, gates * 3, n) for n in (5, 3)]
        _, last = net.op(kind, s, *weights, count=2, hidden_size=3)
        net.out("Squeeze", last, net.const([0]))
    return net


def old() -> Net:
    """Parameters as attributes, as old opsets have them."""
    net = Net(9)
    x = net.image()
    net.out("Upsample", x, net.const([1.0, 1.0, 2.0, 2.0]), mode="nearest")
    net.out("Slice", x, starts=[1], ends=[3], axes=[1])
    net.out("Pad", x, pads=[0, 0, 1, 1, 0, 0, 1, 1])
    net.out("Clip", x, min=0.0, max=6.0)
    net.out("Dropout", x)
    net.op("Split", x, count=2, out=True, axis=1, split=[1, 3])
    flat = net.op("Squeeze", net.op("ReduceMean", x, axes=[2, 3]), axes=[2, 3])
    net.out("Softmax", net.op("Gemm", flat, net.random(3, 4), net.random(3), transB=1))
    net.out("Unsqueeze", flat, axes=[2])
    return net


def newest() -> Net:
    """Attention and RMSNormalization as operators, of opset 23, and rarer ones."""
    net = Net(23)
    s = net.input("rows", 1, 5, 12)
    q, k, v = (net.op("MatMul", s, net.random(12, n)) for n in (8, 4, 4))
    net.out("Attention", q, k, v, q_num_heads=2, kv_num_heads=1, is_causal=1)
    net.out("Attention", q, q, q, net.random(5, 5), q_num_heads=4, kv_num_heads=4, scale=0.5)
    mask = net.const(np.eye(5, dtype=bool) | np.tri(5, dtype=bool), "bool")
    net.out("Attention", q, q, q, mask, q_num_heads=2, kv_num_heads=2)
    heads = [net.op("Transpose", net.op("Reshape", x, net.const([1, 5, 2, 4])), perm=[0, 2, 1, 3]) for x in (q, q, q)]
    net.out("Attention", *heads)
    net.out("Attention", *heads, net.op("Einsum", heads[0], heads[1], equation="...ij,...kj->...ik"))
    net.out("RMSNormalization", s, net.random(12))
    x = net.image()
    net.out("RMSNormalization", x, net.random(4, 6, 8), axis=1, epsilon=1e-3)
    for axis, p in ((1, 2), (-1, 1)):
        net.out("LpNormalization", x, axis=axis, p=p)
    net.out("Mean", x, net.op("Relu", x), net.op("Abs", x))
    net.out("ReduceLogSum", net.op("Abs", x), net.const([1]), keepdims=0)
    return net


NETS: dict[str, Callable[[], Net]] = {
    "functions": lambda: functions(17),
    "functions-new": lambda: functions(20),
    "arithmetic": arithmetic,
    "windows": windows,
    "moves": moves,
    "products": products,
    "recurrent": recurrent,
    "newest": newest,
    "old": old,
}
MADE_BY_PATTERNS = {"Swish"}


@pytest.mark.parametrize("name", NETS)
def test_operators_are_rebuilt_equal(name: str, tmp_path: Path) -> None:
    path = NETS[name]().save(tmp_path / f"{name}.onnx")
    made, graph = rebuilt(path)
    assert proved(path, made, graph).samples == 6
    assert [port.name for port in made.outputs] == list(graph.outputs)


def test_reductions_become_operators_of_tflite(tmp_path: Path) -> None:
    net = Net()
    x = net.image()
    for kind in ("Mean", "Max", "Min", "Prod", "L1", "L2", "LogSumExp", "SumSquare", "Sum"):
        axes = {} if kind == "Sum" else {"axes": [3]}
        net.out(f"Reduce{kind}", x, *([net.const([3])] if kind == "Sum" else []), keepdims=0, **axes)
    made, _ = rebuilt(net.save(tmp_path / "reductions.onnx"))
    converter = tensorflow().lite.TFLiteConverter.from_keras_model(made.model)  # refuses operators that need Flex
    assert converter.convert()


def test_every_operator_of_the_table_is_tried() -> None:
    tried = set().union(*(make().kinds for make in NETS.values()))
    assert not set(OPERATORS) - tried - MADE_BY_PATTERNS


def kinds(path: Path) -> Counter[str]:
    return Counter(type(layer).__name__ for layer in rebuilt(path)[0].model.layers)


def test_an_image_network_has_no_transpose(tmp_path: Path) -> None:
    """Convolutions, a residual, squeeze and excitation, channel shuffle of two groups, flattened into a Gemm."""
    net = Net()
    x = net.op("Relu", net.image())
    y = net.op("Relu", net.op("Conv", x, net.random(4, 4, 3, 3), pads=[1, 1, 1, 1]))
    gate = net.op("Sigmoid", net.op("Conv", net.op("GlobalAveragePool", y), net.random(4, 4, 1, 1)))
    y = net.op("Add", net.op("Mul", y, gate), x)
    net.out("Gemm", net.op("Flatten", net.op("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2])), net.random(48, 3))
    found = kinds(net.save(tmp_path / "image.onnx"))
    assert not found["Permute"] and found["Conv2D"] == 3 and found["Dense"] == 1
    assert not any("Lambda" in kind for kind in found)


def test_a_module_that_is_called_twice_is_one_layer(tmp_path: Path) -> None:
    net = Net()
    weights, ones = [net.random(4, 1, 3, 3), net.random(4)], net.const([1.0, 1.0, 1.0, 1.0])
    sides = [net.op("Conv", net.input(name, 1, 1, 6, 6), *weights) for name in ("a", "b")]
    norms = [net.op("BatchNormalization", s, ones, net.const([0.0] * 4), net.const([0.0] * 4), ones) for s in sides]
    net.out("Sub", *norms)
    path = net.save(tmp_path / "siamese.onnx")
    made, graph = rebuilt(path)
    proved(path, made, graph)
    assert kinds(path) == {"InputLayer": 2, "Conv2D": 1, "BatchNormalization": 2, "Subtract": 1}


def test_names_are_those_of_the_file(tmp_path: Path) -> None:
    net = Net()
    x = net.image()
    net.out("Relu", x)
    made, _ = rebuilt(net.save(tmp_path / "named.onnx"))
    assert made.model.input_names == ["image"] and made.model.output_names == net.outputs
    assert made.inputs[0].moved and made.model.input_shape == (None, 6, 8, 3)


def test_a_model_that_computes_something_else_is_found_and_the_operator_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = Net()
    x = net.image()
    y = net.op("Conv", net.op("Relu", x), net.random(4, 4, 3, 3))
    net.out("Gemm", net.op("Flatten", net.op("Relu", y)), net.random(96, 3))
    path = net.save(tmp_path / "changed.onnx")
    made, graph = rebuilt(path)
    layer = next(layer for layer in made.model.layers if layer.name.startswith(f"node_{y}"))
    layer.set_weights([weights * 1.001 for weights in layer.get_weights()])
    with raised("import-differs", f"node_{y}", "`Conv`", net.outputs[0]):
        proved(path, made, graph)
    monkeypatch.setattr(stepwise, "MOST_BYTES", 1)  # as of a large network: one sample
    with raised("import-differs", f"node_{y}"):
        proved(path, made, graph)


def test_a_difference_is_found_behind_outputs_that_vanish(tmp_path: Path) -> None:
    """Scores of 1e-9 are equal within any tolerance; what they are made of is not."""
    net = Net()
    x = net.op("Gemm", net.op("Identity", net.input("x", 1, 16)), net.random(16, 8))
    net.out("Sigmoid", net.op("Sub", x, net.const(20.0)))
    path = net.save(tmp_path / "faint.onnx")
    made, graph = rebuilt(path)
    proved(path, made, graph)
    dense = next(layer for layer in made.model.layers if layer.get_weights())
    dense.set_weights([values * np.float32(1.01) for values in dense.get_weights()])
    with raised("import-differs", "`Gemm`", f"node_{x}"):
        proved(path, made, graph)


def test_rounding_that_a_file_magnifies_is_no_difference(tmp_path: Path) -> None:
    net = Net()
    x = net.op("Gemm", net.input("x", 1, 16), net.random(16, 8))
    net.out("Sin", net.op("Mul", x, net.const(300.0)))
    path = net.save(tmp_path / "steep.onnx")
    made, graph = rebuilt(path)
    dense = next(layer for layer in made.model.layers if layer.get_weights())
    weights = dense.get_weights()
    dense.set_weights([values * np.float32(1 + 2**-22) for values in weights])
    found = proved(path, made, graph)
    assert TOLERANCE < found.max_abs_diff < found.tolerance
    dense.set_weights([values * np.float32(1.001) for values in weights])
    with raised("import-differs", net.outputs[0]):
        proved(path, made, graph)
