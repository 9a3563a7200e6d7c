"""Training: seeded, with a validation split, keeping the best epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from edgekit.data.split import Splits
from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.frameworks.types import KerasModel, KerasObject, Tensors
from edgekit.models.training.augment import AUGMENTATIONS, Augment, augmentation
from edgekit.models.training.checkpoint import Checkpoint, Finished
from edgekit.models.training.computing import trainable
from edgekit.models.training.targets import Labels, Targets
from edgekit.progress import Progress, ProgressTask
from edgekit.schema.types import JsonObject
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import ModelInputs, NamedArrays

FOLLOWED = ("loss", "accuracy", "val_loss", "val_accuracy")
MOST_EPOCHS, LARGEST_BATCH = 1_000_000, 2**20
SCHEDULES = ("constant", "cosine")
ADAM, SGD = "adam", "sgd"
OPTIMIZERS = (ADAM, SGD)
MOMENTUM = 0.9
"""Of SGD, with Nesterov's look ahead."""


def _invalid(option: str, expected: str) -> InputError:
    return InputError(f"{option}: {expected}", "change the option, or leave it out", code="training-option-invalid")


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Attributes:
        epochs: passes over the training samples, at least 1.
        batch_size: samples a step.
        learning_rate: of the optimizer; the starting value when the schedule is `cosine`.
        augment: `none`, `flip`, `crop` (shifts by up to 4 pixels) or `flip-crop`.
        schedule: `constant`, or `cosine` down to zero over all epochs (Loshchilov and Hutter 2016).
        seed: of the shuffling and the augmentation.
        optimizer: `adam` (Kingma and Ba 2014), or `sgd` with Nesterov momentum.
        weight_decay: by which part of itself, times the learning rate, every kernel shrinks a step: apart from the
            gradients (Loshchilov and Hutter 2017, arXiv 1711.05101). Biases and normalization are left out.
    """

    epochs: int
    batch_size: int = 64
    learning_rate: float = 1e-3
    augment: str = "none"
    schedule: str = "constant"
    seed: int = 0
    optimizer: str = ADAM
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        if not (1 <= self.epochs <= MOST_EPOCHS and 1 <= self.batch_size <= LARGEST_BATCH):
            raise _invalid(
                f"`epochs={self.epochs}`, `batch_size={self.batch_size}`",
                f"expected 1 to {MOST_EPOCHS:,} epochs and a batch of 1 to {LARGEST_BATCH:,} samples",
            )
        if not 0 < self.learning_rate < 100:
            raise _invalid(f"`learning_rate={self.learning_rate}`", "expected a number above 0")
        if self.augment not in AUGMENTATIONS:
            raise _invalid(f"`augment={self.augment}`", f"expected one of {', '.join(AUGMENTATIONS)}")
        if self.schedule not in SCHEDULES:
            raise _invalid(f"`schedule={self.schedule}`", f"expected one of {', '.join(SCHEDULES)}")
        if self.optimizer not in OPTIMIZERS:
            raise _invalid(f"`optimizer={self.optimizer}`", f"expected one of {', '.join(OPTIMIZERS)}")
        if not 0 <= self.weight_decay < 1:
            raise _invalid(f"`weight_decay={self.weight_decay}`", "expected 0, or a number below 1")


@dataclass(frozen=True)
class History:
    """What happened, epoch by epoch, and the epoch that was kept.

    `epochs` holds `loss`, `val_loss` and, where outputs are decisions, `accuracy` and `val_accuracy`.
    """

    config: TrainConfig
    epochs: dict[str, list[float]]
    best_epoch: int

    @property
    def best(self) -> dict[str, float]:
        """Validation accuracy (or loss) of the kept epoch, of the Keras model, as lineage notes name it."""
        key = "val_accuracy" if "val_accuracy" in self.epochs else "val_loss"
        return {f"{key}_keras": self.epochs[key][self.best_epoch]}

    def to_dict(self) -> JsonObject:
        """Return the JSON form."""
        return asdict(self)


def train(
    model: KerasModel,
    splits: Splits,
    preprocessing: Preprocessing,
    config: TrainConfig,
    progress: Progress,
    *,
    targets: Targets | None = None,
    callbacks: Sequence[KerasObject] = (),
    keep_from: int = 0,
    checkpoint: Path | None = None,
) -> History:
    """Train `model` in place and leave the weights of its best epoch in it.

    The best epoch has the highest validation accuracy, where there is one, and among equals the lowest validation
    loss. Epoch e of seed s is
    always the same, so a training that goes on from a checkpoint ends with the weights of one that was not interrupted.

    Args:
        model: a tf_keras model.
        splits: stored samples; training and validation are used.
        preprocessing: applied to every batch, after augmentation.
        config: see `TrainConfig`.
        progress: notified of every epoch.
        targets: what to train towards; by default the labels, with cross-entropy.
        callbacks: further tf_keras callbacks.
        keep_from: the first epoch (from 0) that may be kept, for schedules that reach their goal late.
        checkpoint: the `.npz` file in which the state is kept after every epoch, and from which it is taken.

    Raises:
        InputError: the loss is no longer finite.
    """
    targets = targets or Labels(splits)
    batches = _batches(splits, preprocessing, config, targets)
    model.compile(
        optimizer=_optimizer(model, config, config.epochs * len(batches)),
        loss=targets.loss(),
        metrics=[accuracy] if (accuracy := targets.accuracy()) else None,
    )
    _create_variables(model)
    validation = (preprocessing.apply(splits.x_validation), targets.validation())
    saved = Checkpoint(checkpoint, asdict(config)) if checkpoint else None
    finished = saved.restore(model) if saved else Finished()
    batches.start(finished.epochs)
    with trainable(model), progress.task(f"training {model.name}", config.epochs) as task:
        if finished.epochs:
            task.advance("as an earlier run left it", units=finished.epochs)
        keep = _keep(finished, saved, config.seed, min(keep_from, config.epochs - 1), task)
        model.fit(
            batches,
            validation_data=validation,
            initial_epoch=finished.epochs,
            epochs=config.epochs,
            shuffle=False,
            verbose=0,
            callbacks=[*callbacks, keep],
        )
    model.set_weights(finished.best.weights)
    return History(config, finished.history, finished.best.epoch)


def _optimizer(model: KerasModel, config: TrainConfig, steps: int) -> KerasObject:
    optimizers = tf_keras().optimizers
    rate: KerasObject = config.learning_rate
    if config.schedule == "cosine":
        rate = optimizers.schedules.CosineDecay(config.learning_rate, steps)
    decay = {"weight_decay": config.weight_decay} if config.weight_decay else {}
    if config.optimizer == ADAM:
        optimizer = optimizers.Adam(rate, **decay)
    else:
        optimizer = optimizers.SGD(rate, momentum=MOMENTUM, nesterov=True, **decay)
    if decay:
        optimizer.exclude_from_weight_decay(var_list=[v for v in model.trainable_variables if len(v.shape) < 2])
    return optimizer


def _create_variables(model: KerasModel) -> None:
    """Create the variables of a compiled model's optimizer, loss and metrics.

    Keras would do so in its first step, and TensorFlow traces a function that creates variables twice: half of the time
    that short trainings of large models, quantization-aware ones above all, take before their first step.
    """
    model.optimizer.build(model.trainable_variables)
    model.compiled_loss.build(model.output)
    model.compiled_metrics.build(model.output, model.output)


def _keep(finished: Finished, saved: Checkpoint | None, seed: int, keep_from: int, task: ProgressTask) -> KerasObject:
    class Keep(tf_keras().callbacks.Callback):  # type: ignore[misc]
        """Follow every epoch in `finished`, the best weights included, and write it down."""

        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            _reseed(self.model, seed, epoch)

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            logs = logs or {}
            if not math.isfinite(logs["loss"]):
                raise InputError(
                    f"training diverged: the loss is {logs['loss']} in epoch {epoch + 1}",
                    "lower the learning rate",
                    code="training-diverged",
                )
            best, score = finished.best, (logs.get("val_accuracy", 0.0), -logs["val_loss"])
            if epoch >= keep_from and (score > best.score or not best.weights):
                best.score, best.epoch, best.weights = score, epoch, self.model.get_weights()
            finished.epochs = epoch + 1
            for key in FOLLOWED:
                if key in logs:
                    finished.history.setdefault(key, []).append(float(logs[key]))
            if saved is not None:
                saved.save(self.model, finished)
            if "val_accuracy" in logs:
                task.advance(f"val accuracy {logs['val_accuracy']:.2%}, best {max(0.0, best.score[0]):.2%}")
            else:
                task.advance(f"val loss {logs['val_loss']:.4g}, best {-best.score[1]:.4g}")

    return Keep()


def _reseed(model: KerasModel, seed: int, epoch: int) -> None:
    """Give dropout and other random layers the random numbers of this epoch, whatever ran before it."""
    for index, module in enumerate(model.submodules):
        random = getattr(getattr(module, "_random_generator", None), "_generator", None)
        if random is not None:
            random.reset_from_seed(int(np.random.default_rng((seed, epoch, index)).integers(2**31)))


def sample_shape(splits: Splits) -> tuple[int, ...]:
    """Return the shape of a stored sample; empty where there are several inputs, which are not augmented."""
    return () if isinstance(splits.x_train, NamedArrays) else tuple(splits.x_train.shape[1:])


def _batches(splits: Splits, preprocessing: Preprocessing, config: TrainConfig, targets: Targets) -> KerasObject:
    augment: Augment = augmentation(config.augment, sample_shape(splits))

    class Batches(tf_keras().utils.Sequence):  # type: ignore[misc]
        """Shuffled, augmented, preprocessed batches; epoch e of seed s is always the same."""

        def start(self, epoch: int) -> None:
            self.epoch = epoch
            self._shuffle()

        def __len__(self) -> int:
            return math.ceil(len(splits.x_train) / config.batch_size)

        def __getitem__(self, index: int) -> tuple[ModelInputs, Tensors]:
            rows = self.order[index * config.batch_size : (index + 1) * config.batch_size]
            rng = np.random.default_rng((config.seed, self.epoch, index))
            x = preprocessing.apply(augment(splits.x_train[rows], rng))
            return x, targets.batch(rows, x)

        def on_epoch_end(self) -> None:
            self.epoch += 1
            self._shuffle()

        def _shuffle(self) -> None:
            self.order = np.random.default_rng((config.seed, self.epoch)).permutation(len(splits.x_train))

    return Batches()
