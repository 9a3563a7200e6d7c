"""Integer inputs in quantization-aware training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.models.keras.facts import keras_facts
from edgekit.techniques.integer_inputs import check_inputs, with_float_inputs
from edgekit.techniques.qat_preflight import prepare
from edgekit.techniques.qat_ranges import calibrate
from edgekit.techniques.qat_scheme import apply, input_quantizers
from tests.support.raised import raised

pytestmark = pytest.mark.tensorflow

BYTES = np.random.default_rng(0).integers(0, 256, (8, 6, 6, 1)).astype(np.float32)
TOKENS = np.random.default_rng(0).integers(0, 500, (8, 5)).astype(np.float32)


def image(cast: str) -> Any:
    tf_keras().utils.set_random_seed(0)
    layers = tf_keras().layers
    x = given = tf_keras().Input((6, 6, 1), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, name="scale")(x) if cast == "layer" else tensorflow().cast(x, "float32") / 255.0
    x = layers.Flatten(name="flat")(layers.Conv2D(3, 3, activation="relu", name="conv")(x))
    return tf_keras().Model(given, layers.Dense(2, name="top")(x), name="bytes")


def text(wrapped: bool = False) -> Any:
    tf_keras().utils.set_random_seed(0)
    layers = tf_keras().layers
    tokens = x = tf_keras().Input((5,), dtype="int32", name="tokens")
    x = layers.Embedding(500, 4, name="words")(layers.Reshape((5,), name="same")(x) if wrapped else x)
    return tf_keras().Model(tokens, layers.Dense(2, name="top")(layers.Flatten(name="flat")(x)), name="text")


@pytest.mark.parametrize("cast", ["layer", "operation"])
def test_bytes_are_numbers(cast: str) -> None:
    model = image(cast)
    assert keras_facts(model).inputs[0].takes_raw  # 0 to 255, as they are
    prepared = prepare(model, BYTES)
    assert prepared.replacements[0].layer == "image"
    assert "takes float32 now" in prepared.replacements[0].action
    assert prepared.model.inputs[0].dtype == np.float32
    quantized = apply(prepared.model, prepared.handling, {})
    calibrate(quantized, prepared.model, BYTES, 8)
    before, after = model.predict(BYTES.astype(np.uint8), verbose=0), quantized.predict(BYTES, verbose=0)
    assert np.abs(before - after).max() < 0.2 * np.abs(before).max()
    for layer in input_quantizers(quantized):  # TFMOT puts none before an operation
        assert float(next(w for w in layer.weights if "max" in w.name)) == BYTES.max()


@pytest.mark.parametrize("wrapped", [False, True])
def test_indices_are_not_rounded(wrapped: bool) -> None:
    model = text(wrapped)
    assert with_float_inputs(model) == (model, [])
    prepared = prepare(model, TOKENS)
    assert prepared.model.inputs[0].dtype == np.int32
    quantized = apply(prepared.model, prepared.handling, {})
    assert input_quantizers(quantized) == []
    calibrate(quantized, prepared.model, TOKENS, 8)
    before, after = (m.predict(TOKENS, verbose=0) for m in (model, quantized))
    assert np.abs(before - after).max() < 0.2 * np.abs(before).max()


def test_what_takes_integers_only_is_refused_before_anything_trains() -> None:
    keras = tf_keras()
    given = keras.Input((4,), dtype="int32", name="flags")
    low = tensorflow().cast(tensorflow().bitwise.bitwise_and(given, 3), "float32")
    model = keras.Model(given, keras.layers.Dense(2)(low), name="flags")
    with raised("qat-model-unfit", "`flags`"):
        check_inputs(model)
    check_inputs(text())
    check_inputs(image("layer"))
