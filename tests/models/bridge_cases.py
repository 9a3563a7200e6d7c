"""A Keras 3 model or more for every line of the bridge's table, and how a bridged model is checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.frameworks.tensorflow import keras3, tensorflow, tf_keras
from edgekit.models.bridge.forward import Bridged, bridge
from edgekit.progress import Silent

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


def conv_lstm(dimensions: int) -> Callable[[], Any]:
    """One that returns sequences; it reads two images of 5 pixels along every axis."""
    shape = (2, *[5] * dimensions, 2)
    return one(shape, lambda L: getattr(L, f"ConvLSTM{dimensions}D")(2, 3, return_sequences=True, padding="same"))


def cell(kind: str) -> Build:
    return lambda L: L.RNN(getattr(L, kind)(3, dropout=0.1))


def convnext() -> Any:
    """Return the module with the layers of ConvNeXt."""
    keras3()
    from keras.src.applications import convnext as module

    return module


def kinds(model: Any) -> set[str]:
    """Return the class names of a model's layers, and of the cells inside them."""
    cells = [cell for layer in model.layers if (cell := getattr(layer, "cell", None)) is not None]
    cells += [inner for cell in cells for inner in getattr(cell, "cells", ())]
    return {type(layer).__name__ for layer in [*model.layers, *cells]}


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
    **{f"ConvLSTM{n}D": [conv_lstm(n)] for n in (1, 2, 3)},
    **{kind: [one(SERIES, cell(kind))] for kind in ("LSTMCell", "GRUCell", "SimpleRNNCell")},
    "StackedRNNCells": [one(SERIES, lambda L: L.RNN(L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(2)])))],
    "RNN": [one(SERIES, lambda L: L.RNN([L.LSTMCell(3), L.GRUCell(2)], return_sequences=True, go_backwards=True))],
    "LayerScale": [one(IMAGE, lambda L: convnext().LayerScale(0.1, 3))],
    "StochasticDepth": [one(IMAGE, lambda L: convnext().StochasticDepth(0.3))],
    "Lambda": [one((4,), lambda L: L.Lambda(lambda x, by: x * by, arguments={"by": 3.0}))],
}
