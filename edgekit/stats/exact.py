"""Distributions that small samples need exactly: Student's t, rank sums and flipped signs. No SciPy."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

MANY_DEGREES = 400
"""From here on Student's t is taken for the normal distribution; its 99 % point is off by less than 0.3 %."""
MOST_FLIPPED = 100
"""Differences of which signs are flipped exactly; beyond, the normal approximation is as good."""
MOST_GROUP = 60
"""Values for which ranks are counted exactly; beyond, the normal approximation is off by less than a rank."""


@lru_cache(maxsize=256)
def student(probability: float, degrees: int) -> float:
    """Return the quantile of Student's t with whole degrees of freedom.

    By bisection of the finite sums of Abramowitz and Stegun 1964, 26.7.3 and 26.7.4.

    Args:
        probability: in [0.5, 1).
        degrees: of freedom, at least 1.

    Raises:
        ValueError: either is out of its range.
    """
    if not 0.5 <= probability < 1 or degrees < 1:
        raise ValueError(f"t quantile {probability} with {degrees} degrees of freedom")
    if degrees >= MANY_DEGREES:
        return NormalDist().inv_cdf(probability)
    within = 2 * probability - 1
    low, high = 0.0, 1.0
    while _within(high, degrees) < within:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, degrees) < within else (low, middle)
    return (low + high) / 2


def _within(t: float, degrees: int) -> float:
    """Return P(|T| < t)."""
    theta = math.atan(t / math.sqrt(degrees))
    sine, square = math.sin(theta), math.cos(theta) ** 2
    odd = degrees % 2
    term = math.cos(theta) if odd else 1.0
    total = 0.0
    for factor in range(2 + odd, degrees + 1, 2):
        total += term
        term *= square * (factor - 1) / factor
    if not odd:
        return sine * total
    return 2 / math.pi * (theta + sine * total)


def sign_flips(differences: npt.NDArray[np.int64]) -> float:
    """Return how likely a sum of differences is that is as far from 0, if each might as well have the other sign.

    Fisher 1935 and Pitman 1937: the two-sided probability over all 2^n signs, counted exactly.
    """
    sizes = np.abs(differences[differences != 0])
    if not len(sizes):
        return 1.0
    if len(sizes) > MOST_FLIPPED:
        return 2 * NormalDist().cdf(-abs(float(differences.sum())) / math.sqrt(float((sizes.astype(float) ** 2).sum())))
    unit = int(np.gcd.reduce(sizes))
    reached, whole = abs(int(differences.sum())) // unit, int(sizes.sum()) // unit
    ways = np.zeros(whole + 1)
    ways[0] = 1.0
    top = 0
    for size in (sizes // unit).tolist():
        ways[size : top + size + 1] += ways[: top + 1].copy()
        ways /= 2
        top += size
    # The sum is twice what has a plus, less all.
    tail = ways[: (whole - reached) // 2 + 1].sum()
    return float(min(1.0, 2 * tail)) if reached else 1.0


@lru_cache(maxsize=256)
def rank_sum(count: int, others: int, tail: float) -> int:
    """Return how many of the smallest differences between two groups lie below a bound of probability `tail`.

    The statistic of Mann and Whitney 1947 is at most this minus one with a probability of at most `tail`; 0 where even
    its smallest value is too likely.
    """
    if max(count, others) > MOST_GROUP:
        mean, variance = count * others / 2, count * others * (count + others + 1) / 12
        return max(0, math.floor(mean + NormalDist().inv_cdf(tail) * math.sqrt(variance)))
    # ways[i][u]: i of the values so far are of the first group, and u pairs are in order
    ways = np.zeros((count + 1, count * others + 1))
    ways[0, 0] = 1.0
    for place in range(1, count + others + 1):
        for size in range(min(place, count), 0, -1):
            shift = place - size  # of the second group that lie below
            if shift <= others:
                moved = np.zeros(count * others + 1)
                moved[shift:] = ways[size - 1, : count * others + 1 - shift]
                ways[size] += moved
    return _below(ways[count] / ways[count].sum(), tail)


def _below(probabilities: npt.NDArray[np.float64], tail: float) -> int:
    return int(np.searchsorted(np.cumsum(probabilities), tail * (1 + 1e-12), side="right"))
