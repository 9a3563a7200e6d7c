"""`.onnx` files made by hand: external data, operators that reach outside, sizes, loops, nesting, names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hostile import models_external
from benchmarks.hostile.case import Canary
from benchmarks.hostile.models_base import dense_onnx, node, onnx_bytes
from tests.support.tiny_onnx import constant, value

Write = Callable[[Canary], None]
NAME = "m.onnx"


def crafted() -> Iterator[tuple[str, str, bool, Write]]:
    """Yield kind, name, whether it may work, and what writes `m.onnx` and the files beside it."""
    for name, make in models_external.locations():
        yield "external data", name, name == models_external.BESIDE, make
    for name, make in models_external.places():
        yield "external data, place", name, False, make
    for name, nodes in _foreign():
        yield "foreign operator", name, True, _written(lambda canary, nodes=nodes: onnx_bytes(*nodes(canary)))
    for name, build in _blowing():
        yield "memory or time when run", name, True, _written(lambda _, build=build: build())
    for name, build in _structure():
        yield "structure", name, True, _written(lambda _, build=build: build())


def _written(build: Callable[[Canary], bytes]) -> Write:
    return lambda canary: (Path(NAME).write_bytes(build(canary)), None)[1]


def _foreign() -> Iterator[tuple[str, Callable[[Canary], tuple[Any, ...]]]]:
    yield (
        "EPContext",
        lambda c: (
            [
                node(
                    "EPContext",
                    ["x"],
                    ["y"],
                    domain="com.microsoft",
                    embed_mode=0,
                    ep_cache_context=str(c.secret),
                    source="x",
                )
            ],
            (),
        ),
    )
    for domain, name in (
        ("ai.onnx.contrib", "PyOp"),
        ("ai.onnx.contrib", "ReadFile"),
        ("org.pytorch.aten", "ATen"),
        ("com.microsoft", "PythonOp"),
        ("com.microsoft", "Snpe"),
        ("", "NoSuch"),
        ("x\x1b[2J", "Y"),
    ):
        yield (
            f"{domain!r} {name}",
            lambda c, d=domain, n=name: ([node(n, ["x"], ["y"], domain=d, path=str(c.secret))], ()),
        )


def _blowing() -> Iterator[tuple[str, Callable[[], bytes]]]:
    def tail(name: str) -> list[Any]:
        return [
            node("ReduceSum", [name], ["s"], keepdims=0),
            node("Add", ["x", "s"], ["a"]),
            node("MatMul", ["a", "v"], ["y"]),
        ]

    v = constant("v", np.ones((4, 2)), "float32")
    big = constant("n", [1 << 38], "int64")
    for name, first, held in (
        ("ConstantOfShape", node("ConstantOfShape", ["n"], ["b"]), big),
        ("ConstantOfShape of 10 GiB", node("ConstantOfShape", ["n"], ["b"]), constant("n", [10 << 28], "int64")),
        ("ConstantOfShape of 2**62", node("ConstantOfShape", ["n"], ["b"]), constant("n", [1 << 62], "int64")),
        ("ConstantOfShape that wraps", node("ConstantOfShape", ["n"], ["b"]), constant("n", [1 << 32] * 2, "int64")),
        ("ConstantOfShape below zero", node("ConstantOfShape", ["n"], ["b"]), constant("n", [-5], "int64")),
        ("Tile", node("Tile", ["x", "n"], ["b"]), constant("n", [1 << 20, 1 << 20], "int64")),
        ("Expand", node("Expand", ["x", "n"], ["b"]), constant("n", [1 << 30, 1, 4], "int64")),
        ("Resize", node("Resize", ["x", "", "n"], ["b"]), constant("n", [1e6, 1e6], "float32")),
        ("Pad", node("Pad", ["x", "n"], ["b"]), constant("n", [0, 1 << 35, 0, 0], "int64")),
        ("Pad below zero", node("Pad", ["x", "n"], ["b"]), constant("n", [0, -(1 << 40), 0, 0], "int64")),
        ("RandomNormal", node("RandomNormal", [], ["b"], shape=[1 << 33]), v),
        ("OneHot", node("OneHot", ["i", "n", "z"], ["b"]), constant("n", 1 << 36, "int64")),
    ):
        more = [constant("i", [0], "int64"), constant("z", [0, 1], "float32")] if name == "OneHot" else []
        yield (
            name,
            lambda f=first, h=held, m=more: onnx_bytes([f, *tail("b")], [*({t.name: t for t in (h, v, *m)}.values())]),
        )
    limits = [constant(n, k, "float32") for n, k in (("lo", 0), ("hi", 1e12), ("st", 1))]
    yield "Range", lambda: onnx_bytes([node("Range", ["lo", "hi", "st"], ["b"]), *tail("b")], [*limits, v])
    yield (
        "Loop of 2**62",
        lambda: onnx_bytes([_loop(), *tail("b")], [v, constant("n", 1 << 62, "int64"), constant("t", True, "bool")]),
    )
    yield (
        "Loop that grows",
        lambda: onnx_bytes(
            [_loop(grow=True), *tail("b")], [v, constant("n", 200, "int64"), constant("t", True, "bool")]
        ),
    )
    yield (
        "Loop that collects",
        lambda: onnx_bytes(
            [_loop(collect=True), *tail("b")], [v, constant("n", 1 << 40, "int64"), constant("t", True, "bool")]
        ),
    )
    yield "Einsum", lambda: onnx_bytes([node("Einsum", ["x", "v"], ["y"], equation="ij,jk->" + "ik" * 5000)], [v])


def _loop(*, grow: bool = False, collect: bool = False) -> Any:
    from onnx import helper

    step = node("Concat", ["s", "s"], ["r"], axis=0) if grow else node("Identity", ["s"], ["r"])
    more = [value("k", [None, 4])] if collect else []
    extra = [node("Identity", ["s"], ["k"])] if collect else []
    body = helper.make_graph(
        [step, node("Identity", ["go"], ["on"]), *extra],
        "body",
        [value("i", [], "INT64"), value("go", [], "BOOL"), value("s", [None, 4])],
        [value("on", [], "BOOL"), value("r", [None, 4]), *more],
    )
    return node("Loop", ["n", "t", "x"], ["b", "all"] if collect else ["b"], body=body)


def _structure() -> Iterator[tuple[str, Callable[[], bytes]]]:
    from onnx import helper

    w = constant("w", np.ones((4, 2)), "float32")
    end = node("MatMul", ["x", "w"], ["y"])

    def changed(change: Callable[[Any], None]) -> Callable[[], bytes]:
        def build() -> bytes:
            model = dense_onnx()
            change(model)
            return bytes(model.SerializeToString())

        return build

    def tensor(*dims: int) -> Callable[[], bytes]:
        return changed(lambda m: m.graph.initializer[0].dims.__setitem__(slice(None), dims))

    yield "constant of 1 TiB", tensor(1 << 38)
    yield "constant of 2**80", tensor(1 << 40, 1 << 40)
    yield "constant that wraps to 16", tensor((1 << 62) + 4, 4)
    yield "constant below zero", tensor(-4, -4)
    yield "constant of 70 axes", tensor(*[1] * 68, 4, 4)
    yield "constant of no values", tensor(0, 4)
    yield "packed numbers of 1 TiB", lambda: _raw_graph(b"\x2a" + _varint(1 << 40))
    yield (
        "input of 1 TiB",
        changed(lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[1], "dim_value", 1 << 38)),
    )
    yield (
        "input of 2**62",
        changed(lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[1], "dim_value", 1 << 62)),
    )
    yield (
        "input below zero",
        changed(lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[1], "dim_value", -4)),
    )
    yield (
        "output of 2**62",
        changed(lambda m: setattr(m.graph.output[0].type.tensor_type.shape.dim[1], "dim_value", 1 << 62)),
    )
    yield (
        "control characters",
        changed(
            lambda m: (setattr(m, "producer_name", "\x1b]0;x\x07\u202e"), setattr(m.graph.node[0], "name", "\x1b[2J"))
        ),
    )
    yield (
        "ort_config",
        changed(
            lambda m: m.metadata_props.add(
                key="ort_config",
                value='{"session_options":{"optimized_model_filepath":"../canary/marker","intra_op_num_threads":100000}}',
            )
        ),
    )
    yield (
        "metadata of 1e5 entries",
        changed(
            lambda m: m.metadata_props.extend(type(m.metadata_props.add())(key="k", value="v") for _ in range(100_000))
        ),
    )
    yield "IR version of 2**40", changed(lambda m: setattr(m, "ir_version", 1 << 40))
    yield "opset of 2**40", changed(lambda m: setattr(m.opset_import[0], "version", 1 << 40))
    yield "opset below zero", changed(lambda m: setattr(m.opset_import[0], "version", -1))
    yield "no opset", changed(lambda m: m.ClearField("opset_import"))
    yield "a circle", lambda: onnx_bytes([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), end], [w])
    yield "a node of itself", lambda: onnx_bytes([node("Relu", ["a"], ["a"]), end], [w])
    yield "names twice", lambda: onnx_bytes([node("Relu", ["x"], ["y"]), node("Tanh", ["x"], ["y"]), end], [w, w])
    yield "1e5 equal nodes", lambda: onnx_bytes([*[node("Relu", ["x"], ["a"], name="n")] * 100_000, end], [w])
    yield (
        "a chain of 1e5",
        lambda: onnx_bytes([node("Relu", [f"x{i}" if i else "x"], [f"x{i + 1}"]) for i in range(100_000)] + [end], [w]),
    )
    yield "1e5 inputs of a node", lambda: onnx_bytes([node("Sum", ["x"] * 100_000, ["a"]), end], [w])
    yield "a name of 20 MB", lambda: onnx_bytes([node("R" * 20_000_000, ["x"], ["a"]), end], [w])
    yield "2e6 empty nodes", lambda: _raw_graph(b"\x0a\x00" * 2_000_000)
    yield "10,000 nested messages", lambda: _nested(10_000)
    yield "10,000 nested groups", lambda: b"\x08\x0a" + b"\x3b" * 10_000 + b"\x3a\x00"
    yield (
        "30 nested Ifs",
        lambda: onnx_bytes([node("Constant", [], ["flag"], value=constant("f", True, "bool")), *_ifs(30), end], [w]),
    )

    def functions(count: int, calls: Callable[[int], list[int]]) -> Callable[[], bytes]:
        def build() -> bytes:
            opset = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
            made = []
            for i in range(count):
                names = ["a", *(f"a{k}" for k in range(1, len(calls(i)))), "b"]
                nodes = [node(f"F{j}", [names[k]], [names[k + 1]], domain="mine") for k, j in enumerate(calls(i))]
                made.append(
                    helper.make_function("mine", f"F{i}", ["a"], ["b"], nodes or [node("Relu", ["a"], ["b"])], opset)
                )
            return onnx_bytes(
                [node("F0", ["x"], ["z"], domain="mine"), node("MatMul", ["z", "w"], ["y"])],
                [w],
                functions=made,
                domains=["mine"],
            )

        return build

    yield "a function that calls itself", functions(1, lambda _: [0])
    yield "two functions that call each other", functions(2, lambda i: [1 - i])
    yield "functions that double, 40 deep", functions(41, lambda i: [i + 1, i + 1] if i < 40 else [])
    yield "functions in a row, 3000 deep", functions(3000, lambda i: [i + 1] if i < 2999 else [])
    yield "TFLite's mark", lambda: b"\x08\x07\x12\x04TFL3" + dense_onnx().SerializeToString()
    yield "onnxruntime's mark", lambda: b"\x08\x07\x12\x04ORTM" + dense_onnx().SerializeToString()
    yield "graph twice", lambda: dense_onnx().SerializeToString() * 2
    yield "1000 models in a row", lambda: dense_onnx().SerializeToString() * 1000


def _ifs(depth: int) -> list[Any]:
    from onnx import helper

    inner = [node("Relu", ["x"], ["q"])]
    for _ in range(depth):
        graph = helper.make_graph(inner, "b", [], [value("q", [None, 4])])
        inner = (
            [node("If", ["flag"], ["q"], then_branch=graph, else_branch=graph)]
            if len(str(graph)) < 1
            else [
                node(
                    "If",
                    ["flag"],
                    ["q"],
                    then_branch=graph,
                    else_branch=helper.make_graph([node("Relu", ["x"], ["q"])], "e", [], [value("q", [None, 4])]),
                )
            ]
        )
    return inner


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _raw_graph(inside: bytes) -> bytes:
    return b"\x08\x0a" + b"\x3a" + _varint(len(inside)) + inside


def _nested(depth: int) -> bytes:
    """Graph in attribute in node in graph, and so on."""
    inside = b""
    for i in range(depth):
        tag = (b"\x0a", b"\x2a", b"\x32")[i % 3]  # GraphProto.node, NodeProto.attribute, AttributeProto.g
        inside = tag + _varint(len(inside)) + inside
    return _raw_graph(inside)
