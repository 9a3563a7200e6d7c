"""What every sample adds to a metric, so that two files can be compared sample by sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edgekit.stats.pairs import Contributions
from edgekit.tasks.metrics import absolute_errors, overlaps, right_decisions, same_picks, squared_errors
from edgekit.tasks.samples import Array
from edgekit.tasks.task import Head


def contributions(outputs: Array, y: Array, head: Head) -> Contributions | None:
    """Return what every sample adds to the metric of an output.

    Args:
        outputs: in real units, float64 (n, ...).
        y: what it is compared with, samples first.
        head: what the output is for, and its metric.

    Returns:
        None of a metric that is no function of sums over samples, such as `auc`, and of outputs that are not finite.
    """
    made = _MADE.get(head.metric)
    return made(outputs, y, head) if made is not None and np.isfinite(outputs).all() else None


def _mean(values: Array) -> Contributions:
    """Return the contributions to the mean over the samples of the mean of each."""
    column = np.asarray(values, np.float64).reshape(len(values), -1).mean(axis=1)[:, np.newaxis]
    return Contributions(column, np.ones_like(column), lambda ratios: ratios[..., 0])


def _miou(outputs: Array, y: Array, head: Head) -> Contributions:
    shared, either = overlaps(outputs, y, head)
    return Contributions(
        shared.astype(np.float64), either.astype(np.float64), lambda ratios: np.nanmean(ratios, axis=-1)
    )


def _sqnr(outputs: Array, y: Array, head: Head) -> Contributions:
    reference = y.astype(np.float64)
    signal = (reference**2).reshape(len(y), -1).sum(axis=1, keepdims=True)
    noise = ((reference - outputs) ** 2).reshape(len(y), -1).sum(axis=1, keepdims=True)
    return Contributions(signal, noise, lambda ratios: 10 * np.log10(ratios[..., 0]))


_MADE: Mapping[str, Callable[[Array, Array, Head], Contributions]] = {
    "accuracy": lambda outputs, y, head: _mean(right_decisions(outputs, y, head)),
    "agreement": lambda outputs, y, head: _mean(same_picks(outputs, y, head)),
    "mae": lambda outputs, y, head: _mean(absolute_errors(outputs, y)),
    "mse": lambda outputs, y, head: _mean(squared_errors(outputs, y)),
    "miou": _miou,
    "sqnr": _sqnr,
}
