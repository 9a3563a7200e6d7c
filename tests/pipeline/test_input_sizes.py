"""Inputs with open sizes, and inputs that hold one number."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.manifest import read_bundle
from edgekit.bundle.recipe import Recipe
from edgekit.data.dataset import Dataset, build
from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.measuring.candidates import candidates
from edgekit.measuring.inputs import fix_shapes, with_values
from edgekit.measuring.plan import Plan
from edgekit.measuring.session import bench
from edgekit.pipeline.input_sizes import InputOptions, settled_sizes
from edgekit.pipeline.run import compress
from tests.support.raised import raised
from tests.support.tiny_onnx import constant, save, value

RATE = InputOptions(values={"sr": 16000.0})
INT8 = Recipe("int8", schemes=("float32", "int8"), formats=("tflite", "onnx"), calibration_samples=40, check_samples=10)
QUICK = Plan(processes=1, min_samples=3, min_seconds=0.0)
X = np.random.default_rng(0).random((120, 20)).astype(np.float32)
STATE = np.random.default_rng(1).random((120, 7)).astype(np.float32)


def voice(path: Path) -> Path:
    """A voice detector's ends, audio and state of any length and a rate: mean(audio) * sr / 8000 + mean(state)."""
    from onnx import helper

    make = helper.make_node
    nodes = [
        make("Cast", ["sr"], ["rate"], to=1), make("Div", ["rate", "base"], ["gain"]),
        make("Mul", ["audio", "gain"], ["louder"]), make("ReduceMean", ["louder"], ["a"], axes=[1], keepdims=1),
        make("ReduceMean", ["state"], ["b"], axes=[1], keepdims=1), make("Add", ["a", "b"], ["out"]),
    ]  # fmt: skip
    inputs = [value("audio", ["N", "samples"]), value("state", ["N", "units"]), value("sr", [], "INT64")]
    return save(path, nodes, inputs, [value("out", ["N", 1])], [constant("base", 8000.0, "float32")])


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    truth = X.mean(1) * 2 + STATE.mean(1)
    parts = {"x_train/audio": X[:80], "x_train/state": STATE[:80], "x_test/audio": X[80:], "x_test/state": STATE[80:]}
    np.savez(tmp_path / "voice.npz", y_train=truth[:80], y_test=truth[80:], **parts)
    return tmp_path / "voice.npz"


def test_bench_asks_for_everything_at_once(tmp_path: Path) -> None:
    found = candidates([voice(tmp_path / "v.onnx")])
    asked = "--input-shape audio=1,N --input-shape state=1,N --input-value sr=V"
    with raised("input-shape-open", "`audio` has the shape ?×?", "`state` has the shape ?×?", asked):
        fix_shapes(found, {})
    with raised("unknown-name", "--input-value nothing"):
        fix_shapes(found, {}, {"nothing": 1.0})
    with raised("value-out-of-range", "--input-value sr=1.5", "int64"):
        fix_shapes(with_values(found, {"sr": 1.5}), {"audio": (1, 4), "state": (1, 4)}, {"sr": 1.5})
    (settled,) = fix_shapes(found, {"audio": (1, 4), "state": (1, 4)})
    [note] = settled.notes
    assert note.code == "input-seeded" and "--input-value sr=V" in note.sentence


def test_bench_takes_sizes_from_the_data_and_the_value_goes_to_the_device(tmp_path: Path, npz: Path) -> None:
    from dataclasses import replace

    from edgekit.data.loading import load_data
    from edgekit.devices.device import open_device

    plan = replace(QUICK, input_values={"sr": 16000.0})
    with open_device() as device:
        record = bench(candidates([voice(tmp_path / "v.onnx")]), plan, device, data=load_data(str(npz)))
    (measured,) = record.measurements
    assert record.subjects[0].input_values == {"sr": 16000.0}
    assert record.subjects[0].input_shapes == {"audio": [1, 20], "state": [1, 7], "sr": []}
    assert not measured.failures
    assert measured.accuracy is not None
    assert measured.accuracy.score.interval.value < 1e-5  # with another rate it would be 0.5 and more


def sizes(
    inputs: dict[str, Any], x: Any, options: InputOptions = InputOptions(), layout: str = ""
) -> dict[str, tuple[int, ...]]:
    data: Dataset = build("d", {"x_train": x, "x_test": x}, "d")
    return settled_sizes("m", inputs, options, data, dict.fromkeys(inputs, layout))


def test_sizes_come_from_the_data_and_what_was_asked_goes_before() -> None:
    image = np.zeros((4, 6, 8, 3), np.float32)
    assert sizes({"x": (None, None, None, 3)}, image) == {"x": (1, 6, 8, 3)}
    assert sizes({"x": (None, 3, None, None)}, image, layout="NCHW") == {"x": (1, 3, 6, 8)}
    assert sizes({"x": (None, None, None, 3)}, image, InputOptions({"x": (1, 5, 5, 3)})) == {"x": (1, 5, 5, 3)}
    assert sizes({"x": (None, None, 3)}, np.zeros((4, 9, 3), np.float32)) == {"x": (1, 9, 3)}
    assert sizes({"x": (None, None, None, 1)}, np.zeros((4, 9, 7), np.float32)) == {"x": (1, 9, 7, 1)}
    both = {"a": np.zeros((4, 5), np.float32), "b": np.zeros((4, 6), np.float32)}
    inputs = {"b": (None, None), "a": (None, None), "sr": ()}
    assert sizes(inputs, both, InputOptions(values={"sr": 1.0})) == {"b": (1, 6), "a": (1, 5)}


def test_what_nothing_tells_is_asked_for_in_one_message() -> None:
    x = np.zeros((4, 9), np.float32)
    asked = "--input-shape x=1,N,3 --input-shape h=1,N --input-value sr=V, with numbers for N and V"
    with raised("input-shape-open", asked):
        sizes({"x": (None, None, 3), "h": (None, None), "sr": ()}, x)
    with raised("input-shape-mismatch", "--input-shape x=1,9,4", "?×?×3"):
        sizes({"x": (None, None, 3)}, x, InputOptions({"x": (1, 9, 4)}))
    with raised("input-unknown", "--input-value rate", "the inputs are: x"):
        sizes({"x": (None, 9)}, x, InputOptions(values={"rate": 1.0}))


@pytest.mark.tensorflow
def test_an_onnx_file_is_settled(tmp_path: Path, npz: Path) -> None:
    path = voice(tmp_path / "v.onnx")
    with raised("input-shape-open", "input `sr` holds one number"):
        compress(path, str(npz), INT8, tmp_path / "out", preprocessing={"scale": 1.0})
    bundle = compress(
        path,
        str(npz),
        replace(INT8, formats=("onnx",)),
        tmp_path / "out",
        preprocessing={"scale": 1.0},
        inputs=RATE,
    )
    artifact = bundle.manifest.artifacts[0]
    assert [(spec.name, spec.shape) for spec in artifact.inputs] == [("audio", (1, 20)), ("state", (1, 7))]
    assert artifact.validation is not None
    assert artifact.validation["value"] < 1e-5
    assert bundle.manifest.lineage[0]["notes"] == [
        "Inputs are settled: audio 1×20, state 1×7, sr = 16000, a constant now"
    ]
    assert bundle.manifest.agreement[0].max_abs == 0
    assert read_bundle(tmp_path / "out").manifest == bundle.manifest


@pytest.mark.tensorflow
@pytest.mark.parametrize("kind", ["savedmodel", "tflite"])
def test_functions_and_tflite_files_are_settled(kind: str, tmp_path: Path) -> None:
    tf = tensorflow()
    module = tf.Module()
    weights = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    module.w = tf.Variable(weights)

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.float32, "seq"), tf.TensorSpec((), tf.int32, "sr")])
    def call(seq: Any, sr: Any) -> Any:
        return {"out": tf.reduce_mean(seq @ module.w, 1) * tf.cast(sr, tf.float32) / 8000.0}

    module.call = call
    path = tmp_path / "m"
    tf.saved_model.save(module, str(path), signatures=call)
    if kind == "tflite":
        flatbuffer = tf.lite.TFLiteConverter.from_saved_model(str(path)).convert()
        path = tmp_path / "m.tflite"
        path.write_bytes(flatbuffer)
    x = np.random.default_rng(0).random((90, 9, 3)).astype(np.float32)
    y = (x @ weights).mean(1) * 2
    np.savez(tmp_path / "x.npz", x_train=x[:60], x_test=x[60:], y_train=y[:60], y_test=y[60:])
    recipe = Recipe("float", schemes=("float32",), formats=("tflite",), check_samples=10)
    how = {"scale": 1.0}
    bundle = compress(
        path,
        str(tmp_path / "x.npz"),
        recipe,
        tmp_path / "out",
        preprocessing=how,
        inputs=RATE,
    )
    artifact = bundle.manifest.artifacts[0]
    assert [spec.shape for spec in artifact.inputs] == [(1, 9, 3)]
    assert artifact.validation is not None
    assert artifact.validation["value"] < 1e-5


@pytest.mark.tensorflow
def test_a_keras_model_gets_the_sizes_of_the_data(tmp_path: Path) -> None:
    layers = tf_keras().layers
    image = tf_keras().Input((None, None, 3), name="image")
    y = layers.Dense(2, name="top")(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="conv")(image)))
    model = tf_keras().Model(image, y, name="open")
    model.save(str(tmp_path / "open.keras"))
    x = np.random.default_rng(0).random((60, 8, 10, 3)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x_train=x[:40], x_test=x[40:])
    recipe = Recipe("float", schemes=("float32",), formats=("tflite",), check_samples=10)
    bundle = compress(tmp_path / "open.keras", str(tmp_path / "x.npz"), recipe, tmp_path / "out")
    assert bundle.manifest.artifacts[0].inputs[0].shape == (1, 8, 10, 3)
    assert bundle.manifest.agreement[0].max_abs < 1e-5
