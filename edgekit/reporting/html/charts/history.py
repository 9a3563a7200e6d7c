"""A metric over records: a point a record in the order of time, and the levels between the changes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from edgekit.reporting.amounts import number, with_interval
from edgekit.reporting.history.series import Series
from edgekit.reporting.html.charts import theme
from edgekit.reporting.html.points import clipped
from edgekit.schema.types import JsonObject

HEIGHT_PX = 150
MOST_POINTS = 400
"""That are drawn; levels and changes are of all."""
_PLAIN = "format(datum.value, '.4~g')"
_AXES: dict[str, tuple[float, str, str]] = {
    "ms": (1.0, "ms", theme.MS_LABEL),
    "bytes": (1.0, "bytes", theme.BYTES_LABEL),
    "share": (100.0, "%", f"{_PLAIN} + ' %'"),
    "x": (1.0, "ratio", "format(datum.value, '.3~f') + 'x'"),
}
"""By unit the factor of what is drawn, the axis' unit, and the text of its ticks."""


def over_records(series: Series, noun: str) -> JsonObject:
    """Return the chart of a series.

    Args:
        series: with points.
        noun: what it is of, for the axis.
    """
    factor, unit, label = _AXES.get(series.unit, (1.0, clipped(series.unit), _PLAIN))
    rows = [_point(series, index, factor) for index in _drawn(series)]
    levels = list(_levels(series, factor))
    ends = [row[key] for row in rows for key in ("value", "low", "high") if row[key] is not None]
    low, high = theme.linear_domain(ends, low=0.0 if min(ends) >= 0 else -math.inf)
    count = len(series.points)
    x: JsonObject = {
        "type": "quantitative", "scale": {"domain": [0.5, count + 0.5], "nice": False},
        "axis": {"title": f"{count:,} records, the oldest first", "tickMinStep": 1, "tickCount": 5, "grid": False},
    }  # fmt: skip
    y: JsonObject = {
        "type": "quantitative", "scale": {"domain": theme.all_drawn([low, high]), "nice": False, "zero": False},
        "axis": {"title": f"{noun}, {unit}" if unit else noun, "labelExpr": label, "tickCount": 4},
    }  # fmt: skip
    low_end: JsonObject = {"field": "low", **y}
    shown = theme.tooltips(record="record", created="made", text=noun)
    return theme.specification(
        _described(series, noun),
        rows,
        height=HEIGHT_PX,
        encoding={"x": {"field": "place", **x}, "y": {"field": "value", **y}},
        layer=[
            {
                "data": {"values": levels},
                "mark": {"type": "rule", "color": theme.ACCENT, "strokeWidth": 2, "opacity": 0.7},
                "encoding": {"x": {"field": "first", **x}, "x2": {"field": "last"}, "y": {"field": "level", **y}},
            },
            {
                "data": {"values": [{"at": level["first"], "worse": level["worse"]} for level in levels[1:]]},
                "mark": {"type": "rule", "strokeDash": [4, 3], "strokeWidth": 1.5},
                "encoding": {
                    "x": {"field": "at", **x},
                    "y": {"value": 0},
                    "y2": {"value": HEIGHT_PX},
                    "color": {
                        "field": "worse", "type": "nominal", "legend": None,
                        "scale": {"domain": [True, False], "range": [theme.WORSE, theme.BETTER]},
                    },
                },
            },
            {
                "data": {"values": [row for row in rows if row["low"] is not None]},
                "mark": {"type": "rule", "color": theme.MUTED, "opacity": 0.6},
                "encoding": {"y": low_end, "y2": {"field": "high"}, "tooltip": shown},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 40, "color": theme.INK, "opacity": 1},
                "encoding": {"tooltip": shown},
            },
        ],
    )  # fmt: skip


def _drawn(series: Series) -> list[int]:
    """Return which points are drawn: all, or some at equal distances, with those at changes."""
    count = len(series.points)
    step = max(1, math.ceil(count / MOST_POINTS))
    return sorted({*range(0, count, step), count - 1, *(change.index for change in series.changes)})


def _point(series: Series, index: int, factor: float) -> JsonObject:
    point = series.points[index]
    parts = {"value": point.interval.value, "low": point.interval.low, "high": point.interval.high}
    return {
        "place": index + 1,
        **{name: theme.drawn(part * factor) for name, part in parts.items()},
        "record": clipped(point.record),
        "created": clipped(point.created),
        "text": with_interval(point.interval, series.unit),
    }


def _levels(series: Series, factor: float) -> Iterator[JsonObject]:
    """Yield the levels between changes, from half a record before the first to half a record behind the last."""
    if not series.changes:
        return
    starts = [0, *(change.index for change in series.changes), len(series.points)]
    values = [series.changes[0].before, *(change.after for change in series.changes)]
    worse = [False, *(series.is_worse(change) for change in series.changes)]
    for (first, last), level, bad in zip(pairwise(starts), values, worse, strict=True):
        yield {"first": first + 0.5, "last": last + 0.5, "level": theme.drawn(level * factor), "worse": bad}


def _described(series: Series, noun: str) -> str:
    values = [point.interval.value for point in series.points]
    spread = f"{number(min(values), series.unit)} to {number(max(values), series.unit)}"
    changes = len(series.changes)
    marked = f"{changes} change{'s' * (changes != 1)} of level" if changes else "no change of level"
    return f"{noun} of {series.name} in {len(values):,} records: {spread}, {marked}"
