"""Training a classifier: seeded, with a validation split, keeping the best epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgekit.backend import tf_keras
from edgekit.data.dataset import Array
from edgekit.data.split import Splits
from edgekit.errors import InputError
from edgekit.models.augment import Augment, augmentation
from edgekit.preprocessing import Preprocessing
from edgekit.progress import Progress, Task

SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Attributes:
        epochs: passes over the training samples, at least 1.
        batch_size: samples a step.
        learning_rate: of Adam; the starting value when the schedule is `cosine`.
        augment: `none`, `flip` or `flip-crop`.
        schedule: `constant`, or `cosine` down to zero over all epochs (Loshchilov and Hutter 2016).
        seed: of the shuffling and the augmentation.
    """

    epochs: int
    batch_size: int = 64
    learning_rate: float = 1e-3
    augment: str = "none"
    schedule: str = "constant"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise InputError("epochs and batch size must be at least 1")
        if not 0 < self.learning_rate < 100:
            raise InputError(f"learning rate {self.learning_rate}: expected a number above 0")
        if self.schedule not in SCHEDULES:
            raise InputError(f"unknown schedule `{self.schedule}`", f"one of: {', '.join(SCHEDULES)}")


@dataclass(frozen=True)
class History:
    """What happened, epoch by epoch: `loss`, `accuracy`, `val_loss`, `val_accuracy`; and the epoch that was kept."""

    config: TrainConfig
    epochs: dict[str, list[float]]
    best_epoch: int

    @property
    def best_accuracy(self) -> float:
        """Validation accuracy of the kept epoch, of the Keras model."""
        return self.epochs["val_accuracy"][self.best_epoch]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def train(
    model: Any,
    splits: Splits,
    preprocessing: Preprocessing,
    config: TrainConfig,
    progress: Progress,
    *,
    callbacks: Sequence[Any] = (),
    keep_from: int = 0,
) -> History:
    """Train `model` in place with Adam on cross-entropy and leave the weights of its best epoch in it.

    The best epoch has the highest validation accuracy; among equals the lowest validation loss.

    Args:
        model: a tf_keras classifier that ends in a softmax.
        splits: stored samples; training and validation are used.
        preprocessing: applied to every batch, after augmentation.
        config: see `TrainConfig`.
        progress: told of every epoch.
        callbacks: further tf_keras callbacks.
        keep_from: the first epoch (from 0) that may be kept, for schedules that reach their goal late.
    """
    keras = tf_keras()
    batches = _batches(splits, preprocessing, config)
    rate: Any = config.learning_rate
    if config.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, config.epochs * len(batches))
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
    )
    validation = (preprocessing.apply(splits.x_validation), splits.y_validation)
    with progress.task(f"training {model.name}", config.epochs) as task:
        keep = _keep_best(task, min(keep_from, config.epochs - 1))
        fitted = model.fit(
            batches,
            validation_data=validation,
            epochs=config.epochs,
            shuffle=False,
            verbose=0,
            callbacks=[*callbacks, keep],
        )
    model.set_weights(keep.weights)
    epochs = {key: [float(v) for v in values] for key, values in fitted.history.items() if key != "lr"}
    return History(config, epochs, keep.epoch)


def _keep_best(task: Task, keep_from: int) -> Any:
    class KeepBest(tf_keras().callbacks.Callback):  # type: ignore[misc]
        """Remember the weights of the best epoch in memory, and report every epoch."""

        def __init__(self) -> None:
            super().__init__()
            self.best = (-math.inf, -math.inf)
            self.epoch = 0
            self.weights: list[Array] = []

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            logs = logs or {}
            if not math.isfinite(logs["loss"]):
                raise InputError(f"the loss became {logs['loss']} in epoch {epoch + 1}", "lower the learning rate")
            score = (logs["val_accuracy"], -logs["val_loss"])
            if epoch >= keep_from and (score > self.best or not self.weights):
                self.best, self.epoch, self.weights = score, epoch, self.model.get_weights()
            task.advance(f"val accuracy {logs['val_accuracy']:.2%}, best {max(0.0, self.best[0]):.2%}")

    return KeepBest()


def _batches(splits: Splits, preprocessing: Preprocessing, config: TrainConfig) -> Any:
    augment: Augment = augmentation(config.augment, splits.x_train.shape[1:])

    class Batches(tf_keras().utils.Sequence):  # type: ignore[misc]
        """Shuffled, augmented, preprocessed batches; epoch e of seed s is always the same."""

        def __init__(self) -> None:
            self.epoch = 0
            self._shuffle()

        def __len__(self) -> int:
            return math.ceil(len(splits.y_train) / config.batch_size)

        def __getitem__(self, index: int) -> tuple[Array, Array]:
            rows = self.order[index * config.batch_size : (index + 1) * config.batch_size]
            rng = np.random.default_rng((config.seed, self.epoch, index))
            return preprocessing.apply(augment(splits.x_train[rows], rng)), splits.y_train[rows]

        def on_epoch_end(self) -> None:
            self.epoch += 1
            self._shuffle()

        def _shuffle(self) -> None:
            self.order = np.random.default_rng((config.seed, self.epoch)).permutation(len(splits.y_train))

    return Batches()
