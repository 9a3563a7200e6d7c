"""How models want to be fed, found by trial: 5 ways of feeding x 5 tasks, models trained here in seconds.

    python -m benchmarks.trial

The images are made by code: a rectangle in one of three colours on noise. Prints for each model how it was trained,
what the trial chose, whether that is right, and the seconds it took beside loading. `same` is another way that feeds
nearly the same.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SIDE, TRAIN, TEST = 16, 1500, 300
SEED = 7
Maker = Callable[[Any], Any]


def pictures(count: int, rng: np.random.Generator) -> tuple[Any, Any, Any, Any]:
    """Return bytes (n, 16, 16, 3), the colour's number, the position of the left edge, and the mask."""
    x = rng.integers(0, 110, (count, SIDE, SIDE, 3))
    colour, left, top = rng.integers(0, 3, count), rng.integers(0, 9, count), rng.integers(0, 9, count)
    mask = np.zeros((count, SIDE, SIDE), np.int64)
    for k in range(count):
        area = (k, slice(top[k], top[k] + 6), slice(left[k], left[k] + 6))
        mask[area] = 1
        x[area] += rng.integers(0, 40, (6, 6, 3))
        x[(*area, colour[k])] += 60
    return x.clip(0, 255).astype(np.uint8), colour, left, mask


def ways(x: Any) -> dict[str, Any]:
    """Return the five ways of feeding."""
    from edgekit.tasks.preprocessing import Preprocessing

    mean, std = x.mean((0, 1, 2)) / 255, x.std((0, 1, 2)) / 255
    return {
        "x": Preprocessing(),
        "x / 255": Preprocessing(1 / 255),
        "x / 127.5 - 1": Preprocessing(1 / 127.5, (1.0,)),
        "standardised": Preprocessing(1 / 255, tuple(mean.tolist()), tuple(std.tolist())),
        "caffe (BGR)": Preprocessing(1.0, (123.68, 116.779, 103.939), channels="BGR"),
    }


def networks(keras: Any) -> dict[str, tuple[Maker, str]]:
    """Return for each task the layers behind the features, and the loss."""
    layers = keras.layers

    def flat(units: int, activation: str | None) -> Maker:
        return lambda h: layers.Dense(units, activation=activation)(layers.Flatten()(layers.MaxPooling2D()(h)))

    def wide(units: int, activation: str | None) -> Maker:
        return lambda h: layers.Conv2D(units, 3, padding="same", activation=activation)(
            layers.UpSampling2D()(layers.Conv2D(16, 3, padding="same", activation="relu")(h))
        )

    return {
        "classification": (flat(3, "softmax"), "sparse_categorical_crossentropy"),
        "binary": (flat(1, None), "logits"),
        "regression": (flat(1, None), "mse"),
        "segmentation": (wide(2, "softmax"), "sparse_categorical_crossentropy"),
        "autoencoder": (wide(3, None), "mse"),
    }


def train(keras: Any, make: Maker, loss: Any, x: Any, y: Any, epochs: int) -> Any:
    """Train a small network on inputs as they are fed."""
    keras.utils.set_random_seed(SEED)
    inputs = h = keras.Input((SIDE, SIDE, 3))
    for filters, stride in ((12, 1), (16, 2)):
        h = keras.layers.Conv2D(filters, 3, strides=stride, padding="same")(h)
        h = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(h))
    model = keras.Model(inputs, make(h))
    loss = keras.losses.BinaryCrossentropy(from_logits=True) if loss == "logits" else loss
    model.compile(keras.optimizers.Adam(3e-3), loss)
    model.fit(x, y, epochs=epochs, batch_size=64, verbose=0)
    return model


def main() -> int:
    """Train, try, print; return how many choices were wrong and not said."""
    from edgekit.bundle.recipe import Recipe
    from edgekit.errors import ChanceError
    from edgekit.frameworks.tensorflow import tf_keras
    from edgekit.pipeline.matching import match
    from edgekit.pipeline.preprocessing import settle_preprocessing
    from edgekit.pipeline.request import Request

    keras = tf_keras()
    x, colour, left, mask = pictures(TRAIN + TEST, np.random.default_rng(SEED))
    labels = {"classification": colour, "binary": (colour == 0).astype(np.int64), "regression": left.astype(np.float32)}
    labels["segmentation"] = mask
    rows: list[tuple[str, ...]] = []
    counts = {"right": 0, "same": 0, "stopped": 0, "wrong": 0}
    slowest = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for task, (make, loss) in networks(keras).items():
            y = labels.get(task)
            arrays = {"x_train": x[:TRAIN], "x_test": x[TRAIN:]}
            arrays |= {} if y is None else {"y_train": y[:TRAIN], "y_test": y[TRAIN:]}
            np.savez(folder / f"{task}.npz", **arrays)
            for way, how in ways(x[:TRAIN]).items():
                fed = how.apply(x[:TRAIN])
                epochs = 25 if task in ("regression", "autoencoder") else 8
                model = train(keras, make, loss, fed, fed if y is None else y[:TRAIN], epochs)
                path = folder / f"{task}.keras"
                model.save(path)
                recipe = Recipe("int8")
                lines = Lines()
                job = match(Request(path, str(folder / f"{task}.npz"), recipe, folder / "out", progress=lines))
                lines.text = ""
                started, worked = time.monotonic(), time.process_time()
                try:
                    chosen = settle_preprocessing(job)[0].preprocessing
                    verdict = judge(how, chosen, x[:200])
                    shown = str(chosen)
                except ChanceError:
                    shown, verdict = "-", "stopped"
                seconds, worked = time.monotonic() - started, time.process_time() - worked
                slowest = max(slowest, seconds)
                counts[verdict] += 1
                rows.append(
                    (task, way, shown, verdict, f"{seconds:.2f} ({worked:.2f} CPU)", lines.text.partition(": ")[2])
                )
                print(" | ".join(rows[-1]), flush=True)
    total = sum(counts.values())
    print(f"\nright {counts['right']}, same {counts['same']} of {total}; stopped {counts['stopped']}, ", end="")
    print(f"wrong {counts['wrong']}; slowest trial {slowest:.2f} s")
    return counts["wrong"]


def judge(wanted: Any, chosen: Any, x: Any) -> str:
    """Compare what the two feed, in units of the spread of what is right."""
    a, b = wanted.apply(x), chosen.apply(x)
    distance = float(np.abs(a - b).mean() / a.std())
    if distance < 0.01:
        return "right"
    return "same" if distance < 0.1 else "wrong"


class Lines:
    """A `Progress` that keeps what is said."""

    def __init__(self) -> None:
        self.text = ""

    def notify(self, message: str) -> None:
        """Keep a step."""
        self.text = message

    def warn(self, message: str, code: str = "") -> None:
        """Keep a doubt."""
        self.text = message

    def task(self, label: str, total: int) -> Any:
        """Count nothing."""
        from edgekit.progress import SILENT

        return SILENT.task(label, total)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
