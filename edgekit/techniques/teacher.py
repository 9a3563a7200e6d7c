"""A trained model as the teacher of another: its outputs, computed once and kept on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekit.data.split import Splits, sample
from edgekit.files.whole import atomic_file
from edgekit.frameworks.tensorflow import tensorflow
from edgekit.frameworks.types import KerasModel, Tensor, Tensors
from edgekit.models.training.augment import augmentation
from edgekit.models.training.losses import canonical
from edgekit.models.training.targets import Distilled, Teacher
from edgekit.models.training.training import sample_shape
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import Array, ModelInputs, Stored
from edgekit.tasks.task import Task, with_scale
from edgekit.techniques.stage import StageContext

CHUNK = 512
PROBE = 1000
LOOK = 32
"""Samples that show whether a model ends in probabilities or in logits."""
MOST_LOST = 0.1
"""Accuracy that a teacher may lose by augmentation without a warning: 10 points."""


def soft_targets(
    teacher: KerasModel, context: StageContext, folder: str, *, augment: str, temperature: float, alpha: float
) -> Distilled:
    """Return what a stage trains a student towards, with a warning if the teacher is lost on augmented samples.

    Args:
        teacher: a tf_keras model.
        context: of the stage.
        folder: in the stage's work folder, for this teacher's cache only.
        augment: a key of `AUGMENTATIONS`.
        temperature: T, above 0.
        alpha: share of the soft loss, 0 to 1.
    """
    cache = context.work / folder
    cache.mkdir(parents=True, exist_ok=True)
    task = scaled_task(teacher, context)
    if task.main.kind == "classification" and (warning := augmentation_warning(teacher, task, context, augment)):
        context.progress.warn(warning, "teacher-lost-by-augmentation")
    outputs = teacher_of(teacher, task, context.splits, context.preprocessing, augment, cache)
    return Distilled(context.splits, outputs, temperature, alpha, context.task)


def scaled_task(model: KerasModel, context: StageContext) -> Task:
    """Return the task with what this model's outputs are, probabilities or logits, as some samples show."""
    x = context.preprocessing.apply(context.splits.x_calibration[:LOOK])
    outputs = _flat(model(x, training=False))
    heads = zip(context.task.heads, outputs, strict=True)
    return replace(context.task, heads=tuple(with_scale(head, np.asarray(output)) for head, output in heads))


def teacher_of(
    model: KerasModel, task: Task, splits: Splits, preprocessing: Preprocessing, augment: str, folder: Path
) -> Teacher:
    """Return a teacher for training with this augmentation.

    Without augmentation the outputs for every sample are computed now and read from `folder` ever after, so that an
    epoch costs what plain training costs. With augmentation the samples differ each time, so the teacher runs along.

    Args:
        model: a tf_keras model.
        task: what its outputs are.
        splits: stored samples.
        preprocessing: from stored samples to model inputs.
        augment: a key of `AUGMENTATIONS`.
        folder: where the cache is kept; it must be the folder of this teacher and these samples only.
    """
    outputs, count = outputs_of(model, task), len(task.heads)
    validation = _cached(outputs, count, splits.x_validation, preprocessing, folder / "teacher-validation")
    if augment != "none":
        return LiveTeacher(outputs, validation)
    return CachedTeacher(
        _cached(outputs, count, splits.x_train, preprocessing, folder / "teacher-training"), validation
    )


class CachedTeacher:
    """Outputs from arrays of canonical outputs, float32 (n, ...), one an output."""

    def __init__(self, training: Sequence[Array], validation: Sequence[Array]) -> None:
        self._training, self._validation = training, validation

    def training(self, rows: Array, x: ModelInputs) -> Sequence[Array]:
        """See `Teacher`."""
        return [np.asarray(outputs[rows]) for outputs in self._training]

    def validation(self) -> Sequence[Array]:
        """See `Teacher`."""
        return self._validation


class LiveTeacher:
    """Runs the teacher on the very samples the student sees."""

    def __init__(self, outputs: Callable[[ModelInputs], list[Array]], validation: Sequence[Array]) -> None:
        self._outputs, self._validation = outputs, validation

    def training(self, rows: Array, x: ModelInputs) -> Sequence[Array]:
        """See `Teacher`."""
        return self._outputs(x)

    def validation(self) -> Sequence[Array]:
        """See `Teacher`."""
        return self._validation


def augmentation_warning(model: KerasModel, task: Task, context: StageContext, augment: str) -> str:
    """Return a warning if a classifier is much worse on augmented samples than on stored ones, else an empty string.

    A student learns such outputs faithfully: the teacher should have been trained with the same augmentation.
    """
    if augment == "none":
        return ""
    splits = context.splits
    rows = sample(splits.y_train, len(splits.x_train), PROBE)
    x, y = splits.x_train[rows], splits.y_train[rows]
    changed = augmentation(augment, sample_shape(splits))(x, np.random.default_rng(0))
    outputs = outputs_of(model, task)
    stored, augmented = ((outputs(context.preprocessing.apply(v))[0].argmax(axis=1) == y).mean() for v in (x, changed))
    if stored - augmented <= MOST_LOST:
        return ""
    return (
        f"accuracy of the teacher on {len(y)} training samples: {stored:.1%}, after augmentation `{augment}`: "
        f"{augmented:.1%}; the student learns its mistakes: train the teacher with that augmentation, or use another"
    )


def outputs_of(model: KerasModel, task: Task) -> Callable[[ModelInputs], list[Array]]:
    """Return a function from a batch of model inputs to canonical outputs, float32 (n, ...), one an output."""
    tf = tensorflow()

    def run(x: Tensors) -> list[Tensor]:
        return [canonical(o, h) for o, h in zip(_flat(model(x, training=False)), task.heads, strict=True)]

    graph = tf.function(run, reduce_retracing=True)

    def outputs(x: ModelInputs) -> list[Array]:
        return [output.numpy() for output in graph(tf.nest.map_structure(tf.constant, x))]

    return outputs


def _flat(outputs: Tensors) -> list[Tensor]:
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def _cached(
    outputs: Callable[[ModelInputs], list[Array]], count: int, x: Stored, preprocessing: Preprocessing, base: Path
) -> Sequence[Array]:
    """Compute the outputs for all samples, or find them on disk."""
    paths = [base.with_name(f"{base.name}-{index}.npy") for index in range(count)]
    if not all(path.exists() for path in paths):
        parts = [outputs(preprocessing.apply(x[i : i + CHUNK])) for i in range(0, len(x), CHUNK)]
        for path, pieces in zip(paths, zip(*parts, strict=True), strict=True):
            with atomic_file(path) as temporary, temporary.open("wb") as stream:
                np.save(stream, np.concatenate(pieces))
    return [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths]
