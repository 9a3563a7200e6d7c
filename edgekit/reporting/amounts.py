"""Amounts as text, by their unit: of a check, of a point of a history."""

from __future__ import annotations

import math
from collections.abc import Callable

from edgekit.stats import Interval
from edgekit.text.tables import duration

NS_PER_MS = 1e6


def number(value: float, unit: str) -> str:
    """Return a number with its unit: `86,969 B`, `15.0 ms`, `98.50 %`, `+5.00 %`, `0.50 points`."""
    return _finite(value, *_parts(value, unit))


def with_interval(interval: Interval, unit: str) -> str:
    """Return a number with its unit and, where it has one, its interval: `14.2 ms [13.9, 14.6]`."""
    write, behind = _parts(interval.value, unit)
    text = _finite(interval.value, write, behind)
    if math.isnan(interval.low) or math.isnan(interval.high) or interval.low == interval.high:
        return text
    return f"{text} [{_finite(interval.low, write, '')}, {_finite(interval.high, write, '')}]"


def margin_text(margin: float | None, unit: str) -> str:
    """Return how far a number is from its limit, with its sign: `+1,504 B`, `-2.31 ms`."""
    if margin is None:
        return "-"
    text = number(abs(margin), "share" if unit == "relative" else unit)
    return f"{'-' if margin < 0 else '+'}{text}"


Writer = Callable[[float], str]


def _parts(value: float, unit: str) -> tuple[Writer, str]:
    """Return how numbers of a unit are written, and what stands behind them."""
    if unit == "bytes":
        return lambda v: f"{v:,.0f}", " B"
    if unit == "ms":
        text = duration(abs(value) * NS_PER_MS) if math.isfinite(value) else "- ms"
        behind = text.partition(" ")[2]
        factor = {"s": 1e-3, "ms": 1.0, "us": 1e3, "ns": 1e6}[behind]
        return lambda v: _three(v * factor), f" {behind}"
    if unit == "share":
        return lambda v: f"{100 * v:.2f}", " %"
    if unit == "relative":
        return lambda v: f"{100 * v:+.2f}", " %"
    if unit == "points" or unit.startswith("% of"):
        return lambda v: f"{v:.2f}", f" {unit}"
    return lambda v: f"{v:.4g}", f" {unit}" if unit else ""


def _finite(value: float, write: Writer, behind: str) -> str:
    return f"{write(value)}{behind}" if math.isfinite(value) else f"{value}"


def _three(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
