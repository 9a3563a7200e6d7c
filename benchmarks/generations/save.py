"""Save six small networks with whatever Keras is installed: `python save.py FOLDER`.

Runs in environments of its own, from TensorFlow 2.12 on, so it imports nothing of edgekit. Every network is trained on
samples that are made here, and written as `NAME.h5`, `NAME.keras`, the SavedModel `NAME`, and `NAME.npz`: its inputs
`x0`, `x1`, labels `y`, and `outputs` for the test part. What this Keras cannot save stands in `failures.json`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np

TRAINING, TEST = 600, 300
"""Samples of each part, in this order."""
EPOCHS, BATCH = 40, 32
CLASSES = 4
FAILURES = "failures.json"
"""What the installed Keras could not save, and why."""


def cnn(keras: Any) -> Any:
    """Build a Sequential model without an Input layer, with batch normalization and dropout."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False, input_shape=(12, 12, 3)),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(CLASSES, activation="softmax"),
        ],
        name="cnn",
    )


def residual(keras: Any) -> Any:
    """Build a functional model with a shortcut and a shared layer."""
    layers = keras.layers
    image = keras.Input((12, 12, 3), name="image")
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    shared = layers.Conv2D(8, 3, padding="same", name="shared")
    y = layers.BatchNormalization()(shared(x))
    x = layers.Add()([x, layers.Activation("relu")(y)])
    x = layers.Concatenate()([shared(x), x])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax")(x), name="residual")


def mobile(keras: Any) -> Any:
    """Build depthwise and separable convolutions with relu6."""
    layers = keras.layers
    image = keras.Input((12, 12, 3))
    x = layers.ZeroPadding2D(1)(image)
    x = layers.Conv2D(6, 3, strides=2, use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)
    x = layers.ReLU(6.0)(x)
    x = layers.SeparableConv2D(8, 3, padding="same", activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax")(x), name="mobile")


def nested(keras: Any) -> Any:
    """Build a backbone in a model that rescales its bytes."""
    layers = keras.layers
    inside = keras.Input((12, 12, 3))
    x = layers.Conv2D(6, 3, activation="relu")(inside)
    x = layers.BatchNormalization()(x)
    backbone = keras.Model(inside, layers.GlobalMaxPooling2D()(x), name="backbone")
    head = keras.Sequential([layers.Dense(8, activation="tanh"), layers.Dense(CLASSES, activation="softmax")])
    image = keras.Input((12, 12, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    return keras.Model(image, head(backbone(x)), name="nested")


def two(keras: Any) -> Any:
    """Build a model of an image and a row of numbers."""
    layers = keras.layers
    image, row = keras.Input((12, 12, 3), name="image"), keras.Input((5,), name="row")
    x = layers.Flatten()(layers.AveragePooling2D(2)(layers.Conv2D(4, 3, activation="elu")(image)))
    y = layers.Dense(6, activation="sigmoid")(row)
    joined = layers.Concatenate()([x, y])
    return keras.Model([image, row], layers.Dense(CLASSES, activation="softmax")(joined), name="two")


def recurrent(keras: Any) -> Any:
    """Build an LSTM, read forwards and backwards, and a GRU."""
    layers = keras.layers
    signal = keras.Input((10, 4))
    x = layers.Bidirectional(layers.LSTM(5, return_sequences=True))(signal)
    x = layers.GRU(6)(x)
    return keras.Model(signal, layers.Dense(CLASSES, activation="softmax")(x), name="recurrent")


NETWORKS = {build.__name__: build for build in (cnn, residual, mobile, nested, two, recurrent)}


def samples_of(model: Any) -> tuple[list[Any], Any]:
    """Return seeded inputs for a model, (n, ...) each, and their classes, (n,).

    A class is a brighter quarter of an image and its tint, the mean of a row, the frequency of a signal, in noise that
    hides some.
    Images are 0 to 1, or 0 to 255 where the model rescales them.
    """
    rng = np.random.default_rng(11)
    y = np.arange(TRAINING + TEST) % CLASSES
    inputs = []
    for shape in (tuple(tensor.shape[1:]) for tensor in model.inputs):
        x = rng.random((len(y), *shape))
        if len(shape) == 3:
            for sample, label in zip(x, y, strict=True):
                row, column = 6 * (label // 2), 6 * (label % 2)
                sample[row : row + 6, column : column + 6] += rng.uniform(0, 0.4)
                sample[..., :2] += 0.15 * (label % 2), 0.15 * (label // 2)
            x = np.clip(x / 1.4, 0, 1) * (255 if model.name == "nested" else 1)
        elif len(shape) == 2:
            time = np.arange(shape[0])[None, :, None]
            x += 0.5 * np.sin(time * (0.4 + 0.3 * y[:, None, None]) + 6 * rng.random((len(y), 1, 1)))
        else:
            x += 0.15 * y[:, None]
        inputs.append(x.astype(np.float32))
    return inputs, y.astype(np.int64)


def save(model: Any, folder: Path, *, keras_2: bool) -> dict[str, str]:
    """Write a model in the three formats, and return why files could not be written."""
    path = folder / f"{model.name}.keras"
    model.save(str(path))
    if not zipfile.is_zipfile(path):  # TensorFlow 2.12 writes HDF5 under this name unless it is asked
        path.rename(folder / f"{model.name}-hdf5.keras")
        model.save(str(path), save_format="keras_v3")
    if keras_2:
        model.save(str(folder / model.name), save_format="tf")
    else:
        model.export(str(folder / model.name))
    path = folder / f"{model.name}.h5"
    try:
        model.save(str(path))
    except ValueError as error:  # Keras 3.0 gives two datasets one name in a nested model
        path.unlink()
        return {path.name: str(error)}
    return {}


def main(folder: Path) -> None:
    """Train and save every network."""
    keras = importlib.import_module("tf_keras" if os.environ.get("TF_USE_LEGACY_KERAS") else "keras")
    keras_2 = keras.__version__.startswith("2")
    folder.mkdir(parents=True, exist_ok=True)
    failures: dict[str, str] = {}
    for build in NETWORKS.values():
        keras.utils.set_random_seed(3)
        model = build(keras)
        model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
        x, y = samples_of(model)
        train, test = ([part[chosen] for part in x] for chosen in (slice(TRAINING), slice(TRAINING, None)))
        model.fit(train if len(x) > 1 else train[0], y[:TRAINING], batch_size=BATCH, epochs=EPOCHS, verbose=0)
        outputs = model.predict(test if len(x) > 1 else test[0], verbose=0)
        print(f"{model.name}: {(outputs.argmax(-1) == y[TRAINING:]).mean():.1%} of {TEST}")
        np.savez(folder / f"{model.name}.npz", y=y, outputs=outputs, **{f"x{i}": part for i, part in enumerate(x)})
        failures |= save(model, folder, keras_2=keras_2)
    (folder / FAILURES).write_text(json.dumps(failures))
    versions = f"TensorFlow {importlib.metadata.version('tensorflow')}, Keras {keras.__version__}"
    print(f"{versions}: {len(NETWORKS)} networks in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
