"""Histories: what the records say over time, where there are enough of one file under like conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgekit.bundle.records import Record
from edgekit.reporting.amounts import with_interval
from edgekit.reporting.history.metrics import HISTORIES
from edgekit.reporting.history.series import Series, history
from edgekit.reporting.history.texts import change_text
from edgekit.reporting.html.charts.history import over_records
from edgekit.reporting.html.markup import Markup, element, joined
from edgekit.reporting.html.points import clipped
from edgekit.reporting.html.sections.parts import Figure, Section, details, figures, paragraphs, plain_table

IDENTIFIER = "history"
FEWEST = 4
"""Records that make a history."""
MOST = 24
"""Charts; what changed comes first."""
MOST_ROWS = 200
"""Of a table of numbers, the latest ones."""
METRICS = tuple(name for name in HISTORIES if name != "latency-ratio")


def histories(records: Mapping[str, Record]) -> Section | None:
    """Return the charts; None: no file was measured often enough."""
    if len(records) < FEWEST:
        return None
    found = [
        (_noun(metric, series), series)
        for metric in METRICS
        for series in history(records, metric).series
        if len(series.points) >= FEWEST
    ]
    if not found:
        return None
    found.sort(key=lambda one: not one[1].changes)  # stable: metrics stay in their order
    how = (
        "A point is a record, a line the median between two changes. A change is marked where values before and behind "
        "it differ more than values in random order do in 99 of 100 cases; of sizes, where they differ at all. Records "
        "under other conditions have a chart of their own."
    )
    changes = [
        f"{noun} of {series.name}: {change_text(series, change)}" for noun, series in found for change in series.changes
    ]
    left = f"{len(found) - MOST:,} more without a change are left out." if len(found) > MOST else ""
    body = [
        element("p", how),
        details(f"{len(changes)} change{'s' * (len(changes) != 1)}", paragraphs(changes[:MOST_ROWS]), printed=True)
        if changes
        else None,
        figures(IDENTIFIER, [_figure(noun, series) for noun, series in found[:MOST]]),
        element("p", left, class_="note") if left else None,
    ]
    return Section(IDENTIFIER, "History", joined([part for part in body if part is not None]))


def _noun(metric: str, series: Series) -> str:
    return clipped(series.metric) if metric == "accuracy" else HISTORIES[metric].noun


def _figure(noun: str, series: Series) -> Figure:
    note = "; ".join(map(str, series.unlike))
    target = None if series.target is None else clipped(series.target)
    short = replace(series, file=clipped(series.file), target=target)
    return Figure(
        f"{noun}: {short.name}",
        over_records(series, noun),
        note=f"Apart from the others: {note}" if note else "",
        numbers=_numbers(noun, series),
    )


def _numbers(noun: str, series: Series) -> Markup:
    latest = series.points[-MOST_ROWS:]
    rows = [(point.record, point.created, with_interval(point.interval, series.unit)) for point in latest]
    return plain_table(f"{noun} of {series.name}", ["record", "made", noun], rows)
