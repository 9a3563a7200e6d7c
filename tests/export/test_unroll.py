"""Recurrent layers in int8: unrolled where that is possible, refused where TensorFlow would crash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.recipe import Recipe
from edgekit.export.exporter import export
from edgekit.export.tflite.unroll import ALL, unrolled
from edgekit.formats.reading import inspect_file
from edgekit.frameworks.tensorflow import seed_everything, tf_keras
from edgekit.models.files.plain import plain_of_keras
from edgekit.progress import SILENT
from edgekit.techniques.qat_preflight import prepare
from edgekit.techniques.qat_scheme import apply
from tests.support.raised import raised

pytestmark = pytest.mark.tensorflow
STEPS, FEATURES = 6, 3


def recurrent(kind: str, steps: int | None = STEPS) -> Any:
    seed_everything(0)
    layers = tf_keras().layers
    inputs = layers.Input((steps, FEATURES))
    if kind == "MaskedLSTM":
        hidden = layers.LSTM(4)(layers.Masking()(inputs))
    elif kind == "Cell":
        hidden = layers.RNN(layers.GRUCell(4))(inputs)
    else:
        layer = getattr(layers, kind.removeprefix("Bidirectional"))(4)
        hidden = (layers.Bidirectional(layer) if kind.startswith("Bi") else layer)(inputs)
    return tf_keras().Model(inputs, layers.Dense(2, activation="softmax")(hidden))


@pytest.mark.parametrize("kind", ["GRU", "SimpleRNN", "BidirectionalGRU", "Cell"])
def test_loops_are_unrolled_and_compute_the_same(kind: str, tmp_path: Path) -> None:
    model = recurrent(kind)
    flat = unrolled(model)
    assert flat is not model
    x = np.random.default_rng(0).normal(0, 1, (20, STEPS, FEATURES)).astype(np.float32)
    np.testing.assert_allclose(flat.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)
    recipe = Recipe("r", schemes=("float32", "int8"), formats=("tflite",))
    float32, int8 = export(model, recipe, x, tmp_path, "m", SILENT)
    assert "WHILE" in inspect_file(float32.path).operators
    assert "WHILE" not in inspect_file(int8.path).operators
    assert inspect_file(int8.path).inputs[0].dtype == "int8"


def test_lstm_and_models_without_time_stay_as_they_are() -> None:
    model = recurrent("LSTM")
    assert unrolled(model) is model


def test_an_lstm_that_stays_a_loop_is_unrolled_too(tmp_path: Path) -> None:
    model = recurrent("MaskedLSTM")
    x = np.random.default_rng(0).normal(0, 1, (20, STEPS, FEATURES)).astype(np.float32)
    x[::2, 3:] = 0
    np.testing.assert_allclose(unrolled(model, ALL).predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)
    recipe = Recipe("r", schemes=("float32", "int8"), formats=("tflite",))
    float32, int8 = export(model, recipe, x, tmp_path, "m", SILENT)
    assert "WHILE" in inspect_file(float32.path).operators
    assert not {"WHILE", "UNIDIRECTIONAL_SEQUENCE_LSTM"} & set(inspect_file(int8.path).operators)
    assert (float32.made_by, int8.made_by) == ("TFLiteConverter", "TFLiteConverter, recurrent layers unrolled")
    plain = export(recurrent("LSTM"), recipe, x, tmp_path, "n", SILENT)[1]
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in inspect_file(plain.path).operators


def test_a_loop_behind_simulated_layers_is_unrolled_in_a_copy(tmp_path: Path) -> None:
    model = recurrent("BidirectionalGRU")
    x = np.random.default_rng(0).normal(0, 1, (8, STEPS, FEATURES)).astype(np.float32)
    prepared = prepare(model, x)
    quantized = apply(prepared.model, prepared.handling, {})
    before = quantized.to_json()
    recipe = Recipe("r", schemes=("int8",), formats=("tflite",))
    [int8] = export(quantized, recipe, x, tmp_path, "m", SILENT, model)
    assert "WHILE" not in inspect_file(int8.path).operators
    assert quantized.to_json() == before


def test_a_nested_loop_is_found() -> None:
    layers = tf_keras().layers
    inputs = layers.Input((STEPS, FEATURES))
    model = tf_keras().Model(inputs, recurrent("GRU")(inputs))
    x = np.ones((2, STEPS, FEATURES), np.float32)
    np.testing.assert_allclose(unrolled(model).predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)


def test_a_loop_that_cannot_be_unrolled_is_a_sentence(tmp_path: Path) -> None:
    model = plain_of_keras(recurrent("GRU"), "plain")
    x = np.ones((5, STEPS, FEATURES), np.float32)
    with raised("loop-not-quantizable", "TFLite int8", "a fixed number of time steps"):
        export(model, Recipe("r", schemes=("int8",), formats=("tflite",)), x, tmp_path, "m", SILENT)
