"""What a file lost, in the unit that limits are given in."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgekit.tasks.drop import OF_ERROR, OF_SIGNAL, OWN, POINTS, drop
from edgekit.tasks.task import Head, Task

CLASSES = Task((Head(),))


def one_hot(classes: np.ndarray) -> np.ndarray:
    return np.eye(3)[classes]


def test_of_a_classifier_it_is_points(rng: np.random.Generator) -> None:
    y = rng.integers(0, 3, 1000)
    wrong = y.copy()
    wrong[:20] = (y[:20] + 1) % 3
    found = drop([one_hot(y)], [one_hot(wrong)], [y], CLASSES)
    assert found.unit == POINTS
    assert found.interval.value == pytest.approx(2.0)
    assert 1.0 < found.interval.low < 2.0 < found.interval.high < 3.1
    assert found.within(2.0) and not found.within(1.99)


def test_it_is_paired(rng: np.random.Generator) -> None:
    """Two files that are wrong on the same half of the samples lost nothing, and that is certain."""
    y = rng.integers(0, 3, 400)
    half = np.where(np.arange(400) < 200, y, (y + 1) % 3)
    found = drop([one_hot(half)], [one_hot(half)], [y], CLASSES)
    assert (found.interval.value, found.interval.low, found.interval.high) == (0, 0, 0)


def test_a_better_file_lost_less_than_nothing() -> None:
    y = np.array([0, 1, 2, 0])
    assert drop([one_hot((y + 1) % 3)], [one_hot(y)], [y], CLASSES).interval.value == -100


def test_of_an_error_it_is_relative(rng: np.random.Generator) -> None:
    y = rng.normal(0, 100, (500, 1))
    task = Task((Head(kind="regression", metric="mae"),))
    found = drop([y + 1.0], [y + 1.2], [y], task)
    assert found.unit == OF_ERROR
    assert found.interval.value == pytest.approx(20)


def test_without_labels_it_is_noise(rng: np.random.Generator) -> None:
    real = rng.normal(0, 1, (500, 4))
    task = Task((Head(kind="unlabelled", metric="sqnr"),))
    found = drop([real], [real * 1.01], [real], task)
    assert found.unit == OF_SIGNAL
    assert found.interval.value == pytest.approx(1.0)
    assert drop([real], [real], [real], task).interval.value == 0


def test_the_output_that_lost_most_counts(rng: np.random.Generator) -> None:
    y = rng.integers(0, 3, 200)
    task = Task((Head(name="a"), Head(name="b")))
    wrong = np.where(np.arange(200) < 100, y, (y + 1) % 3)
    found = drop([one_hot(y)] * 2, [one_hot(y), one_hot(wrong)], [y, y], task)
    assert found.output == "b"
    assert found.interval.value == pytest.approx(50)


def test_what_is_not_finite_is_never_within() -> None:
    y = np.array([0, 1, 2])
    found = drop([one_hot(y)], [np.full((3, 3), np.nan)], [y], CLASSES)
    assert found.interval.value == math.inf
    assert not found.within(1e9)


def test_a_metric_of_the_users_own_has_its_own_unit() -> None:
    task = Task((Head(kind="regression", metric="tests.tasks.test_drop:closeness"),))
    y = np.zeros((10, 1))
    found = drop([y], [y + 0.25], [y], task)
    assert (found.unit, found.interval.value) == (OWN, 0.25)


def closeness(y: np.ndarray, outputs: np.ndarray) -> float:
    return float(1 - np.abs(y - outputs).mean())


def test_resamples_that_a_metric_refuses_leave_no_interval() -> None:
    task = Task((Head(kind="binary", metric="auc"),))
    y = np.array([0, 1])
    found = drop([np.array([[0.1], [0.9]])], [np.array([[0.9], [0.1]])], [y], task)
    assert (found.unit, found.interval.value) == (POINTS, 100)
    assert math.isnan(found.interval.low)
