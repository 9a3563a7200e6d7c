"""Scores as text: shares in percent, other metrics as numbers with their unit."""

from __future__ import annotations

import math

from edgekit.tasks.metrics import METRICS, Score
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


def title(metric: str) -> str:
    """Return what stands above a column of scores."""
    return f"{metric.rpartition(':')[2]} [95 %]"
