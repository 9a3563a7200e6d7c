"""Stratified, reproducible samples of a data set, so that calibration, validation and test never meet.

The split depends on the data alone, not on the run's seed: a model trained yesterday with another seed was
selected on the same validation samples that today's compression may look at, and on no others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekit.data.dataset import Dataset, is_classes
from edgekit.errors import InputError
from edgekit.tasks.samples import Array, Stored, choose

VALIDATION_SHARE = 0.1
VALIDATION_LIMIT = 5000
_SPLIT_SEED = 20230513

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Splits:
    """Three views of a data set's training part.

    Attributes:
        x_train, y_train: everything that is not validation; calibration samples are drawn from here.
        x_validation, y_validation: what every choice looks at (best epoch, agreement, sensitivity).
        x_calibration: the samples that set quantization ranges, disjoint from validation and test.

    Labels are None without, and everything is `NamedArrays` for several inputs or outputs, as in `Dataset`.
    """

    x_train: Stored
    y_train: Stored
    x_validation: Stored
    y_validation: Stored
    x_calibration: Stored


def split(dataset: Dataset, calibration_samples: int) -> Splits:
    """Split the training part; the test part is not touched.

    Raises:
        InputError: the data set is too small for the three parts, or more calibration samples are asked for
            than there are.
    """
    count = len(dataset.x_train)
    classes = 0 if dataset.boxes else dataset.classes
    wanted = min(VALIDATION_LIMIT, max(round(count * VALIDATION_SHARE), classes, 1))
    if count < 2 * classes + 2:
        raise InputError(
            f"{dataset.name}: {count} training samples are too few to hold out a validation set",
            f"expected {2 * classes + 2} or more",
            code="set-too-small",
        )
    validation = sample(dataset.y_train, count, wanted)
    rest = np.setdiff1d(np.arange(count), validation)
    if not 0 < calibration_samples <= len(rest):
        raise InputError(
            f"{dataset.name}: {calibration_samples} calibration samples are asked for, and {len(rest)} are there",
            "lower `samples` of `[calibration]` in the recipe, or add training samples",
            code="set-too-small",
        )
    labels = dataset.y_train[rest] if is_classes(dataset.y_train) else None
    calibration = rest[sample(labels, len(rest), calibration_samples, _SPLIT_SEED + 1)]
    labelled = dataset.y_train is not None
    return Splits(
        x_train=choose(dataset.x_train, rest),
        y_train=choose(dataset.y_train, rest) if labelled else None,
        x_validation=choose(dataset.x_train, validation),
        y_validation=choose(dataset.y_train, validation) if labelled else None,
        x_calibration=choose(dataset.x_train, calibration),
    )


def sample(labels: Stored, total: int, count: int, seed: int = _SPLIT_SEED) -> Indices:
    """Choose `count` of `total` samples as sorted indices, with each class in its share where labels are classes."""
    if is_classes(labels):
        return stratified(labels, count, seed)
    if count >= total:
        return np.arange(total, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(total, size=count, replace=False)).astype(np.int64)


def stratified(labels: Array, count: int, seed: int = _SPLIT_SEED) -> Indices:
    """Choose `count` samples with each class in its share, as sorted indices.

    Every class gets the whole part of its share; the remaining places go to the largest fractions.

    Args:
        labels: int labels, shape (n,).
        count: how many to choose, at most n.
        seed: of the choice.
    """
    if count >= len(labels):
        return np.arange(len(labels), dtype=np.int64)
    rng = np.random.default_rng(seed)
    classes, sizes = np.unique(labels, return_counts=True)
    shares = sizes * (count / len(labels))
    take = np.floor(shares).astype(int)
    order = np.argsort(-(shares - take), kind="stable")
    take[order[: count - take.sum()]] += 1
    chosen = [
        rng.choice(np.flatnonzero(labels == c), size=t, replace=False) for c, t in zip(classes, take, strict=True)
    ]
    return np.sort(np.concatenate(chosen)).astype(np.int64)
