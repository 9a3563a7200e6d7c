"""What a model's outputs are by their values: probabilities, scores of which the largest counts, class numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.tasks.samples import Array

SUM_TOLERANCE = 0.01
"""By how much the probabilities of a sample may miss 1."""
SAMPLES = 128
"""Of which outputs are looked at."""
FEWEST = 20
"""Samples that may show that scores compete."""
SIGMOIDS = ("sigmoid", "hard_sigmoid")
OTHERS = ("linear", "relu", "relu6", "leaky_relu", "softplus", "tanh", "elu", "selu", "exponential", "softmax")
"""Last activations that are no sigmoid, whatever the values look like."""
SATURATED = 0.95
"""A sigmoid that is trained towards numbers above 1 comes closer to 1 than this."""


@dataclass(frozen=True)
class Nature:
    """An output, as its values for some samples show it; None where they do not.

    Attributes:
        numbers: its values are class numbers: integers by dtype, or floating point numbers that are whole and differ.
        probable: they are at least 0, and along the last axis they add up to 1.
        competing: the largest along the last axis is what counts: probabilities, or logits.
        sigmoid: each is a probability of its own.
        high: the largest.
    """

    numbers: bool | None = None
    probable: bool | None = None
    competing: bool | None = None
    sigmoid: bool | None = None
    high: float | None = None


UNKNOWN = Nature()
INDICES = Nature(numbers=True, probable=False, competing=False, sigmoid=False)


def is_probable(outputs: Array) -> bool:
    """Return whether the values along the last axis are a distribution over at least two classes."""
    if outputs.ndim < 2 or outputs.shape[-1] < 2:
        return False
    return bool(outputs.min() >= 0 and np.abs(outputs.sum(axis=-1) - 1).max() < SUM_TOLERANCE)


def nature_of(outputs: Array, *, integers: bool = False, activation: str = "") -> Nature:
    """Return what an output is.

    Args:
        outputs: for some samples, (n, ...), in real units.
        integers: its dtype is one of integers.
        activation: name of the last activation, as Keras calls it; empty if unknown.
    """
    if not outputs.size or not np.isfinite(outputs).all():
        return INDICES if integers else UNKNOWN
    high = float(outputs.max())
    if integers:
        return Nature(numbers=True, probable=False, competing=False, sigmoid=False, high=high)
    probable = is_probable(outputs)
    whole = bool((outputs == np.rint(outputs)).all() and outputs.min() >= 0 and outputs.max() > outputs.min())
    unit = bool(outputs.min() >= 0 and SATURATED <= high <= 1) and not whole
    return Nature(
        numbers=whole and not probable and (outputs.ndim == 1 or outputs.shape[-1] == 1),
        probable=probable,
        competing=probable or (outputs.ndim == 2 and are_logits(outputs)),
        sigmoid=activation in SIGMOIDS or (unit and not probable and activation not in OTHERS),
        high=high,
    )


def are_logits(outputs: Array) -> bool:
    """Return whether the values of a sample look like scores of classes, and not like coordinates or measurements.

    A classifier is sure of most samples (its softmax is above one half), has scores below and above zero, and lets many
    of its classes win; and what its scores are depends on the sample more than on the class. Landmarks and boxes keep
    to their places, so that the same few values are the largest every time. Where it is not clear, the answer is no:
    the values are then compared as values.

    Args:
        outputs: (n, values).
    """
    count, width = outputs.shape
    if width < 2 or count < FEWEST:
        return False
    spread = float(outputs.var())
    if spread == 0 or float(outputs.mean(axis=0).var()) >= 0.5 * spread:
        return False
    if np.median(outputs.min(axis=1)) >= 0 or np.median(outputs.max(axis=1)) <= 0:
        return False
    best = outputs.max(axis=1, keepdims=True)
    sure = float(np.median(1 / np.exp(np.maximum(outputs - best, -700.0)).sum(axis=1)))
    shares = np.bincount(outputs.argmax(axis=1)) / count
    winners = float(np.exp(-sum(share * np.log(share) for share in shares if share)))
    return sure >= (0.9 if width < 5 else 0.5) and winners >= max(1.3, min(width, count) / 4)
