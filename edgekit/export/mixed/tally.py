"""Running sums over one activation: how strong it is, what int8 rounds off it, and how far off the int8 file is there.

One sample is added after the other, and none is kept, so that memory does not grow with their number.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from edgekit.export.calibration import UNBOUNDED, Ends, Histogram, Ranging
from edgekit.tasks.samples import Array

Floats = npt.NDArray[np.float64]

LEVELS = 256
"""Of int8."""
MIDDLE = 99.8
"""Percent of the values that a range is for; half of the rest lies at either end."""
MOST_MAGNITUDES = 99.9
"""Percent of the magnitudes that outliers are compared with."""
NARROW_STEPS = 2.0
"""A channel that spans less is hardly there."""
_COUNTED = 1 << 16
"""Values of a sample that are counted for percentiles, evenly spaced."""
_LEAST, _MOST = 1e-12, 1e12
"""Peaks between which squares are summed as float32."""


class Tally:
    """What is known of an activation.

    Attributes:
        step: its scale and zero point in the int8 file; None where it is not quantized.
        axis: of its channels; an activation without it has its last axis.
        ends: of what its readers tell apart; values outside of them count as the nearer end.
        values: how many were seen.
        rounding: energy of what rounding and clipping to int8 change in the float file's values.
        noise: energy of the difference between the two files' values.
        energies, sums: by channel, of the float file's values: the sum of their squares, and their sum.
    """

    def __init__(self, step: tuple[float, int] | None, axis: int, ends: Ends = UNBOUNDED) -> None:
        """Start.

        Args:
            step: as above.
            axis: as above.
            ends: as above.
        """
        self.step, self.axis, self.ends = step, axis, ends
        self.values, self.rounding, self.noise = 0, 0.0, 0.0
        self.energies: Floats = np.zeros(0)
        self.sums: Floats = np.zeros(0)
        self._low: Floats = np.zeros(0)
        self._high: Floats = np.zeros(0)
        self._histogram = Histogram()

    def update(self, true: Array, found: Array) -> None:
        """Add a sample.

        Args:
            true: the float file's values, (1, ...).
            found: the int8 file's, of the same shape, in real units.
        """
        if self.ends != UNBOUNDED:
            true, found = (np.clip(values, *self.ends) for values in (true, found))
        self._add(_by_channel(true, self.axis), _by_channel(found, self.axis))

    def _add(self, columns: Array, other: Array) -> None:
        """Add values as (values, channels)."""
        if not columns.size:
            return
        low, high = columns.min(axis=0).astype(np.float64), columns.max(axis=0).astype(np.float64)
        peak = max(abs(float(low.min())), abs(float(high.max())))
        if not math.isfinite(peak):
            kept = np.isfinite(columns).all(axis=1)
            self._add(columns[kept], other[kept])
            return
        if not _LEAST < peak < _MOST:
            columns, other = columns.astype(np.float64), other.astype(np.float64)
        energies, sums = np.einsum("ij,ij->j", columns, columns), columns.sum(axis=0)
        if len(self.energies) != columns.shape[1]:
            self.energies, self.sums = np.zeros(columns.shape[1]), np.zeros(columns.shape[1])
            self._low, self._high = low, high
        self.energies += energies
        self.sums += sums
        self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)
        self.values += columns.size
        self.noise += _energy(other - columns)
        if self.step is not None:
            self.rounding += _energy(_rounded(columns, *self.step) - columns)
        self._histogram.update(columns.ravel()[:: _stride(columns)])

    @property
    def signal(self) -> float:
        """Energy of the float file's values."""
        return float(self.energies.sum())

    @property
    def ratio(self) -> float:
        """Noise to signal; infinite where there is no signal."""
        signal = self.signal
        return self.noise / signal if signal else math.inf if self.noise else 0.0

    @property
    def range_used(self) -> float | None:
        """Share of the steps that the middle of the values spans, 0 to 1; None where it is not quantized."""
        ends = Ranging("percentile", MIDDLE).ends(self._histogram, LEVELS)
        if self.step is None or ends is None:
            return None
        scale, zero = self.step
        low, high = (min(max(round(end / scale) + zero, -LEVELS // 2), LEVELS // 2 - 1) for end in ends)
        return (high - low + 1) / LEVELS

    @property
    def outliers(self) -> float | None:
        """Largest magnitude over that which most values do not exceed; None where there is nothing but zeros."""
        most = self._histogram.magnitude(MOST_MAGNITUDES)
        return self._peak / most if most else None

    @property
    def narrow_channels(self) -> float | None:
        """Share of the channels that vary, but less than 2 steps, 0 to 1; None where it is not quantized."""
        if self.step is None or not len(self._low):
            return None
        spans = self._high - self._low
        return float(((spans > 0) & (spans < NARROW_STEPS * self.step[0])).mean())

    @property
    def _peak(self) -> float:
        return float(np.maximum(np.abs(self._low), np.abs(self._high)).max(initial=0.0))


def _by_channel(values: Array, axis: int) -> Array:
    """Return an activation as (values, channels)."""
    if values.ndim < 2:
        return values.reshape(-1, 1)
    if axis not in (-1, values.ndim - 1) and values.ndim > 2:
        values = np.moveaxis(values, axis, -1)
    return values.reshape(-1, values.shape[-1])


def _energy(values: Array) -> float:
    flat = values.ravel()
    return float(np.dot(flat, flat))


def _rounded(values: Array, scale: float, zero: int) -> Array:
    """Return values as int8 with this scale and zero point holds them, in real units."""
    steps = np.rint(values / values.dtype.type(scale))
    np.clip(steps, -LEVELS // 2 - zero, LEVELS // 2 - 1 - zero, out=steps)
    steps *= values.dtype.type(scale)
    return np.asarray(steps)


def _stride(columns: Array) -> int:
    """Return a step through flat values that meets every channel."""
    stride = max(1, columns.size // _COUNTED)
    while math.gcd(stride, columns.shape[1]) > 1:
        stride += 1
    return stride
