"""By what factor two things differ that were timed in few, noisy processes: an interval that keeps its confidence.

The percentile bootstrap of a median over a handful of processes does not: at 95 %, it leaves the truth out in 25 of 100
cases with 3 of them, in 6 with 5 and in 13 with 7 (benchmarks/intervals.py). Here the intervals invert tests of ranks,
which assume nothing of the noise but that it is as likely to make either side slower. So stray slow processes, drift,
and machines that have two speeds, such as those of which two CPUs share a core, widen them and do not bias them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekit.stats import Interval
from edgekit.stats.exact import rank_sum, sign_flips, student

CONFIDENCE = 0.99
"""Of the intervals, and so 1 comparison in 100 of equal things shows a difference."""
POWER = 0.9
"""With which probability a change as large as `Ratio.detectable` would have been seen."""
MOST = 1000
"""Processes of a side that are compared by ranks, as many as `edgekit bench` starts; of more, the means are."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ratio:
    """A factor between two latencies.

    Attributes:
        interval: the factor with its interval of `CONFIDENCE`; low and high are NaN where there is none.
        detectable: the smallest relative change, such as 0.03, that measurements which vary like these would have
            shown with a probability of `POWER`; NaN where there is no interval.
        paired: whether rounds were paired.
        counts: processes, of the numerator and of the denominator.
    """

    interval: Interval
    detectable: float
    paired: bool
    counts: tuple[int, int]

    @property
    def shown(self) -> bool:
        """Whether the interval leaves 1 out, so that there is a difference."""
        return self.interval.low > 1 or self.interval.high < 1


def paired_ratio(numerators: Sequence[float], denominators: Sequence[float], confidence: float = CONFIDENCE) -> Ratio:
    """Return the ratio of two series of which values of one round saw the machine in nearly the same state.

    The interval holds the ratios that a randomization test does not reject: all values are ranked, and the ranks of a
    round might as well be swapped (Pitman 1937 on the ranks of Conover and Iman 1981). If chance decided which of the
    two came first, that is exact whatever the machine did in time. Where the values of a round have a state of it in
    common, it is as sharp as a signed-rank test; where they have none, it has the power of a rank sum, which is far
    more on a machine with two speeds. The estimate is the median of all ratios of a value of one side and one of the
    other (Hodges and Lehmann 1963). Below 8 rounds (at 99 %), and above 1000, both are of the mean logarithm, with
    Student's t.

    Args:
        numerators: a median a round, positive.
        denominators: likewise, of the same rounds.
        confidence: of the interval.

    Raises:
        ValueError: different numbers of rounds, or a value that is not positive.
    """
    above, below = np.array(_logs(numerators)), np.array(_logs(denominators))
    logs, count = np.array([a - b for a, b in zip(above, below, strict=True)]), len(above)
    if 2 * 0.5 ** min(count, MOST) <= 1 - confidence and count <= MOST:
        low, value, high = _swapped(above, below, 1 - confidence)
    else:
        error = float(np.std(logs, ddof=1)) / math.sqrt(count) if count > 1 else math.nan
        low, value, high = _student(float(np.mean(logs)), error, count - 1, confidence)
    return _ratio(low, value, high, count - 1, confidence, paired=True, counts=(count, count))


def _swapped(above: Floats, below: Floats, level: float) -> tuple[float, float, float]:
    """Return the shift between two series, and the smallest and the largest one that swaps within rounds do not reject.

    Between two neighbours among all differences the ranks stay the same, so those are looked at by bisection.
    """
    shifts = np.unique(above[:, np.newaxis] - below)
    value = float(np.median(above[:, np.newaxis] - below))
    between = np.concatenate([[shifts[0] - 1], (shifts[1:] + shifts[:-1]) / 2, [shifts[-1] + 1]])

    def rejected(place: int) -> bool:
        both = np.concatenate([below, above - between[place]])
        ordered = np.sort(both)
        ranks = np.searchsorted(ordered, both, "left") + np.searchsorted(ordered, both, "right")
        return sign_flips(ranks[len(below) :] - ranks[: len(below)]) <= level

    def first_kept(outside: int, inside: int) -> int:
        while abs(inside - outside) > 1:
            middle = (inside + outside) // 2
            outside, inside = (middle, inside) if rejected(middle) else (outside, middle)
        return inside

    centre = int(np.clip(np.searchsorted(between, value), 1, len(between) - 2)) if len(shifts) > 1 else 0
    if not centre:
        return value, value, value
    return float(shifts[first_kept(0, centre) - 1]), value, float(shifts[first_kept(len(between) - 1, centre)])


def unpaired_ratio(numerators: Sequence[float], denominators: Sequence[float], confidence: float = CONFIDENCE) -> Ratio:
    """Return the ratio of two series that were measured apart, from the medians of their processes.

    The estimate of Hodges and Lehmann 1963 of the shift of the logarithms, with the interval that inverts the test of
    Mann and Whitney 1947; of too few processes the difference of the means with Welch's interval (1947). What changed
    between two sessions is in neither.

    Args:
        numerators: a median a process, positive.
        denominators: likewise.
        confidence: of the interval.

    Raises:
        ValueError: there is none on one side, or a value is not positive.
    """
    above, below = np.array(_logs(numerators)), np.array(_logs(denominators))
    if not len(above) or not len(below):
        raise ValueError("no processes")
    outside = rank_sum(len(above), len(below), (1 - confidence) / 2)
    degrees = max(1, len(above) + len(below) - 2)
    if outside and len(above) * len(below) <= MOST**2:
        low, value, high = _ranked((above[:, np.newaxis] - below).ravel(), outside)
    else:
        error, degrees = _welch(above, below)
        low, value, high = _student(float(np.mean(above) - np.mean(below)), error, degrees, confidence)
    return _ratio(low, value, high, degrees, confidence, paired=False, counts=(len(above), len(below)))


def _logs(values: Sequence[float]) -> list[float]:
    return [math.log(value) for value in values]


def _ranked(values: Floats, outside: int) -> tuple[float, float, float]:
    """Return the bound below which `outside` values lie less one, their median, and the bound on the other side."""
    ordered = np.sort(values)
    return float(ordered[outside - 1]), float(np.median(ordered)), float(ordered[-outside])


def _student(mean: float, error: float, degrees: int, confidence: float) -> tuple[float, float, float]:
    half = error * student((1 + confidence) / 2, degrees) if degrees > 0 else math.nan
    return mean - half, mean, mean + half


def _welch(above: Floats, below: Floats) -> tuple[float, int]:
    """Return the standard error of a difference of means and its degrees of freedom, rounded down."""
    if min(len(above), len(below)) < 2:
        return math.nan, 0
    parts = [float(np.var(values, ddof=1)) / len(values) for values in (above, below)]
    total = sum(parts)
    smaller = min(len(above), len(below)) - 1
    if not total:
        return 0.0, smaller
    spread = sum(part**2 / (len(values) - 1) for part, values in zip(parts, (above, below), strict=True))
    return math.sqrt(total), max(smaller, math.floor(total**2 / spread + 1e-9))


def _ratio(
    low: float, value: float, high: float, degrees: int, confidence: float, *, paired: bool, counts: tuple[int, int]
) -> Ratio:
    detectable = math.nan
    if not math.isnan(low):
        # An interval's half width is t standard errors; an effect larger by t' of them is found with this power.
        half = (high - low) / 2
        detectable = math.expm1(half * (1 + student(POWER, degrees) / student((1 + confidence) / 2, degrees)))
    return Ratio(Interval(math.exp(value), math.exp(low), math.exp(high)), detectable, paired, counts)
