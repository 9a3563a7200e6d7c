"""The steps of an int8 input: one scale for all of a tensor, and what that leaves of its values.

A runtime's int8 input stands for `(q - zero_point) * scale` with 256 values of q (Jacob et al. 2018, arXiv 1712.05877).
Its range spans all values seen in calibration, and zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.tasks.samples import Array

LEVELS = 256
FINE_LEVELS = 65_536
"""Of an int16 input."""
ERASED = 1 / 48
"""Share of a channel's variance that rounding costs, from which on it is mostly rounded away: a spread of two steps."""
EXACT = 1e-6
"""Share of the variance below which rounding costs nothing, as of bytes."""
MIDDLE = 0.1, 99.9
"""Percentiles between which the middle of the values lies."""


@dataclass(frozen=True)
class Steps:
    """The values that an integer input can hold: from `low` to `high`, both included, in equal steps."""

    low: float
    high: float
    levels: int = LEVELS

    @classmethod
    def of(cls, low: float, high: float, levels: int = LEVELS) -> Steps:
        """Return the steps for values of a range, widened to hold zero."""
        return cls(min(low, 0.0), max(high, 0.0), levels)

    @property
    def step(self) -> float:
        """The scale; 0 where all values are 0."""
        return (self.high - self.low) / (self.levels - 1)

    def indices(self, values: Array) -> npt.NDArray[np.int64]:
        """Return the number of the step, from 0, that every value becomes."""
        if not self.step:
            return np.zeros(values.shape, np.int64)
        zero = np.round(-self.low / self.step)
        steps = np.nan_to_num(np.round(values / self.step)) + zero
        found: npt.NDArray[np.int64] = np.clip(steps, 0, self.levels - 1).astype(np.int64)
        return found

    def rounded(self, values: Array) -> npt.NDArray[Any]:
        """Return what an integer input makes of values, in their dtype; those outside saturate."""
        zero = np.round(-self.low / self.step) if self.step else 0
        found: npt.NDArray[Any] = ((self.indices(values) - zero) * self.step).astype(values.dtype)
        return found


def rounding(columns: Array, std: Array, steps: Steps) -> tuple[tuple[int, ...], float, float]:
    """Look at what an int8 input leaves of values.

    Args:
        columns: values, shape (n, channels).
        std: of every channel, of more values than these.
        steps: of the input.

    Returns:
        Channels that are mostly rounded away; the share of the range in which the middle of the values lies; the share
        of the values that differ and become the same step, the one that most become.
    """
    if not steps.step or not np.isfinite(steps.step) or not columns.size:
        return (), 1.0, 0.0
    indices = steps.indices(columns)
    error = columns - steps.rounded(columns)
    if error.var() < EXACT * columns.var():
        return (), 1.0, 0.0
    lost = np.flatnonzero((std > 0) & (error.var(axis=0) > ERASED * std**2))
    first, last = np.percentile(columns, MIDDLE)
    commonest = np.bincount(indices.ravel()).argmax()
    there = columns[indices == commonest]
    same = np.unique(there, return_counts=True)[1].max()
    middle = (last - first) / (steps.high - steps.low)
    return tuple(lost.tolist()), float(middle), float((len(there) - same) / columns.size)
