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


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_too_few_values_have_no_interval(count: int) -> None:
    found = median_interval([1.0] * count)
    assert found.value == 1
    assert math.isnan(found.low) and math.isnan(found.high)


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
