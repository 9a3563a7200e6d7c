"""A trained model as the teacher of another: its outputs, computed once and kept on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.backend import tensorflow
from edgekit.techniques.stage import StageContext
from edgekit.data.dataset import Array
from edgekit.data.split import Splits, stratified
from edgekit.files import atomic_file
from edgekit.models.augment import augmentation
from edgekit.models.targets import Distilled, Teacher, log_probabilities
from edgekit.preprocessing import Preprocessing

CHUNK = 512
PROBE = 1000
MOST_LOST = 0.1
"""Accuracy that a teacher may lose by augmentation without a warning: 10 points."""


def soft_targets(
    teacher: Any, context: StageContext, folder: str, *, augment: str, temperature: float, alpha: float
) -> Distilled:
    """Return what a stage trains a student towards, with a warning if the teacher is lost on augmented samples.

    Args:
        teacher: a tf_keras model that ends in a softmax.
        context: of the stage.
        folder: in the stage's work folder, for this teacher's cache only.
        augment: a key of `AUGMENTATIONS`.
        temperature: T, above 0.
        alpha: share of the soft loss, 0 to 1.
    """
    cache = context.work / folder
    cache.mkdir(parents=True, exist_ok=True)
    if warning := doubt(teacher, context.splits, context.preprocessing, augment):
        context.progress.warn(warning)
    answers = teacher_of(teacher, context.splits, context.preprocessing, augment, cache)
    return Distilled(context.splits, answers, temperature, alpha)


def teacher_of(model: Any, splits: Splits, preprocessing: Preprocessing, augment: str, folder: Path) -> Teacher:
    """Return a teacher for training with this augmentation.

    Without augmentation the outputs for every sample are computed now and read from `folder` ever after, so that an
    epoch costs what plain training costs. With augmentation the samples differ each time, so the teacher runs along.

    Args:
        model: a tf_keras model that ends in a softmax.
        splits: stored samples.
        preprocessing: from stored samples to model inputs.
        augment: a key of `AUGMENTATIONS`.
        folder: where the cache is kept; it must be the folder of this teacher and these samples only.
    """
    validation = _cached(model, splits.x_validation, preprocessing, folder / "teacher-validation.npy")
    if augment != "none":
        return LiveTeacher(model, validation)
    return CachedTeacher(_cached(model, splits.x_train, preprocessing, folder / "teacher-training.npy"), validation)


class CachedTeacher:
    """Answers from arrays of log-probabilities, float32 (n, classes)."""

    def __init__(self, training: Array, validation: Array) -> None:
        self._training, self._validation = training, validation

    def training(self, rows: Array, x: Array) -> Array:
        """See `Teacher`."""
        return np.asarray(self._training[rows])

    def validation(self) -> Array:
        """See `Teacher`."""
        return self._validation


class LiveTeacher:
    """Runs the teacher on the very samples the student sees."""

    def __init__(self, model: Any, validation: Array) -> None:
        self._outputs, self._validation = outputs_of(model), validation

    def training(self, rows: Array, x: Array) -> Array:
        """See `Teacher`."""
        return self._outputs(x)

    def validation(self) -> Array:
        """See `Teacher`."""
        return self._validation


def doubt(model: Any, splits: Splits, preprocessing: Preprocessing, augment: str) -> str:
    """Return a warning if the model answers augmented samples much worse than plain ones, else an empty string.

    A student learns such answers faithfully: the teacher should have been trained with the same augmentation.
    """
    if augment == "none":
        return ""
    rows = stratified(splits.y_train, min(PROBE, len(splits.y_train)))
    x, y = splits.x_train[rows], splits.y_train[rows]
    changed = augmentation(augment, x.shape[1:])(x, np.random.default_rng(0))
    outputs = outputs_of(model)
    plain, augmented = ((outputs(preprocessing.apply(v)).argmax(axis=1) == y).mean() for v in (x, changed))
    if plain - augmented <= MOST_LOST:
        return ""
    return (
        f"the teacher is right on {plain:.1%} of {len(y)} training samples, but on {augmented:.1%} of them after "
        f"augmentation `{augment}`, and the student learns its mistakes: train the teacher with that augmentation, or "
        "use another"
    )


def outputs_of(model: Any) -> Callable[[Array], Array]:
    """Return a function from a batch of model inputs to log-probabilities, float32 (n, classes)."""
    tf = tensorflow()
    graph = tf.function(lambda x: log_probabilities(model(x, training=False)), reduce_retracing=True)

    def outputs(x: Array) -> Array:
        log_p: Array = graph(tf.constant(x)).numpy()
        return log_p

    return outputs


def _cached(model: Any, x: Array, preprocessing: Preprocessing, path: Path) -> Array:
    if not path.exists():
        outputs = outputs_of(model)
        parts = [outputs(preprocessing.apply(x[i : i + CHUNK])) for i in range(0, len(x), CHUNK)]
        with atomic_file(path) as temporary:
            np.save(temporary, np.concatenate(parts))
    cached: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    return cached
