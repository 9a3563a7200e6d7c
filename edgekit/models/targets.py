"""What a model is trained towards: the labels alone, or the labels and a teacher's outputs."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from edgekit.backend import tensorflow, tf_keras
from edgekit.data.dataset import Array
from edgekit.data.split import Splits
from edgekit.errors import InputError

TOLERANCE = 0.01
"""By how much the probabilities of a sample may miss 1."""


class Targets(Protocol):
    """Supplies y for batches and the loss that reads it."""

    def batch(self, rows: Array, x: Array) -> Array:
        """Return y for training samples.

        Args:
            rows: indices into the training samples, int64 (n,).
            x: the same samples as the model sees them (augmented, preprocessed), float32 (n, ...).
        """

    def validation(self) -> Array:
        """Return y for all validation samples."""

    def loss(self) -> Any:
        """Return a tf_keras loss, of y as above and the model's probabilities."""

    def accuracy(self) -> Any:
        """Return a tf_keras metric function called `accuracy`."""


class Labels:
    """Plain training: integer labels, cross-entropy."""

    def __init__(self, splits: Splits) -> None:
        self._splits = splits

    def batch(self, rows: Array, x: Array) -> Array:
        """See `Targets`."""
        labels: Array = self._splits.y_train[rows]
        return labels

    def validation(self) -> Array:
        """See `Targets`."""
        return self._splits.y_validation

    def loss(self) -> Any:
        """See `Targets`."""
        return tf_keras().losses.SparseCategoricalCrossentropy()

    def accuracy(self) -> Any:
        """See `Targets`."""
        return "accuracy"


class Distilled:
    """Distillation: y is the label in column 0 and the teacher's log-probabilities behind it, float32 (n, 1 + classes).

    Log-probabilities are logits up to a constant a sample, which the softmax ignores, so they serve as logits.
    """

    def __init__(self, splits: Splits, teacher: Teacher, temperature: float, alpha: float) -> None:
        self._splits, self._teacher = splits, teacher
        self._temperature, self._alpha = temperature, alpha

    def batch(self, rows: Array, x: Array) -> Array:
        """See `Targets`."""
        return _pack(self._splits.y_train[rows], self._teacher.training(rows, x))

    def validation(self) -> Array:
        """See `Targets`."""
        return _pack(self._splits.y_validation, self._teacher.validation())

    def loss(self) -> Any:
        """See `Targets`."""
        temperature, alpha = self._temperature, self._alpha

        def distillation(y: Any, probabilities: Any) -> Any:
            return distillation_loss(y, probabilities, temperature, alpha)

        return distillation

    def accuracy(self) -> Any:
        """See `Targets`."""
        tf = tensorflow()

        def accuracy(y: Any, probabilities: Any) -> Any:
            return tf.cast(tf.equal(tf.cast(y[:, 0], tf.int64), tf.argmax(probabilities, axis=-1)), tf.float32)

        return accuracy


class Teacher(Protocol):
    """Supplies log-probabilities, float32 (n, classes)."""

    def training(self, rows: Array, x: Array) -> Array:
        """For training samples: `rows` are their indices, `x` what the model sees."""

    def validation(self) -> Array:
        """For all validation samples."""


def distillation_loss(y: Any, probabilities: Any, temperature: float, alpha: float) -> Any:
    """Return the loss of Hinton et al. 2015 (arXiv 1503.02531), a tensor of shape (n,).

    alpha * T^2 * KL(teacher || student), both softened by the temperature T, plus (1 - alpha) * cross-entropy.

    Args:
        y: labels and teacher log-probabilities, as `Distilled` packs them, float32 (n, 1 + classes).
        probabilities: the student's, float32 (n, classes).
        temperature: T, above 0.
        alpha: share of the soft loss, 0 to 1.
    """
    tf = tensorflow()
    labels, teacher = tf.cast(y[:, 0], tf.int32), y[:, 1:]
    student = log_probabilities(probabilities)
    soft_teacher = tf.nn.log_softmax(teacher / temperature)
    soft_student = tf.nn.log_softmax(student / temperature)
    divergence = tf.reduce_sum(tf.exp(soft_teacher) * (soft_teacher - soft_student), axis=-1)
    hard = -tf.gather(student, labels, batch_dims=1)
    return alpha * temperature**2 * divergence + (1 - alpha) * hard


def check_soft(temperature: float, alpha: float) -> None:
    """Raise `InputError` unless the temperature is above 0 and alpha a share."""
    if not 0 < temperature < 1000:
        raise InputError(f"temperature {temperature}: expected a number above 0", "usual are 1 to 20")
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha {alpha}: expected a share from 0 to 1", "0 trains towards the labels alone")


def check_probabilities(outputs: Array, name: str) -> None:
    """Raise `InputError` unless the rows of a model's outputs are probabilities, as everything here supposes.

    Args:
        outputs: float (n, classes).
        name: of the model, for the message.
    """
    sums = outputs.sum(axis=1)
    if not (outputs.min() >= 0 and np.abs(sums - 1).max() < TOLERANCE):
        raise InputError(
            f"{name} cannot be trained: it does not end in a softmax (its outputs for a sample lie between "
            f"{outputs.min():.3g} and {outputs.max():.3g} and sum to {sums[0]:.3g})",
            "save it with one: keras.Sequential([model, keras.layers.Softmax()]); the classes stay the same",
        )


def log_probabilities(probabilities: Any) -> Any:
    """Return log p, finite where p underflowed."""
    tf = tensorflow()
    return tf.math.log(tf.maximum(probabilities, 1e-30))


def _pack(labels: Array, log_p: Array) -> Array:
    return np.concatenate([labels[:, np.newaxis].astype(np.float32), log_p.astype(np.float32)], axis=1)
