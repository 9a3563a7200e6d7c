"""Every layer of the table, with other than default options and with random weights, and whole graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit.models.bridge as bridge_module
from edgekit.backend import keras3, tensorflow, tf_keras
from edgekit.errors import ConversionError
from edgekit.models.bridge import Bridged, bridge
from edgekit.models.bridge_activations import RECIPES, RENAMED, TRACED
from edgekit.models.bridge_layers import AUGMENTATION, LAYERS
from edgekit.progress import Silent

pytestmark = pytest.mark.tensorflow

IMAGE, SERIES = (8, 8, 3), (6, 4)
Layers = Any
Build = Callable[[Layers], Any]


def shaken(model: Any) -> Any:
    """Give a Keras 3 model weights that no initializer makes; variances stay positive."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "float" in str(weight.dtype):
            values = rng.normal(scale=0.5, size=weight.shape)
            weight.assign(np.abs(values) + 0.1 if "variance" in weight.path else values)
    return model


def sequential(shape: tuple[int | None, ...], *layers: Any, dtype: str = "float32") -> Any:
    keras = keras3()
    return shaken(keras.Sequential([keras.Input(shape, dtype=dtype), *layers]))


def called(shapes: list[tuple[int, ...]], call: Callable[..., Any]) -> Any:
    keras = keras3()
    inputs = [keras.Input(shape) for shape in shapes]
    return shaken(keras.Model(inputs if len(inputs) > 1 else inputs[0], call(*inputs)))


def reloaded(model: Any, path: Path) -> Any:
    model.save(path, save_format="keras")
    return tf_keras().models.load_model(path, compile=False)


def outputs(model: Any, like: Any, *, seed: int = 3) -> list[Any]:
    """Run a model of either kind on random inputs of the Keras 2 model `like`."""
    rng, nest = np.random.default_rng(seed), tensorflow().nest
    flat = [rng.integers(0, 5, [2, *t.shape[1:]]).astype(t.dtype.as_numpy_dtype) for t in like.inputs]
    return [np.asarray(y) for y in nest.flatten(model(nest.pack_sequence_as(like.input, flat), training=False))]


def check(source: Any, tmp_path: Path) -> Bridged:
    """Bridge a model; compare it, and what a saved copy gives, with inputs other than the bridge's own."""
    bridged = bridge(source, Silent())
    assert bridged.proof.samples >= 2
    assert bridged.proof.max_abs_diff <= bridged.proof.tolerance
    assert bridged.model.name == source.name
    copy = reloaded(bridged.model, tmp_path / "copy.keras")
    wanted, got, again = (outputs(model, bridged.model) for model in (source, bridged.model, copy))
    for x, y, z in zip(wanted, got, again, strict=True):
        np.testing.assert_allclose(y, x, atol=1e-5 * max(1.0, float(np.abs(x).max())))
        np.testing.assert_array_equal(y, z)
    return bridged


def one(shape: tuple[int, ...], make: Build) -> Callable[[], Any]:
    return lambda: sequential(shape, make(keras3().layers))


def chain(shape: tuple[int, ...], make: Callable[[Layers], list[Any]], dtype: str = "float32") -> Callable[[], Any]:
    return lambda: sequential(shape, *make(keras3().layers), dtype=dtype)


def merge(kind: str, **options: Any) -> Callable[[], Any]:
    return lambda: called([(4, 5), (4, 5)], lambda a, b: getattr(keras3().layers, kind)(**options)([a, b]))


def adapted(keras: Any) -> Any:
    layer = keras.layers.Normalization(axis=-1)
    layer.adapt(np.random.default_rng(1).normal(3, 2, (20, *IMAGE)))
    return layer


MASKED: Callable[[Layers], list[Any]] = lambda L: [L.Embedding(11, 4, mask_zero=True), L.LSTM(3)]  # noqa: E731

CASES: dict[str, list[Callable[[], Any]]] = {
    "Dense": [
        one((5,), lambda L: L.Dense(4, "silu", kernel_regularizer=keras3().regularizers.L1L2(0.1, 0.2))),
        one((5,), lambda L: L.Dense(4, activation=L.LeakyReLU(0.3), use_bias=False, kernel_constraint="max_norm")),
        chain((5,), lambda L: [L.Dense(4)], dtype="int32"),
    ],
    "EinsumDense": [one(SERIES, lambda L: L.EinsumDense("abc,cd->abd", output_shape=(None, 5), bias_axes="d"))],
    "Embedding": [
        chain((7,), MASKED, dtype="int32"),
        chain((7,), lambda L: [L.Embedding(11, 4)]),
    ],
    "Conv1D": [one(SERIES, lambda L: L.Conv1D(5, 3, 2, padding="causal", activation="relu"))],
    "Conv2D": [
        one(IMAGE, lambda L: L.Conv2D(4, (3, 2), (2, 1), padding="same", kernel_initializer="he_normal")),
        one(IMAGE, lambda L: L.Conv2D(6, 3, dilation_rate=2, groups=3, use_bias=False, activation="relu6")),
    ],
    "Conv3D": [one((5, 5, 5, 2), lambda L: L.Conv3D(3, 2))],
    "Conv1DTranspose": [one(SERIES, lambda L: L.Conv1DTranspose(5, 3, 2, padding="same"))],
    "Conv2DTranspose": [
        one(IMAGE, lambda L: L.Conv2DTranspose(5, 4, 3, activation="tanh")),
        one(IMAGE, lambda L: L.Conv2DTranspose(5, 3, 2, padding="same", output_padding=0)),
    ],
    "Conv3DTranspose": [one((3, 3, 3, 2), lambda L: L.Conv3DTranspose(3, 2, 2))],
    "DepthwiseConv1D": [one(SERIES, lambda L: L.DepthwiseConv1D(3, depth_multiplier=2))],
    "DepthwiseConv2D": [one(IMAGE, lambda L: L.DepthwiseConv2D(3, 2, padding="same", depth_multiplier=2))],
    "SeparableConv1D": [one(SERIES, lambda L: L.SeparableConv1D(5, 3, depth_multiplier=2, padding="same"))],
    "SeparableConv2D": [one(IMAGE, lambda L: L.SeparableConv2D(5, 3, 2, padding="same", depth_multiplier=2))],
    "MaxPooling1D": [one(SERIES, lambda L: L.MaxPooling1D(3, 1, padding="same"))],
    "MaxPooling2D": [one(IMAGE, lambda L: L.MaxPooling2D((3, 2), 2, padding="same"))],
    "MaxPooling3D": [one((4, 4, 4, 2), lambda L: L.MaxPooling3D(2))],
    "AveragePooling1D": [one(SERIES, lambda L: L.AveragePooling1D(4, 3, padding="same"))],
    "AveragePooling2D": [one(IMAGE, lambda L: L.AveragePooling2D((3, 2), 2, padding="same"))],
    "AveragePooling3D": [one((4, 4, 4, 2), lambda L: L.AveragePooling3D(2))],
    "GlobalMaxPooling1D": [one(SERIES, lambda L: L.GlobalMaxPooling1D(keepdims=True))],
    "GlobalMaxPooling2D": [one(IMAGE, lambda L: L.GlobalMaxPooling2D())],
    "GlobalMaxPooling3D": [one((4, 4, 4, 2), lambda L: L.GlobalMaxPooling3D())],
    "GlobalAveragePooling1D": [one(SERIES, lambda L: L.GlobalAveragePooling1D())],
    "GlobalAveragePooling2D": [one(IMAGE, lambda L: L.GlobalAveragePooling2D(keepdims=True))],
    "GlobalAveragePooling3D": [one((4, 4, 4, 2), lambda L: L.GlobalAveragePooling3D())],
    "BatchNormalization": [
        one(IMAGE, lambda L: L.BatchNormalization(epsilon=0.02, momentum=0.9)),
        one(IMAGE, lambda L: L.BatchNormalization(scale=False, axis=1, synchronized=True)),
        one(IMAGE, lambda L: L.BatchNormalization(center=False, trainable=False)),
    ],
    "LayerNormalization": [one(IMAGE, lambda L: L.LayerNormalization(axis=[1, 2], epsilon=0.01, center=False))],
    "GroupNormalization": [one((8, 8, 6), lambda L: L.GroupNormalization(3, epsilon=0.01))],
    "UnitNormalization": [one(IMAGE, lambda L: L.UnitNormalization(axis=1))],
    "Normalization": [
        one(IMAGE, lambda L: adapted(keras3())),
        one(IMAGE, lambda L: L.Normalization(mean=2.0, variance=3.0, axis=None, invert=True)),
        one((2, 3), lambda L: L.Normalization(axis=(1, 2), mean=np.ones((2, 3)), variance=np.full((2, 3), 4.0))),
    ],
    "Activation": [one((5,), lambda L: L.Activation("gelu")), chain((5,), lambda L: [L.Activation("linear")])],
    "ReLU": [one((5,), lambda L: L.ReLU(max_value=3.0, negative_slope=0.1, threshold=0.5))],
    "LeakyReLU": [one((5,), lambda L: L.LeakyReLU(negative_slope=0.17))],
    "PReLU": [one(IMAGE, lambda L: L.PReLU(shared_axes=[1, 2]))],
    "ELU": [one((5,), lambda L: L.ELU(0.4))],
    "Softmax": [one(SERIES, lambda L: L.Softmax(axis=1))],
    "Dropout": [chain(SERIES, lambda L: [L.Dropout(0.5, noise_shape=(None, 1, 4), seed=3), L.Dense(2)])],
    "SpatialDropout1D": [one(SERIES, lambda L: L.SpatialDropout1D(0.3))],
    "SpatialDropout2D": [one(IMAGE, lambda L: L.SpatialDropout2D(0.3))],
    "SpatialDropout3D": [one((3, 3, 3, 2), lambda L: L.SpatialDropout3D(0.3))],
    "GaussianNoise": [one(SERIES, lambda L: L.GaussianNoise(0.3))],
    "GaussianDropout": [one(SERIES, lambda L: L.GaussianDropout(0.3))],
    "AlphaDropout": [one(SERIES, lambda L: L.AlphaDropout(0.3, seed=1))],
    "ActivityRegularization": [one(SERIES, lambda L: L.ActivityRegularization(0.1, 0.2))],
    "Identity": [one(SERIES, lambda L: L.Identity())],
    "Masking": [chain(SERIES, lambda L: [L.Masking(0.0), L.GRU(3)])],
    "Flatten": [one(IMAGE, lambda L: L.Flatten())],
    "Reshape": [one(SERIES, lambda L: L.Reshape((2, -1, 3)))],
    "Permute": [one(IMAGE, lambda L: L.Permute((3, 1, 2)))],
    "RepeatVector": [one((5,), lambda L: L.RepeatVector(3))],
    "ZeroPadding1D": [one(SERIES, lambda L: L.ZeroPadding1D((1, 2)))],
    "ZeroPadding2D": [one(IMAGE, lambda L: L.ZeroPadding2D(((1, 2), (3, 0))))],
    "ZeroPadding3D": [one((3, 3, 3, 2), lambda L: L.ZeroPadding3D((1, 2, 0)))],
    "Cropping1D": [one(SERIES, lambda L: L.Cropping1D((1, 2)))],
    "Cropping2D": [one(IMAGE, lambda L: L.Cropping2D(((1, 2), (3, 0))))],
    "Cropping3D": [one((4, 4, 4, 2), lambda L: L.Cropping3D(1))],
    "UpSampling1D": [one(SERIES, lambda L: L.UpSampling1D(3))],
    "UpSampling2D": [one(IMAGE, lambda L: L.UpSampling2D((2, 3), interpolation="bilinear"))],
    "UpSampling3D": [one((3, 3, 3, 2), lambda L: L.UpSampling3D((1, 2, 2)))],
    **{kind: [merge(kind)] for kind in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")},
    "Concatenate": [merge("Concatenate", axis=1)],
    "Dot": [merge("Dot", axes=2, normalize=True)],
    "Rescaling": [one(IMAGE, lambda L: L.Rescaling([1 / 255, 2 / 255, 3 / 255], offset=[-1, 0, 1]))],
    "CenterCrop": [one(IMAGE, lambda L: L.CenterCrop(5, 4))],
    "Resizing": [
        one(IMAGE, lambda L: L.Resizing(5, 11, interpolation="nearest")),
        one(IMAGE, lambda L: L.Resizing(5, 11, crop_to_aspect_ratio=True)),
    ],
    "LSTM": [one(SERIES, lambda L: L.LSTM(3, "relu", go_backwards=True, use_bias=False, recurrent_dropout=0.1))],
    "GRU": [one(SERIES, lambda L: L.GRU(3, reset_after=False, return_sequences=True, dropout=0.2))],
    "SimpleRNN": [one(SERIES, lambda L: L.SimpleRNN(3, "sigmoid", unroll=True))],
    "Bidirectional": [
        one(SERIES, lambda L: L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode="sum")),
        one(SERIES, lambda L: L.Bidirectional(L.SimpleRNN(2), backward_layer=L.LSTM(2, go_backwards=True))),
    ],
    "TimeDistributed": [
        one((4, 6, 6, 2), lambda L: L.TimeDistributed(L.Conv2D(3, 3, activation="tanh"))),
        one(SERIES, lambda L: L.TimeDistributed(keras3().Sequential([L.Dense(4), L.BatchNormalization()]))),
    ],
    "Attention": [merge("Attention", use_scale=True, score_mode="concat")],
    "AdditiveAttention": [merge("AdditiveAttention")],
    "MultiHeadAttention": [
        lambda: called([(4, 5), (6, 5)], lambda a, b: keras3().layers.MultiHeadAttention(2, 3, output_shape=4)(a, b))
    ],
    "Lambda": [one((4,), lambda L: L.Lambda(lambda x, by: x * by, arguments={"by": 3.0}))],
}


def test_every_layer_of_the_table_has_a_case() -> None:
    assert set(CASES) == set(LAYERS)


@pytest.mark.parametrize("kind", CASES)
def test_a_layer(kind: str, tmp_path: Path) -> None:
    for build in CASES[kind]:
        source = build()
        # Keras 2 would refuse the saved copy of a Lambda
        bridged = bridge(source, Silent()) if kind == "Lambda" else check(source, tmp_path)
        names = {type(layer).__name__ for layer in bridged.model.layers}
        assert kind in names
        assert {layer.name for layer in source.layers} <= {layer.name for layer in bridged.model.layers}


@pytest.mark.parametrize("group", [RENAMED, RECIPES, TRACED], ids=["renamed", "recipes", "traced"])
def test_activations(group: Iterable[str], tmp_path: Path) -> None:
    """Alone, after a layer, and in a layer that is called twice."""
    layers, names = keras3().layers, sorted(group)

    def call(x: Any) -> list[Any]:
        dense = {name: layers.Dense(6, activation=name, name=f"dense_{name}") for name in names}
        alone = [layers.Activation(name, name=f"alone_{name}")(x) for name in names]
        return (
            alone + [dense[name](x) for name in names] + [dense[name](layers.Activation("tanh")(x)) for name in names]
        )

    bridged = check(called([(4,)], call), tmp_path)
    made = [layer.name for layer in bridged.model.layers]
    assert {f"{how}_{name}" for how in ("alone", "dense") for name in names} <= set(made)
    assert len(set(made)) == len(made)


def test_every_named_activation_of_keras_3_is_covered() -> None:
    names = {n for n in dir(keras3().activations) if not n.startswith("_")} - {"get", "serialize", "deserialize"}
    assert names - {"threshold"} == {*RENAMED, *RECIPES, *TRACED}  # `threshold` cannot be used by name


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


def test_all_left_out_layers_do_nothing_at_inference() -> None:
    layers = keras3().layers
    x = np.random.default_rng(0).random((2, 8, 8, 3)).astype(np.float32)
    options: dict[str, tuple[Any, ...]] = {
        **dict.fromkeys(("RandomElasticTransform", "RandomInvert", "RandomPerspective", "RandomErasing"), ()),
        **dict.fromkeys(("RandomFlip", "RandomGaussianBlur", "AugMix", "CutMix", "MixUp", "RandAugment"), ()),
        **{"RandomColorJitter": (), "RandomPosterization": (4,), "RandomTranslation": (0.1, 0.1)},
    }
    for kind in sorted(AUGMENTATION):
        if hasattr(layers, kind):
            layer = getattr(layers, kind)(*options.get(kind, (0.2,)))
            np.testing.assert_array_equal(np.asarray(layer(x, training=False)), x, err_msg=kind)


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


def refused(source: Any) -> str:
    with pytest.raises(ConversionError) as caught:
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
        "argmax (Argmax)",
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

    assert "subclassed" in refused(Mine())
    assert "never built" in refused(keras.Sequential([keras.layers.Dense(2)]))
    inner = Mine(name="inner")
    assert "inner (Mine)" in refused(called([(4,)], lambda x: inner(keras.layers.Dense(4)(x))))


def test_wrong_weights_are_noticed_and_the_first_layer_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def swapped(source: Any, target: Any) -> None:
        values = source.get_weights()
        if source.name == "bn":
            values[0], values[1] = values[1], values[0]
        target.set_weights(values)

    monkeypatch.setattr(bridge_module, "copy_weights", swapped)
    message = refused(residual())
    assert "layer bn (BatchNormalization) is the first to differ, by " in message
    keras = keras3()
    inner = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(name="bn")], name="inner")
    message = refused(called([(4,)], lambda x: keras.layers.Dense(2)(inner(keras.layers.Dense(4)(x)))))
    assert "in inner, layer bn (BatchNormalization) is the first to differ" in message


def test_a_difference_that_the_output_hides_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def scaled(source: Any, target: Any) -> None:
        target.set_weights([values * 1.01 for values in source.get_weights()])

    layers = keras3().layers
    source = sequential((4,), layers.Dense(4, name="hidden"), layers.Dense(2))
    source.layers[1].set_weights([np.zeros((4, 2)), np.zeros(2)])
    monkeypatch.setattr(bridge_module, "copy_weights", scaled)
    assert "layer hidden (Dense) is the first to differ" in refused(source)


def test_weights_that_do_not_fit_name_their_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge_module, "copy_weights", lambda source, target: target.set_weights([]))
    assert "the weights of bn (BatchNormalization) do not fit" in refused(
        sequential((4,), keras3().layers.BatchNormalization(name="bn"))
    )


def test_a_model_of_nan_proves_nothing() -> None:
    source = sequential((4,), keras3().layers.Dense(2))
    source.set_weights([np.full((4, 2), np.nan), np.zeros(2)])
    assert "no finite output" in refused(source)


def test_a_model_that_cannot_be_run_is_explained() -> None:
    layers = keras3().layers
    source = sequential((None, 4), layers.Reshape((5, 4)), layers.Flatten(), layers.Dense(2))
    assert "cannot be run on this machine with random inputs of shape (4, 96, 4)" in refused(source)
