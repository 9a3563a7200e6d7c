"""What a model is trained towards: the labels alone, or the labels and a teacher's outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from edgekit.data.split import Splits
from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.frameworks.types import KerasObject, Tensor, Tensors
from edgekit.models.training.losses import hard, right, soft
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import Array, ModelInputs, arrays_of
from edgekit.tasks.task import CLASSIFICATION, FOLLOWED, SIGMOID, SOFTMAX, Head, Task

DECIDES = SOFTMAX | SIGMOID
"""Kinds whose training is followed by accuracy; others are followed by the loss."""


class Targets(Protocol):
    """Supplies y for batches and the loss that reads it; of several outputs a tuple of each."""

    def batch(self, rows: Array, x: ModelInputs) -> Tensors:
        """Return y for training samples.

        Args:
            rows: indices into the training samples, int64 (n,).
            x: the same samples as the model sees them (augmented, preprocessed), float32 (n, ...).
        """

    def validation(self) -> Tensors:
        """Return y for all validation samples."""

    def loss(self) -> KerasObject:
        """Return a tf_keras loss, of y as above and the model's outputs."""

    def accuracy(self) -> KerasObject:
        """Return a tf_keras metric function called `accuracy`; None where only the loss tells."""


class Labels:
    """Plain training: cross-entropy for classes, the squared error for values, towards the input of an autoencoder."""

    def __init__(self, splits: Splits, task: Task = CLASSIFICATION, preprocessing: Preprocessing | None = None) -> None:
        if splits.y_train is None and task.main.kind != "reconstruction":
            raise InputError("the data has no labels to train with", "add `y_train` to the data", code="labels-missing")
        self._splits, self._task, self._preprocessing = splits, task, preprocessing or Preprocessing()

    def batch(self, rows: Array, x: ModelInputs) -> Tensors:
        """See `Targets`."""
        if self._task.main.kind == "reconstruction":
            return x
        return _packed(arrays_of(self._splits.y_train[rows]))

    def validation(self) -> Tensors:
        """See `Targets`."""
        if self._task.main.kind == "reconstruction":
            return self._preprocessing.apply(self._splits.x_validation)
        return _packed([np.asarray(y) for y in arrays_of(self._splits.y_validation)])

    def loss(self) -> KerasObject:
        """See `Targets`."""
        return _packed([self._loss(head) for head in self._task.heads])

    def _loss(self, head: Head) -> KerasObject:
        if head.kind == "classification":
            return tf_keras().losses.SparseCategoricalCrossentropy(from_logits=head.logits)

        def loss(y: Tensors, outputs: Tensors) -> Tensors:
            return hard(y, outputs, head)

        return loss

    def accuracy(self) -> KerasObject:
        """See `Targets`."""
        return _accuracy(self._task, lambda y, _: y)


class Distilled:
    """Distillation: y of an output is the labels, flat, and the teacher's canonical outputs behind, float32 (n, ...).

    Without labels, or a loss for them, the teacher alone is followed.
    """

    def __init__(
        self, splits: Splits, teacher: Teacher, temperature: float, alpha: float, task: Task = CLASSIFICATION
    ) -> None:
        self._splits, self._teacher, self._task = splits, teacher, task
        self._temperature, self._alpha = temperature, alpha
        self._reconstruction = task.main.kind == "reconstruction"
        self._labelled = splits.y_train is not None and task.main.kind not in FOLLOWED
        labels = arrays_of(splits.y_train) if self._labelled else ()
        self._sizes = [int(np.prod(y.shape[1:], dtype=int)) for y in labels] or [0] * len(task.heads)
        self._shapes = [tuple(y.shape[1:]) for y in labels] or [()] * len(task.heads)

    def batch(self, rows: Array, x: ModelInputs) -> Tensors:
        """See `Targets`."""
        labels = self._splits.y_train[rows] if self._labelled else None
        return self._pack(labels, self._teacher.training(rows, x))

    def validation(self) -> Tensors:
        """See `Targets`."""
        return self._pack(self._splits.y_validation if self._labelled else None, self._teacher.validation())

    def _pack(self, labels: Tensors, teacher: Sequence[Array]) -> Tensors:
        parts = [None] * len(teacher) if labels is None else arrays_of(labels)
        return _packed([_pack(y, t) for y, t in zip(parts, teacher, strict=True)])

    def loss(self) -> KerasObject:
        """See `Targets`."""
        return _packed([self._loss(index, head) for index, head in enumerate(self._task.heads)])

    def _loss(self, index: int, head: Head) -> KerasObject:
        temperature, alpha = self._temperature, self._alpha

        def distillation(y: Tensors, outputs: Tensors) -> Tensors:
            labels, teacher = self._unpack(index, y, outputs)
            return distillation_loss(labels, teacher, outputs, head, temperature, alpha)

        return distillation

    def _unpack(self, index: int, y: Tensors, outputs: Tensors) -> tuple[Tensors, Tensors]:
        """Return labels, None without, and the teacher's outputs, in their shapes."""
        tf, size = tensorflow(), self._sizes[index]
        labels = tf.reshape(y[:, :size], (-1, *self._shapes[index])) if size else None
        return labels, tf.reshape(y[:, size:], tf.shape(outputs))

    def accuracy(self) -> KerasObject:
        """See `Targets`."""
        return _accuracy(self._task, lambda y, outputs: self._unpack(0, y, outputs)[0])


class Teacher(Protocol):
    """Supplies canonical outputs (`edgekit.models.training.losses`), float32 (n, ...), one array an output."""

    def training(self, rows: Array, x: ModelInputs) -> Sequence[Array]:
        """For training samples: `rows` are their indices, `x` what the model sees."""

    def validation(self) -> Sequence[Array]:
        """For all validation samples."""


def distillation_loss(
    labels: Tensor, teacher: Tensor, outputs: Tensor, head: Head, temperature: float, alpha: float
) -> Tensor:
    """Return alpha * soft loss + (1 - alpha) * hard loss, a tensor of shape (n,).

    Args:
        labels: as `edgekit.models.training.losses.hard` takes them; None leaves the soft loss alone.
        teacher: its canonical outputs, of the shape of `outputs`.
        outputs: the student's.
        head: what they are.
        temperature: T, above 0.
        alpha: share of the soft loss, 0 to 1.
    """
    taught = soft(teacher, outputs, head, temperature)
    return taught if labels is None else alpha * taught + (1 - alpha) * hard(labels, outputs, head)


def check_soft(temperature: float, alpha: float) -> None:
    """Raise `InputError` unless the temperature is above 0 and alpha a share."""
    if not 0 < temperature < 1000:
        raise InputError(
            f"`temperature={temperature}`: expected a number above 0",
            "1 to 20 are common",
            code="training-option-invalid",
        )
    if not 0 <= alpha <= 1:
        raise InputError(
            f"`alpha={alpha}`: expected a share from 0 to 1",
            "0 uses the labels only, 1 the teacher only",
            code="training-option-invalid",
        )


def _accuracy(task: Task, labels: Callable[[Tensor, Tensor], Tensor]) -> KerasObject:
    if len(task.heads) > 1 or task.main.kind not in DECIDES:
        return None

    def accuracy(y: Tensors, outputs: Tensors) -> Tensors:
        return right(labels(y, outputs), outputs, task.main)

    return accuracy


def _pack(labels: Array | None, teacher: Array) -> Array:
    flat = [np.asarray(part, np.float32).reshape(len(teacher), -1) for part in (labels, teacher) if part is not None]
    return np.concatenate(flat, axis=1)


def _packed(parts: Sequence[Tensors]) -> Tensors:
    """Return the only part, or all of them."""
    return parts[0] if len(parts) == 1 else tuple(parts)
