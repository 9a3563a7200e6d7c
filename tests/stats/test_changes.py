"""Change points: found where they were planted, and rarely where there are none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgekit.stats.changes import LEVEL, Change, change_points, steps


def noise(rng: np.random.Generator, count: int, kind: str = "normal") -> np.ndarray:
    """Return noise of spread about 1: normal, or with slow days, or of a machine with two speeds."""
    if kind == "slow days":
        return rng.normal(0, 1, count) + np.where(rng.random(count) < 0.1, rng.exponential(20, count), 0)
    if kind == "two speeds":
        return np.where(rng.random(count) < 0.4, 1.0, -1.0) + rng.normal(0, 0.1, count)
    return rng.normal(0, 1, count)


@pytest.mark.parametrize(("kind", "off", "least"), [("normal", 1, 18), ("slow days", 4, 15)])
def test_a_planted_change_is_found_where_it_is(kind: str, off: int, least: int, rng: np.random.Generator) -> None:
    hits = 0
    for _ in range(20):
        series = 100 + noise(rng, 60, kind)
        series[37:] += 4
        found = change_points(series)
        hits += len(found) == 1 and abs(found[0].index - 37) <= off
    assert hits >= least


def test_several_changes_and_levels_that_come_back(rng: np.random.Generator) -> None:
    series = 100 + noise(rng, 120)
    series[30:50] += 6
    series[90:] -= 5
    found = change_points(series)
    assert [change.index for change in found] == [pytest.approx(at, abs=1) for at in (30, 50, 90)]
    assert [change.relative > 0 for change in found] == [True, False, False]
    assert found[0].before == pytest.approx(100, abs=1) and found[2].after == pytest.approx(95, abs=1)
    assert all(change.p <= LEVEL for change in found)


def test_a_recent_change_of_five_records(rng: np.random.Generator) -> None:
    hits = 0
    for _ in range(20):
        series = 10 + noise(rng, 40)
        series[35:] += 6
        hits += [change.index for change in change_points(series)] == [35]
    assert hits >= 16


@pytest.mark.parametrize("kind", ["normal", "slow days", "two speeds"])
def test_false_alarms_are_as_rare_as_the_level(kind: str, rng: np.random.Generator) -> None:
    """At a level of 10 %, so that a hundred series show it: 10 expected, with a standard deviation of 3."""
    alarms = sum(bool(change_points(noise(rng, 30, kind), level=0.1)) for _ in range(100))
    assert alarms <= 19


def test_no_noise_and_few_values() -> None:
    assert change_points([5.0] * 50) == ()
    assert change_points([1.0, 1.0, 1.0, 2.0, 2.0]) == ()
    assert change_points([]) == ()
    assert [c.index for c in change_points([5.0] * 12 + [6.0] * 12)] == [12]


def test_one_slow_day_is_no_change(rng: np.random.Generator) -> None:
    series = 100 + noise(rng, 60)
    series[40] = 500
    assert change_points(series) == ()


def test_the_same_series_gives_the_same(rng: np.random.Generator) -> None:
    series = noise(rng, 50)
    assert change_points(series) == change_points(list(series))


def test_values_are_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        change_points([1.0, math.nan])


def test_steps_of_exact_numbers() -> None:
    assert steps([10, 10, 12, 12, 9]) == (Change(2, 10, 12, 0.0), Change(4, 12, 9, 0.0))
    assert steps([10.0]) == steps([]) == ()
    assert steps([10.0, 12.0])[0].relative == pytest.approx(0.2)
    assert math.isnan(Change(1, 0.0, 1.0, 0.5).relative)
