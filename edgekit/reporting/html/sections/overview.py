"""The charts to decide by: accuracy against size and against latency, a panel a device."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.reporting.html.charts.tradeoff import (
    LATENCY,
    SIZE,
    Cost,
    front_of,
    latency_label,
    score_label,
    tradeoff,
    with_cost,
)
from edgekit.reporting.html.markup import Markup, element, joined
from edgekit.reporting.html.points import Chosen, Group, Point, of_rows, once_a_file, short_names
from edgekit.reporting.html.sections.limits import MOST_POINTS, first
from edgekit.reporting.html.sections.parts import Figure, Section, figures, paragraphs, plain_table
from edgekit.reporting.rows import Row
from edgekit.tasks.scores import brief_title, title
from edgekit.text.columns import without_prefix

IDENTIFIER = "overview"
HOW = (
    "Up and to the left is better. The line is the Pareto front: no file is cheaper and better than one on it; the "
    "others are grey. Bars are 95 % intervals. A large point is a file to ship."
)
HOLLOW = "Hollow points are latencies whose verdict is `suspect`, and whatever is `invalid`."


def overview(rows: Sequence[Row], chosen: Chosen) -> Section | None:
    """Return the charts of all measurements, with the files that were chosen; None: no file has a score."""
    groups = of_rows(rows, chosen)
    if not groups:
        return None
    parts: list[Markup] = []
    for index, group in enumerate(groups, 1):
        parts.append(element("h3", group.title))
        parts.append(figures(f"{IDENTIFIER}-{index}", charts(group), stretched=True))
    notes = [HOW, *_missing(rows)]
    if any(point.verdict in ("suspect", "invalid") for group in groups for point in group.points):
        notes.append(HOLLOW)
    return Section(IDENTIFIER, "Accuracy against size and latency", joined([paragraphs(notes), *parts]))


def charts(group: Group) -> list[Figure]:
    """Return the charts of a group: of size, and of latency a device."""
    names = short_names(group.points, without_prefix([point.file for point in group.points]))
    by_size = list(once_a_file(group.points))
    found = [_chart(group, by_size, SIZE, names, "size")]
    for device in group.devices or ("",):
        timed = with_cost([point for point in group.points if point.device == device], LATENCY)
        if timed:
            where = f"latency on {device}" if device else "latency"
            found.append(_chart(group, timed, LATENCY, names, where))
    return found


def _chart(group: Group, points: Sequence[Point], cost: Cost, names: dict[str, str], against: str) -> Figure:
    front = front_of(group, points, cost)
    on = set(front)
    order = [*front, *(index for index in range(len(points)) if index not in on)]
    kept, note = first(order, MOST_POINTS, "files")
    shown = [points[index] for index in sorted(kept)]
    heading = f"{brief_title(group.metric)} against {against}"
    return Figure(heading, tradeoff(group, shown, cost, names), " ".join(note), _numbers(group, shown, cost))


def _numbers(group: Group, points: Sequence[Point], cost: Cost) -> Markup:
    front = set(front_of(group, points, cost))
    rows = [
        (
            point.file,
            point.place,
            f"{point.bytes:,} B",
            "-" if point.latency_ms is None else latency_label(point.latency_ms),
            score_label(group, point.score),
            "yes" if index in front else "no",
        )
        for index, point in enumerate(points)
    ]
    header = ["file", "of", "size", "latency [95 %]", title(group.metric), "on the front"]
    return plain_table(group.title, header, rows)


def _missing(rows: Sequence[Row]) -> list[str]:
    """Return which measurements the charts do not show, and why."""
    emulated = sorted({row.record.target for row in rows if row.emulated})
    notes = [f"{', '.join(emulated)}: the CPU is emulated, so there is no latency."] if emulated else []
    unscored = len({(row.name, row.file) for row in rows if row.accuracy is None})
    if unscored:
        notes.append(f"Without a score, and so in the table only: {unscored} file{'s' * (unscored > 1)}.")
    return notes
