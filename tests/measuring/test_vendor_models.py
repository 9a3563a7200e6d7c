"""Files made elsewhere: every one is inspected, and runs its latency and memory passes in real processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.records import Measurement, Record
from edgekit.devices.device import open_device
from edgekit.errors import InputError
from edgekit.formats.reading import inspect_file
from edgekit.measuring.candidates import candidates
from edgekit.measuring.inputs import fix_shapes
from edgekit.measuring.plan import Plan
from edgekit.measuring.session import bench
from edgekit.reporting.model_page import render
from tests.support import vendor_onnx as onnx_files
from tests.support import vendor_tflite as tflite_files
from tests.support.heard import Heard
from tests.support.raised import raised
from tests.support.tiny_onnx import tiny_onnx
from tests.support.tiny_tflite import Op, T, model

pytestmark = pytest.mark.processes
ONCE = Plan(processes=1, min_samples=3, min_seconds=0.0, warmup_seconds=0.0)


def measured(path: Path, plan: Plan = ONCE, told: Heard | None = None) -> Record:
    with open_device() as device:
        return bench(candidates([path]), plan, device, progress=told or Heard())


def whole(record: Record) -> Measurement:
    (found,) = record.measurements
    assert found.failures == ()
    assert len(found.latency) == 1 and len(found.latency[0].samples_ns) >= 3
    assert found.memory is not None and found.memory.rss_kib.peak > 0
    return found


def tflite(folder: Path, data: bytes) -> Path:
    path = folder / "vendor.tflite"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "operator"),
    [
        (tflite_files.two_ends, "MUL"),
        (tflite_files.dynamic_batch, "FULLY_CONNECTED"),
        (lambda: tflite_files.integer_input("UINT8"), "DEQUANTIZE"),
        (lambda: tflite_files.integer_input("INT16"), "DEQUANTIZE"),
        (tflite_files.bool_input, "LOGICAL_NOT"),
        (lambda: tflite_files.gather("INT32"), "GATHER"),
        (lambda: tflite_files.gather("INT64"), "GATHER"),
        (tflite_files.detection, "CUSTOM:TFLite_Detection_PostProcess"),
        (lambda: tflite_files.with_attached(tflite_files.two_ends(), labels="cat\ndog\n"), "ADD"),
    ],
)
def test_tflite(tmp_path: Path, data: Callable[[], bytes], operator: str) -> None:
    path = tflite(tmp_path, data())
    assert operator in inspect_file(path).operators
    whole(measured(path))


@pytest.mark.parametrize(
    ("write", "operator"),
    [
        (onnx_files.two_ends, "Mul"),
        (lambda path: onnx_files.of_opset(path, 7, 3), "Gemm"),
        (lambda path: onnx_files.of_opset(path, 22, 10), "Gemm"),
        (lambda path: onnx_files.gather(path, "INT64"), "Gather"),
        (lambda path: onnx_files.gather(path, "INT32"), "Gather"),
        (lambda path: onnx_files.unary(path, "Not", "BOOL"), "Not"),
        (lambda path: onnx_files.unary(path, "Identity", "UINT8"), "Identity"),
        (lambda path: onnx_files.unary(path, "Identity", "UINT16"), "Identity"),
        (lambda path: onnx_files.unary(path, "Identity", "FLOAT16"), "Identity"),
        (lambda path: onnx_files.unary(path, "Identity", "DOUBLE"), "Identity"),
        (onnx_files.qlinear, "QLinearConv"),
        (tiny_onnx, "QuantizeLinear"),
        (onnx_files.branches, "If"),
        (onnx_files.loop, "Loop"),
        (onnx_files.scan, "Scan"),
        (onnx_files.zip_map, "ZipMap"),
        (onnx_files.sequence, "SplitToSequence"),
        (onnx_files.external, "MatMul"),
    ],
)
def test_onnx(tmp_path: Path, write: Callable[[Path], Path], operator: str) -> None:
    path = write(tmp_path / "vendor.onnx")
    assert operator in inspect_file(path).operators
    whole(measured(path))


@pytest.mark.tensorflow
@pytest.mark.parametrize("kind", ["while", "if", "variable"])
def test_control_flow_and_variables_of_the_real_converter(tmp_path: Path, kind: str) -> None:
    from edgekit.frameworks.tensorflow import quiet, tensorflow

    tf = tensorflow()

    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.total = tf.Variable(tf.zeros([1, 4]))

        @tf.function(input_signature=[tf.TensorSpec([1, 4])])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> Any:
            if kind == "while":
                return tf.while_loop(lambda v: tf.reduce_sum(v) < 9.0, lambda v: [v + 1.0], [x])[0]
            if kind == "if":
                return tf.cond(tf.reduce_sum(x) > 0.0, lambda: tf.nn.relu(x), lambda: tf.tanh(x))
            return self.total.assign_add(x)

    module = Module()
    with quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([module.__call__.get_concrete_function()], module)
        converter.experimental_enable_resource_variables = True
        data = converter.convert()
    path = tflite(tmp_path, data)
    operator = {"while": "WHILE", "if": "IF", "variable": "ASSIGN_VARIABLE"}[kind]
    info = inspect_file(path)
    assert operator in info.operators
    assert int(info.description["graphs"]) > 1
    whole(measured(path))


@pytest.mark.parametrize(
    ("write", "message", "hint"),
    [
        (
            lambda p: tflite(p, tflite_files.unary("Mine")),
            "ai-edge-litert lacks the custom operator `Mine`",
            "toolchain",
        ),
        (
            lambda p: tflite(p, tflite_files.unary("FlexErf")),
            "ai-edge-litert lacks the TensorFlow operator `FlexErf` (a flex operator)",
            "TFLITE_BUILTINS",
        ),
        (
            lambda p: tflite(p, tflite_files.newer_operator()),
            "ai-edge-litert lacks version 99 of the operator `RELU`",
            "newer runtime",
        ),
        (
            lambda p: onnx_files.unary(p / "v.onnx", "Mine", domain="com.acme"),
            "onnxruntime lacks the operator `com.acme:Mine`",
            "toolchain",
        ),
        (lambda p: onnx_files.unary(p / "v.onnx", "Mine"), "onnxruntime lacks `Mine` in opset 17", "toolchain"),
        (
            lambda p: onnx_files.of_opset(p / "v.onnx", 17, 99),
            "onnxruntime reads ONNX files up to IR version",
            "newer runtime",
        ),
        (lambda p: onnx_files.of_opset(p / "v.onnx", 99, 10), "this file has 99", "newer runtime"),
    ],
)
def test_what_the_runtime_lacks_is_named(
    tmp_path: Path, write: Callable[[Path], Path], message: str, hint: str
) -> None:
    path = write(tmp_path)
    assert inspect_file(path).operators  # inspect shows it all the same
    (found,) = measured(path).measurements
    assert len(found.failures) == 1
    assert str(found.failures[0]).startswith("memory, latency: ")  # said once
    assert message in str(found.failures[0]) and hint in str(found.failures[0])
    assert found.latency == () and found.memory is None


def test_dynamic_sizes_are_said_and_recorded(tmp_path: Path) -> None:
    path = tflite(tmp_path, tflite_files.dynamic_image())
    with raised("input-shape-open", "`image`", "1×?×?×1", "--input-shape image=1,N,N,1", kind=InputError):
        measured(path)
    plan = Plan(processes=1, min_samples=3, min_seconds=0.0, input_shapes={"image": (1, 24, 20, 1)})
    record = measured(path, plan)
    whole(record)
    assert record.subjects[0].input_shapes == {"image": [1, 24, 20, 1]}
    assert record.plan.input_shapes == {"image": [1, 24, 20, 1]}
    assert Record.from_dict(record.to_dict(), "x").subjects == record.subjects


def test_symbolic_sizes(tmp_path: Path) -> None:
    path = onnx_files.image(tmp_path / "v.onnx")
    with raised("input-shape-open"):
        measured(path)
    record = measured(path, Plan(processes=1, min_samples=3, min_seconds=0.0, input_shapes={"image": (2, 1, 8, 8)}))
    whole(record)
    assert record.subjects[0].input_shapes == {"image": [2, 1, 8, 8]}


def test_a_dynamic_batch_is_one(tmp_path: Path) -> None:
    paths = [tflite(tmp_path, tflite_files.dynamic_batch()), onnx_files.two_ends(tmp_path / "v.onnx")]
    first, second = fix_shapes(candidates(paths), {})
    assert first.shapes == ((1, 4),)
    assert second.shapes == ((1, 4), (1, 4))
    (found,) = fix_shapes(candidates(paths[1:]), {"b": (5, 4)})
    assert found.shapes == ((1, 4), (5, 4))


def test_a_larger_batch_runs_in_the_interpreter(tmp_path: Path) -> None:
    path = tflite(tmp_path, tflite_files.two_ends())
    shapes = {"a": (64, 500), "b": (64, 500)}
    whole(measured(path, Plan(processes=1, min_samples=3, min_seconds=0.0, input_shapes=shapes)))


def test_a_shape_that_the_model_cannot_take_is_the_runtimes_word(tmp_path: Path) -> None:
    path = tflite(tmp_path, tflite_files.dynamic_batch())
    (found,) = measured(
        path, Plan(processes=1, min_samples=3, min_seconds=0.0, input_shapes={"x": (1, 7)})
    ).measurements
    [failure] = found.failures
    assert "ai-edge-litert refused it" in str(failure)


@pytest.mark.parametrize(
    ("shapes", "code", "name"),
    [
        ({"nothing": (1, 4)}, "unknown-name", "--input-shape nothing"),
        ({"a": (1, 4, 1)}, "input-shape-mismatch", "--input-shape a=1,4,1"),
        ({"a": (1, 5)}, "input-shape-mismatch", "--input-shape a=1,5"),
        ({"a": (1 << 32, 4)}, "input-too-large", "2 GiB"),
    ],
)
def test_shapes_that_do_not_fit(tmp_path: Path, shapes: dict[str, tuple[int, ...]], code: str, name: str) -> None:
    found = candidates([onnx_files.two_ends(tmp_path / "v.onnx")])
    with raised(code, name, kind=InputError):
        fix_shapes(found, shapes)


@pytest.mark.parametrize("shape", [(0, 4), (-1, 4), (1,) * 9])
def test_impossible_shapes(shape: tuple[int, ...]) -> None:
    with raised("value-out-of-range", "--input-shape x=", kind=InputError):
        Plan(input_shapes={"x": shape})


@pytest.mark.parametrize(
    ("write", "code", "name"),
    [
        (lambda p: tflite(p, tflite_files.string_input()), "input-type-unsupported", "`text`"),
        (lambda p: onnx_files.unary(p / "v.onnx", "Identity", "STRING"), "input-type-unsupported", "`x`"),
        (lambda p: onnx_files.unary(p / "v.onnx", "Identity", "BFLOAT16"), "input-type-unsupported", "bfloat16"),
        (lambda p: onnx_files.sequence(p / "v.onnx", as_input=True), "input-type-unsupported", "sequence"),
        (
            lambda p: tflite(
                p,
                model([T(n, (1 << 20, 1 << 20), "FLOAT32") for n in "xy"], [Op("RELU", [0], [1])], [0], [1]),
            ),
            "input-too-large",
            "2 GiB",
        ),
    ],
)
def test_inputs_that_cannot_be_fed(tmp_path: Path, write: Callable[[Path], Path], code: str, name: str) -> None:
    path = write(tmp_path)
    assert render(inspect_file(path))
    with raised(code, name, kind=InputError):
        measured(path)


def test_the_sizes_between_may_be_huge_too(tmp_path: Path) -> None:
    tensors = [T("x", (1, 4), "FLOAT32"), T("y", (1 << 20, 1 << 20), "FLOAT32")]
    shape = T("shape", (2,), "INT32", np.array([1 << 20, 1 << 20], "<i4").tobytes())
    data = model([*tensors, shape], [Op("BROADCAST_TO", [0, 2], [1])], [0], [1])
    (found,) = measured(tflite(tmp_path, data)).measurements
    [failure] = found.failures
    assert "vendor.tflite: " in str(failure) and "\n" not in str(failure)


def test_several_signatures(tmp_path: Path) -> None:
    path = tflite(tmp_path, tflite_files.two_signatures())
    description = inspect_file(path).description
    assert description["signatures"] == "encode, decode"
    assert description["signature encode"] == "x -> code (graph 0)"
    assert description["signature decode"] == "code -> x (graph 1)"
    told = Heard()
    whole(measured(path, told=told))
    assert told.warned == ["vendor.tflite: has 2 signatures; encode is measured"]


def test_external_data_counts(tmp_path: Path) -> None:
    path = onnx_files.external(tmp_path / "v.onnx", "weights/v.bin")
    (found,) = candidates([path])
    there = tmp_path / "weights" / "v.bin"
    assert dict(found.companions) == {"weights/v.bin": there}
    assert found.subject.bytes == path.stat().st_size + 64 * 32 * 4
    assert found.subject.companions is not None and set(found.subject.companions) == {"weights/v.bin"}
    whole(measured(path))
    there.unlink()
    with pytest.raises(InputError, match=r"its weights are in `weights/v\.bin`"):
        candidates([path])
    escaping = onnx_files.external(tmp_path / "e.onnx", "../v.bin", write=False)
    with pytest.raises(InputError, match="names external data outside its own folder"):
        candidates([escaping])


@pytest.mark.parametrize(
    ("location", "message"),
    [("/etc/hostname", "names external data outside its own folder"), ("w.bin", "there is no such file beside it")],
)
def test_an_artifact_of_a_bundle_passes_the_gate_too(tmp_path: Path, location: str, message: str) -> None:
    from edgekit.bundle.manifest import artifact_numbers

    path = onnx_files.external(tmp_path / "m.onnx", location, write=False)
    end = {"name": "x", "shape": [1, 64], "dtype": "float32", "scale": None, "zero_point": None}
    artifact = {"file": path.name, "format": "onnx", "scheme": "float32", "made_by": "x", "validation": None}
    artifact |= {"inputs": [end], "outputs": [{**end, "name": "y", "shape": [1, 32]}], **artifact_numbers(path)}
    manifest = {
        **{"schema": 1, "name": "m", "recipe": "int8", "seed": 0, "created": "2026-01-01T00:00:00+00:00"},
        **{"edgekit": "0", "class_names": ["a", "b"], "data": {}, "lineage": [], "ledger": [], "agreement": []},
        **{"files": {}, "packages": {}, "artifacts": [artifact]},
        "preprocessing": {"scale": 1.0, "mean": [0.0], "std": [1.0], "layout": "NHWC"},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    for given in (tmp_path, path):
        with pytest.raises(InputError, match=message):
            candidates([given])
