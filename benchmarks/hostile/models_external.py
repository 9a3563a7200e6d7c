"""`.onnx` files whose external data leads elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hostile.case import Canary
from benchmarks.hostile.models_base import dense_onnx, node
from tests.support.tiny_onnx import constant, value

Write = Callable[[Canary], None]
NAME = "m.onnx"
BESIDE = "beside a link to the model"
"""Works: what counts is beside the file that the link leads to."""


def _place(tensor: Any, location: str, **entries: str) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    for key, text in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=text)


def locations() -> Iterator[tuple[str, Write]]:
    """Yield what is wrong with a location, and what writes `m.onnx` and the files beside it."""

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


def places() -> Iterator[tuple[str, Write]]:
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
