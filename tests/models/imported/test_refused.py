"""Graphs that are not rebuilt: each refused with a code, by operator, node and reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.models.imported import folding
from edgekit.models.imported.operators import unpacked
from edgekit.models.imported.patterns import recognised
from tests.models.imported.nets import Net, graph_in
from tests.support.raised import raised
from tests.support.tiny_onnx import save, value


def _one(kind: str, *constants: object, opset: int = 17, **attributes: object) -> Net:
    net = Net(opset)
    x = net.input("x", 1, 4, 6, 8)
    net.out(kind, x, *map(net.const, constants), **attributes)
    return net


def _domain() -> Net:
    return _one("FusedConv", domain="com.microsoft")


def _branch() -> Net:
    from onnx import helper

    net = Net()
    body = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "body", [], [value("y", (1, 4))])
    net.input("x", 1, 4)
    net.out(
        "If",
        net.op("Greater", net.op("ReduceMax", "x", keepdims=0), net.const(0.0)),
        then_branch=body,
        else_branch=body,
    )
    return net


def _batch(**attributes: object) -> Net:
    net = Net()
    x = net.input("x", 1, 4, 6, 8)
    net.op("BatchNormalization", x, *(net.random(4, low=0.5) for _ in range(4)), count=3, **attributes)
    net.outputs = [net.nodes[-1].output[0]]
    return net


def _recurrent(**attributes: object) -> Net:
    net = Net()
    s = net.input("s", 5, 1, 3)
    net.op("LSTM", s, net.random(1, 8, 3), net.random(1, 8, 2), count=3, out=True, hidden_size=2, **attributes)
    return net


def _inner(build: Callable[[Net, str], object]) -> Net:
    net = Net()
    build(net, net.input("x", 1, 4, 6, 8))
    return net


def _memory() -> Net:
    net = Net(23)
    x = net.input("x", 1, 2, 6, 8)
    net.op("Attention", x, x, x, "", x, x, count=3, out=True)
    return net


REFUSED: dict[str, tuple[Net, tuple[str, ...]]] = {
    "domain": (_domain(), ("operator-not-rebuilt", "`FusedConv`", "com.microsoft")),
    "control flow": (_branch(), ("operator-not-rebuilt", "`If`", "control flow")),
    "unknown": (_one("Hardmax"), ("operator-not-rebuilt", "`Hardmax`", "node_Hardmax_0", "knows no layers")),
    "sizes from values": (_one("NonZero"), ("operator-not-rebuilt", "`NonZero`", "sizes")),
    "random": (_one("RandomNormalLike"), ("operator-not-rebuilt", "random")),
    "training": (_batch(training_mode=1), ("graph-in-training-mode", "`BatchNormalization`")),
    "dropout": (_one("Dropout", 0.5, np.asarray(True)), ("graph-in-training-mode", "`Dropout`")),
    "opset": (_one("Relu", opset=999), ("opset-unknown", "999")),
    "not a number": (_one("Add", np.float32("nan")), ("weights-not-finite", "`c0`")),
    "open": (_inner(lambda net, x: net.out("Relu", net.input("y", 1, "n"))), ("input-shape-open", "`y`")),
    "dilated pooling": (_one("MaxPool", kernel_shape=[2, 2], dilations=[2, 2]), ("operator-not-rebuilt", "dilated")),
    "kernels": (
        _inner(lambda net, x: net.out("Conv", x, net.input("w", 2, 4, 3, 3))),
        ("operator-not-rebuilt", "`Conv`", "constant"),
    ),
    "groups": (
        _inner(lambda net, x: net.out("ConvTranspose", x, net.random(4, 2, 3, 3), group=2)),
        ("operator-not-rebuilt", "`ConvTranspose`", "groups"),
    ),
    "across samples": (
        _inner(lambda net, x: net.out("Gemm", net.op("Flatten", x), net.random(1, 3), transA=1)),
        ("operator-not-rebuilt", "`Gemm`", "across samples"),
    ),
    "cubic": (
        _inner(lambda net, x: net.out("Resize", x, "", net.const([1.0, 1.0, 2.0, 2.0]), mode="cubic")),
        ("operator-not-rebuilt", "`cubic`"),
    ),
    "peephole": (_recurrent(clip=1.0), ("operator-not-rebuilt", "`LSTM`", "clipping")),
    "best of": (
        _inner(lambda net, x: net.op("TopK", x, net.const([2]), count=2, out=True)),
        ("operator-not-rebuilt", "`TopK`", "node_TopK_0", "knows no layers"),
    ),
    "attention with memory": (_memory(), ("operator-not-rebuilt", "`Attention`", "earlier runs")),
    "equation": (
        _inner(lambda net, x: net.out("Einsum", x, x, equation="abcd,abcd->a")),
        ("operator-not-rebuilt", "`Einsum`", "abcd,abcd->a"),
    ),
    "shapes": (
        _inner(lambda net, x: net.out("MatMul", x, net.random(5, 3))),
        ("operator-not-rebuilt", "`MatMul`", "do not fit"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_graph_is_refused_by_name(name: str, tmp_path: Path) -> None:
    net, (code, *words) = REFUSED[name]
    path = net.save(tmp_path / "hostile.onnx")
    with raised(code, *words):
        graph_in(path)


@pytest.mark.parametrize("inputs, why", [(("b", "x"), "depends on itself"), (("nobody", "x"), "is made by no node")])
def test_a_graph_without_an_order_is_refused(inputs: tuple[str, str], why: str, tmp_path: Path) -> None:
    from onnx import helper

    nodes = [helper.make_node("Add", list(inputs), ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    path = save(tmp_path / "circle.onnx", nodes, [value("x", (1, 4))], [value("b", (1, 4))], check=False)
    with raised("graph-damaged", why):
        graph_in(path)


def test_a_value_made_twice_is_refused(tmp_path: Path) -> None:
    from onnx import helper

    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Abs", ["x"], ["a"])]
    path = save(tmp_path / "twice.onnx", nodes, [value("x", (1, 4))], [value("a", (1, 4))], check=False)
    with raised("graph-damaged", "`a`"):
        graph_in(path)


def test_a_format_from_the_future_is_refused(tmp_path: Path) -> None:
    import onnx

    path = _one("Relu").save(tmp_path / "future.onnx")
    made = onnx.load(path)
    made.ir_version = 99
    onnx.save(made, path)
    with raised("opset-unknown", "version 99"):
        graph_in(path)


def test_nodes_in_any_order_are_sorted(tmp_path: Path) -> None:
    net = Net()
    net.out("Relu", net.op("Abs", net.op("Neg", net.input("x", 1, 4))))
    net.nodes.reverse()
    graph = graph_in(net.save(tmp_path / "unsorted.onnx"))
    assert [step.of.kind for step in graph.steps] == ["Neg", "Abs", "Relu"]


def test_shape_arithmetic_is_folded(tmp_path: Path) -> None:
    """x.view(x.size(0), -1) and x.mean over what a Shape says, as PyTorch's older exporter writes them."""
    net = Net()
    x = net.input("x", "n", 4, 6, 8)
    first = net.op("Unsqueeze", net.op("Gather", net.op("Shape", x), net.const(0), axis=0), net.const([0]))
    net.out("Reshape", net.op("Dropout", x), net.op("Concat", first, net.const([-1]), axis=0))
    net.op("Relu", x)  # nobody reads it
    operators = unpacked(*folding.read(path=str(net.save(tmp_path / "shape.onnx"))))
    assert [node.kind for node in operators.nodes] == ["Reshape"]
    assert operators.shapes[operators.outputs[0]] == (1, 192)


def test_decompositions_are_recognised(tmp_path: Path) -> None:
    net = Net()
    x = net.input("x", 1, 4, 8)
    net.out("Mul", x, net.op("Sigmoid", x))
    net.out("Mul", x, net.op("Tanh", net.op("Softplus", x)))
    net.out("Mul", net.op("HardSigmoid", x, alpha=1 / 6), x)
    net.out("Mul", net.op("HardSigmoid", x, alpha=0.2), x)
    shifted = net.op("Clip", net.op("Add", x, net.const(3.0)), net.const(0.0), net.const(6.0))
    net.out("Div", net.op("Mul", x, shifted), net.const(6.0))
    erf = net.op("Add", net.op("Erf", net.op("Div", x, net.const(1.4142135))), net.const(1.0))
    net.out("Mul", net.op("Mul", x, erf), net.const(0.5))
    net.out("Mul", net.op("Mul", x, erf), net.const(0.4))
    operators = unpacked(*folding.read(path=str(net.save(tmp_path / "patterns.onnx"))))
    made = {node.outputs[0]: node.kind for node in recognised(operators).nodes}
    assert [made[name] for name in net.outputs] == ["Swish", "Mish", "HardSwish", "Mul", "HardSwish", "Gelu", "Mul"]
