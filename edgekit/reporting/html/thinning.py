"""From all samples to those that are drawn. Every number that is drawn is a sample, and the extremes always are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
TAILS = 8
"""Ranks of each tail that are kept besides those at equal distances."""


@dataclass(frozen=True)
class Distribution:
    """An empirical distribution function, at some of its steps.

    Attributes:
        values: ascending; the first is the smallest sample, the last the largest.
        shares: of all samples that are at most as large as each, above 0 to 1.
        samples: how many there are.
    """

    values: Floats
    shares: Floats
    samples: int


def distribution(samples: Sequence[float] | Floats, most: int) -> Distribution:
    """Return the distribution of samples at no more than `most` steps, or at all of them where there are no more.

    The steps that are kept stand at equal distances in rank, and towards both ends at shorter and shorter ones.

    Args:
        samples: one or more.
        most: two or more.
    """
    values = np.sort(np.asarray(samples, np.float64))
    ranks = _ranks(len(values), most)
    return Distribution(values[ranks], (ranks + 1) / len(values), len(values))


def _ranks(count: int, most: int) -> npt.NDArray[np.int64]:
    if count <= most:
        return np.arange(count)
    tails = min(TAILS, (most - 2) // 4)
    far = np.unique(np.geomspace(1, max(1, count / most), tails).astype(np.int64)) - 1 if tails else np.array([], int)
    even = np.linspace(0, count - 1, max(2, most - 2 * len(far))).round().astype(np.int64)
    return np.unique(np.concatenate([even, far, count - 1 - far]))


@dataclass(frozen=True)
class Bucketed:
    """A series of samples in buckets of neighbours.

    Attributes:
        first: index of the first sample of each bucket.
        low, middle, high: the smallest, the median (of an even number the lower) and the largest of its samples.
        samples: how many there are.
    """

    first: npt.NDArray[np.int64]
    low: Floats
    middle: Floats
    high: Floats
    samples: int

    @property
    def centres(self) -> Floats:
        """Where the middle of each bucket is, in samples from the first."""
        ends = np.append(self.first[1:], self.samples)
        centres: Floats = (self.first + ends) / 2
        return centres


def bucketed(samples: Sequence[float] | Floats, most: int) -> Bucketed:
    """Return a series in at most `most` buckets of nearly equal size, so that its extremes are seen where they are.

    Args:
        samples: one or more, in the order in which they were taken.
        most: one or more.
    """
    values = np.asarray(samples, np.float64)
    parts = np.array_split(values, min(most, len(values)))
    sizes = np.array([len(part) for part in parts])
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    middle = np.array([np.partition(part, (len(part) - 1) // 2)[(len(part) - 1) // 2] for part in parts])
    return Bucketed(first, np.minimum.reduceat(values, first), middle, np.maximum.reduceat(values, first), len(values))


def share_of(budget: int, lines: int, least: int, most: int) -> int:
    """Return how many points each of several lines gets, so that all together stay within a budget, if they can.

    Args:
        budget: points of all lines.
        lines: how many.
        least: points that a line needs to be read.
        most: points beyond which nothing more is seen.
    """
    return max(least, min(most, budget // max(lines, 1)))
