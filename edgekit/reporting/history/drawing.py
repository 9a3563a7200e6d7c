"""A series drawn with characters of ASCII, which stay what they are in every locale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from edgekit.reporting.amounts import number
from edgekit.reporting.history.series import Series

WIDEST, NARROWEST = 72, 36
HEIGHT = 5
POINT, CHANGE = "o", "^"


def drawn(series: Series, width: int | None = None) -> str:
    """Return a drawing: a column a record, in the order of time, and below it the first record of every new level.

    Of more records than there are columns, several share one, which shows their median.

    Args:
        series: to draw, of at least one point.
        width: in characters; None: as wide as is usual.
    """
    columns = max(NARROWEST, min(width or WIDEST, WIDEST))
    values = [point.interval.value for point in series.points]
    top, bottom = max(values), min(values)
    labels = [number(top, series.unit), number(bottom, series.unit)]
    margin = max(map(len, labels))
    shown = _thinned(values, columns - margin - 3)
    rows = [[" "] * len(shown) for _ in range(HEIGHT)]
    for column, value in enumerate(shown):
        share = (value - bottom) / (top - bottom) if top > bottom else 0.5
        rows[HEIGHT - 1 - round(share * (HEIGHT - 1))][column] = POINT
    sides = [labels[0], *[""] * (HEIGHT - 2), labels[1]]
    if top == bottom:
        sides = [labels[0] if row == HEIGHT // 2 else "" for row in range(HEIGHT)]
    lines = [f"{side:>{margin}} | {''.join(row)}".rstrip() for side, row in zip(sides, rows, strict=True)]
    axis = ["-"] * len(shown)
    for change in series.changes:
        axis[change.index * len(shown) // len(values)] = CHANGE
    return "\n".join([*lines, f"{'':>{margin}} +-{''.join(axis)}"])


def _thinned(values: Sequence[float], most: int) -> list[float]:
    """Return values, or medians of as many neighbours as make at most `most`."""
    if len(values) <= most:
        return list(values)
    ends = [math.floor(index * len(values) / most) for index in range(most + 1)]
    return [sorted(values[a:b])[(b - a) // 2] for a, b in pairwise(ends)]
