"""Points drawn with characters, for a terminal, a pipe or a log.

The drawing is of ASCII alone, so that it stays what it is in every locale, and has no escapes. `plotext` was looked at:
it keeps its figure in the module, draws with Unicode, and would be one more package of the light install for 20 points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from string import ascii_lowercase

from edgekit.errors.printable import lines, visible
from edgekit.reporting.clouds import BYTES, Cloud, Point
from edgekit.text.columns import without_prefix
from edgekit.text.tables import duration

WIDEST, NARROWEST = 72, 36
HEIGHT = 9
NS_PER_MS = 1e6
FRONT, OTHER = "*", "o"
MOST_LETTERS = len(ascii_lowercase)
LONGEST_NAME = 40


def scatter(cloud: Cloud, width: int | None = None) -> str:
    """Return a drawing, or nothing where it has no room.

    Args:
        cloud: what to draw; costs go to the right on a log scale, scores upward.
        width: in characters; None: as wide as is usual.
    """
    columns = WIDEST if width is None else min(width, WIDEST)
    if columns < NARROWEST:
        return ""
    scores = [point.score for point in cloud.points]
    labels = [_score(value, cloud.unit) for value in (max(scores), min(scores))]
    margin = max(map(len, labels)) + 1
    marks = _marks(cloud.points)
    cells = _cells(cloud.points, marks, columns - margin - 3)
    sides = [labels[0], *[""] * (HEIGHT - 2), labels[1]]
    if labels[0] == labels[1]:
        sides = [labels[0] if row == HEIGHT // 2 else "" for row in range(HEIGHT)]
    drawn = [f"{side:>{margin}} | {''.join(row)}".rstrip() for side, row in zip(sides, cells, strict=True)]
    costs = [point.cost for point in cloud.points]
    ends = [_cost(value, cloud.cost_unit) for value in (min(costs), max(costs))]
    drawn.append(" " * margin + " +" + "-" * (columns - margin - 2))
    drawn.append(" " * (margin + 3) + ends[0] + ends[1].rjust(columns - margin - 3 - len(ends[0])))
    which = f"{FRONT} on the Pareto front" if len(cloud.points) > MOST_LETTERS else "capitals on the Pareto front"
    title = f"{cloud.of}: {cloud.metric} against {cloud.cost}, {which}"
    return lines([title, *drawn, *_legend(cloud.points, marks, columns)])


def _marks(points: Sequence[Point]) -> list[str]:
    """Return a mark a point: a letter, from the point that costs least, a capital one on the front; or, of many, two.

    Returns:
        In the order of the points.
    """
    if len(points) > MOST_LETTERS:
        return [FRONT if point.front else OTHER for point in points]
    order = sorted(range(len(points)), key=lambda i: (points[i].cost, -points[i].score))
    marks = [""] * len(points)
    for letter, index in zip(ascii_lowercase, order, strict=False):
        marks[index] = letter.upper() if points[index].front else letter
    return marks


def _cells(points: Sequence[Point], marks: Sequence[str], width: int) -> list[list[str]]:
    """Return the drawing as characters, the first row at the top.

    Points of the front come first. Where one is already, a letter stands up to two places beside its own, and a mark
    of many is left out.
    """
    cells = [[" "] * width for _ in range(HEIGHT)]
    across = _scale([math.log(point.cost) for point in points], width - 1)
    up = _scale([point.score for point in points], HEIGHT - 1)
    beside = (0, 1, -1, 2, -2) if len(points) <= MOST_LETTERS else (0,)
    for index in sorted(range(len(points)), key=lambda i: not points[i].front):
        row = cells[HEIGHT - 1 - up[index]]
        places = [across[index] + step for step in beside]
        free = next((place for place in places if 0 <= place < width and row[place] == " "), None)
        if free is not None:
            row[free] = marks[index]
    return cells


def _scale(values: Sequence[float], most: int) -> list[int]:
    low, high = min(values), max(values)
    if high <= low or not math.isfinite(high - low):
        return [most // 2] * len(values)
    return [round((value - low) / (high - low) * most) for value in values]


def _legend(points: Sequence[Point], marks: Sequence[str], width: int) -> Iterator[str]:
    """Yield lines that say which letter is which file."""
    if len(points) > MOST_LETTERS:
        return
    names = without_prefix(list(dict.fromkeys(point.name for point in points)))
    entries = []
    for mark, point in sorted(zip(marks, points, strict=True), key=lambda pair: pair[0].lower()):
        name = visible(names[point.name])
        entries.append(f"{mark} {name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + '…'}")
    cell = max(map(len, entries)) + 2
    across = max(1, (width - 2) // cell)
    for line in zip_longest(*[iter(entries)] * across, fillvalue=""):
        yield "  " + "".join(entry.ljust(cell) for entry in line).rstrip()


def _score(value: float, unit: str) -> str:
    return f"{value:.2f} %" if unit == "%" else f"{value:.4g}"


def _cost(value: float, unit: str) -> str:
    return f"{value:,.0f} B" if unit == BYTES else duration(value * NS_PER_MS)
