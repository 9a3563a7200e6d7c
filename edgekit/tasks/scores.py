"""Scores as text: shares in percent, other metrics as numbers with their unit."""

from __future__ import annotations

import math

from edgekit.tasks.metrics import Score
from edgekit.tasks.register import METRICS
from edgekit.text.tables import share_with_interval


def score_text(score: Score) -> str:
    """Return `98.20 % [97.1, 98.9]`, or `0.132 [0.128, 0.136]`."""
    interval = score.interval
    if math.isnan(interval.value):
        return "not finite"
    known = METRICS.get(score.metric)
    if known is not None and known.unit == "%":
        return share_with_interval(interval)
    unit = f" {known.unit}" if known is not None and known.unit else ""
    bounds = "" if math.isnan(interval.low) else f" [{interval.low:.3g}, {interval.high:.3g}]"
    return f"{interval.value:.4g}{unit}{bounds}"


def brief_text(score: Score) -> str:
    """Return the same without its interval: `98.20 %`, or `0.132`."""
    return score_text(score).partition(" [")[0]


def title(metric: str) -> str:
    """Return what stands above a column of scores."""
    return f"{brief_title(metric)} [95 %]"


def brief_title(metric: str) -> str:
    """Return what stands above a column of scores without intervals."""
    return metric.rpartition(":")[2]
