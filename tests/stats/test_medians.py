"""Intervals of medians between processes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgekit.stats import Interval
from edgekit.stats.medians import median_interval


@pytest.mark.parametrize(
    ("count", "place"),
    # Hollander, Wolfe and Chicken 2014, table of the binomial with 1/2: the values that 95 % leave outside on each side
    [(5, 0), (6, 0), (8, 0), (9, 1), (11, 1), (12, 2), (15, 3), (17, 4), (20, 5), (25, 7), (30, 9)],
)
def test_against_the_binomial_table(count: int, place: int) -> None:
    values = [float(i) for i in range(count)]
    assert median_interval(values[::-1]) == Interval((count - 1) / 2, place, count - 1 - place)


@pytest.mark.parametrize("values", [[3.0], [0.0, 3.0, 4.0]])
def test_one_value_or_one_that_is_not_positive_has_no_interval(values: list[float]) -> None:
    found = median_interval(values)
    assert found.value == 3
    assert math.isnan(found.low) and math.isnan(found.high)


def test_students_t_of_few_values() -> None:
    found = median_interval([2.0 * math.exp(0.01), 2.0, 2.0 * math.exp(-0.01)])
    assert found.value == 2
    # t(0.975, 2) = 4.303; the standard deviation of the logarithms is 0.01
    assert (found.low, found.high) == pytest.approx(
        [2 * math.exp(sign * 4.303 * 0.01 / 3**0.5) for sign in (-1, 1)], rel=1e-4
    )
    skewed = median_interval([1.0, 1.0, 1e6])
    assert skewed.low <= skewed.value == 1 <= skewed.high
    assert median_interval([5.0] * 4) == Interval(5, pytest.approx(5), pytest.approx(5))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_coverage_of_few_values(count: int, rng: np.random.Generator) -> None:
    draws = rng.lognormal(0, 0.05, (2000, count)).tolist()
    hits = sum(found.low <= 1 <= found.high for found in map(median_interval, draws))
    assert hits / 2000 >= 0.94


@pytest.mark.parametrize(("count", "least"), [(5, 0.92), (7, 0.95), (11, 0.95), (21, 0.95)])
def test_coverage_whatever_the_distribution(count: int, least: float, rng: np.random.Generator) -> None:
    hits = 0
    for draw in (rng.lognormal(0, 1, (1000, count)), np.where(rng.random((1000, count)) < 0.3, 2.0, 1.0)):
        truth = 1.0
        hits += sum(found.low <= truth <= found.high for found in map(median_interval, draw.tolist()))
    assert hits / 2000 >= least - 0.01


def test_thousands_of_values() -> None:
    found = median_interval([float(i) for i in range(5001)])
    assert found.value == 2500
    assert 2420 < found.low < 2440 and 2560 < found.high < 2580
