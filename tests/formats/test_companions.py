"""The gate before a model file is run or copied: what it names, wherever in it, and what it would do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import MissingExtraError
from edgekit.formats.companions import computing_only, gate, runnable
from edgekit.formats.onnx.reader import whole
from edgekit.formats.operators import MICROSOFT, TFLITE_CUSTOM
from tests.support import vendor_onnx, vendor_tflite
from tests.support.raised import raised
from tests.support.tiny_onnx import constant, save, value
from tests.support.tiny_tflite import changed

onnx = pytest.importorskip("onnx")
make = onnx.helper.make_node


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_bytes(bytes(16))
    made = tmp_path / "model"
    made.mkdir()
    return made


def outside(folder: Path, location: str = "", **entries: str) -> Any:
    tensor = onnx.TensorProto(name="e", data_type=1, dims=[4], data_location=1)
    for key, text in {"location": location or str(folder.parent / "secret"), **entries}.items():
        tensor.external_data.add(key=key, value=text)
    return tensor


def model(folder: Path, *nodes: Any) -> Any:
    path = save(
        folder / "m.onnx", [make("Relu", ["x"], ["y"]), *nodes], [value("x", [4])], [value("y", [4])], check=False
    )
    return onnx.load(path, load_external_data=False)


def body(name: str, tensor: Any, *, attribute: bool) -> Any:
    nodes = [make("Constant", [], ["e"], value=tensor)] if attribute else []
    held = [] if attribute else [tensor]
    return onnx.helper.make_graph([*nodes, make("Add", ["x", "e"], [name])], name, [], [value(name, [4])], held)


def nested(folder: Path, depth: int, *, attribute: bool) -> Any:
    graph = body("q", outside(folder), attribute=attribute)
    for _ in range(depth):
        graph = onnx.helper.make_graph([make("If", ["f"], ["q"], then_branch=graph)], "q", [], [value("q", [4])])
    return make("Loop", ["n", "f", "x"], ["z"], body=graph)


def sparse(model: Any, folder: Path, part: str) -> None:
    made = model.graph.sparse_initializer.add(dims=[4])
    made.values.CopyFrom(constant("v", [1.0], "float32"))
    made.indices.CopyFrom(constant("i", [0], "int64"))
    getattr(made, part).CopyFrom(outside(folder))
    getattr(made, part).dims[:] = [1]


def function(model: Any, folder: Path, *, default: bool) -> None:
    node = make("Constant", [], ["b"], value=outside(folder))
    made = model.functions.add(name="F", domain="mine")
    if default:
        made.attribute_proto.append(onnx.helper.make_attribute("t", outside(folder)))
    else:
        made.node.append(node)


PLACES: dict[str, Callable[[Any, Path], Any]] = {
    "initializer": lambda m, f: m.graph.initializer.append(outside(f)),
    "Constant": lambda m, f: m.graph.node.append(make("Constant", [], ["e"], value=outside(f))),
    "ConstantOfShape": lambda m, f: m.graph.node.append(make("ConstantOfShape", ["s"], ["e"], value=outside(f))),
    "attribute": lambda m, f: m.graph.node.append(make("Relu", ["x"], ["e"], spare=outside(f))),
    "attributes": lambda m, f: m.graph.node.append(make("Relu", ["x"], ["e"], spare=[outside(f), outside(f)])),
    "body": lambda m, f: m.graph.node.append(nested(f, 0, attribute=False)),
    "body's attribute": lambda m, f: m.graph.node.append(nested(f, 0, attribute=True)),
    "deep in bodies": lambda m, f: m.graph.node.append(nested(f, 9, attribute=True)),
    "sparse values": lambda m, f: sparse(m, f, "values"),
    "sparse indices": lambda m, f: sparse(m, f, "indices"),
    "function": lambda m, f: function(m, f, default=False),
    "function's default": lambda m, f: function(m, f, default=True),
    "training": lambda m, f: m.training_info.add().algorithm.initializer.append(outside(f)),
    "not said to be external": lambda m, f: (
        m.graph.initializer.append(outside(f)),
        m.graph.initializer[0].ClearField("data_location"),
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_external_data_is_seen_wherever_a_tensor_stands(folder: Path, name: str) -> None:
    made = model(folder)
    PLACES[name](made, folder)
    path = folder / "m.onnx"
    path.write_bytes(made.SerializeToString())
    with raised("external-data-unsafe"):
        gate(path)


def with_tensor(folder: Path, tensor: Any) -> Path:
    made = model(folder)
    made.graph.initializer.append(tensor)
    path = folder / "m.onnx"
    path.write_bytes(made.SerializeToString())
    return path


LOCATIONS: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "link": ("l", lambda f: (f / "l").symlink_to("../secret"), ("external-data-unsafe",)),
    "folder's link": ("d/secret", lambda f: (f / "d").symlink_to(f.parent), ("external-data-unsafe",)),
    "/proc": ("p/cwd/x", lambda f: (f / "p").symlink_to("/proc/self"), ("external-data-unsafe",)),
    "new line": ("w\n", lambda f: (f / "w\n").write_bytes(bytes(16)), ("external-data-unsafe",)),
    "colon": ("a:b", lambda f: (f / "a:b").write_bytes(bytes(16)), ("external-data-unsafe",)),
    "NUL": ("w\0", lambda f: None, ("external-data-unsafe",)),
    "long": ("w" * 256, lambda f: None, ("external-data-unsafe",)),
    "deep": ("w/" * 40 + "w", lambda f: None, ("external-data-unsafe",)),
    "itself": ("m.onnx", lambda f: None, ("external-data-unsafe",)),
    "itself, dotted": (".//m.onnx", lambda f: None, ("external-data-unsafe",)),
    "fifo": ("w", lambda f: os.mkfifo(f / "w"), ("external-data-unsafe", "`w`")),
    "folder": ("w", lambda f: (f / "w").mkdir(), ("external-data-unsafe", "`w`")),
    "device": ("w", lambda f: (f / "w").symlink_to("/dev/zero"), ("external-data-unsafe",)),
    "circle": ("w", lambda f: (f / "w").symlink_to("w"), ("file-unreadable",)),
    "missing": ("w", lambda f: None, ("external-data-missing",)),
    "an address": ("*/_ORT_MEM_ADDR_/*", lambda f: None, ("external-data-unsafe",)),
}


@pytest.mark.parametrize("name", LOCATIONS)
def test_locations(folder: Path, name: str) -> None:
    location, before, expected = LOCATIONS[name]
    before(folder)
    with raised(*expected):
        gate(with_tensor(folder, outside(folder, location)))


def test_an_address_in_memory_is_refused_even_if_there_is_such_a_file(folder: Path) -> None:
    """onnxruntime takes `*/_ORT_MEM_ADDR_/*` as a mark, and the offset as an address."""
    (folder / "*/_ORT_MEM_ADDR_").mkdir(parents=True)
    (folder / "*/_ORT_MEM_ADDR_/*").write_bytes(bytes(64))
    with raised("external-data-unsafe"):
        gate(with_tensor(folder, outside(folder, "*/_ORT_MEM_ADDR_/*", offset="16")))


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"offset": "1_0"}, ("file-damaged",)),
        ({"offset": " 1"}, ("file-damaged",)),
        ({"offset": "-1"}, ("file-damaged",)),
        ({"offset": "٣"}, ("file-damaged",)),
        ({"offset": "9" * 30}, ("file-damaged",)),
        ({"offset": str(2**63)}, ("external-data-missing",)),
        ({"offset": "1"}, ("external-data-missing", "`e`", "1", "17", "16")),
        ({"length": "4"}, ("file-damaged", "4", "16")),
        ({"prepacked_0": "w|0;16"}, ("file-damaged", "prepacked_0")),
    ],
)
def test_entries(folder: Path, entries: dict[str, str], expected: tuple[str, ...]) -> None:
    (folder / "w").write_bytes(bytes(16))
    with raised(*expected):
        gate(with_tensor(folder, outside(folder, "w", **entries)))


def test_a_location_given_twice(folder: Path) -> None:
    (folder / "w").write_bytes(bytes(16))
    tensor = outside(folder, "w", checksum="0" * 40)
    tensor.external_data.add(key="location", value=str(folder.parent / "secret"))
    with raised("file-damaged", "location"):
        gate(with_tensor(folder, tensor))


def test_a_file_with_a_hole(folder: Path) -> None:
    with (folder / "w").open("wb") as stream:
        stream.truncate(1 << 40)
    with raised("model-too-large", "8"):
        gate(with_tensor(folder, outside(folder, "w")))


def test_what_passes(folder: Path) -> None:
    (folder / "a").mkdir()
    (folder / "a/w").write_bytes(np.arange(4, dtype="<f4").tobytes())
    path = with_tensor(folder, outside(folder, "./a/w", offset="0", length="16", checksum="0" * 40))
    found = runnable(path, "onnx")
    assert found.companions == {"./a/w": folder / "a/w"}
    tensor = whole(path).graph.initializer[0]
    assert tensor.raw_data == (folder / "a/w").read_bytes()
    assert not tensor.external_data and tensor.data_location == 0


def test_data_is_looked_for_beside_the_file_that_a_link_leads_to(folder: Path, tmp_path: Path) -> None:
    (folder / "w").write_bytes(bytes(16))
    link = tmp_path / "link.onnx"
    link.symlink_to(with_tensor(folder, outside(folder, "w")))
    (tmp_path / "w").symlink_to("/etc/hostname")
    assert gate(link).companions == {"w": folder / "w"}


@pytest.mark.parametrize(
    ("domain", "name", "foreign"),
    [
        ("", "Relu", ()),
        ("ai.onnx.ml", "Scaler", ()),
        ("com.microsoft", "QGemm", ()),
        ("com.microsoft", "EPContext", ("com.microsoft:EPContext",)),
        ("ai.onnx.contrib", "PyOp", ("ai.onnx.contrib:PyOp",)),
        ("org.pytorch.aten", "ATen", ("org.pytorch.aten:ATen",)),
    ],
)
def test_operators_of_onnx(folder: Path, domain: str, name: str, foreign: tuple[str, ...]) -> None:
    path = vendor_onnx.unary(folder / "m.onnx", name, domain=domain)
    found = gate(path)
    assert found.foreign == foreign
    if foreign:
        with raised("operator-unknown", str(foreign[0])):
            computing_only(path, found)


def test_functions_of_the_model_are_its_own_but_what_they_call_counts(folder: Path) -> None:
    made = model(folder, make("F", ["x"], ["z"], domain="mine"))
    made.functions.add(name="F", domain="mine").node.append(make("PyOp", ["a"], ["b"], domain="ai.onnx.contrib"))
    (folder / "m.onnx").write_bytes(made.SerializeToString())
    assert gate(folder / "m.onnx").foreign == ("ai.onnx.contrib:PyOp",)


@pytest.mark.parametrize(
    "name", ["FlexReadFile", "FlexWriteFile", "Mine", "", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"]
)
def test_operators_of_tflite(folder: Path, name: str) -> None:
    data = vendor_tflite.unary(name or "Mine")
    if not name:
        data = changed(data, lambda s, m: setattr(m.operatorCodes[0], "customCode", b""))
    path = folder / "m.tflite"
    path.write_bytes(data)
    assert gate(path).foreign == (name,)
    path.write_bytes(vendor_tflite.detection())
    assert gate(path).foreign == ()


def test_operators_of_microsoft_are_in_step_with_onnxruntime() -> None:
    state = pytest.importorskip("onnxruntime").capi.onnxruntime_pybind11_state
    kernels = {k.op_name for k in state.get_all_opkernel_def() if k.domain == "com.microsoft"}
    assert kernels >= MICROSOFT, "these are gone; take them out"


def test_operators_of_litert_are_in_step_with_it() -> None:
    import ai_edge_litert

    package = Path(ai_edge_litert.__file__).parent
    linked = b"".join(path.read_bytes() for path in package.glob("*.so"))
    assert [name for name in sorted(TFLITE_CUSTOM) if name.encode() + b"\0" not in linked] == []


def test_constants_in_other_files_are_not_run(folder: Path) -> None:
    def change(s: Any, whole: Any) -> None:
        whole.externalBufferGroups = [s.ExternalBufferGroupT(name=b"/etc/hostname")]
        whole.externalBuffers = [s.ExternalBufferT(id=1, group=0, offset=0, length=48)]
        whole.subgraphs[0].tensors[1].externalBuffer, whole.subgraphs[0].tensors[1].buffer = 1, 0

    path = folder / "m.tflite"
    path.write_bytes(changed(vendor_tflite.dynamic_batch(), change))
    assert gate(path).elsewhere == ("/etc/hostname",)
    with raised("weights-outside-file", "/etc/hostname"):
        runnable(path)


def test_a_file_of_the_other_kind(folder: Path) -> None:
    path = folder / "m.bin"
    path.write_bytes(b"\x08\x07\x12\x04TFL3" + model(folder).SerializeToString())  # both, by their marks
    with raised("format-unexpected"):
        gate(path, "onnx")
    ort = vendor_onnx.two_ends(folder / "m.ort")
    with raised("suffix-mismatch", ".ort"):
        gate(ort, "onnx")


def test_without_the_onnx_package_only_files_that_stand_alone_pass(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = vendor_onnx.two_ends(folder / "a.onnx")
    other = vendor_onnx.external(folder / "b.onnx")
    monkeypatch.setattr("edgekit.formats.reading.find_spec", lambda name: None)
    assert runnable(alone, "onnx").companions == {}
    with pytest.raises(MissingExtraError):
        gate(other)
