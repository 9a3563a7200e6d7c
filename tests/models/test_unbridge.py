"""The way back: Keras 2 models in Keras 3, from the bridge, from edgekit's stages, and as users write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit.models.bridge.backward as unbridge_module
from edgekit.errors import ConversionError
from edgekit.frameworks.tensorflow import keras3, tensorflow, tf_keras
from edgekit.models.bridge.backward import to_keras3
from edgekit.models.bridge.forward import bridge
from edgekit.progress import Silent
from edgekit.techniques.channels.prune import prune_channels
from tests.models.bridge_cases import CASES, IMAGE, SERIES, outputs, shaken
from tests.models.test_bridge import residual
from tests.models.test_bridge_ops import IMAGES, OPS, called
from tests.support.raised import raised

pytestmark = pytest.mark.tensorflow

NOT_SAVED = ("Lambda",)
"""Keras 3 reads these back only where the file is trusted."""


def back(model: Any, tmp_path: Path) -> Any:
    """Rebuild a tf_keras model in Keras 3; compare it and a saved copy with other inputs than the proof's."""
    made = to_keras3(model, Silent())
    assert made.proof.samples >= 2
    assert made.proof.max_abs_diff <= made.proof.tolerance
    assert made.model.name == model.name
    assert made.model.count_params() == model.count_params()
    path = tmp_path / "back.keras"
    made.model.save(path)
    copy = keras3().saving.load_model(path, safe_mode=False)
    wanted, got, again = (outputs(m, model) for m in (model, made.model, copy))
    for x, y, z in zip(wanted, got, again, strict=True):
        np.testing.assert_allclose(y, x, atol=1e-5 * max(1.0, float(np.abs(x).max())))
        np.testing.assert_array_equal(y, z)
    return made.model


@pytest.mark.parametrize("kind", [kind for kind in CASES if kind not in ("Normalization", *NOT_SAVED)])
def test_a_layer_there_and_back(kind: str, tmp_path: Path) -> None:
    for build in CASES[kind]:
        model = bridge(build(), Silent()).model
        copy = back(model, tmp_path)
        assert {layer.name for layer in copy.layers} <= {layer.name for layer in model.layers}


@pytest.mark.parametrize("kind", ["Normalization", *NOT_SAVED])
def test_a_layer_whose_weights_are_counted_otherwise(kind: str) -> None:
    for build in CASES[kind]:
        to_keras3(bridge(build(), Silent()).model, Silent())


@pytest.mark.parametrize("kind", OPS)
def test_an_operation_there_and_back(kind: str, tmp_path: Path) -> None:
    ops = keras3().ops
    for shape, calls in ((SERIES, OPS[kind]), (IMAGE, IMAGES.get(kind, []))):
        for call in calls:
            back(bridge(called([shape], lambda x, call=call: call(ops, x)), Silent()).model, tmp_path)


def test_a_residual_classifier_that_edgekit_pruned(tmp_path: Path) -> None:
    keras = keras3()
    layers = keras.layers
    image = keras.Input((8, 8, 3), name="image")
    x = stem = layers.BatchNormalization()(layers.Conv2D(16, 3, padding="same", activation="hard_swish")(image))
    x = layers.DepthwiseConv2D(3, padding="same", activation="gelu")(x)
    x = layers.PReLU(shared_axes=[1, 2])(layers.SeparableConv2D(16, 3, padding="same")(x))
    x = layers.GlobalAveragePooling2D()(layers.Add()([x, stem]))
    head = keras.Sequential([layers.Dense(16, "silu"), layers.BatchNormalization(), layers.Dense(4)], name="head")
    source = shaken(keras.Model(image, head(x), name="classifier"))
    pruned = prune_channels(bridge(source, Silent()).model, 0.5).model
    model = back(pruned, tmp_path)
    assert model.count_params() < source.count_params()
    assert model.get_layer("head").name == "head"
    model.compile("adam", "mse")  # it can be trained on
    data = np.random.default_rng(0).random((8, 8, 8, 3), np.float32)
    before = model.get_layer("head").get_weights()[0].copy()
    model.fit(data, np.zeros((8, 4)), epochs=1, verbose=0)
    assert np.abs(model.get_layer("head").get_weights()[0] - before).max() > 0


def test_states_masks_and_several_inputs(tmp_path: Path) -> None:
    keras = tf_keras()
    layers = keras.layers
    tokens, series = keras.Input((7,), dtype="int32", name="tokens"), keras.Input((5, 4), name="series")
    x = layers.Embedding(9, 4, mask_zero=True)(tokens)
    sequence, h, c = layers.LSTM(3, return_state=True, return_sequences=True, name="encoder")(x)
    y = layers.LSTM(3, name="decoder")(series, initial_state=[h, c])
    z = layers.Bidirectional(layers.GRU(2), name="both")(sequence)
    model = keras.Model({"tokens": tokens, "series": series}, {"y": y, "z": z}, name="states")
    made = back(model, tmp_path)
    assert set(made.input) == {"tokens", "series"}
    assert set(made.output) == {"y", "z"}


def test_what_users_of_keras_2_write(tmp_path: Path) -> None:
    keras, tf = tf_keras(), tensorflow()
    layers = keras.layers
    shared = layers.Dense(4, activation=layers.LeakyReLU(0.3), kernel_regularizer="l2", name="shared")
    x = keras.Input((6, 4))
    y = tf.nn.relu(shared(x) + 2.0 * shared(x * x)) / 3.0
    y = layers.Concatenate(axis=1)([y, tf.abs(y)])
    y = tf.squeeze(tf.expand_dims(y, 1), 1)[:, 1:] - tf.reduce_max(y, axis=1, keepdims=True)
    model = keras.Model(x, layers.ReLU(6.0, 0.1)(layers.Dense(3, "swish", kernel_initializer="he_normal")(y)))
    made = back(model, tmp_path)
    assert len(made.get_layer("shared")._inbound_nodes) == 2
    assert float(made.get_layer("shared").kernel_regularizer.l2) == pytest.approx(0.01)


def test_a_sequential_model_with_training_settings(tmp_path: Path) -> None:
    keras = tf_keras()
    layers = keras.layers
    frozen = layers.Dense(5, kernel_constraint="max_norm", trainable=False, name="frozen")
    model = keras.Sequential([layers.Dense(4, input_shape=(3,)), frozen, layers.Dropout(0.3, name="drop")])
    made = back(model, tmp_path)
    assert not made.get_layer("frozen").trainable
    assert type(made.get_layer("frozen").kernel_constraint).__name__ == "MaxNorm"
    assert made.get_layer("drop").rate == 0.3


def refused(model: Any, code: str = "keras-form-missing") -> str:
    with raised(code, kind=ConversionError) as caught:
        to_keras3(model, Silent())
    assert caught.value.hint
    return caught.value.message


def test_everything_that_cannot_be_expressed_is_named_at_once() -> None:
    keras = tf_keras()
    layers = keras.layers

    class Doubled(layers.Dense):  # type: ignore[name-defined,misc]
        pass

    x = keras.Input((6, 4))
    y = layers.ThresholdedReLU(0.5, name="old")(Doubled(4, name="own")(x))
    y = layers.Dense(3, "hard_sigmoid", name="gate")(layers.LocallyConnected1D(2, 3, name="local")(y))
    inner = keras.Sequential([layers.Dense(2, activation=layers.PReLU(), name="slopes")], name="inner")
    y = layers.GRU(2, recurrent_activation="hard_sigmoid", name="gru")(inner(y))
    y = layers.Bidirectional(layers.LSTM(2, activation="hard_sigmoid", name="l"), name="two")(layers.Reshape((1, 2))(y))
    message = refused(keras.Model(x, y, name="many"))
    for part in (
        "model `many` cannot be expressed in Keras 3",
        "old (ThresholdedReLU)",
        "own (Doubled)",
        "local (LocallyConnected1D)",
        "gate (Dense), gru (GRU): its activation 'hard_sigmoid' means something else, or nothing, in Keras 3",
        "inner/slopes (Dense): its activation PReLU has weights",
        "two (Bidirectional): ",
    ):
        assert part in message


def test_operations_without_a_keras_3_form_are_named() -> None:
    keras, tf = tf_keras(), tensorflow()
    x = keras.Input((6, 4))
    model = keras.Model(x, keras.layers.Dense(2)(tf.math.bessel_i0(x)))
    message = refused(model)
    assert "`tf.math.bessel_i0` (TFOpLambda)" in message
    assert "the TensorFlow operation tf.math.bessel_i0 has no Keras 3 form here" in message


def test_what_is_no_keras_2_model_is_refused() -> None:
    with raised("model-without-graph", "tf_keras"):
        to_keras3(residual(), Silent())
    with raised("model-without-graph", "built"):
        to_keras3(tf_keras().Sequential([tf_keras().layers.Dense(2)]), Silent())


def test_wrong_weights_are_noticed_and_the_first_layer_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def swapped(source: Any, target: Any) -> None:
        values = source.get_weights()
        if source.name == "bn":
            values[0], values[1] = values[1], values[0]
        target.set_weights(values)

    monkeypatch.setattr(unbridge_module, "copy_weights", swapped)
    message = refused(bridge(residual(), Silent()).model, "keras-forms-differ")
    assert "`residual`" in message and "layer bn" in message


def test_weights_that_do_not_fit_name_their_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unbridge_module, "copy_weights", lambda source, target: target.set_weights([]))
    keras = tf_keras()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="dense")])
    assert "`dense` (Dense)" in refused(model)
