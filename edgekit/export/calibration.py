"""The range of a tensor for quantization, from its values in many samples.

Three ways to choose it. `minmax` takes the least and the greatest value. `percentile` leaves out a share of the values
at either end, which then saturate. `mse` takes the ends with the least mean squared error of rounding and saturation
(Nagel et al. 2021, arXiv 2106.08295, section 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekit.bundle.recipe import Recipe
from edgekit.tasks.samples import Array

_BINS = 8192
"""Of a histogram, on either side of zero."""
_CANDIDATES = 64
"""Fractions of an end that `mse` tries."""
_SWEEPS = 2
"""In which `mse` moves one end after the other."""


@dataclass(frozen=True)
class Ranging:
    """How ranges are chosen.

    Attributes:
        method: of `CALIBRATION_METHODS`.
        percentile: of the values that method `percentile` keeps, in percent; half of the rest lies at either end.
    """

    method: str = "minmax"
    percentile: float = 99.9

    @classmethod
    def of(cls, recipe: Recipe) -> Ranging:
        """Return what a recipe says."""
        return cls(recipe.calibration_method, recipe.calibration_percentile)

    def observer(self) -> Observer:
        """Return a new observer of one tensor."""
        return Observer() if self.method == "minmax" else HistogramObserver(self)


MINMAX = Ranging()


class Observer:
    """The least and the greatest of the values seen; values that are not finite are not counted."""

    def __init__(self) -> None:
        self.low, self.high = np.inf, -np.inf

    def update(self, values: Array) -> None:
        """Take values into account."""
        if not values.size:
            return
        low, high = float(values.min()), float(values.max())
        if not np.isfinite(low) or not np.isfinite(high):
            self.update(values[np.isfinite(values)])
            return
        self.low, self.high = min(self.low, low), max(self.high, high)

    def range(self, levels: int) -> tuple[float, float] | None:
        """Return the ends of the range, or None where no value was seen.

        Args:
            levels: that the range is divided into, such as 256.
        """
        return (self.low, self.high) if self.low <= self.high else None


class HistogramObserver(Observer):
    """Counts values in equal bins around zero.

    The bins' span is a power of two. Where a greater value comes, neighbours are merged until it fits, so that nothing
    is counted twice or moved, whatever the order of the samples.
    """

    def __init__(self, ranging: Ranging) -> None:
        super().__init__()
        self._ranging = ranging
        self._exponent: int | None = None
        self._counts = np.zeros(2 * _BINS, np.int64)

    def update(self, values: Array) -> None:
        """Take values into account."""
        values = values[np.isfinite(values)]
        super().update(values)
        if not values.size:
            return
        peak = max(abs(self.low), abs(self.high), float(np.finfo(np.float32).tiny))
        needed = int(np.frexp(peak)[1])  # peak <= 2 ** needed, and below it where it is a power of two itself
        while self._exponent is not None and self._exponent < needed:
            merged = self._counts.reshape(-1, 2).sum(axis=1)
            self._counts[:] = 0
            self._counts[_BINS // 2 : _BINS + _BINS // 2] = merged
            self._exponent += 1
        if self._exponent is None:
            self._exponent = needed
        bins = np.floor(np.ldexp(values.ravel().astype(np.float64), -self._exponent) * _BINS).astype(np.int64) + _BINS
        self._counts += np.bincount(np.clip(bins, 0, 2 * _BINS - 1), minlength=2 * _BINS)

    def range(self, levels: int) -> tuple[float, float] | None:
        """Return the ends of the range, or None where no value was seen."""
        if self._exponent is None:
            return None
        edges = np.ldexp(np.arange(-_BINS, _BINS + 1) / _BINS, self._exponent)
        if self._ranging.method == "percentile":
            low, high = _inner(self._counts, edges, self._ranging.percentile)
        else:
            low, high = _least_error(self._counts, edges, self.low, self.high, levels)
        return max(low, self.low), min(high, self.high)

    def magnitude(self, percent: float) -> float:
        """Return the magnitude that a share of the values does not exceed; 0 where no value was seen.

        Args:
            percent: the share.
        """
        if self._exponent is None:
            return 0.0
        folded = self._counts[_BINS:] + self._counts[:_BINS][::-1]
        last = int(np.searchsorted(np.cumsum(folded), folded.sum() * percent / 100, side="left"))
        edge = float(np.ldexp((last + 1) / _BINS, self._exponent))
        return min(edge, max(abs(self.low), abs(self.high)))


def _inner(counts: npt.NDArray[np.int64], edges: npt.NDArray[np.float64], percentile: float) -> tuple[float, float]:
    """Return the edges of the bins where a share of the values is passed from either end."""
    seen = np.cumsum(counts)
    outside = seen[-1] * (1 - percentile / 100) / 2
    first = int(np.searchsorted(seen, outside, side="right"))
    last = int(np.searchsorted(seen, seen[-1] - outside, side="left"))
    return float(edges[first]), float(edges[last + 1])


def _least_error(
    counts: npt.NDArray[np.int64], edges: npt.NDArray[np.float64], low: float, high: float, levels: int
) -> tuple[float, float]:
    """Return the range around zero with the least mean squared error, one end moved after the other."""
    kept = np.flatnonzero(counts)
    values, weights = (edges[kept] + edges[kept + 1]) / 2, counts[kept]
    low, high = ends = min(low, 0.0), max(high, 0.0)

    def error(low: float, high: float) -> float:
        step = (high - low) / (levels - 1)
        outside = np.maximum(values - high, 0) + np.maximum(low - values, 0)
        inside = (values <= high) & (values >= low) & (values != 0)
        # Rounding: a twelfth of the square of a step, for all but zero, which has a value of its own.
        return float((weights * outside**2).sum() + weights[inside].sum() * step**2 / 12)

    fractions = np.arange(1, _CANDIDATES + 1) / _CANDIDATES
    for _ in range(_SWEEPS):
        if ends[1] > 0:
            high = min((ends[1] * f for f in fractions[::-1]), key=lambda end: error(low, end))
        if ends[0] < 0:
            low = min((ends[0] * f for f in fractions[::-1]), key=lambda end: error(end, high))
    return low, high
