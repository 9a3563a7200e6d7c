"""What labels are by their values: whole numbers or not, how far they run, and which of them are class 0, 1, ..."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.tasks.samples import Array

CHUNK_VALUES = 1 << 22
"""Values that are looked at together: labels may be masks that lie on the disk."""
LARGEST_WHOLE = 2**31
"""Floating point numbers beyond are no classes."""
PAIRS = ((0, 1), (-1, 1), (1, 2), (0, 255))
"""Values of two classes, as people write them."""


@dataclass(frozen=True)
class Values:
    """Which values an array holds.

    Attributes:
        low, high: the extremes.
        whole: whether all are whole numbers, whatever the dtype.
        few: the different values while there are at most two, else empty.
    """

    low: float
    high: float
    whole: bool
    few: tuple[int, ...] = ()

    def within(self, low: float, high: float) -> bool:
        """Return whether no value lies outside of these bounds."""
        return low <= self.low and self.high <= high


def values_of(y: Array) -> Values:
    """Look at all values of an array, some at a time; at few of an array that is not of whole numbers."""
    step = max(1, CHUNK_VALUES // max(1, int(np.prod(y.shape[1:]))))
    low, high, few, many = np.inf, -np.inf, set[int](), False
    for start in range(0, len(y), step):
        part = np.asarray(y[start : start + step])
        low, high = min(low, float(part.min())), max(high, float(part.max()))
        if part.dtype.kind not in "iub" and not is_whole(part):
            return Values(low, high, whole=False)
        if not many:
            few |= {int(value) for value in np.unique(part)[:3]}
            many = len(few) > 2
    return Values(low, high, whole=True, few=() if many else tuple(sorted(few)))


def is_whole(values: Array) -> bool:
    """Return whether all values are whole numbers that may be classes."""
    if values.dtype.kind in "iub":
        return True
    return bool((np.abs(values) < LARGEST_WHOLE).all() and (values == np.rint(values)).all())


@dataclass(frozen=True)
class Coding:
    """How labels become classes: class = (label - first) / step."""

    first: int = 0
    step: int = 1

    def classes(self, y: Any) -> Array:
        """Return the classes of labels, integers; they are outside of the range where the labels are of no class."""
        array = np.asarray(y)
        whole = array if array.dtype.kind in "iu" else np.rint(array).astype(np.int64)
        if (self.first, self.step) == (0, 1):
            return whole
        found, rest = np.divmod(whole.astype(np.int64) - self.first, self.step)
        return np.where(rest == 0, found, -1)

    def name(self, number: int) -> str:
        """Return the label of a class."""
        return str(self.first + self.step * number)


PLAIN = Coding()


def of_two(values: Values) -> Coding | None:
    """Return how the values of two classes become 0 and 1; None if they are none of `PAIRS`."""
    if not values.whole:
        return None
    for first, second in PAIRS:
        if values.few and set(values.few) <= {first, second} and (first == 0 or len(values.few) == 2):
            return Coding(first, second - first)
    return None


def of_many(values: Values, classes: int | None) -> Coding:
    """Return how labels become as many classes as an output has: those that run from 1 to that number lose one."""
    if classes is not None and values.low >= 1 and values.high == classes:
        return Coding(1)
    if classes == 2 and (coding := of_two(values)) is not None:
        return coding
    return PLAIN
