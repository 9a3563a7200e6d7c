"""Float ONNX files of layers that hold numbers outside their weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.backend import tensorflow, tf_keras
from edgekit.errors import ConversionError
from edgekit.export.onnx import write_float
from edgekit.export.signature import Signature

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
    with pytest.raises(ConversionError, match="ONNX float32 failed: BesselI0e has no ONNX form"):
        write_float(tmp_path / "m.onnx", Signature(keras.Model(inputs, outputs)))
    assert not list(tmp_path.iterdir())


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
