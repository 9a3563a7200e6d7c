"""A comparison as a whole: what a person reads, and the same as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from edgekit.errors.printable import lines
from edgekit.reporting.comparing.changes import Changes, ScoreChange, Unknown
from edgekit.reporting.comparing.sentences import (
    bounds,
    detectable_score,
    factor,
    score_difference,
    sentences,
    size_change,
)
from edgekit.reporting.comparing.sides import Side
from edgekit.reporting.rows import NS_PER_MS, Row
from edgekit.reporting.unlike import Difference, affected
from edgekit.stats.ratios import CONFIDENCE, Ratio
from edgekit.tasks.scores import score_text, title
from edgekit.text.columns import PLAIN, Column, Look, interval, render
from edgekit.text.tables import duration, duration_with_interval

NONE = "-"
LATENCY = "latency [95 %]"


@dataclass(frozen=True)
class Comparison:
    """Files compared with others.

    Attributes:
        changes: a pair each.
        notes: what to know besides, such as files that were left out.
    """

    changes: tuple[Changes, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def unlike(self) -> tuple[Difference, ...]:
        """The conditions that differ, of all pairs."""
        return tuple(dict.fromkeys(difference for changes in self.changes for difference in changes.pair.unlike))


@dataclass(frozen=True)
class Line:
    """A line of the table: one quantity of A and B, and how they differ."""

    what: str
    here: str
    there: str
    change: str = ""


COLUMNS: tuple[Column[Line], ...] = (
    Column("what", "", "", 1, "The quantity.", lambda line: line.what, lambda line: line.what, left=True),
    Column("a", "A", "", 3, "Of the first file.", lambda line: line.here, lambda line: line.here),
    Column("b", "B", "", 2, "Of the second file.", lambda line: line.there, lambda line: line.there),
    Column(
        "change", "B against A", "", 4, "How they differ.",
        lambda line: line.change, lambda line: line.change, left=True,
    ),
)  # fmt: skip


def comparison_text(comparison: Comparison, look: Look = PLAIN) -> str:
    """Return every pair with its sentences and its table, and what to beware of."""
    parts = [_pair_text(changes, look) for changes in comparison.changes]
    beware = [*map(caution, comparison.unlike), *comparison.notes]
    return "\n\n".join([*parts, *([lines(beware)] if beware else [])])


def caution(difference: Difference) -> str:
    """Return which numbers a condition makes hard to compare."""
    here, there = difference.here, difference.there
    return f"{affected(difference.affects)}: not of the same {difference.noun}: A: {here}; B: {there}"


def _pair_text(changes: Changes, look: Look) -> str:
    here, there = changes.pair.here, changes.pair.there
    head = [f"{letter}: {_name(side, changes)}" for letter, side in (("A", here), ("B", there))]
    reasons = [
        f"{letter}, {side.row.verdict}: {'; '.join(map(str, side.row.reasons))}"
        for letter, side in (("A", here), ("B", there))
        if side.row.reasons
    ]
    parts = [lines(head), lines(sentences(changes)), render(COLUMNS, table_lines(changes), look)]
    return "\n\n".join([*parts, lines([how(changes), *reasons])])


def _name(side: Side, changes: Changes) -> str:
    threads = side.measurement.threads
    of = "" if changes.pair.together else f", {side.record.target}, {side.record.created}"
    return f"{side.subject.name}{of}, {threads} thread{'s' * (threads != 1)}"


def how(changes: Changes) -> str:
    """Return how the latency was compared."""
    found = changes.latency
    if isinstance(found, Unknown):
        return f"latency: {found.why}"
    level = f"{100 * CONFIDENCE:g} % interval"
    if found.paired:
        return f"latency: {found.counts[0]} rounds, in each of which a fresh process ran A and another B; {level}"
    apart = f"latency: {found.counts[1]} processes of A and {found.counts[0]} of B, not in rounds; {level}"
    drift = ", which leaves out what changed on the machine between the two sessions"
    return apart + drift * (not changes.pair.together)


def table_lines(changes: Changes) -> list[Line]:
    """Return the lines of the table; quantities that neither side has are left out."""
    ours, theirs = changes.pair.here.row, changes.pair.there.row
    found = [
        _latency_line(changes, ours, theirs),
        Line("p90", _time(ours.p90_ms), _time(theirs.p90_ms)),
        Line("first inference", _time(ours.first_inference_ms), _time(theirs.first_inference_ms)),
        Line("init", _time(ours.init_ms), _time(theirs.init_ms)),
        _memory_line(changes, ours, theirs),
        _size_line("size", ours.bytes, theirs.bytes),
        _size_line("gzip", ours.subject.gzip_bytes, theirs.subject.gzip_bytes),
        _score_line(changes.score, ours, theirs),
        Line("verdict", ours.verdict, theirs.verdict),
    ]
    kept = [line for line in found if (line.here, line.there) != (NONE, NONE)]
    return kept + _operator_lines(changes)


def _size_line(what: str, here: int, there: int) -> Line:
    return Line(what, f"{here:,} B", f"{there:,} B", size_change(here, there))


def _time(ms: float | None) -> str:
    return NONE if ms is None else duration(ms * NS_PER_MS)


def _latency_line(changes: Changes, ours: Row, theirs: Row) -> Line:
    here, there = (
        NONE if row.emulated or row.latency_ns is None else duration_with_interval(row.latency_ns)
        for row in (ours, theirs)
    )
    found = changes.latency
    if isinstance(found, Unknown) or math.isnan(found.interval.low):
        return Line(LATENCY, here, there, NONE)
    return Line(LATENCY, here, there, f"{factor(found)} {bounds(found)}" if found.shown else "no difference shown")


def _memory_line(changes: Changes, ours: Row, theirs: Row) -> Line:
    here, there = (NONE if row.memory_mib is None else f"{row.memory_mib:.1f} MiB" for row in (ours, theirs))
    found = changes.memory
    return Line("memory", here, there, NONE if isinstance(found, Unknown) else f"{found[1] - found[0]:+.1f} MiB")


def _score_line(found: ScoreChange | Unknown, ours: Row, theirs: Row) -> Line:
    here, there = (NONE if row.accuracy is None else score_text(row.accuracy) for row in (ours, theirs))
    metric = next((row.accuracy.metric for row in (ours, theirs) if row.accuracy), "accuracy")
    return Line(title(metric), here, there, NONE if isinstance(found, Unknown) else score_difference(found))


def _operator_lines(changes: Changes) -> list[Line]:
    operators = changes.operators
    if operators is None:
        return []
    if not operators:
        return [Line("operators", "", "", "the same")]
    return [Line(f"operator {name}", str(a), str(b), f"{b - a:+d}") for name, (a, b) in operators.items()]


def comparison_values(comparison: Comparison) -> dict[str, Any]:
    """Return the same as JSON."""
    return {
        "confidence": CONFIDENCE,
        "pairs": [_pair_values(changes) for changes in comparison.changes],
        "unlike": [
            {"what": d.what, "a": d.here, "b": d.there, "affects": sorted(d.affects)} for d in comparison.unlike
        ],
        "notes": list(comparison.notes),
    }


def _pair_values(changes: Changes) -> dict[str, Any]:
    here, there = changes.pair.here, changes.pair.there
    memory = changes.memory
    operators = changes.operators
    return {
        "a": _side_values(here),
        "b": _side_values(there),
        "sentences": sentences(changes),
        "latency": _latency_values(changes.latency),
        "score": _score_values(changes.score),
        "memory_mib": None if isinstance(memory, Unknown) else {"a": memory[0], "b": memory[1]},
        "operators": None if operators is None else {name: {"a": a, "b": b} for name, (a, b) in operators.items()},
    }


def _side_values(side: Side) -> dict[str, Any]:
    row = side.row
    return {
        "file": side.subject.name,
        "sha256": side.subject.sha256,
        "bytes": side.subject.bytes,
        "gzip_bytes": side.subject.gzip_bytes,
        "threads": side.measurement.threads,
        "target": side.record.target,
        "created": side.record.created,
        "median_ms": row.median_ms,
        "verdict": row.verdict,
        "reasons": [{"code": reason.code, "message": reason.sentence} for reason in row.reasons],
    }


def _latency_values(found: Ratio | Unknown) -> dict[str, Any]:
    if isinstance(found, Unknown):
        return {"difference": "unknown", "why": found.why, "ratio": None, "detectable": None, "paired": None,
                "processes": None}  # fmt: skip
    word = ("slower" if found.interval.value > 1 else "faster") if found.shown else "none shown"
    return {
        "difference": "unknown" if math.isnan(found.interval.low) else word,
        "why": "",
        "ratio": interval(found.interval),
        "detectable": found.detectable if math.isfinite(found.detectable) else None,
        "paired": found.paired,
        "processes": {"a": found.counts[1], "b": found.counts[0]},
    }


def _score_values(found: ScoreChange | Unknown) -> dict[str, Any]:
    empty = dict.fromkeys(("metric", "a", "b", "change", "detectable", "p", "gained", "lost", "samples"))
    if isinstance(found, Unknown):
        return {**empty, "difference": "unknown", "why": found.why}
    word = "same predictions" if found.same else "shown" if found.shown else "none shown"
    paired = found.paired
    values = {
        "metric": found.here.metric,
        "a": _finite(found.here.value),
        "b": _finite(found.there.value),
        "change": interval(found.difference),
        "detectable": detectable_score(found) if found.tested else None,
        "p": paired.p if paired else None,
        "gained": paired.gained if paired else None,
        "lost": paired.lost if paired else None,
        "samples": found.here.samples,
    }
    return {**values, "difference": word if found.tested or found.same else "unknown", "why": found.note}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def verdicts(pairs: Sequence[Changes]) -> list[str]:
    """Return the verdicts of all sides."""
    return [side.row.verdict for changes in pairs for side in (changes.pair.here, changes.pair.there)]
