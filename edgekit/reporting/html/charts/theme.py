"""What all charts have in common: colours, which the page's style sets for light, dark and print, and their axes.

Colours are CSS variables, so a chart that is drawn once changes with the page. Okabe and Ito's orange, blue and green
are told apart by colour-blind readers (https://jfly.uni-koeln.de/color/); nothing is told by colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from edgekit.schema.types import JsonObject

PAPER, INK, MUTED, QUIET, GRID = "var(--paper)", "var(--ink)", "var(--muted)", "var(--quiet)", "var(--grid)"
ACCENT, BETTER, WORSE, DOUBT = "var(--accent)", "var(--better)", "var(--worse)", "var(--doubt)"
DIGITS = 5
"""Significant digits of numbers that are drawn: a thousandth of a pixel."""
ROOM = 0.06
"""Of an axis, left free on either side of the data."""
BYTES_LABEL = "format(datum.value, '.3~s') + 'B'"
MS_LABEL = "datum.value >= 1 ? format(datum.value, '.3~g') + ' ms' : format(datum.value * 1000, '.3~g') + ' us'"
FEW_TICKS = 6
LARGEST = 1e30
"""What axes reach to, whatever a file says."""
EQUAL_STEPS = 4.0
"""Ratio of its ends below which a logarithmic axis looks linear."""


def config() -> JsonObject:
    """Return the configuration of every chart; what a chart shows is said by the element around it."""
    words = {"labelColor": MUTED, "titleColor": INK, "titleFontWeight": 500, "labelFontSize": 12, "titleFontSize": 12}
    return {
        "background": "transparent",
        "aria": False,
        "font": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
        "view": {"stroke": None},
        "axis": {
            **words, "gridColor": GRID, "domainColor": QUIET, "tickColor": QUIET, "titlePadding": 8,
        },
        "axisY": {"domain": False, "ticks": False, "labelPadding": 6},
        "legend": {**words, "orient": "top", "symbolSize": 60, "title": None, "labelLimit": 300},
        "header": {"labelColor": INK, "labelFontSize": 12, "labelFontWeight": 500, "labelLimit": 320, "title": None},
        "title": {"color": INK, "anchor": "start", "fontSize": 13, "fontWeight": 500},
        "text": {"color": INK, "fontSize": 11},
        "rule": {"color": MUTED},
    }  # fmt: skip


def drawn(number: float | None) -> float | None:
    """Return a number as it is drawn, in few digits; None where it is none."""
    if number is None or not math.isfinite(number):
        return None
    return float(f"{number:.{DIGITS}g}")


def all_drawn(numbers: Iterable[float], digits: int = DIGITS) -> list[float]:
    """Return numbers as they are drawn; all have to be finite."""
    form = f".{digits}g"
    return [float(format(number, form)) for number in numbers]


def log_domain(values: Iterable[float]) -> tuple[float, float]:
    """Return the ends of a logarithmic axis around positive values."""
    found = [min(max(value, 1 / LARGEST), LARGEST) for value in values if value > 0]
    low, high = min(found, default=1.0), max(found, default=10.0)
    room = max((high / low) ** ROOM, 1.03)
    return low / room, high * room


def linear_domain(values: Iterable[float], low: float = -math.inf, high: float = math.inf) -> tuple[float, float]:
    """Return the ends of an axis around values, with room, but not beyond `low` and `high`."""
    found = [min(max(value, -LARGEST), LARGEST) for value in values if math.isfinite(value)]
    least, most = min(found, default=0.0), max(found, default=1.0)
    room = (most - least) * ROOM or abs(most) * ROOM or 1.0
    return max(least - room, low), min(most + room, high)


def log_ticks(low: float, high: float) -> list[float]:
    """Return round numbers inside of a logarithmic axis: a few times powers of ten; of a short one equal steps."""
    if high / low < EQUAL_STEPS:
        step = _round_step((high - low) / FEW_TICKS)
        first = math.ceil(low / step)
        return all_drawn(step * n for n in range(first, math.floor(high / step) + 1))
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for mantissas in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        ticks = [m * 10.0**e for e in decades for m in mantissas if low <= m * 10.0**e <= high]
        if len(ticks) <= FEW_TICKS + 1:
            break
    return all_drawn(ticks)


def _round_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= least)


def log_axis(title: str, domain: tuple[float, float], label: str) -> JsonObject:
    """Return the scale and the axis of a logarithmic channel.

    Args:
        title: with the unit.
        domain: its ends.
        label: Vega expression of a tick's text.
    """
    return {
        "type": "quantitative",
        "scale": {"type": "log", "domain": all_drawn(domain), "nice": False},
        "axis": {"title": title, "values": log_ticks(*domain), "labelExpr": label, "labelOverlap": True},
    }


def tooltips(**titles: str) -> list[JsonObject]:
    """Return what is shown over a mark: by field, its title."""
    return [{"field": field, "type": "nominal", "title": title} for field, title in titles.items()]


def specification(description: str, rows: Sequence[JsonObject], **rest: object) -> JsonObject:
    """Return a chart as wide as its place, and of a height in px.

    Args:
        description: what it shows, for those who do not see it.
        rows: the data.
        rest: marks and channels.
    """
    return {
        "description": description,
        "width": "container",
        "autosize": {"type": "fit-x", "contains": "padding"},
        "data": {"values": list(rows)},
        **rest,
    }


def panels(
    description: str, rows: Sequence[JsonObject], field: str, order: Sequence[str], width: int, **rest: object
) -> JsonObject:
    """Return a grid of small charts with common axes; the page sets how many stand side by side.

    Args:
        description: what they show, for those who do not see it.
        rows: the data.
        field: whose values have a panel each.
        order: of these values.
        width: of a panel, in px, that is enough.
        rest: `spec`, and `resolve` where each panel has axes of its own.
    """
    return {
        "description": description,
        "usermeta": {"panel_px": width, "axes": "each" if "resolve" in rest else "common"},
        "data": {"values": list(rows)},
        "facet": {"field": field, "type": "nominal", "sort": list(order), "header": {"labelAnchor": "start"}},
        "columns": 1,
        **rest,
    }
