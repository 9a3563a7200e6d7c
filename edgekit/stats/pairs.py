"""Two classifiers on the same samples: which ones each gets right, and by how much their accuracies differ."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from edgekit.stats import CONFIDENCE, FEW_RESAMPLES, Interval, resampled_interval

EXACT = 10_000
"""Discordant samples up to which binomial probabilities are summed; with more, mid-p and the normal test agree."""
AT_ONCE = 1_000_000
"""Weights of resamples in memory at the same time."""


@dataclass(frozen=True)
class Paired:
    """What two classifiers do with the same samples.

    Attributes:
        gained: samples that only the second one gets right.
        lost: samples that only the first one gets right.
        samples: all.
        p: of McNemar's test, mid-p: how likely so unequal a split of the discordant samples is if both are as good.
        difference: of the accuracies, second less first, in [-1, 1], with Tango's 95 % interval.
    """

    gained: int
    lost: int
    samples: int
    p: float
    difference: Interval

    @property
    def shown(self) -> bool:
        """Whether they differ, at 5 %."""
        return self.p < 1 - CONFIDENCE


def mcnemar(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> Paired:
    """Compare which samples two classifiers get right.

    Raises:
        ValueError: no samples, or not as many.
    """
    if len(first) != len(second) or not len(first):
        raise ValueError(f"{len(first)} and {len(second)} samples do not pair")
    gained, lost = int((second & ~first).sum()), int((first & ~second).sum())
    return Paired(gained, lost, len(first), mid_p(gained, lost), tango(gained, lost, len(first)))


def mid_p(gained: int, lost: int) -> float:
    """Return the two-sided mid-p value of McNemar's test.

    The split is binomial with probability 1/2 (McNemar 1947, Psychometrika 12); of the observed one, half counts, which
    keeps the level and has more power than the exact test (Fagerland, Lydersen and Laake 2013, BMC Medical Research
    Methodology 13:91). It is 1 where no sample is discordant.
    """
    total, fewer = gained + lost, min(gained, lost)
    if total > EXACT:
        return 2 * NormalDist().cdf((2 * fewer - total) / math.sqrt(total))
    if gained == lost:
        return 1 - (_binomial(fewer, total) / 2 if total else 0)
    return 2 * sum(_binomial(k, total) for k in range(fewer)) + _binomial(fewer, total)


def _binomial(successes: int, trials: int) -> float:
    logs = math.lgamma(trials + 1) - math.lgamma(successes + 1) - math.lgamma(trials - successes + 1)
    return math.exp(logs - trials * math.log(2))


def tango(gained: int, lost: int, samples: int) -> Interval:
    """Return a difference of paired proportions with its score interval.

    Tango 1998, Statistics in Medicine 17:891; its bounds are where the score statistic is the normal quantile, found by
    bisection.

    Args:
        gained: pairs of which only the second is a success.
        lost: pairs of which only the first is one.
        samples: all pairs.
    """
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)

    def score(delta: float) -> float:
        b = (2 * samples - gained + lost) * delta - gained - lost
        c = -lost * delta * (1 - delta)
        rest = (math.sqrt(max(0.0, b * b - 8 * samples * c)) - b) / (4 * samples)
        variance = samples * (2 * rest + delta * (1 - delta))
        distance = gained - lost - samples * delta
        if variance <= 0:
            return math.copysign(math.inf, distance) if distance else 0.0
        return distance / math.sqrt(variance)

    value = (gained - lost) / samples
    return Interval(value, _bound(score, value, -1.0, z), _bound(score, value, 1.0, -z))


def _bound(score: Callable[[float], float], inside: float, outside: float, level: float) -> float:
    """Return where a falling function is `level`, between a point inside the interval and the end of the range."""
    for _ in range(100):
        middle = (inside + outside) / 2
        within = score(middle) < level if level > 0 else score(middle) > level
        inside, outside = (middle, outside) if within else (inside, middle)
    return inside


@dataclass(frozen=True)
class Contributions:
    """What every sample adds to a metric that is a function of the ratios of sums.

    Attributes:
        numerators: (samples, columns).
        denominators: likewise.
        metric: from the ratio of the sums of every column (..., columns), NaN where nothing was added, to its value.
    """

    numerators: npt.NDArray[np.float64]
    denominators: npt.NDArray[np.float64]
    metric: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


def bootstrap_difference(first: Contributions, second: Contributions, seed: int = 0) -> Interval:
    """Return the difference of a metric, second less first, with a paired percentile bootstrap over the samples.

    Both get the same resampled samples (Efron and Tibshirani 1993, 8), so that what is hard for both cancels.

    Raises:
        ValueError: not as many samples.
    """
    count = len(first.numerators)
    if len(second.numerators) != count or not count:
        raise ValueError("samples do not pair")
    rng = np.random.default_rng(seed)
    at_once = max(1, min(FEW_RESAMPLES, AT_ONCE // count))
    differences: list[float] = []
    while len(differences) < FEW_RESAMPLES:
        rows = np.arange(at_once)[:, np.newaxis] * count + rng.integers(0, count, (at_once, count))
        weights = np.bincount(rows.ravel(), minlength=at_once * count).reshape(at_once, count).astype(np.float64)
        differences += (_valued(second, weights) - _valued(first, weights)).tolist()
    ones = np.ones((1, count))
    return resampled_interval(float((_valued(second, ones) - _valued(first, ones))[0]), np.array(differences))


def _valued(of: Contributions, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the metric with each row of weights (resamples, samples)."""
    above, below = weights @ of.numerators, weights @ of.denominators
    ratios = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return of.metric(ratios)
