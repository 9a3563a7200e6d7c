"""Float ONNX files of layers that hold numbers outside their weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.recipe import Recipe
from edgekit.errors import ConversionError
from edgekit.export.exporter import export
from edgekit.export.onnx.convert import FROM_TFLITE, write_float
from edgekit.export.signature import Signature
from edgekit.formats.reading import inspect_file
from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.measuring.loaded import load_onnx, load_tflite
from edgekit.measuring.ports import to_stored
from edgekit.progress import SILENT
from tests.support.raised import raised

pytestmark = pytest.mark.tensorflow


def adapted(layers: Any) -> Any:
    layer = layers.Normalization(axis=-1)
    layer.adapt(np.random.default_rng(1).normal(3, 2, (20, 8, 8, 3)))
    return layer


@pytest.mark.parametrize("given", [True, False], ids=["given", "adapted"])
def test_the_statistics_of_normalization_are_in_the_file(given: bool, tmp_path: Path) -> None:
    import onnxruntime

    keras = tf_keras()
    layers = keras.layers
    first = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0]) if given else adapted(layers)
    model = keras.Sequential([keras.Input((8, 8, 3), name="image"), first, layers.Conv2D(2, 3)])
    files = [tmp_path / "first.onnx", tmp_path / "second.onnx"]
    for path in files:
        write_float(path, Signature(model))
    assert files[0].read_bytes() == files[1].read_bytes()
    session = onnxruntime.InferenceSession(str(files[0]), providers=["CPUExecutionProvider"])
    assert [entry.name for entry in session.get_inputs()] == ["image"]
    x = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    np.testing.assert_allclose(session.run(None, {"image": x})[0], model(x), atol=1e-5)


@pytest.mark.parametrize("groups", [2, 4], ids=["grouped", "depthwise"])
def test_grouped_convolutions(groups: int, tmp_path: Path) -> None:
    import onnxruntime

    keras = tf_keras()
    inputs = keras.Input((8, 8, 4), name="image")
    outputs = keras.layers.Conv2D(8, 3, groups=groups, padding="same", bias_initializer="ones")(inputs)
    model = keras.Model(inputs, keras.layers.Conv1D(4, 1, groups=2)(keras.layers.Reshape((64, 8))(outputs)))
    write_float(tmp_path / "m.onnx", Signature(model))
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).random((1, 8, 8, 4), np.float32)
    np.testing.assert_allclose(session.run(None, {"image": x})[0], model(x), atol=1e-5)


def test_an_operator_without_onnx_form_is_named(tmp_path: Path) -> None:
    keras = tf_keras()
    inputs = keras.Input((7,), name="x")
    outputs = keras.layers.Dense(5, activation=tensorflow().math.bessel_i0e)(inputs)
    with raised("operator-not-in-format", "ONNX float32", "`BesselI0e`"):
        write_float(tmp_path / "m.onnx", Signature(keras.Model(inputs, outputs)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "edit"), [("int8", "edgekit recipes int8 > mine.toml"), ("mine", "in your recipe")])
def test_a_failing_onnx_says_that_tflite_works(
    name: str, edit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ConversionError("ONNX float32: no", "replace it", code="operator-not-in-format")

    monkeypatch.setattr("edgekit.export.onnx.convert.write_float", fail)
    model = tf_keras().Sequential([tf_keras().layers.Input((4,)), tf_keras().layers.Dense(2)])
    recipe = Recipe(name, schemes=("float32",))
    with raised("operator-not-in-format", 'under [export], write formats = ["tflite"]') as caught:
        export(model, recipe, np.zeros((2, 4), np.float32), tmp_path, "m", SILENT)
    assert caught.value.hint.startswith(f"replace it; or TFLite alone works: {edit}")


def ports_of(kind: str) -> Any:
    """A model whose first or last layer moves values."""
    layers = tf_keras().layers
    image, other = layers.Input((8, 8, 3), name="image"), layers.Input((8, 8, 2), name="other")
    convolution = layers.Conv2D(4, 3, padding="same")
    inputs, outputs = {
        "cropped": lambda: (image, convolution(layers.Cropping2D(2)(image))),
        "sliced": lambda: (image, convolution(image)[:, 2:-2]),
        "joined inputs": lambda: ([image, other], convolution(layers.Concatenate()([image, other]))),
        "two outputs": lambda: (image, [layers.MaxPooling2D()(convolution(image)), layers.Conv2D(2, 1)(image)]),
        "LSTM": lambda: (image, layers.LSTM(8)(layers.Reshape((3, 64))(image))),
        "GRU": lambda: (image, layers.GRU(8)(layers.Reshape((3, 64))(image))),
    }[kind]()
    return tf_keras().Model(inputs, outputs)


@pytest.mark.parametrize("kind", ["cropped", "sliced", "joined inputs", "two outputs", "LSTM", "GRU"])
def test_every_port_has_the_scale_of_its_tflite_twin(kind: str, tmp_path: Path) -> None:
    model = ports_of(kind)
    rng = np.random.default_rng(0)
    arrays = tuple(rng.random((20, *tensor.shape[1:]), np.float32) for tensor in model.inputs)
    samples = arrays if len(arrays) > 1 else arrays[0]
    made = export(model, Recipe("r", schemes=("int8",), formats=("tflite", "onnx")), samples, tmp_path, "m", SILENT)
    tflite, onnx_file = (inspect_file(item.path) for item in made)
    for twin, own in ((tflite.inputs, onnx_file.inputs), (tflite.outputs, onnx_file.outputs)):
        assert len(twin) == len(own)
        known = {tensor.name: tensor for tensor in twin}
        for place, tensor in enumerate(own):
            other = known.get(tensor.name, twin[place])
            assert tensor.dtype == other.dtype == "int8"
            assert tensor.quantization == other.quantization and not tensor.unscaled


@pytest.mark.parametrize("approximate", [True, False])
def test_gelu(approximate: bool, tmp_path: Path) -> None:
    import onnxruntime

    keras = tf_keras()
    inputs = keras.Input((7,), name="x")
    outputs = keras.layers.Dense(5, activation=lambda x: keras.activations.gelu(x, approximate))(inputs)
    model = keras.Model(inputs, outputs)
    write_float(tmp_path / "m.onnx", Signature(model))
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).normal(0, 3, (1, 7)).astype(np.float32)
    np.testing.assert_allclose(session.run(None, {"x": x})[0], model(x), atol=1e-5)


@pytest.mark.parametrize("approximate", [True, False])
def test_gelu_of_a_tflite_file(approximate: bool, tmp_path: Path) -> None:
    """tf2onnx knows no operator for it."""
    keras = tf_keras()
    inputs = keras.Input((7,), name="x")
    outputs = keras.layers.Dense(5, activation=lambda x: keras.activations.gelu(x, approximate))(inputs)
    x = np.random.default_rng(0).normal(0, 2, (40, 7)).astype(np.float32)
    recipe = Recipe("r", schemes=("int8",), formats=("tflite", "onnx"))
    tflite, made = export(keras.Model(inputs, outputs), recipe, x, tmp_path, "m", SILENT)
    assert made.made_by == FROM_TFLITE
    twin, run = load_tflite(tflite.path), load_onnx(made.path)
    for row in x:
        stored = [to_stored(row[None], twin.inputs[0])]
        assert np.abs(np.int32(twin.run(stored)[0]) - run(stored)[0]).max() <= 1


@pytest.mark.parametrize("kind", ["masked LSTM", "backwards LSTM", "GRU of Keras 1", "ConvLSTM1D", "two loops"])
def test_loops(kind: str, tmp_path: Path) -> None:
    import onnx
    import onnxruntime

    layers = tf_keras().layers
    inputs = layers.Input((5, 4), name="x")
    outputs = {
        "masked LSTM": lambda: layers.LSTM(3)(layers.Masking()(inputs)),
        "backwards LSTM": lambda: layers.LSTM(3, "relu", go_backwards=True, return_sequences=True)(inputs),
        "GRU of Keras 1": lambda: layers.GRU(3, reset_after=False, return_sequences=True)(inputs),
        "ConvLSTM1D": lambda: layers.ConvLSTM1D(2, 2)(layers.Reshape((5, 4, 1))(inputs)),
        "two loops": lambda: layers.SimpleRNN(3)(layers.SimpleRNN(3, return_sequences=True)(layers.Masking()(inputs))),
    }[kind]()
    model = tf_keras().Model(inputs, outputs)
    write_float(tmp_path / "m.onnx", Signature(model))
    operators = {node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node}
    assert operators & {"Loop", "LSTM"} == {"LSTM" if kind == "backwards LSTM" else "Loop"}
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).normal(0, 1, (1, 5, 4)).astype(np.float32)
    x[0, 3] = 0
    np.testing.assert_allclose(session.run(None, {"x": x})[0], model(x), atol=1e-5)
