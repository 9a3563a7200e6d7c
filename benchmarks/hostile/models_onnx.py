"""`.onnx` files made by hand: external data, operators that reach outside, sizes, loops, nesting, names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hostile.case import Canary
from benchmarks.hostile.models_base import dense_onnx, node, onnx_bytes
from tests.tiny_onnx import constant, value

Write = Callable[[Canary], None]
NAME = "m.onnx"
BESIDE = "beside a link to the model"
"""Works: what counts is beside the file that the link leads to."""


def crafted() -> Iterator[tuple[str, str, bool, Write]]:
    """Yield kind, name, whether it may work, and what writes `m.onnx` and the files beside it."""
    for name, make in _external():
        yield "external data", name, name == BESIDE, make
    for name, make in _places():
        yield "external data, place", name, False, make
    for name, nodes in _foreign():
        yield "foreign operator", name, True, _written(lambda canary, nodes=nodes: onnx_bytes(*nodes(canary)))
    for name, build in _blowing():
        yield "memory or time when run", name, True, _written(lambda _, build=build: build())
    for name, build in _structure():
        yield "structure", name, True, _written(lambda _, build=build: build())


def _written(build: Callable[[Canary], bytes]) -> Write:
    return lambda canary: (Path(NAME).write_bytes(build(canary)), None)[1]


def _place(tensor: Any, location: str, **entries: str) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    for key, text in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=text)


def _external() -> Iterator[tuple[str, Write]]:
    def case(
        location: Callable[[Canary], str], before: Callable[[Canary], Any] = lambda _: None, **entries: str
    ) -> Write:
        def write(canary: Canary) -> None:
            before(canary)
            model = dense_onnx()
            _place(model.graph.initializer[0], location(canary), **entries)
            Path(NAME).write_bytes(model.SerializeToString())

        return write

    def inside(_: Canary) -> None:
        Path("w.bin").write_bytes(np.ones(16, "<f4").tobytes())

    def folder_link(canary: Canary) -> None:
        Path("f").symlink_to(canary.folder)

    yield "absolute", case(lambda c: str(c.secret))
    yield "with two slashes", case(lambda c: "/" + str(c.secret))
    yield "up", case(lambda c: f"../canary/{c.secret.name}")
    yield "down and up", case(lambda c: f"d/../../canary/{c.secret.name}", lambda _: Path("d").mkdir())
    yield "through a link", case(lambda _: "link", lambda c: Path("link").symlink_to(c.secret))
    yield (
        "through a relative link",
        case(lambda _: "link", lambda c: Path("link").symlink_to(f"../canary/{c.secret.name}")),
    )
    yield "through a folder's link", case(lambda c: f"f/{c.secret.name}", folder_link)
    yield "through /proc", case(lambda c: f"/proc/self/cwd/../canary/{c.secret.name}")
    yield (
        "through a link to /proc",
        case(lambda c: f"p/cwd/../canary/{c.secret.name}", lambda _: Path("p").symlink_to("/proc/self")),
    )
    yield "a drive", case(lambda _: "C:\\w.bin", lambda _: Path("C:\\w.bin").write_bytes(bytes(64)))
    yield "a file URL", case(lambda c: f"file://{c.secret}")
    yield "NUL", case(lambda _: "w.bin\0x", inside)
    yield "empty", case(lambda _: "")
    yield "a dot", case(lambda _: ".")
    yield "a new line", case(lambda _: "w\n.bin", lambda _: Path("w\n.bin").write_bytes(bytes(64)))
    yield "the model itself", case(lambda _: NAME)
    yield "the model itself, dotted", case(lambda _: f"./{NAME}")
    yield "a fifo", case(lambda _: "pipe", lambda _: os.mkfifo("pipe"))
    yield "a folder", case(lambda _: "d", lambda _: Path("d").mkdir())
    yield "a link to a device", case(lambda _: "zero", lambda _: Path("zero").symlink_to("/dev/zero"))
    yield "a circle of links", case(lambda _: "l", lambda _: Path("l").symlink_to("l"))
    yield "a name of 300 bytes", case(lambda _: "w" * 300)
    yield "a name of 5000 bytes", case(lambda _: "w/" * 2500 + "w")
    yield "missing", case(lambda _: "w.bin")
    yield "short", case(lambda _: "w.bin", lambda _: Path("w.bin").write_bytes(bytes(8)))
    yield "offset at the end", case(lambda _: "w.bin", inside, offset="64")
    yield "offset of 2**62", case(lambda _: "w.bin", inside, offset=str(1 << 62))
    yield "offset that wraps", case(lambda _: "w.bin", inside, offset=str((1 << 64) - 64), length="64")
    yield "offset below zero", case(lambda _: "w.bin", inside, offset="-16")
    yield "offset in words", case(lambda _: "w.bin", inside, offset="1_0")
    yield "length of 2**62", case(lambda _: "w.bin", inside, length=str(1 << 62))
    yield "length of another shape", case(lambda _: "w.bin", inside, length="4")
    yield "an address", case(lambda _: "*/_ORT_MEM_ADDR_/*", offset=str(0x7F0000000000), length="64")

    def address(_: Canary) -> None:
        folder = Path("*/_ORT_MEM_ADDR_")
        folder.mkdir(parents=True)
        with (folder / "*").open("wb") as stream:
            stream.truncate(1 << 40)

    yield (
        "an address, with a file of its name",
        case(lambda _: "*/_ORT_MEM_ADDR_/*", address, offset=str(1 << 36), length="64"),
    )
    yield "another key", case(lambda _: "w.bin", inside, prepacked_0="w|0;64")

    def twice(canary: Canary) -> None:
        inside(canary)
        model = dense_onnx()
        _place(model.graph.initializer[0], "w.bin", checksum="0" * 40)
        model.graph.initializer[0].external_data.add(key="location", value=str(canary.secret))
        Path(NAME).write_bytes(model.SerializeToString())

    yield "location twice", twice

    def huge(_: Canary) -> None:
        with Path("w.bin").open("wb") as stream:
            stream.truncate(1 << 42)
        model = dense_onnx()
        model.graph.initializer[0].dims[:] = [1 << 40]
        _place(model.graph.initializer[0], "w.bin")
        Path(NAME).write_bytes(model.SerializeToString())

    yield "a file with a hole of 4 TiB", huge

    def link_to_model(canary: Canary) -> None:
        Path("real").mkdir()
        Path("real/w.bin").write_bytes(np.ones(16, "<f4").tobytes())
        model = dense_onnx()
        _place(model.graph.initializer[0], "w.bin")
        Path("real/n.onnx").write_bytes(model.SerializeToString())
        Path(NAME).symlink_to("real/n.onnx")
        Path("w.bin").symlink_to(canary.secret)

    yield BESIDE, link_to_model


def _places() -> Iterator[tuple[str, Write]]:
    """The same absolute path, wherever ONNX takes a tensor."""
    from onnx import TensorProto, helper

    def tensor(canary: Canary, shape: tuple[int, ...] = (4,)) -> Any:
        made = TensorProto(name="e", data_type=1, dims=list(shape))
        _place(made, str(canary.secret))
        return made

    def body(canary: Canary, name: str, *, attribute: bool = False) -> Any:
        held = [] if attribute else [tensor(canary)]
        first = [node("Constant", [], ["e"], value=tensor(canary))] if attribute else []
        return helper.make_graph([*first, node("Add", ["x", "e"], [name])], name, [], [value(name, [None, 4])], held)

    def case(change: Callable[[Any, Canary], None]) -> Write:
        def write(canary: Canary) -> None:
            model = dense_onnx()
            change(model, canary)
            Path(NAME).write_bytes(model.SerializeToString())

        return write

    def add(*made: Callable[[Canary], Any]) -> Write:
        return case(lambda model, canary: model.graph.node.extend(make(canary) for make in made))

    yield "initializer", case(lambda m, c: m.graph.initializer.append(tensor(c)))
    yield "Constant", add(lambda c: node("Constant", [], ["e"], value=tensor(c)))
    yield (
        "ConstantOfShape",
        add(
            lambda c: node("Constant", [], ["s"], value_ints=[4]),
            lambda c: node("ConstantOfShape", ["s"], ["e"], value=tensor(c, (1,))),
        ),
    )
    yield "attribute nobody reads", add(lambda c: node("Relu", ["x"], ["e"], spare=tensor(c)))
    yield "list of tensors", add(lambda c: node("Relu", ["x"], ["e"], spare=[tensor(c), tensor(c)]))
    for attribute in (False, True):
        yield (
            f"If, {attribute}",
            add(
                lambda c: node("Constant", [], ["flag"], value=constant("flag", True, "bool")),
                lambda c, a=attribute: node(
                    "If", ["flag"], ["z"], then_branch=body(c, "t", attribute=a), else_branch=body(c, "o", attribute=a)
                ),
            ),
        )

    def sparse(model: Any, canary: Canary, *, indices: bool) -> None:
        made = model.graph.sparse_initializer.add()
        made.dims.append(4)
        made.values.CopyFrom(constant("sp", [1.0], "float32") if indices else tensor(canary, (1,)))
        made.indices.CopyFrom(tensor(canary, (1,)) if indices else constant("i", [0], "int64"))

    yield "sparse values", case(lambda m, c: sparse(m, c, indices=False))
    yield "sparse indices", case(lambda m, c: sparse(m, c, indices=True))

    def function(model: Any, canary: Canary, *, default: bool) -> None:
        opset = [helper.make_opsetid("", 17)]
        nodes = [node("Constant", [], ["e"], value=tensor(canary)), node("Add", ["a", "e"], ["b"])]
        made = helper.make_function(
            "mine", "F", ["a"], ["b"], [node("Relu", ["a"], ["b"])] if default else nodes, opset
        )
        if default:
            made.attribute_proto.append(helper.make_attribute("t", tensor(canary)))
        model.functions.append(made)
        model.opset_import.append(helper.make_opsetid("mine", 1))
        model.graph.node.append(node("F", ["x"], ["z"], domain="mine"))

    yield "function", case(lambda m, c: function(m, c, default=False))
    yield "function's default", case(lambda m, c: function(m, c, default=True))
    yield "training", case(lambda m, c: m.training_info.add().initialization.initializer.append(tensor(c)))


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
    for domain, name in (("ai.onnx.contrib", "PyOp"), ("ai.onnx.contrib", "ReadFile"), ("org.pytorch.aten", "ATen"),
                         ("com.microsoft", "PythonOp"), ("com.microsoft", "Snpe"), ("", "NoSuch"), ("x\x1b[2J", "Y")):  # fmt: skip
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
    yield "control characters", changed(lambda m: (setattr(m, "producer_name", "\x1b]0;x\x07\u202e"), setattr(m.graph.node[0], "name", "\x1b[2J")))  # fmt: skip
    yield "ort_config", changed(lambda m: m.metadata_props.add(key="ort_config", value='{"session_options":{"optimized_model_filepath":"../canary/marker","intra_op_num_threads":100000}}'))  # fmt: skip
    yield "metadata of 1e5 entries", changed(lambda m: m.metadata_props.extend(type(m.metadata_props.add())(key="k", value="v") for _ in range(100_000)))  # fmt: skip
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
        inner = [node("If", ["flag"], ["q"], then_branch=graph, else_branch=graph)] if len(str(graph)) < 1 else [
            node("If", ["flag"], ["q"], then_branch=graph, else_branch=helper.make_graph([node("Relu", ["x"], ["q"])], "e", [], [value("q", [None, 4])]))
        ]  # fmt: skip
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
