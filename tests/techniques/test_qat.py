from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import InputError
from edgekit.formats.reading import inspect_file
from edgekit.frameworks.tensorflow import quiet, seed_everything, tensorflow, tf_keras, tfmot
from edgekit.models.training.training import TrainConfig, train
from edgekit.techniques import qat
from edgekit.techniques.cluster import cluster_weights
from edgekit.techniques.qat import Quantize, quantize
from edgekit.techniques.qat_finish import for_converter, load_quantized, save_quantized, strip_quantization
from edgekit.techniques.qat_preflight import prepare
from edgekit.techniques.qat_ranges import variables
from edgekit.techniques.sparsity import prune_weights
from edgekit.techniques.stage import CLUSTERED, QUANTIZED, SPARSE, ModelState
from edgekit.techniques.training import train_stage
from tests.support.heard import Heard
from tests.support.raised import raised
from tests.techniques.tiny import (
    RAW,
    context,
    dense_network,
    file_kernels,
    inputs,
    int8_file,
    kernel,
    run,
    single_layer,
    splits,
    trained,
    unfit,
    weights,
)

pytestmark = pytest.mark.tensorflow
ONE = TrainConfig(1, 32, 1e-3)
KERNELS = ("stem", "conv", "dense", "logits")
PATTERN = "name:[cdl]*"
"""Prunes conv, dense and logits; stem has no zeros to keep."""


@cache
def source(traits: frozenset[str]) -> Any:
    model = trained()
    if SPARSE in traits:
        model, _ = prune_weights(
            model,
            context(),
            sparsity=0.6,
            scope="local",
            granularity="weight",
            layers=PATTERN,
            schedule="constant",
            config=ONE,
        )
    if CLUSTERED in traits:
        model, _ = cluster_weights(
            model, context(), clusters=8, init="linear", layers="all", sparse=SPARSE in traits, config=ONE
        )
    return model


@cache
def quantized(traits: frozenset[str]) -> tuple[ModelState, dict[str, Any]]:
    stage = Quantize(epochs=2, batch_size=32, learning_rate=1e-3)
    return stage.run(ModelState(source(traits), traits), context())


def file_of(traits: frozenset[str], path: Path) -> Path:
    return int8_file(for_converter(quantized(traits)[0].model), path)


@pytest.mark.parametrize("traits", [(), (SPARSE,), (SPARSE, CLUSTERED)])
def test_zeros_and_clusters_survive_into_the_file(traits: tuple[str, ...], tmp_path: Path) -> None:
    known = frozenset(traits)
    before, (state, note) = source(known), quantized(known)
    model = state.model
    assert state.traits == known | {QUANTIZED}
    assert note["preflight"] == []
    assert set(note["forms"]) == (
        {"conv", "dense", "logits"} if traits == (SPARSE,) else set(KERNELS) if traits else set()
    )
    assert len(note["epochs"]["val_accuracy"]) == 2

    path = file_of(known, tmp_path / "m.tflite")
    info = inspect_file(path)
    assert not {"DEQUANTIZE", "QUANTIZE", "MUL", "RELU"} & set(info.operators)  # BatchNormalization and ReLU are folded
    assert [t.dtype for t in (*info.inputs, *info.outputs)] == ["int8", "int8"]
    assert info.outputs[0].name == "probabilities"
    scales = {w.elements: len(w.quantization.scale) for w in info.weights if w.quantization and w.dtype == "int8"}
    assert (scales[72], scales[864]) == (8, 12)  # one a channel; the stem and the depthwise kernel have 72 weights

    fake, real = model.predict(inputs(), verbose=0), run(path, inputs())
    assert (fake.argmax(axis=1) == real.argmax(axis=1)).mean() >= 0.95
    assert np.abs(fake - real).max() < 0.02

    stored = file_kernels(path)
    for name in KERNELS:
        was = kernel(before, name)
        now = stored[np.moveaxis(was, -1, 0).shape]
        if name in note["forms"] and SPARSE in traits:
            assert (now[np.moveaxis(was, -1, 0) == 0] == 0).all()
        if CLUSTERED in traits:
            assert max(len(np.unique(channel)) for channel in now) <= 8
    if SPARSE in traits:
        zeros = {w.elements: w.zeros for w in info.weights if w.dtype == "int8"}
        assert (zeros[864] or 0) >= 0.6 * 864 - 1
    if CLUSTERED in traits:
        unique = {w.elements: w.unique for w in info.weights if w.dtype == "int8"}
        assert (unique[3072] or 999) <= 8  # dense layers have one scale

    bare = strip_quantization(model)
    assert [layer.name for layer in bare.layers] == [layer.name for layer in before.layers]
    assert np.abs(bare.predict(inputs(), verbose=0) - fake).max() < 0.1
    if SPARSE in traits:
        assert (kernel(bare, "dense")[kernel(before, "dense") == 0] == 0).all()
    np.testing.assert_array_equal(
        bare.get_layer("stem_bn").moving_mean.numpy(), variables(model.get_layer("stem_bn"))["moving_mean"].numpy()
    )
    save_quantized(model, tmp_path / "m.h5")
    np.testing.assert_array_equal(load_quantized(tmp_path / "m.h5").predict(inputs(), verbose=0), fake)


def test_ranges_are_right_before_training_and_same_seed_same_model(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def look(model: Any, *args: Any, **kwargs: Any) -> Any:
        hidden, scores = (variables(model.get_layer(name)) for name in ("dense", "scores"))
        assert hidden["post_activation_min"].numpy() == 0.0
        assert 0.0 < hidden["post_activation_max"].numpy() < 5.9
        assert -5.9 < scores["pre_activation_min"].numpy() < 0.0 < scores["pre_activation_max"].numpy() < 5.9
        assert variables(model.get_layer("quantize_input_0"))
        return train_stage(model, *args, **kwargs)

    monkeypatch.setattr(qat, "train_stage", look)
    for _ in range(2):
        seed_everything(4)
        model, _ = quantize(dense_network(), frozenset(), context(), config=ONE)
        made.append(weights(model))
    np.testing.assert_array_equal(made[0], made[1])


def by_hand(model: Any, path: Path) -> Path:
    """The int8 file as TFMOT's guide makes it."""
    tf, x = tensorflow(), inputs()
    with quiet():
        aware = tfmot().quantization.keras.quantize_model(model)
        aware.compile("adam", "sparse_categorical_crossentropy")
        aware.fit(x, splits().y_validation, verbose=0)
        converter = tf.lite.TFLiteConverter.from_keras_model(aware)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        path.write_bytes(converter.convert())
    return path


def test_a_plain_model_gives_the_file_that_tfmot_and_the_converter_give_by_hand(tmp_path: Path) -> None:
    made, hand = file_of(frozenset(), tmp_path / "made.tflite"), by_hand(trained(), tmp_path / "hand.tflite")
    one, other = inspect_file(made), inspect_file(hand)
    assert one.operators == other.operators
    assert one.macs == other.macs
    assert sorted((w.elements, w.dtype) for w in one.weights if w.elements > 4) == sorted(
        (w.elements, w.dtype) for w in other.weights if w.elements > 4
    )
    assert made.stat().st_size <= hand.stat().st_size  # a fixed batch and packing need less


@cache
def awkward() -> Any:
    """Rescaling, a nested model, a Lambda, a depthwise convolution, a sum, a BatchNormalization alone, softmax."""
    keras = tf_keras()
    layers = keras.layers
    seed_everything(1)
    inner_in = layers.Input((6, 6, 8), name="inner")
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(inner_in)
    x = layers.BatchNormalization(momentum=0.8, name="norm")(x)
    x = layers.Conv2D(8, 1, activation="swish", name="pointwise")(layers.ReLU(name="relu")(x))
    block = keras.Model(inner_in, x, name="block")
    inputs = layers.Input((6, 6, 1), name="image")
    x = layers.Rescaling(1 / 127.5, -1.0, name="rescale")(inputs)
    x = kept = layers.Conv2D(8, 3, padding="same", activation="relu", name="stem")(x)
    x = layers.Add(name="add")([block(x), kept])
    x = layers.BatchNormalization(momentum=0.8, name="alone")(x)
    x = layers.Lambda(lambda t: t * 0.5 + 0.25, name="affine")(x)
    x = layers.Flatten(name="flatten")(layers.MaxPooling2D(name="pool")(x))
    x = layers.Dense(3, activation="softmax", name="scores")(x)
    model = keras.Model(inputs, x, name="awkward")
    train(model, splits(), RAW, TrainConfig(6, 32, 3e-3), Heard())
    return model


@pytest.mark.e2e
def test_preflight_names_and_handles_what_tfmot_cannot_take(tmp_path: Path) -> None:
    heard = Heard()
    state, note = Quantize(epochs=2, batch_size=32).run(ModelState(awkward()), context(heard, RAW))
    assert {(f["layer"], f["kind"]) for f in note["preflight"]} == {
        ("block", "nested model"),
        ("rescale", "Rescaling"),
        ("pointwise", "Conv2D"),
        ("alone", "BatchNormalization"),
        ("affine", "Lambda"),
    }
    assert len(heard.warned) == 5
    model = state.model
    assert {"image", "stem", "depthwise", "norm", "pointwise", "scores"} <= {layer.name for layer in model.layers}
    path = int8_file(for_converter(model), tmp_path / "m.tflite", RAW)
    operators = inspect_file(path).operators
    assert "DEQUANTIZE" not in operators
    assert operators["DEPTHWISE_CONV_2D"] == 3  # Rescaling and the BatchNormalization that stands alone became one each
    fake, real = model.predict(inputs(RAW), verbose=0), run(path, inputs(RAW))
    assert np.abs(fake - real).max() < 0.05
    accuracy = (real.argmax(axis=1) == splits().y_validation).mean()
    assert accuracy >= note["epochs"]["val_accuracy"][note["best_epoch"]] - 0.1
    save_quantized(model, tmp_path / "m.h5")
    again = load_quantized(tmp_path / "m.h5")
    np.testing.assert_array_equal(again.predict(inputs(RAW), verbose=0), fake)
    assert int8_file(for_converter(again), tmp_path / "again.tflite", RAW).read_bytes() == path.read_bytes()


def test_preparing_changes_no_output() -> None:
    keras = tf_keras()
    layers = keras.layers
    seed_everything(2)
    norm = layers.Normalization(name="norm")
    norm.adapt(splits().x_train.astype(np.float32))
    inner = keras.Sequential(
        [layers.Input((6, 6, 1)), layers.BatchNormalization(name="norm"), layers.Dropout(0.5), layers.Conv2D(4, 3)],
        name="frozen",
    )
    inputs_ = layers.Input((6, 6, 1))
    x = inner(norm(inputs_), training=False)
    x = layers.SeparableConv2D(5, 3, depth_multiplier=2, activation="relu6", name="separable")(x)
    x = layers.Conv2D(4, 1, activation=layers.LeakyReLU(0.1), name="leaky")(x)
    x = layers.Conv2D(4, 1, activation="relu6", name="six")(x) + 1.0
    model = keras.Model(inputs_, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))
    prepared = prepare(model, inputs(RAW))
    kinds = [type(layer).__name__ for layer in prepared.model.layers]
    assert not {"SeparableConv2D", "Normalization", "Dropout", "Sequential"} & set(kinds)
    assert prepared.model.get_layer("frozen_norm").trainable is False
    changed = {replaced.layer for replaced in prepared.replacements}
    assert {"norm", "frozen", "separable", "leaky", "six"} <= changed
    assert any(name.startswith("tf.__operators__.add") for name in changed)  # Keras numbers these


def test_layers_that_stay_float_in_the_file_are_told_or_refused() -> None:
    keras = tf_keras()
    layers = keras.layers
    inputs_ = layers.Input((6, 6, 1))
    x = layers.Lambda(lambda t: tensorflow().sin(t), name="sine")(layers.Conv2D(2, 3, name="conv")(inputs_))
    model = keras.Model(inputs_, layers.Dense(3, activation="softmax", name="out")(layers.Flatten()(x)))
    with raised("float-in-int8", "sine", "allow_float_layers"):
        quantize(model, frozenset(), context(), config=ONE, allow_float_layers=False)
    heard = Heard()
    _, note = quantize(model, frozenset(), context(heard), config=ONE)
    assert "float-in-int8" in heard.codes
    assert [finding["layer"] for finding in note["preflight"]] == ["sine"]


def test_a_layer_of_the_users_own_stays_float_while_training(tmp_path: Path) -> None:
    layers = tf_keras().layers

    class Gain(layers.Layer):  # type: ignore[misc,name-defined]
        def build(self, shape: Any) -> None:
            self.gain = self.add_weight("gain", shape=shape[-1:], initializer="ones")

        def call(self, x: Any) -> Any:
            return x * self.gain

    inputs_ = layers.Input((6, 6, 1))
    x = Gain(name="mine")(layers.Dense(4, activation="relu", name="hidden")(layers.Flatten()(inputs_)))
    model = tf_keras().Model(inputs_, layers.Dense(3, activation="softmax", name="out")(x))
    heard = Heard()
    made, note = quantize(model, frozenset(), context(heard), config=ONE)
    assert [(f["layer"], f["kind"]) for f in note["preflight"]] == [("mine", "Gain")]
    assert any("mine (Gain): not simulated" in warning for warning in heard.warned)
    assert not np.array_equal(made.get_layer("mine").gain, np.ones(4))  # it was trained
    path = int8_file(for_converter(made), tmp_path / "m.tflite")
    assert "DEQUANTIZE" not in inspect_file(path).operators
    assert np.abs(made.predict(inputs(), verbose=0) - run(path, inputs())).max() < 0.05


@pytest.mark.e2e
def test_rescaling_before_a_clustered_and_sparse_model(tmp_path: Path) -> None:
    traits = frozenset({SPARSE, CLUSTERED})
    layers, before = tf_keras().layers, source(traits)
    inputs_ = layers.Input((6, 6, 1), name="raw")
    model = tf_keras().Model(inputs_, before(layers.Rescaling(1 / 255, name="rescale")(inputs_)))
    state, note = Quantize(epochs=1, batch_size=32).run(ModelState(model, traits), context(preprocessing=RAW))
    assert {f["layer"] for f in note["preflight"]} == {"rescale", before.name}
    path = int8_file(for_converter(state.model), tmp_path / "m.tflite", RAW)
    info = inspect_file(path)
    assert not {"MUL", "ADD", "DEQUANTIZE"} & set(info.operators)
    [dense] = [w for w in info.weights if w.elements == 3072]
    assert (dense.zeros or 0) >= 0.6 * 3072 - 1
    assert (dense.unique or 999) <= 8
    fake = state.model.predict(inputs(RAW), verbose=0)
    assert np.abs(fake - run(path, inputs(RAW))).max() < 0.02


def test_clusters_that_training_will_undo_are_named() -> None:
    layers = tf_keras().layers
    inputs_ = layers.Input((6, 6, 1), name="image")
    x = layers.Conv1D(8, 3, name="conv1d")(layers.Reshape((6, 6))(inputs_))
    x = layers.Dense(3, activation="softmax", name="scores")(layers.Flatten()(x))
    model, heard = tf_keras().Model(inputs_, x), Heard()
    for name in ("conv1d", "scores"):
        layer = model.get_layer(name)
        layer.set_weights([np.where(np.arange(w.size).reshape(w.shape) % 2, 0.1, -0.1) for w in layer.get_weights()])
    quantize(model, frozenset({CLUSTERED}), context(heard), config=ONE)
    assert "conv1d" in heard.warned[heard.codes.index("clusters-lost")]


def test_a_model_of_one_layer(tmp_path: Path) -> None:
    model, note = quantize(single_layer(), frozenset(), context(), config=ONE)
    assert note["preflight"] == []
    operators = inspect_file(int8_file(for_converter(model), tmp_path / "m.tflite")).operators
    assert operators == {"RESHAPE": 1, "FULLY_CONNECTED": 1, "SOFTMAX": 1}


def test_refusals() -> None:
    model = quantized(frozenset())[0].model
    with raised("already-quantized", "quantized already"):
        quantize(model, frozenset(), context(), config=ONE)
    for code, wrong in unfit().items():
        with raised(code):
            quantize(wrong, frozenset(), context(), config=ONE)
    with raised("qat-model-unfit", "not quantized"):
        strip_quantization(dense_network())
    with raised("stage-order", "quantized already"):
        Quantize().follow(frozenset({QUANTIZED}))
    with pytest.raises(InputError, match="epochs"):
        Quantize(epochs=0)
    layers = tf_keras().layers
    inputs_ = layers.Input((6, 6, 1))
    nothing = tf_keras().Model(inputs_, layers.LayerNormalization()(inputs_))
    with raised("qat-model-unfit", "leave `quantize` out"):
        prepare(nothing, inputs()[:2])
