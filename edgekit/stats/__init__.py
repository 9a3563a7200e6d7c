"""Pure statistics on raw samples. No clock, no files."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
FEW_RESAMPLES = 1000
COSTLY_RESAMPLES = 200
"""Where each computes a metric anew."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval, in the unit of the data."""

    value: float
    low: float
    high: float


def wilson(correct: int, total: int) -> Interval:
    """Return a proportion with its Wilson score interval (Wilson 1927), each in [0, 1].

    Raises:
        ValueError: no trials, or more hits than trials.
    """
    if not 0 <= correct <= total or total == 0:
        raise ValueError(f"{correct} of {total} is no proportion")
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    p = correct / total
    centre = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    low = 0.0 if correct == 0 else centre - half
    high = 1.0 if correct == total else centre + half
    return Interval(p, low, high)


def percentile(values: Sequence[float], q: float) -> float:
    """Return the q-th percentile (0 to 100), interpolating between samples."""
    return float(np.percentile(np.asarray(values, float), q))


def resampled_interval(value: float, resampled: npt.NDArray[np.float64]) -> Interval:
    """Return a value with the middle of what bootstrap samples gave."""
    low, high = np.percentile(resampled, [100 * (1 - CONFIDENCE) / 2, 100 * (1 + CONFIDENCE) / 2])
    return Interval(value, float(low), float(high))


def mean_interval(values: npt.NDArray[np.float64]) -> Interval:
    """Return the mean of independent values with its normal interval, mean +- z s / sqrt(n); NaN with one value."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, math.nan, math.nan)
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


def bootstrap_ratio(
    numerators: npt.NDArray[np.float64], denominators: npt.NDArray[np.float64], seed: int = 0
) -> Interval:
    """Return the mean over columns of sum(numerators) / sum(denominators), with a bootstrap interval over the rows.

    Args:
        numerators: shape (samples, columns), such as the pixels that a class shares with its labels.
        denominators: of the same shape, such as the pixels that either has; columns without any are left out.
        seed: of the resampling.
    """
    rng = np.random.default_rng(seed)
    count = len(numerators)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=FEW_RESAMPLES).astype(np.float64)

    def mean(above: npt.NDArray[np.float64], below: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        ratios = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
        found: npt.NDArray[np.float64] = np.nanmean(ratios, axis=-1)
        return found

    value = float(mean(numerators.sum(axis=0, dtype=np.float64), denominators.sum(axis=0, dtype=np.float64)))
    return resampled_interval(value, mean(weights @ numerators, weights @ denominators))


def bootstrapped(statistic: Callable[[npt.NDArray[np.int64]], float], count: int, value: float) -> Interval:
    """Return a statistic with its bootstrap interval over the samples (percentile bootstrap, Efron 1979).

    Args:
        statistic: of the rows whose indices it is called with, int64 (count,), some more than once.
        count: of the samples.
        value: the statistic of all samples.
    """
    rng = np.random.default_rng(0)
    return resampled_interval(
        value, np.array([statistic(rng.integers(0, count, count)) for _ in range(COSTLY_RESAMPLES)])
    )


def sqnr_db(reference: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """Return the signal-to-quantization-noise ratio in dB: 10 log10(sum(ref^2) / sum((ref - other)^2)).

    Infinite where the two are equal.
    """
    noise = float(np.sum((reference - other) ** 2))
    signal = float(np.sum(reference**2))
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf


def efficiency(accuracy: float, size_bytes: int) -> float:
    """Return accuracy in percent per KiB of file: the study's metric (arXiv 2305.08075), accuracy / size."""
    return 100 * accuracy / (size_bytes / 1024)
