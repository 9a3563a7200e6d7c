"""Seven small networks of different kinds, with data that they learn within seconds, for either generation of Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
HELD = 300
"""Test samples, the last ones."""
STEPS, CHANNELS = 20, 4
SIDE = 16


@dataclass(frozen=True)
class Network:
    """One kind of model.

    Attributes:
        build: from a Keras module, `keras` or `tf_keras`, to an untrained model.
        data: its samples and labels: arrays, or named ones for several inputs; None for no labels.
        loss: as Keras calls it.
        epochs: until it has learnt something.
        batch_size: of them.
    """

    build: Callable[[Any], Any]
    data: Callable[[], tuple[Any, Any]]
    loss: str
    epochs: int
    batch_size: int = 32


def cnn(keras: Any) -> Any:
    """Build a convolutional classifier, Sequential, with batch normalization and a softmax."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Conv2D(24, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ],
        name="cnn",
    )


def residual(keras: Any) -> Any:
    """Build a classifier with a shortcut and a depthwise convolution, whose outputs are logits."""
    layers = keras.layers
    image = keras.Input((8, 8, 1), name="image")
    x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(16, 3, padding="same")(image)))
    y = layers.ReLU(6.0)(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x)))
    y = layers.BatchNormalization()(layers.Conv2D(16, 1)(y))
    x = layers.Add()([x, y])
    x = layers.Conv2D(24, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(image, layers.Dense(10)(layers.Flatten()(x)), name="residual")


def table(keras: Any) -> Any:
    """Build a regression on a row of numbers."""
    layers = keras.layers
    row = keras.Input((8,), name="row")
    x = layers.Dense(32, activation="relu")(row)
    x = layers.Dense(32, activation="relu")(x)
    return keras.Model(row, layers.Dense(1, name="price")(x), name="table")


def autoencoder(keras: Any) -> Any:
    """Build an autoencoder with transposed convolutions."""
    layers = keras.layers
    image = keras.Input((8, 8, 1), name="image")
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(image)
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(image, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x), name="autoencoder")


def two(keras: Any) -> Any:
    """Build a classifier of an image and a row of numbers."""
    layers = keras.layers
    image, row = keras.Input((8, 8, 1), name="image"), keras.Input((4,), name="row")
    x = layers.Conv2D(16, 3, activation="relu")(image)
    x = layers.Flatten()(layers.Conv2D(16, 3, activation="relu")(x))
    y = layers.Dense(8, activation="relu")(row)
    x = layers.Dense(32, activation="relu")(layers.Concatenate()([x, y]))
    return keras.Model([image, row], layers.Dense(4, activation="softmax")(x), name="two")


def lstm(keras: Any) -> Any:
    """Build an LSTM that classifies a sequence."""
    layers = keras.layers
    signal = keras.Input((STEPS, CHANNELS), name="signal")
    x = layers.LSTM(16)(signal)
    return keras.Model(signal, layers.Dense(3, activation="softmax")(x), name="lstm")


def segmentation(keras: Any) -> Any:
    """Build a segmentation net: down, up, and a shortcut between."""
    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 1), name="image")
    fine = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(fine)
    x = layers.UpSampling2D(2)(layers.Conv2D(16, 3, padding="same", activation="relu")(x))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.Concatenate()([fine, x]))
    return keras.Model(image, layers.Conv2D(3, 1, activation="softmax")(x), name="segmentation")


def digits() -> tuple[Array, Array]:
    """Return scikit-learn's digits: float32 0 to 1 (n, 8, 8, 1), and their classes."""
    from sklearn.datasets import load_digits

    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    return (found.images[order, ..., np.newaxis] / 16).astype(np.float32), found.target[order].astype(np.int64)


def unlabelled_digits() -> tuple[Array, None]:
    """Return the digits as an autoencoder takes them."""
    return digits()[0], None


def rows() -> tuple[Array, Array]:
    """Return rows of eight numbers and a value that depends on them, neither linearly nor exactly."""
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (2000, 8)).astype(np.float32)
    y = x[:, 0] + np.abs(x[:, 1]) - 0.5 * x[:, 2] * x[:, 3] + 0.05 * rng.normal(0, 1, len(x))
    return x, y.astype(np.float32)


def digits_and_rows() -> tuple[Mapping[str, Array], Array]:
    """Return digits with rows, whose class is both: whether the digit is above 4, and the sign of a sum."""
    image, digit = digits()
    row = np.random.default_rng(2).normal(0, 1, (len(image), 4)).astype(np.float32)
    return {"image": image, "row": row}, 2 * (digit > 4) + (row[:, 0] + row[:, 1] > 0)


def waves() -> tuple[Array, Array]:
    """Return sine waves of three frequencies under noise, float32 (n, steps, channels)."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 3, 1500)
    time, phase = np.arange(STEPS)[:, np.newaxis], rng.uniform(0, 6.28, (len(y), 1, CHANNELS))
    clean = np.sin((0.3 + 0.5 * y)[:, np.newaxis, np.newaxis] * time + phase)
    return (clean + rng.normal(0, 0.3, clean.shape)).astype(np.float32), y


def shapes() -> tuple[Array, Array]:
    """Return a bright square and a dark one on noise, and the class of every pixel: neither, bright or dark."""
    rng = np.random.default_rng(4)
    y = np.zeros((1200, SIDE, SIDE), np.int64)
    for mask in y:
        for label in (1, 2):
            size = rng.integers(4, 8)
            top, left = rng.integers(0, SIDE - size, 2)
            mask[top : top + size, left : left + size] = label
    x = np.array([0.5, 0.8, 0.2])[y] + rng.normal(0, 0.1, y.shape)
    return x[..., np.newaxis].astype(np.float32), y


NETWORKS: dict[str, Network] = {
    "cnn": Network(cnn, digits, "sparse_categorical_crossentropy", 8),
    "residual": Network(residual, digits, "logits", 8),
    "table": Network(table, rows, "mae", 12),
    "autoencoder": Network(autoencoder, unlabelled_digits, "mse", 12),
    "two inputs": Network(two, digits_and_rows, "sparse_categorical_crossentropy", 10),
    "lstm": Network(lstm, waves, "sparse_categorical_crossentropy", 10),
    "segmentation": Network(segmentation, shapes, "sparse_categorical_crossentropy", 5),
}


def train(network: Network, keras: Any) -> Any:
    """Return the trained model of a generation."""
    keras.backend.clear_session()  # layers are numbered from the start again
    keras.utils.set_random_seed(0)
    model = network.build(keras)
    logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), logits if network.loss == "logits" else network.loss)
    x, y = network.data()
    part = {name: array[:-HELD] for name, array in x.items()} if isinstance(x, Mapping) else x[:-HELD]
    given = [part[name] for name in part] if isinstance(part, Mapping) else part
    labels = part if y is None else y[:-HELD]
    model.fit(given, labels, batch_size=network.batch_size, epochs=network.epochs, verbose=0)
    return model


def write_data(network: Network, path: Path) -> None:
    """Write the samples and labels as an `.npz` that `--data` takes."""
    x, y = network.data()
    arrays: dict[str, Any] = {}
    for key, part in (("x", x), ("y", y)):
        named = part if isinstance(part, Mapping) else {"": part} if part is not None else {}
        for name, array in named.items():
            place = f"/{name}" if name else ""
            arrays |= {f"{key}_train{place}": array[:-HELD], f"{key}_test{place}": array[-HELD:]}
    np.savez(path, **arrays)
