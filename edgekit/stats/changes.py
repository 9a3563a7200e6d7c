"""Where the level of a series changes: change points by ranks, with a permutation test.

The statistic is the largest standardized sum of ranks before and behind a point (Wilcoxon's, as in Pettitt 1979,
Applied Statistics 28:126), over the whole series and over windows of halving lengths that overlap by half (seeded
binary segmentation: Kovacs, Bühlmann, Li and Munk 2023, Biometrika 110:249), so that a level that comes back is found,
too. Its distribution without a change is that of the same numbers in random order: the level of the test holds for any
distribution of the noise, ties included, as far as the values are exchangeable. What is significant splits the series,
and both parts are looked at in the same way (as E-divisive does: Matteson and James 2014, JASA 109:334); so a series
without changes gets one with a probability of at most `LEVEL`, however long it is. At the end every point is moved, by
a few values, to where the sum of the distances to the medians on both sides is smallest.

Because of the ranks one slow day moves nothing, unlike with the distances of E-divisive or a t-test, which MongoDB's
tools and Hunter use.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVEL = 0.01
"""Of the test: how often a series without a change gets one."""
PERMUTATIONS = 199
SHORTEST = 3
"""Values before and behind a change."""
MOVED = 10
"""Values by which a change point is moved at most."""
AT_ONCE = 50
MOST_DRAWN = 1_000_000
"""Permutations, and values in them, that are made at once."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Change:
    """A change of level.

    Attributes:
        index: of the first value behind it.
        before, after: median of the values from the change before, and up to the next.
        p: of the permutation test; at least 1 / (`PERMUTATIONS` + 1).
    """

    index: int
    before: float
    after: float
    p: float

    @property
    def relative(self) -> float:
        """By how much the level rose, 0.05 is 5 %; NaN from a level of 0."""
        return self.after / self.before - 1 if self.before else math.nan


def change_points(values: Sequence[float], *, level: float = LEVEL, seed: int = 0) -> tuple[Change, ...]:
    """Return where the level of a series changes, in order.

    Args:
        values: finite, in order of time.
        level: of the test.
        seed: of the permutations.

    Raises:
        ValueError: a value is not finite.
    """
    series = np.asarray(values, float)
    if not np.isfinite(series).all():
        raise ValueError("a value is not finite")
    rng = np.random.default_rng(seed)
    found: dict[int, float] = {}
    pending = [(0, len(series))]
    while pending:
        start, end = pending.pop()
        if end - start < 2 * SHORTEST:
            continue
        ranks = _ranks(series[start:end])
        if not ranks.any():
            continue
        statistic, place = _strongest(ranks)
        p = _p(ranks, statistic, rng, level)
        if p <= level:
            found[start + place] = p
            pending += [(start + place, end), (start, start + place)]
    return tuple(_settled(series, found))


def steps(values: Sequence[float]) -> tuple[Change, ...]:
    """Return every change of a series without noise, such as sizes of files."""
    starts = [0, *(i for i in range(1, len(values)) if values[i] != values[i - 1])]
    return tuple(Change(i, values[i - 1], values[i], 0.0) for i in starts[1:])


def _settled(series: Floats, found: dict[int, float]) -> Iterator[Change]:
    """Yield change points where they separate their neighbours best, with the levels beside them."""
    places = sorted(found)
    chances = [found[place] for place in places]
    for index, place in enumerate(places):
        low, high = [0, *places][index], [*places, len(series)][index + 1]
        places[index] = _moved(series[low:high], place - low) + low
    ends = [0, *places, len(series)]
    for index, place in enumerate(places):
        before, after = series[ends[index] : place], series[place : ends[index + 2]]
        yield Change(place, float(np.median(before)), float(np.median(after)), chances[index])


def _moved(values: Floats, place: int) -> int:
    """Return the place near a change point at which the distances to the medians on both sides are smallest."""
    near = range(max(SHORTEST, place - MOVED), min(len(values) - SHORTEST, place + MOVED) + 1)
    costs = {at: _distances(values[:at]) + _distances(values[at:]) for at in near}
    return min(costs, key=lambda at: (costs[at], abs(at - place)))


def _distances(values: Floats) -> float:
    return float(np.abs(values - np.median(values)).sum())


def _ranks(values: Floats) -> Floats:
    """Return ranks with mean 0 and variance 1, zeros where all values are equal; equal values share their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Floats = (last - (counts - 1) / 2)[place.ravel()]
    spread = float(ranks.std())
    return (ranks - ranks.mean()) / spread if spread else np.zeros(len(values))


def _windows(count: int) -> Iterator[tuple[int, int]]:
    """Yield the whole series, and windows of half, a quarter, ... of it, which overlap by half."""
    length = count
    while length >= 2 * SHORTEST:
        pieces = max(1, math.ceil(2 * count / length) - 1)
        yield from sorted({(start, start + length) for start in np.linspace(0, count - length, pieces).astype(int)})
        length = math.ceil(length / 2)


def _strongest(ranks: Floats) -> tuple[float, int]:
    """Return the largest statistic of any window, and the place that it is of."""
    return max((_scan(ranks[np.newaxis], start, end) for start, end in _windows(len(ranks))), key=lambda one: one[0])


def _scan(ranks: Floats, start: int, end: int) -> tuple[float, int]:
    statistics = _statistics(ranks, start, end)[0]
    best = int(statistics.argmax())
    return float(statistics[best]), start + SHORTEST + best


def _statistics(ranks: Floats, start: int, end: int) -> Floats:
    """Return the standardized sums of ranks before every place of a window.

    Args:
        ranks: (series, values).
        start: of the window.
        end: likewise.

    Returns:
        (series, places), the first place being `SHORTEST` values behind the start.
    """
    length = end - start
    sums = np.cumsum(ranks[:, start:end], axis=1)
    before = np.arange(SHORTEST, length - SHORTEST + 1)
    away = sums[:, before - 1] - sums[:, -1:] * (before / length)
    statistics: Floats = np.abs(away) / np.sqrt(before * (length - before) / length)
    return statistics


def _p(ranks: Floats, statistic: float, rng: np.random.Generator, level: float) -> float:
    """Return the probability of a statistic as large as this for the same values in random order.

    It is no longer looked at closely once it is above the level.
    """
    windows, reached, left = list(_windows(len(ranks))), 0, PERMUTATIONS
    while left and 1 + reached <= level * (1 + PERMUTATIONS):
        count = max(1, min(left, AT_ONCE, MOST_DRAWN // len(ranks)))
        drawn = rng.permuted(np.broadcast_to(ranks, (count, len(ranks))), axis=1)
        largest = np.zeros(count)
        for start, end in windows:
            np.maximum(largest, _statistics(drawn, start, end).max(axis=1), out=largest)
        reached += int((largest >= statistic - 1e-9).sum())
        left -= count
    return (1 + reached) / (1 + PERMUTATIONS)
