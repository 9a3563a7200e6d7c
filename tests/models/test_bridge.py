"""Whole Keras 3 graphs in Keras 2, what cannot be expressed there, and a proof that notices mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit.models.bridge.forward as bridge_module
from edgekit.errors import ConversionError
from edgekit.frameworks.tensorflow import keras3
from edgekit.models.bridge.forward import bridge
from edgekit.progress import Silent
from tests.models.bridge_cases import IMAGE, called, check, reloaded, sequential, shaken
from tests.support.raised import raised

pytestmark = pytest.mark.tensorflow


def residual() -> Any:
    """An image classifier with a residual addition, a concatenation, and half of what image models use."""
    keras = keras3()
    layers = keras.layers
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Rescaling(1 / 255)(image)
    x = stem = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(6, 3, padding="same", use_bias=False)(x)))
    x = layers.BatchNormalization(name="bn")(layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x))
    x = layers.Add(name="residual")([x, stem])
    x = layers.Concatenate(name="both")([x, layers.Activation("hard_silu", name="act")(stem)])
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
    x = layers.Dense(4, name="logits")(x)
    return shaken(keras.Model(image, layers.Softmax(name="probabilities")(x), name="residual"))


def test_a_residual_classifier(tmp_path: Path) -> None:
    source = residual()
    bridged = check(source, tmp_path)
    assert [tensor.name for tensor in bridged.model.inputs] == ["image"]
    assert bridged.model.output_names == ["probabilities"]
    assert bridged.model.input_shape == (None, 8, 8, 3)
    assert bridged.notes == []
    names = [layer.name for layer in bridged.model.layers]
    assert [name for name in names if name.startswith("act")] == [
        "act_hard_silu_1",
        "act_hard_silu_2",
        "act_hard_silu_3",
        "act",
    ]


def test_shared_layers_stay_shared(tmp_path: Path) -> None:
    keras = keras3()
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    dense = keras.layers.Dense(3, activation="hard_tanh", name="shared")
    source = shaken(keras.Model([a, b], keras.layers.Subtract()([dense(a), dense(b)])))
    bridged = check(source, tmp_path)
    shared = [layer for layer in bridged.model.layers if layer.name == "shared"]
    assert len(shared) == 1
    assert len(shared[0].inbound_nodes) == 2
    assert bridged.model.count_params() == source.count_params()


def test_several_inputs_and_outputs_keep_their_structure(tmp_path: Path) -> None:
    keras = keras3()
    inputs = {name: keras.Input((4,), name=name) for name in ("b", "a")}
    x, y = inputs["a"], keras.layers.Dense(4, name="only_b")(inputs["b"])
    source = shaken(keras.Model(inputs, {"sum": keras.layers.Add(name="sum")([x, y]), "b": y}))
    bridged = check(source, tmp_path)
    assert set(bridged.model.input) == {"a", "b"}
    assert set(bridged.model.output) == {"sum", "b"}


def test_nested_models(tmp_path: Path) -> None:
    keras = keras3()
    layers = keras.layers
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    inner = keras.Model(
        [a, b], [layers.Dense(3, name="one")(layers.Add()([a, b])), layers.Dense(2, name="two")(a)], name="inner"
    )
    head = keras.Sequential([layers.Dense(5, "relu"), layers.BatchNormalization()], name="head")
    first, second = inner([b, a], training=False), inner([a, a])
    outputs = [head(layers.Concatenate()([first[0], second[0]])), first[1], second[1]]
    bridged = check(shaken(keras.Model([a, b], outputs, name="outer")), tmp_path)
    assert len([layer for layer in bridged.model.layers if layer.name == "inner"]) == 1
    assert {layer.name for layer in bridged.model.get_layer("inner").layers} >= {"one", "two"}


def test_states_that_go_from_one_layer_to_another(tmp_path: Path) -> None:
    layers = keras3().layers

    def call(a: Any, b: Any) -> Any:
        _, h, c = layers.LSTM(3, return_state=True, return_sequences=True, name="encoder")(a)
        return layers.LSTM(3, name="decoder")(b, initial_state=[h, c])

    check(called([(4, 6), (5, 6)], call), tmp_path)


def test_masks_travel_through_layers(tmp_path: Path) -> None:
    layers = keras3().layers
    rnn = layers.Bidirectional(layers.LSTM(3, return_sequences=True, zero_output_for_mask=True))
    check(sequential((7,), layers.Embedding(9, 4, mask_zero=True), rnn, layers.GRU(2), dtype="int32"), tmp_path)


def test_operations_that_are_not_layers(tmp_path: Path) -> None:
    keras = keras3()
    ops, shared = keras.ops, keras.layers.Dense(4)

    def call(a: Any, b: Any) -> Any:
        x = shared(a) + shared(b)
        y = (1 - (2.0 * x - 1.0) / 3.0) * x + np.arange(4.0)
        z = -ops.concatenate([ops.relu(y), ops.sigmoid(x)], axis=-1)
        w = ops.reshape(ops.leaky_relu(ops.hard_silu(z), 0.3), (-1, 2, 4))
        return [w, ops.softmax(z), ops.maximum(x, y), ops.elu(x, 0.5), ops.gelu(x, approximate=False)]

    check(called([(4,), (4,)], call), tmp_path)


def test_augmentation_is_left_out_with_a_note(tmp_path: Path) -> None:
    layers = keras3().layers
    augment = keras3().Sequential([layers.RandomFlip(name="flip"), layers.RandomZoom(0.1, name="zoom")], name="augment")
    source = sequential(
        IMAGE, augment, layers.Rescaling(1 / 255), layers.RandomContrast(0.2, name="contrast"), layers.Conv2D(2, 3)
    )
    bridged = check(source, tmp_path)
    kinds = [type(layer).__name__ for layer in bridged.model.layers]
    assert kinds == ["InputLayer", "Rescaling", "Conv2D"]
    assert bridged.notes == [
        "augment/flip (RandomFlip) is left out: it acts in training only",
        "augment/zoom (RandomZoom) is left out: it acts in training only",
        "contrast (RandomContrast) is left out: it acts in training only",
    ]


def test_augmentation_of_bytes_leaves_the_conversion_to_floats(tmp_path: Path) -> None:
    layers = keras3().layers
    bridged = check(sequential(IMAGE, layers.RandomFlip(), layers.Conv2D(2, 3), dtype="uint8"), tmp_path)
    assert [type(layer).__name__ for layer in bridged.model.layers] == ["InputLayer", "Rescaling", "Conv2D"]


def test_half_precision_policies_become_float32(tmp_path: Path) -> None:
    layers = keras3().layers
    source = sequential(
        IMAGE,
        layers.Conv2D(2, 3, dtype="mixed_float16"),
        layers.Flatten(dtype="mixed_bfloat16"),
        layers.Dense(3, dtype="float16"),
        layers.Activation("softmax", dtype="float32"),
    )
    bridged = check(source, tmp_path)
    assert bridged.notes == [
        "Layers with the dtype policy float16, mixed_bfloat16, mixed_float16 compute in float32 now"
    ]
    assert {layer.compute_dtype for layer in bridged.model.layers} == {"float32"}


def test_open_sizes_and_fixed_batches(tmp_path: Path) -> None:
    keras = keras3()
    layers = keras.layers
    source = sequential((None, None, 3), layers.Conv2D(2, 3), layers.GlobalMaxPooling2D())
    bridged = bridge(source, Silent())
    assert bridged.model.input_shape == (None, None, None, 3)
    fixed = keras.Input(batch_shape=(1, 4))
    bridged = bridge(shaken(keras.Model(fixed, layers.Dense(2)(fixed))), Silent())
    assert bridged.model.input_shape == (1, 4)
    assert bridged.proof.samples == 2


def test_names_that_tensorflow_does_not_accept(tmp_path: Path) -> None:
    layers = keras3().layers
    bridged = check(sequential((4,), layers.Dense(3, name="first layer"), layers.Dense(2, name="_2nd")), tmp_path)
    assert [layer.name for layer in bridged.model.layers[1:]] == ["first_layer", "x_2nd"]
    assert bridged.notes[0] == "'first layer' is called 'first_layer' now: TensorFlow does not accept the name"


def test_training_settings_survive(tmp_path: Path) -> None:
    keras = keras3()
    layers = keras.layers
    frozen = layers.Dense(3, kernel_regularizer=keras.regularizers.L2(0.25), kernel_constraint="non_neg", name="a")
    frozen.trainable = False
    source = sequential((4,), frozen, layers.Dense(2, kernel_initializer=keras.initializers.HeNormal(seed=5), name="b"))
    model = reloaded(bridge(source, Silent()).model, tmp_path / "m.keras")
    assert not model.get_layer("a").trainable
    assert float(model.get_layer("a").kernel_regularizer.l2) == 0.25
    assert type(model.get_layer("a").kernel_constraint).__name__ == "NonNeg"
    assert model.get_layer("b").kernel_initializer.get_config()["seed"] == 5


def refused(source: Any, code: str = "keras-form-missing") -> str:
    with raised(code, kind=ConversionError) as caught:
        bridge(source, Silent())
    assert caught.value.hint
    return caught.value.message


def test_everything_that_cannot_be_expressed_is_named_at_once() -> None:
    keras = keras3()
    layers = keras.layers

    class Doubled(layers.Dense):
        pass

    class Half(layers.Layer):
        def call(self, x: Any) -> Any:
            return x / 2

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    def twice(x: Any) -> Any:
        return x * 2

    def call(x: Any) -> Any:
        inner = keras.Sequential([keras.Input((4,)), layers.RMSNormalization(name="rms")], name="inner")
        x = layers.Dense(4, activation=twice, name="own_activation")(Half(name="half")(inner(x)))
        x = Doubled(4, name="doubled")(keras.ops.sort(x))
        x = layers.Dense(4, activation=layers.PReLU(), name="prelu_inside")(x)
        x = layers.LSTM(4, recurrent_activation="hard_sigmoid", name="old_gate")(layers.Reshape((2, 2))(x))
        x = layers.RandomCrop(1, 1, name="crop")(layers.Reshape((2, 2, 1))(x))
        x = layers.Resizing(2, 2, pad_to_aspect_ratio=True, name="pad")(x)
        x = layers.TimeDistributed(layers.Dense(2, activation="hard_silu", name="hard"), name="td")(x)
        return layers.TimeDistributed(Half(name="inside"), name="td2")(x) * keras.ops.argmax(x, axis=1)

    message = refused(called([(4,)], call))
    for part in (
        "inner/rms (RMSNormalization)",
        "half (Half)",
        "doubled (Doubled)",
        "sort (Sort)",
        "own_activation (Dense): its activation",
        "prelu_inside (Dense): its activation PReLU has weights",
        "old_gate (LSTM): its recurrent_activation 'hard_sigmoid'",
        "crop (RandomCrop)",
        "pad (Resizing): its option pad_to_aspect_ratio=True does not exist in Keras 2",
        "td (TimeDistributed): the activation of hard inside it",
        "td2 (TimeDistributed): inside (Half) inside it",
    ):
        assert part in message


def test_stateful_quantized_and_lora_layers_are_refused() -> None:
    keras = keras3()
    layers = keras.layers
    fixed = keras.Input(batch_shape=(2, 3, 4))
    assert "stateful" in refused(keras.Model(fixed, layers.GRU(2, stateful=True)(fixed)))
    quantized = sequential((4,), layers.Dense(3, name="dense"))
    quantized.layers[0].quantize("int8")
    assert "dense (Dense): its weights are quantized or LoRA" in refused(quantized)
    lora = sequential((4,), layers.Dense(3))
    lora.layers[0].enable_lora(2)
    assert "its weights are quantized or LoRA" in refused(lora)


def test_layers_that_train_at_inference_are_refused() -> None:
    layers = keras3().layers
    message = refused(called([(4,)], lambda x: layers.Dense(2)(layers.Dropout(0.5, name="always")(x, training=True))))
    assert "always (Dropout): it is called with training=True" in message


def test_subclassed_and_unbuilt_models_are_refused() -> None:
    keras = keras3()

    class Mine(keras.Model):  # type: ignore[name-defined,misc]
        def call(self, x: Any) -> Any:
            return x

    assert "subclassed" in refused(Mine(), "model-without-graph")
    assert "never built" in refused(keras.Sequential([keras.layers.Dense(2)]), "model-without-graph")
    inner = Mine(name="inner")
    assert "inner (Mine)" in refused(called([(4,)], lambda x: inner(keras.layers.Dense(4)(x))))


def test_wrong_weights_are_noticed_and_the_first_layer_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def swapped(source: Any, target: Any) -> None:
        values = source.get_weights()
        if source.name == "bn":
            values[0], values[1] = values[1], values[0]
        target.set_weights(values)

    monkeypatch.setattr(bridge_module, "copy_weights", swapped)
    message = refused(residual(), "keras-forms-differ")
    assert "layer bn (BatchNormalization) is the first to differ, by " in message
    keras = keras3()
    inner = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(name="bn")], name="inner")
    source = called([(4,)], lambda x: keras.layers.Dense(2)(inner(keras.layers.Dense(4)(x))))
    message = refused(source, "keras-forms-differ")
    assert "in inner, layer bn (BatchNormalization) is the first to differ" in message


def test_a_difference_that_the_output_hides_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def scaled(source: Any, target: Any) -> None:
        target.set_weights([values * 1.01 for values in source.get_weights()])

    layers = keras3().layers
    source = sequential((4,), layers.Dense(4, name="hidden"), layers.Dense(2))
    source.layers[1].set_weights([np.zeros((4, 2)), np.zeros(2)])
    monkeypatch.setattr(bridge_module, "copy_weights", scaled)
    assert "layer hidden (Dense) is the first to differ" in refused(source, "keras-forms-differ")


def test_weights_that_do_not_fit_name_their_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge_module, "copy_weights", lambda source, target: target.set_weights([]))
    assert "`bn` (BatchNormalization)" in refused(sequential((4,), keras3().layers.BatchNormalization(name="bn")))


def test_a_model_of_nan_proves_nothing() -> None:
    source = sequential((4,), keras3().layers.Dense(2))
    source.set_weights([np.full((4, 2), np.nan), np.zeros(2)])
    assert "no finite output" in refused(source, "keras-forms-not-compared")


def test_a_model_that_cannot_be_run_is_explained() -> None:
    layers = keras3().layers
    source = sequential((None, 4), layers.Reshape((5, 4)), layers.Flatten(), layers.Dense(2))
    assert "(4, 96, 4)" in refused(source, "keras-forms-not-compared")
