"""Intervals of ratios: how often they hold the truth, and how often they find a planted difference."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from edgekit.stats.ratios import Ratio, paired_ratio, unpaired_ratio

Floats = npt.NDArray[np.float64]
Noise = Callable[[np.random.Generator, int], tuple[Floats, Floats]]


def normal(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    return rng.normal(scale=0.03, size=n), rng.normal(scale=0.03, size=n)


def heavy(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Of infinite variance: Student's t with 2 degrees of freedom."""
    return 0.02 * rng.standard_t(2, n), 0.02 * rng.standard_t(2, n)


def drift(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """A machine that becomes slower by two thirds while it measures."""
    slower = np.linspace(0, 0.5, n)
    return slower + rng.normal(scale=0.02, size=n), slower + rng.normal(scale=0.02, size=n)


def two_speeds(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Every process has one of two speeds by chance."""
    return tuple(0.2 * (rng.random(n) < 0.3) + rng.normal(scale=0.01, size=n) for _ in range(2))  # type: ignore[return-value]


def two_phases(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Both processes of a round mostly see the same of two speeds."""
    slow = rng.random(n) < 0.5
    return tuple(0.2 * np.where(rng.random(n) < 0.1, ~slow, slow) + rng.normal(scale=0.015, size=n) for _ in range(2))  # type: ignore[return-value]


KINDS: tuple[Noise, ...] = (normal, heavy, drift, two_speeds, two_phases)


def found(rng: np.random.Generator, kind: Noise, rounds: int, shift: float, runs: int) -> list[Ratio]:
    made = []
    for _ in range(runs):
        here, there = kind(rng, rounds)
        made.append(paired_ratio(np.exp(there + math.log1p(shift)), np.exp(here)))
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rounds", [5, 15])
def test_equal_things_show_no_difference(rng: np.random.Generator, kind: Noise, rounds: int) -> None:
    """In 99 of 100 comparisons; of 250, more than 9 that show one come about in 1 of 5,000 cases."""
    ratios = found(rng, kind, rounds, 0.0, 250)
    assert sum(ratio.shown for ratio in ratios) <= 9


@pytest.mark.parametrize(
    ("kind", "rounds", "least"),
    [(normal, 15, 0.8), (heavy, 15, 0.7), (drift, 15, 0.9), (two_speeds, 30, 0.8), (two_phases, 20, 0.7)],
)
def test_a_slowdown_of_five_percent_is_found(rng: np.random.Generator, kind: Noise, rounds: int, least: float) -> None:
    ratios = found(rng, kind, rounds, 0.05, 100)
    assert np.mean([ratio.shown for ratio in ratios]) >= least
    inside = [ratio.interval.low <= 1.05 <= ratio.interval.high for ratio in ratios]
    assert np.mean(inside) >= 0.95
    assert np.median([ratio.interval.value for ratio in ratios]) == pytest.approx(1.05, abs=0.01)


def test_what_would_have_been_seen_is_seen(rng: np.random.Generator) -> None:
    """A change as large as is said of such measurements is shown in about 90 of 100."""
    said = float(np.median([ratio.detectable for ratio in found(rng, normal, 15, 0.0, 100)]))
    assert 0.02 < said < 0.06
    assert np.mean([ratio.shown for ratio in found(rng, normal, 15, said, 200)]) == pytest.approx(0.9, abs=0.07)


def test_known_answers() -> None:
    ratio = paired_ratio([2.0] * 10, [1.0] * 10)
    assert (ratio.interval.low, ratio.interval.value, ratio.interval.high) == (pytest.approx(2),) * 3
    assert ratio.detectable == pytest.approx(0, abs=1e-12)
    assert ratio.shown
    equal = paired_ratio([3.0] * 10, [3.0] * 10)
    assert (equal.interval.low, equal.interval.high, equal.shown) == (1, 1, False)
    # By hand: logarithms 0.0, 0.1, 0.2: mean 0.1, standard error 0.1 / sqrt(3), t of 2 degrees at 99.5 % 9.925
    few = paired_ratio(np.exp([0.0, 0.1, 0.2]), [1.0, 1.0, 1.0])
    assert math.log(few.interval.value) == pytest.approx(0.1)
    assert math.log(few.interval.high) == pytest.approx(0.1 + 9.925 * 0.1 / math.sqrt(3), abs=1e-3)
    one = paired_ratio([2.0], [1.0])
    assert one.interval.value == pytest.approx(2)
    assert math.isnan(one.interval.low) and math.isnan(one.detectable) and not one.shown


def test_turned_round_the_interval_is_turned_round(rng: np.random.Generator) -> None:
    here, there = np.exp(rng.normal(scale=0.1, size=(2, 12)))
    one, other = paired_ratio(here, there).interval, paired_ratio(there, here).interval
    assert (one.low, one.value, one.high) == (
        pytest.approx(1 / other.high), pytest.approx(1 / other.value), pytest.approx(1 / other.low),
    )  # fmt: skip


def test_unpaired_processes(rng: np.random.Generator) -> None:
    shown = 0
    for _ in range(400):
        here, there = normal(rng, 5)
        shown += unpaired_ratio(np.exp(there), np.exp(here)).shown
    assert shown <= 12
    ratio = unpaired_ratio(np.exp(rng.normal(scale=0.01, size=5)) * 2, np.exp(rng.normal(scale=0.01, size=7)))
    assert ratio.interval.low < 2 < ratio.interval.high
    assert ratio.counts == (5, 7)
    # Welch by hand: means 0.1 and 0, both variances 0.02 of two values: standard error sqrt(0.02), 2 degrees of freedom
    few = unpaired_ratio(np.exp([0.0, 0.2]), np.exp([-0.1, 0.1]))
    assert math.log(few.interval.value) == pytest.approx(0.1)
    assert math.log(few.interval.high) == pytest.approx(0.1 + 9.925 * math.sqrt(0.02), abs=1e-2)
    assert math.isnan(unpaired_ratio([1.0], [1.0, 2.0]).interval.low)


def test_very_many_processes_take_neither_memory_nor_time(rng: np.random.Generator) -> None:
    """A record says how many there are, and may be anybody's."""
    for count in (1000, 200_000):
        here, there = np.exp(rng.normal(scale=0.01, size=(2, count)))
        for found in (paired_ratio(2 * there, here), unpaired_ratio(2 * there, here)):
            assert found.interval.low < 2 < found.interval.high
            assert found.interval.high - found.interval.low < 0.01


def test_what_has_no_ratio() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired_ratio([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="no processes"):
        unpaired_ratio([], [1.0])
    with pytest.raises(ValueError, match=r"domain error|positive"):
        paired_ratio([0.0], [1.0])
