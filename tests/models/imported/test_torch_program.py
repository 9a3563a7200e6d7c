"""Programs of torch.export: what is let through to PyTorch, what is left out, and what is refused by name."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.models.imported.torch_program import write_clean
from edgekit.models.imported.torch_program_export import exported_program
from edgekit.models.sources.file_source import source_format
from tests.support.raised import raised


def meta(*sizes: int) -> dict[str, Any]:
    strides = [int(np.prod(sizes[i + 1 :])) for i in range(len(sizes))]
    return {
        "dtype": 7,
        "sizes": [{"as_int": n} for n in sizes],
        "requires_grad": False,
        "device": {"type": "cuda", "index": 0},
        "strides": [{"as_int": n} for n in strides],
        "storage_offset": {"as_int": 0},
        "layout": 7,
    }


def argument(name: str, kind: str = "as_tensor", value: Any = None) -> dict[str, Any]:
    return {"name": name, "arg": {kind: {"name": value} if kind == "as_tensor" else value}, "kind": 1}


def program() -> dict[str, Any]:
    """What PyTorch 2.13 writes of x @ w.T, by torch.nn.functional.linear."""
    node = {
        "target": "torch.ops.aten.linear.default",
        "inputs": [argument("input", value="x"), argument("weight", value="p_weight")],
        "outputs": [{"as_tensor": {"name": "linear"}}],
        "metadata": {"stack_trace": "File /home/somebody/net.py"},
        "is_hop_single_tensor_return": None,
        "name": "linear",
    }
    leaf = '[1, {"type": null, "context": null, "children_spec": []}]'
    call = {"inputs": [], "outputs": [], "in_spec": _nested(), "out_spec": leaf, "forward_arg_names": ["x"]}
    graph = {
        "inputs": [{"as_tensor": {"name": "p_weight"}}, {"as_tensor": {"name": "x"}}],
        "outputs": [{"as_tensor": {"name": "linear"}}],
        "nodes": [node],
        "tensor_values": {"p_weight": meta(2, 3), "x": meta(1, 3), "linear": meta(1, 2)},
        "sym_int_values": {},
        "sym_bool_values": {},
        "sym_float_values": {},
        "is_single_tensor_return": False,
        "custom_obj_values": {},
    }
    signature = {
        "input_specs": [
            {"parameter": {"arg": {"name": "p_weight"}, "parameter_name": "weight"}},
            {"user_input": {"arg": {"as_tensor": {"name": "x"}}}},
        ],
        "output_specs": [{"user_output": {"arg": {"as_tensor": {"name": "linear"}}}}],
    }
    return {
        "graph_module": {
            "graph": graph,
            "signature": signature,
            "module_call_graph": [{"fqn": "", "signature": call}],
            "metadata": {"custom": "{}"},
        },
        "opset_version": {"aten": 10},
        "range_constraints": {},
        "schema_version": {"major": 8, "minor": 20},
        "verifiers": ["TRAINING"],
        "torch_version": "2.13.0",
        "guards_code": ["__import__('os').system('true')"],
    }


def _nested() -> str:
    leaf = {"type": None, "context": None, "children_spec": []}
    given = {"type": "builtins.tuple", "context": "null", "children_spec": [leaf]}
    named = {"type": "builtins.dict", "context": "[]", "children_spec": []}
    return json.dumps([1, {"type": "builtins.tuple", "context": "null", "children_spec": [given, named]}])


def saved(path: Path, made: Any, weights: Any = None, **members: str) -> Path:
    payload = {"path_name": "weight_0", "is_param": True, "use_pickle": False, "tensor_meta": meta(2, 3)}
    files: dict[str, Any] = {
        "byteorder": "little",
        "models/model.json": json.dumps(made),
        "data/weights/model_weights_config.json": json.dumps(weights or {"config": {"weight": payload}}),
        "data/weights/weight_0": np.arange(6, dtype=np.float32).tobytes(),
        "data/constants/model_constants_config.json": '{"config": {}}',
        "data/sample_inputs/model.pt": b"a pickle",
        **members,
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"net/{name}", content)
    return path


def test_the_copy_holds_the_graph_and_raw_weights_only(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.pt2", program())
    assert source_format(path) == "onnx"
    write_clean(path, tmp_path / "clean.pt2")
    with zipfile.ZipFile(tmp_path / "clean.pt2") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert members["model/data/sample_inputs/model.pt"] == b""
    assert members["model/data/weights/weight_0"] == np.arange(6, dtype=np.float32).tobytes()
    kept = json.loads(members["model/models/model.json"])
    assert kept["guards_code"] == [] and kept["graph_module"]["graph"]["nodes"][0]["metadata"] == {}
    assert kept["graph_module"]["graph"]["tensor_values"]["x"]["device"] == {"type": "cpu", "index": None}
    whole = b"".join(members.values())
    assert not [word for word in (b"__import__", b"a pickle", b"somebody", b"cuda") if word in whole]


def _node(**changes: Any) -> Callable[[Any], None]:
    return lambda made: made["graph_module"]["graph"]["nodes"][0].update(changes)


def _size(text: str) -> Callable[[Any], None]:
    def change(made: Any) -> None:
        made["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][0] = {"as_expr": {"expr_str": text, "hint": None}}

    return change


def _of(path: str, value: Any) -> Callable[[Any], None]:
    def change(made: Any) -> None:
        *parents, last = path.split("/")
        for key in parents:
            made = made[int(key) if isinstance(made, list) else key]
        made[int(last) if isinstance(made, list) else last] = value

    return change


HOSTILE: dict[str, tuple[Callable[[Any], None], str]] = {
    "another library": (_node(target="torch.ops.mylib.run.default"), "`torch.ops.mylib.run.default` (node `linear`)"),
    "any function": (_node(target="torch.hub.load"), "`torch.hub.load`"),
    "operator": (_node(target="_operator.methodcaller"), "`_operator.methodcaller`"),
    "control flow": (_node(target="torch.ops.higher_order.cond"), "control flow"),
    "writes a file": (
        _node(target="torch.ops.aten.save.default", inputs=[argument("filename", "as_string", "here")]),
        "`torch.ops.aten.save.default` is given a text",
    ),
    "reads a file": (
        _node(target="torch.ops.aten.from_file.default", inputs=[argument("filename", "as_string", "key")]),
        "name of a file",
    ),
    "graph in a graph": (_node(inputs=[argument("f", "as_graph", {"name": "g"})]), "a graph in a graph"),
    "name of a node": (_node(name="a = 1; import os"), "`a = 1; import os`"),
    "size": (_size("__import__('os').system('true')"), "`__import__('os')"),
    "size as method": (_size("s0.__class__"), "`s0.__class__`"),
    "power": (_size("9**9**9"), "`9**9**9`"),
    "weight": (_of("graph_module/signature/input_specs/0/parameter/parameter_name", "__class__.x"), "`__class__.x`"),
    "container": (
        _of("graph_module/module_call_graph/0/signature/out_spec", '[1, {"type": "evil.Class", "children_spec": []}]'),
        "`evil.Class`",
    ),
    "object": (_of("graph_module/graph/custom_obj_values", {"a": {}}), "custom classes"),
    "text": (_of("graph_module/graph/outputs", ["os"]), "`os`"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_could_run_code_is_refused(name: str, tmp_path: Path) -> None:
    change, told = HOSTILE[name]
    made = program()
    change(made)
    with raised("program-not-loaded", told, "torch.onnx.export"):
        write_clean(saved(tmp_path / "net.pt2", made), tmp_path / "clean.pt2")
    assert not (tmp_path / "clean.pt2").exists()


def test_sizes_may_be_arithmetic_of_symbols(tmp_path: Path) -> None:
    for text in ("s0", "Symbol('s77', positive=True, integer=True)", "Mul(Integer(2), Symbol('s0'))", "2*s0 + 1"):
        made = program()
        _size(text)(made)
        write_clean(saved(tmp_path / "net.pt2", made), tmp_path / "clean.pt2")


def test_pickles_and_compiled_code_are_refused(tmp_path: Path) -> None:
    pickled = {"config": {"weight": {"path_name": "weight_0", "use_pickle": True, "tensor_meta": None}}}
    for archive in (
        saved(tmp_path / "a.pt2", program(), pickled),
        saved(tmp_path / "b.pt2", program(), **{"data/aotinductor/model/a.so": "ELF"}),
    ):
        with raised("program-not-loaded", archive.name):
            write_clean(archive, tmp_path / "clean.pt2")
    with zipfile.ZipFile(tmp_path / "c.pt2", "w") as archive:
        archive.writestr("net/data.pkl", b"")
    with raised("program-not-loaded", "is a pickle of torch.save"):
        write_clean(tmp_path / "c.pt2", tmp_path / "clean.pt2")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no zip at all"])
def test_what_is_no_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.pt2").write_bytes(content)
    with raised("file-damaged", "net.pt2"):
        write_clean(tmp_path / "net.pt2", tmp_path / "clean.pt2")
    with raised("file-missing", "nothing.pt2"):
        write_clean(tmp_path / "nothing.pt2", tmp_path / "clean.pt2")


def test_a_description_of_another_form_is_refused(tmp_path: Path) -> None:
    for made in ([], {}, {"graph_module": {"graph": {"nodes": ["x"]}}}, {"graph_module": []}):
        with pytest.raises(Exception, match=r"net\.pt2") as caught:
            write_clean(saved(tmp_path / "net.pt2", made), tmp_path / "clean.pt2")
        assert caught.value.code in ("program-not-loaded", "file-damaged")  # type: ignore[attr-defined]


def test_without_pytorch_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with raised("extra-not-installed", "torch"):
        exported_program(saved(tmp_path / "net.pt2", program()))


# PyTorch is none of the packages that tests install (it has up to some gigabytes): where it is, this runs, too.
if importlib.util.find_spec("torch"):

    @pytest.mark.processes
    @pytest.mark.timeout(600)
    def test_a_program_becomes_an_onnx_file(tmp_path: Path) -> None:
        onnxruntime = pytest.importorskip("onnxruntime")
        path, folder = exported_program(saved(tmp_path / "net.pt2", program()))
        (found,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": np.ones((1, 3), np.float32)})
        assert found.tolist() == [[3.0, 12.0]]
        folder.close()
        assert not path.exists()
