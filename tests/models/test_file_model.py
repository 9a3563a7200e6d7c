"""Float files as models: what they say of themselves, what they answer, and which files are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import InputError, RunnerCrashed
from edgekit.models.files.file_model import FileModel, FileTensor
from tests.support import vendor_onnx as onnx_files
from tests.support import vendor_tflite as tflite_files
from tests.support.raised import raised
from tests.support.tiny_onnx import constant, save, tiny_onnx, value
from tests.support.tiny_tflite import Op, T, changed, model, tiny_tflite

onnx = pytest.importorskip("onnx")
make = onnx.helper.make_node


def written(folder: Path, data: bytes, name: str = "v.tflite") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_two_inputs_and_outputs(tmp_path: Path, kind: str) -> None:
    tflite = kind == "tflite"
    path = written(tmp_path, tflite_files.two_ends()) if tflite else onnx_files.two_ends(tmp_path / "v.onnx")
    found = FileModel(path)
    assert (found.format, found.name, found.path) == (kind, "v", path)
    assert found.inputs == [FileTensor("a", (None, 4), "float32"), FileTensor("b", (None, 4), "float32")]
    assert found.output_names == ["sum", "product"]
    assert found.count_params() == 0
    a, b = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float32)
    total, product = found.predict([a, b], verbose=0)
    np.testing.assert_array_equal(total, a + b)
    np.testing.assert_array_equal(product, a * b)
    assert total.dtype == np.float32


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_one_input_is_one_array(tmp_path: Path, kind: str) -> None:
    if kind == "tflite":
        path, weights = written(tmp_path, tflite_files.dynamic_batch()), np.arange(12).reshape(3, 4).T / 12
    else:
        path, weights = onnx_files.of_opset(tmp_path / "v.onnx", 7, 3), np.ones((4, 3))
    found = FileModel(path)
    assert found.inputs[0].shape == (None, 4)
    assert found.outputs[0].shape == (None, 3)
    x = np.random.default_rng(0).uniform(size=(7, 4))
    answer = found.predict(x)
    assert answer.shape == (7, 3)
    np.testing.assert_allclose(answer, x @ weights, rtol=1e-5)
    np.testing.assert_array_equal(found.predict([x]), answer)


def test_tokens_are_cast(tmp_path: Path) -> None:
    for path in (written(tmp_path, tflite_files.gather("INT32")), onnx_files.gather(tmp_path / "v.onnx")):
        answer = FileModel(path).predict(np.array([[0, 1, 1], [1, 0, 0]], np.float32))
        np.testing.assert_array_equal(answer[0], [[1, 2], [3, 4], [3, 4]])


def test_external_data(tmp_path: Path) -> None:
    found = FileModel(onnx_files.external(tmp_path / "v.onnx"))
    assert found.count_params() == 64 * 32
    assert found.predict(np.ones((2, 64))).shape == (2, 32)


@pytest.mark.parametrize(
    "arrays", [np.zeros((2, 5)), np.zeros((0, 4)), [np.zeros((2, 4))] * 2, np.zeros(4), [np.zeros((1, 2, 4))]]
)
def test_arrays_that_do_not_fit(tmp_path: Path, arrays: Any) -> None:
    with raised("samples-do-not-fit", "v.tflite"):
        FileModel(written(tmp_path, tflite_files.dynamic_batch())).predict(arrays)


def test_arrays_of_different_lengths(tmp_path: Path) -> None:
    with raised("samples-do-not-fit", "`b`"):
        FileModel(written(tmp_path, tflite_files.two_ends())).predict([np.zeros((2, 4)), np.zeros((3, 4))])


def dynamic_range(folder: Path) -> Path:
    weights = T("w", (3, 4), "INT8", bytes(range(12)), [0.1], [0])
    tensors = [T("x", (1, 4), "FLOAT32"), weights, T("y", (1, 3), "FLOAT32")]
    return written(folder, model(tensors, [Op("FULLY_CONNECTED", [0, 1, -1], [2])], [0], [2]))


def half(folder: Path) -> Path:
    weights = T("w", (1, 4), "FLOAT16", np.ones(4, "<f2").tobytes())
    tensors = [T("x", (1, 4), "FLOAT32"), weights, T("h", (1, 4), "FLOAT32"), T("y", (1, 4), "FLOAT32")]
    return written(folder, model(tensors, [Op("DEQUANTIZE", [1], [2]), Op("ADD", [0, 2], [3])], [0], [3]))


@pytest.mark.parametrize(
    ("write", "kind"),
    [
        (lambda p: tiny_tflite(p / "v.tflite"), "int8"),
        (lambda p: tiny_tflite(p / "v.tflite", int4=True, span=7), "int4"),
        (lambda p: written(p, tflite_files.integer_input("INT16")), "int16x8"),
        (lambda p: written(p, tflite_files.integer_input("UINT8")), "int8"),
        (dynamic_range, "int8"),
        (lambda p: tiny_onnx(p / "v.onnx"), "int8"),
        (lambda p: onnx_files.qlinear(p / "v.onnx"), "int8"),
    ],
)
def test_quantized_files_are_refused(tmp_path: Path, write: Callable[[Path], Path], kind: str) -> None:
    path = write(tmp_path)
    with raised("already-quantized", f"{path}: is already {kind}", f"edgekit bench {path}"):
        FileModel(path)


def test_float16_weights_are_no_quantization(tmp_path: Path) -> None:
    x = np.arange(4, dtype=np.float32)[None]
    np.testing.assert_array_equal(FileModel(half(tmp_path)).predict(x), x + 1)


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda p: written(p, tflite_files.string_input()), ("input-unsupported", "`text`", "`string`")),
        (lambda p: onnx_files.sequence(p / "v.onnx", as_input=True), ("input-unsupported", "`parts`", "`sequence`")),
        (lambda p: onnx_files.zip_map(p / "v.onnx"), ("output-unsupported", "`y`", "`sequence`")),
        (lambda p: written(p, tflite_files.dynamic_image()), ("input-unsupported", "1×?×?×1")),
        (lambda p: onnx_files.image(p / "v.onnx"), ("input-unsupported", "?×1×?×?")),
        (lambda p: onnx_files.scan(p / "v.onnx"), ("input-unsupported", "3×2")),
        (lambda p: onnx_files.branches(p / "v.onnx"), ("input-unsupported", "`flag`")),
        (lambda p: written(p, model([T("x", (1, 4), "FLOAT32")], [], [], [0])), ("nothing-to-compress", "no inputs")),
        (lambda p: written(p, tflite_files.dynamic_batch()[:200]), ("file-damaged",)),
        (lambda p: written(p, b"garbage" * 50), ("file-damaged",)),
        (lambda p: written(p, b""), ("file-empty",)),
        (lambda p: p / "nothing.tflite", ("file-missing",)),
        (lambda p: written(p, tflite_files.two_ends(), "v.onnx"), ("suffix-mismatch", ".onnx")),
        (lambda p: onnx_files.two_ends(p / "v.tflite"), ("suffix-mismatch", ".tflite")),
        (lambda p: onnx_files.external(p / "v.onnx", write=False), ("external-data-missing",)),
        (lambda p: onnx_files.external(p / "v.onnx", "../up.bin"), ("external-data-unsafe", "../up.bin")),
        (
            lambda p: onnx_files.external(p / "v.onnx", "/etc/hostname", write=False),
            ("external-data-unsafe", "/etc/hostname"),
        ),
    ],
)
def test_files_that_are_no_such_model(tmp_path: Path, write: Callable[[Path], Path], expected: tuple[str, ...]) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with raised(*expected):
        FileModel(write(folder))


@pytest.mark.parametrize(
    "write",
    [
        lambda p: written(p, tflite_files.unary("Mine")),
        lambda p: onnx_files.unary(p / "v.onnx", "Mine", domain="com.acme"),
    ],
)
def test_what_no_runtime_runs(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    with raised("operator-unknown") as caught:
        FileModel(write(tmp_path))
    assert "edgekit bench" in caught.value.hint


def test_an_operator_that_the_runtime_lacks_is_named(tmp_path: Path) -> None:
    found = FileModel(onnx_files.unary(tmp_path / "v.onnx", "Mine"))
    with pytest.raises(InputError, match=r"its runtime cannot run it: .*Mine"):
        found.predict(np.zeros((1, 4)))
    with pytest.raises(InputError, match=r"cannot be run: .*lacks `Mine` in opset 17"):
        found.try_out()


def test_sizes_that_no_machine_has(tmp_path: Path) -> None:
    tensors = [T("x", (1, 4), "FLOAT32"), T("y", (1 << 20, 1 << 20), "FLOAT32")]
    shape = T("shape", (2,), "INT32", np.array([1 << 20, 1 << 20], "<i4").tobytes())
    grow = Op("BROADCAST_TO", [0, 2], [1])
    path = written(tmp_path, model([*tensors, shape], [grow], [0], [1]))
    with raised("model-too-large", "`y`", "1048576", "float32"):
        FileModel(path)
    more = [*tensors, shape, T("z", (1, 4), "FLOAT32")]
    path = written(tmp_path, model(more, [grow, Op("RELU", [0], [3])], [0], [3]))
    with pytest.raises(InputError, match="its runtime cannot run it"):
        FileModel(path).predict(np.zeros((1, 4)))


def test_more_operators_than_tools_rewrite(tmp_path: Path) -> None:
    ends = [T("x", (1, 4), "FLOAT32"), T("y", (1, 4), "FLOAT32")]
    path = written(tmp_path, model(ends, [Op("RELU", [0], [1])] * 40_001, [0], [1]))
    with raised("model-too-large", "80,002"):
        FileModel(path)


def test_memory_that_a_file_takes_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_MEMORY_GIB", "1")
    size = constant("n", [1 << 29], "int64")
    nodes = [
        make("ConstantOfShape", ["n"], ["b"]),
        make("ReduceSum", ["b"], ["s"], keepdims=0),
        make("Add", ["x", "s"], ["y"]),
    ]
    path = save(tmp_path / "v.onnx", nodes, [value("x", [1, 4])], [value("y", [1, 4])], [size], check=False)
    found = FileModel(path)
    sentence = r"needs more than the 1\.0 GiB of memory that edgekit allows"
    with pytest.raises(InputError, match=sentence) as caught:
        found.try_out()
    assert "EDGEKIT_MEMORY_GIB=" in caught.value.hint
    with pytest.raises(InputError, match=sentence):
        found.predict(np.zeros((1, 4)))


def test_a_loop_without_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.measuring.child_runner.TIMEOUT", 7.0)
    monkeypatch.setattr("edgekit.devices.jobs.FIRST_SECONDS", 0.7)
    body = onnx.helper.make_graph(
        [make("Identity", ["s"], ["r"]), make("Identity", ["go"], ["on"])],
        "body",
        [value("i", [], "INT64"), value("go", [], "BOOL"), value("s", [1, 4])],
        [value("on", [], "BOOL"), value("r", [1, 4])],
    )
    constants = [constant("n", 1 << 62, "int64"), constant("t", True, "bool")]
    node = make("Loop", ["n", "t", "x"], ["y"], body=body)
    found = FileModel(save(tmp_path / "v.onnx", [node], [value("x", [1, 4])], [value("y", [1, 4])], constants))
    with pytest.raises(InputError, match=r"loading it and running it once under onnxruntime took longer than 0\.7 s"):
        found.try_out()


def test_a_file_that_kills_its_runtime_leaves_this_process_alive(tmp_path: Path) -> None:
    """A WHILE whose body is itself."""
    from ai_edge_litert import schema_py_generated as s

    ends = [T("i", (1, 4), "FLOAT32"), T("o", (1, 4), "FLOAT32")]
    inner = (ends, [Op("WHILE", [0], [1], s.WhileOptionsT(condSubgraphIndex=1, bodySubgraphIndex=1))])
    outer = Op("WHILE", [0], [1], s.WhileOptionsT(condSubgraphIndex=1, bodySubgraphIndex=1))

    def change(_: Any, whole: Any) -> None:
        whole.subgraphs[1].inputs, whole.subgraphs[1].outputs = [0], [1]

    path = written(tmp_path, changed(model(ends, [outer], [0], [1], further=[inner]), change))
    with pytest.raises(InputError, match=r"v\.tflite: "):
        FileModel(path).predict(np.zeros((1, 4)))


def test_trying_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (written(tmp_path, tflite_files.dynamic_batch()), onnx_files.two_ends(tmp_path / "v.onnx")):
        FileModel(path).try_out()

    def crash(*_: Any, **__: Any) -> None:
        raise RunnerCrashed("v.onnx: the runner was killed by SIGSEGV", "stderr: empty", code="runner-killed")

    monkeypatch.setattr("edgekit.measuring.child_runner.run_job", crash)
    with raised("file-not-runnable", "v.onnx: cannot be run", "SIGSEGV", kind=InputError):
        FileModel(path).try_out()
