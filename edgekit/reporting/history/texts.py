"""A history as text for a terminal, as Markdown, and as JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from edgekit.errors.printable import lines, visible, with_code
from edgekit.reporting.amounts import number
from edgekit.reporting.formats.marked import code
from edgekit.reporting.history.drawing import drawn
from edgekit.reporting.history.metrics import HISTORIES
from edgekit.reporting.history.series import History, Series
from edgekit.schema.types import JsonObject
from edgekit.stats.changes import Change
from edgekit.text.columns import interval

FEW = 4
"""Records from which a series is drawn."""
FEW_LEFT_OUT = 5
"""Reasons that are listed in full."""


def history_text(found: History, width: int | None = None) -> str:
    """Return every series drawn, its changes, and what was left out.

    Args:
        found: the history.
        width: of a terminal, in characters; None: as wide as is usual.
    """
    long = [series for series in found.series if len(series.points) >= FEW or series.changes]
    short = [series for series in found.series if series not in long]
    parts = [
        "\n".join(
            filter(None, [lines([title(found, series), *_conditions(series)]), drawn(series, width), _list(series)])
        )
        for series in long
    ]
    parts.append(lines(text for series in short for text in (_in_line(found, series), *_conditions(series))))
    return "\n\n".join(filter(None, [*parts, lines(left_out(found))]))


def markdown(found: History) -> str:
    """Return the same as Markdown."""
    parts = [f"### edgekit history: {HISTORIES[found.metric].noun}"]
    for series in found.series:
        parts.append(f"**{code(series.name)}**: {_span(series)}")
        parts += [f"- {code(text)}" for text in _conditions(series)]
        if len(series.points) >= FEW or series.changes:
            parts.append(f"```text\n{drawn(series)}\n```")
        else:
            parts.append(code(", ".join(number(point.interval.value, series.unit) for point in series.points)))
        changes = [f"- {code(change_text(series, change))}" for change in series.changes]
        parts.append("\n".join(changes) or "No change.")
    rest = [f"- {code(text)}" for text in left_out(found)]
    return "\n\n".join([*parts, *(["\n".join(rest)] if rest else [])]) + "\n"


def document(found: History) -> JsonObject:
    """Return what `--json` prints."""
    return {
        "metric": found.metric,
        "series": [_series_values(series) for series in found.series],
        "left_out": [
            {"what": visible(what), "code": reason.code, "message": reason.sentence} for what, reason in found.left_out
        ],
    }


def title(found: History, series: Series) -> str:
    """Return what a series is of: `median latency of m.tflite, 1 thread on rpi4: 12 records, 2026-11-01 to ...`."""
    noun = series.metric if found.metric == "accuracy" else HISTORIES[found.metric].noun
    return f"{noun} of {series.name}: {_span(series)}"


def change_text(series: Series, change: Change) -> str:
    """Return a change as a sentence."""
    point = series.points[change.index]
    relative = "" if math.isnan(change.relative) else f" ({100 * change.relative:+.1f} %)"
    chance = f", p {change.p:.3f}" if change.p else ""
    word = "worse" if series.is_worse(change) else "better"
    levels = f"{number(change.before, series.unit)} -> {number(change.after, series.unit)}{relative}"
    return f"{word} from {point.created}, {point.record}: {levels}{chance}"


def left_out(found: History) -> Iterator[str]:
    """Yield what has no place in any series; many of one reason in one line."""
    if len(found.left_out) <= FEW_LEFT_OUT:
        yield from (f"left out: {what}: {with_code(r.sentence, r.code)}" for what, r in found.left_out)
        return
    counts = Counter(reason.code for _, reason in found.left_out)
    for reason_code, count in counts.items():
        first, reason = next((what, r) for what, r in found.left_out if r.code == reason_code)
        yield f"left out: {count:,}, the first: {first}: {with_code(reason.sentence, reason_code)}"


def _in_line(found: History, series: Series) -> str:
    """Return a short series as one line."""
    values = ", ".join(number(point.interval.value, series.unit) for point in series.points)
    return f"{title(found, series)}: {values}"


def _span(series: Series) -> str:
    count = len(series.points)
    first, last = (visible(series.points[i].created)[:10] for i in (0, -1))
    return f"{count:,} record{'s' * (count != 1)}, {first if first == last else f'{first} to {last}'}"


def _conditions(series: Series) -> list[str]:
    return [f"  not joined with the series before: {difference}" for difference in series.unlike]


def _list(series: Series) -> str:
    return lines(f"  {change_text(series, change)}" for change in series.changes)


def _series_values(series: Series) -> JsonObject:
    return {
        "file": series.file,
        "target": series.target,
        "threads": series.threads,
        "metric": series.metric,
        "unit": series.unit,
        "unlike": [{"what": d.what, "here": d.here, "there": d.there} for d in series.unlike],
        "points": [
            {
                "record": point.record,
                "created": point.created,
                **interval(point.interval),
                "sha256": point.sha256,
            }
            for point in series.points
        ],
        "changes": [
            {
                "index": change.index,
                "record": series.points[change.index].record,
                "created": series.points[change.index].created,
                "before": change.before,
                "after": change.after,
                "p": change.p,
                "worse": series.is_worse(change),
            }
            for change in series.changes
        ],
    }
