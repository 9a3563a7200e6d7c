"""The range of a tensor for quantization, from its values in many samples.

Three ways to choose it. `minmax` takes the least and the greatest value. `percentile` leaves out a share of the values
at either end, which then saturate. `mse` takes the ends with the least mean squared error of rounding and saturation
(Nagel et al. 2021, arXiv 2106.08295, section 3.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekit.bundle.recipe import Recipe
from edgekit.tasks.samples import Array

_BINS = 8192
"""Of a histogram, on either side of zero."""
_COUNTED = 1 << 20
"""Values of a tensor that a histogram holds at least, where so many come: a ten-thousandth of them are 100."""
_COUNTED_AT_ONCE = 1 << 11
"""The same, of one update."""
_TOGETHER = 1 << 15
"""Values that are counted at once: of a few, most time would go into the bins."""
_SMALLEST = 2.0**-100
"""What is nearer to zero counts as this, so that the width of a bin is a normal float32."""
_CANDIDATES = 64
"""Fractions of an end that `mse` tries."""
_SWEEPS = 2
"""In which `mse` moves one end after the other."""

Ends = tuple[float, float]
"""Of a range: the lower and the upper, in real units."""
UNBOUNDED: Ends = (-np.inf, np.inf)
Counts = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]


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

    def __str__(self) -> str:
        """Return it as a person writes it: `mse`, `percentile 99.99`."""
        return f"{self.method} {self.percentile:g}" if self.method == "percentile" else self.method

    def observer(self, updates: int = 1) -> Observer:
        """Return a new observer of one tensor, which this and `MINMAX` choose ranges from.

        Args:
            updates: about how many it gets, so that it knows what share of the values it has to count.
        """
        return Observer() if self.method == "minmax" else Histogram(updates)

    def ends(self, seen: Observer, levels: int) -> Ends | None:
        """Return the range of a tensor, or None where no value was seen.

        Args:
            seen: of that tensor, from `observer`; a `Histogram` for any method but `minmax`.
            levels: that the range is divided into, such as 256.
        """
        if seen.low > seen.high:
            return None
        if self.method == "minmax" or not isinstance(seen, Histogram):
            return seen.low, seen.high
        low, high = seen.inner(self.percentile) if self.method == "percentile" else seen.least_error(levels)
        return max(low, seen.low), min(high, seen.high)


MINMAX = Ranging()


def observer_for(rangings: Sequence[Ranging], updates: int = 1) -> Observer:
    """Return an observer that all of these choose ranges from; arguments as of `Ranging.observer`."""
    return next((r for r in rangings if r.method != "minmax"), MINMAX).observer(updates)


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
        self._count(values)

    def _count(self, values: Array) -> None:
        """Take finite values, of which there are some, into account besides."""


class Histogram(Observer):
    """Counts values in equal bins around zero, besides.

    The bins' span is a power of two. Where a greater value comes, neighbours are merged until it fits, so that nothing
    is counted twice or moved, whatever the order of the samples. Of very many values evenly spaced ones are counted.
    """

    def __init__(self, updates: int = 1) -> None:
        super().__init__()
        self._exponent: int | None = None
        self._bins: Counts = np.zeros(2 * _BINS, np.int64)
        self._zeros = 0
        self._most = max(_COUNTED // max(updates, 1), _COUNTED_AT_ONCE)
        self._updates = 0
        self._waiting: list[npt.NDArray[np.float32]] = []
        self._wait = 0

    def _count(self, values: Array) -> None:
        flat = values.ravel()
        # Odd, and with another start each time, so that all of an even number of channels are seen.
        stride = -(-flat.size // self._most) | 1
        flat = flat[self._updates % stride :: stride] if flat.size > self._most else flat
        self._updates += 1
        self._waiting.append(flat.astype(np.float32))
        self._wait += flat.size
        if self._wait >= _TOGETHER:
            self._settle()

    def _settle(self) -> None:
        """Count the values that wait for it."""
        if not self._waiting:
            return
        values = np.concatenate(self._waiting)
        self._waiting, self._wait = [], 0
        peak = max(abs(self.low), abs(self.high), _SMALLEST)
        needed = int(np.frexp(peak)[1])  # peak <= 2 ** needed, and below it where it is a power of two itself
        while self._exponent is not None and self._exponent < needed:
            merged = self._bins.reshape(-1, 2).sum(axis=1)
            self._bins[:] = 0
            self._bins[_BINS // 2 : _BINS + _BINS // 2] = merged
            self._exponent += 1
        if self._exponent is None:
            self._exponent = needed
        # Exact in float32, by a power of two: a value falls into the same bin before and after a merge.
        bins = np.floor(values * np.float32(_BINS * 2.0**-self._exponent)).astype(np.intp) + _BINS
        self._bins += np.bincount(np.minimum(bins, 2 * _BINS - 1), minlength=2 * _BINS)
        self._zeros += values.size - int(np.count_nonzero(values))

    def inner(self, percentile: float) -> Ends:
        """Return the edges of the bins where a share of the values, in percent, is passed from either end."""
        self._settle()
        seen, edges = np.cumsum(self._bins), self._edges()
        outside = seen[-1] * (1 - percentile / 100) / 2
        first = int(np.searchsorted(seen, outside, side="right"))
        last = int(np.searchsorted(seen, seen[-1] - outside, side="left"))
        return float(edges[first]), float(edges[last + 1])

    def least_error(self, levels: int) -> Ends:
        """Return the range around zero with the least mean squared error, one end moved after the other."""
        low, high = ends = min(self.low, 0.0), max(self.high, 0.0)
        error = self._errors(levels)
        fractions = np.arange(_CANDIDATES, 0, -1) / _CANDIDATES
        for _ in range(_SWEEPS):
            if ends[1] > 0:
                high = float(ends[1] * fractions[error(np.full(_CANDIDATES, low), ends[1] * fractions).argmin()])
            if ends[0] < 0:
                low = float(ends[0] * fractions[error(ends[0] * fractions, np.full(_CANDIDATES, high)).argmin()])
        return low, high

    def noise(self, ends: Ends, levels: int) -> float:
        """Return the mean squared error of rounding and saturation in a range, against the mean square of the values.

        Args:
            ends: of the range; it is widened to hold zero.
            levels: that it is divided into.
        """
        low, high = np.array([min(ends[0], 0.0)]), np.array([max(ends[1], 0.0)])
        values, weights = self._values()
        power = float((weights * values**2).sum())
        return float(self._errors(levels)(low, high)[0]) / power if power else 0.0

    def magnitude(self, percent: float) -> float:
        """Return the magnitude that a share of the values does not exceed; 0 where no value was seen.

        Args:
            percent: the share.
        """
        self._settle()
        if self._exponent is None:
            return 0.0
        folded = self._bins[_BINS:] + self._bins[:_BINS][::-1]
        last = int(np.searchsorted(np.cumsum(folded), folded.sum() * percent / 100, side="left"))
        edge = float(np.ldexp((last + 1) / _BINS, self._exponent))
        return min(edge, max(abs(self.low), abs(self.high)))

    def _edges(self) -> Reals:
        edges: Reals = np.ldexp(np.arange(-_BINS, _BINS + 1) / _BINS, self._exponent or 0)
        return edges

    def _values(self) -> tuple[Reals, Counts]:
        """Return the middle of every bin that holds any, and how many; zeros, which no range changes, left out."""
        self._settle()
        counts, edges = self._bins.copy(), self._edges()
        counts[_BINS] -= self._zeros
        kept = np.flatnonzero(counts)
        return (edges[kept] + edges[kept + 1]) / 2, counts[kept]

    def _errors(self, levels: int) -> _Errors:
        return _Errors(*self._values(), levels)


class _Errors:
    """The squared error of values in ranges, summed: of many ranges at once, from sums up to every value."""

    def __init__(self, values: Reals, weights: Counts, levels: int) -> None:
        self._values, self._levels = values, levels
        powers = np.stack([weights * values**power for power in range(3)])
        self._sums = np.concatenate([np.zeros((3, 1)), np.cumsum(powers, axis=1)], axis=1)

    def __call__(self, low: Reals, high: Reals) -> Reals:
        """Return the error of each range, (n,), with its ends around zero, (n,) each."""
        first = np.searchsorted(self._values, low, side="left")
        last = np.searchsorted(self._values, high, side="right")
        below, inside = self._sums[:, first], self._sums[0, last] - self._sums[0, first]
        above = self._sums[:, -1:] - self._sums[:, last]
        outside = sum(part[2] - 2 * end * part[1] + end**2 * part[0] for part, end in ((below, low), (above, high)))
        step = (high - low) / (self._levels - 1)
        # Of rounding: a twelfth of the square of a step.
        errors: Reals = np.maximum(outside, 0.0) + inside * step**2 / 12
        return errors
