"""Differences of independent estimates."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgekit.stats import Interval, wilson
from edgekit.stats.differences import unpaired_change, unpaired_difference


def test_against_published_values() -> None:
    # Newcombe 1998 ("Interval estimation for the difference ..."), table II, method 10: 56/70 - 48/80 and 9/10 - 3/10
    for one, other, low, high in (((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090)):
        found = unpaired_difference(wilson(*one), wilson(*other))
        assert found.value == pytest.approx(one[0] / one[1] - other[0] / other[1])
        assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_without_an_interval_there_is_none() -> None:
    found = unpaired_difference(Interval(0.9, math.nan, math.nan), wilson(8, 10))
    assert found.value == pytest.approx(0.1)
    assert math.isnan(found.low) and math.isnan(found.high)


def test_coverage_of_the_difference(rng: np.random.Generator) -> None:
    hits = 0
    for _ in range(1000):
        found = unpaired_difference(wilson(rng.binomial(400, 0.9), 400), wilson(rng.binomial(400, 0.85), 400))
        hits += found.low <= 0.05 <= found.high
    assert 930 <= hits <= 985


def test_a_relative_change() -> None:
    found = unpaired_change(Interval(2.2, 2.1, 2.3), Interval(2.0, 1.9, 2.1))
    assert found.value == pytest.approx(0.1)
    assert 0 < found.low < 0.1 < found.high < 0.2
    same = unpaired_change(Interval(2.0, 2.0, 2.0), Interval(2.0, 2.0, 2.0))
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_changes_at_zero() -> None:
    assert unpaired_change(Interval(1.0, 0.0, 2.0), Interval(1.0, 1.0, 1.0)).low == -1
    assert unpaired_change(Interval(1.0, 1.0, 1.0), Interval(1.0, 0.0, 2.0)).high == math.inf
    assert math.isnan(unpaired_change(Interval(1.0, 1.0, 1.0), Interval(0.0, 0.0, 1.0)).value)
