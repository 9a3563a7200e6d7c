"""The effect ledger as text: a line a stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.bundle.ledger import Entry
from edgekit.tasks.scores import brief_text, brief_title, score_text, title
from edgekit.text.columns import INTERVAL, PLAIN, Column, Look, interval, render
from edgekit.text.tables import ratio_with_interval, size_text

LIMITED = ("drop", "float_operators")
"""Columns that only a run with `--max-drop` fills."""


@dataclass(frozen=True)
class Row:
    """What a column may use: a stage, and the source that it is compared with."""

    entry: Entry
    source: Entry


def columns(metric: str = "accuracy", *, limited: bool = True) -> list[Column[Row]]:
    """Return the columns, with the metric in a header.

    Args:
        metric: of the task.
        limited: whether a limit was set for what files may lose.
    """
    return [column for column in _columns(metric) if limited or column.name not in LIMITED]


def _columns(metric: str) -> list[Column[Row]]:
    return [
        Column(
            "stage", "stage", "", 1, "What was done; the numbers are of the file that would come out now.",
            lambda row: row.entry.stage, lambda row: row.entry.stage, left=True,
        ),
        Column(
            "score", f"val {title(metric)}", "", 1, "The metric of the task on validation samples.",
            lambda row: score_text(row.entry.score), lambda row: interval(row.entry.score.interval),
            brief=lambda row: brief_text(row.entry.score), short=f"val {brief_title(metric)}",
            parts=INTERVAL,
        ),
        Column(
            "drop", "drop", "", 1, "What the file lost against the source model, where `--max-drop` limits it.",
            lambda row: "-" if row.entry.drop is None else row.entry.drop.text,
            lambda row: None if row.entry.drop is None else interval(row.entry.drop.interval),
            brief=lambda row: "-" if row.entry.drop is None else row.entry.drop.text.partition(" [")[0],
            parts=INTERVAL,
        ),
        Column(
            "float_operators", "float", "operators", 3, "Operators of the int8 file that compute in float.",
            lambda row: str(len(row.entry.reverted)), lambda row: len(row.entry.reverted),
        ),
        Column(
            "bytes", "size", "bytes", 2, "Size of the file, and its ratio to the source's.",
            lambda row: size_text(row.entry.bytes, row.source.bytes), lambda row: row.entry.bytes,
            brief=lambda row: f"{row.entry.bytes:,} B",
        ),
        Column(
            "gzip_bytes", "gzip", "bytes", 8, "Size after gzip -9, and its ratio to the source's.",
            lambda row: size_text(row.entry.gzip_bytes, row.source.gzip_bytes), lambda row: row.entry.gzip_bytes,
        ),
        Column(
            "parameters", "parameters", "", 9, "Numbers in its weights.",
            lambda row: f"{row.entry.parameters:,}", lambda row: row.entry.parameters,
        ),
        Column(
            "macs", "MACs", "", 4, "Multiply-accumulate operations of one inference.",
            lambda row: "-" if row.entry.macs is None else f"{row.entry.macs:,}", lambda row: row.entry.macs,
        ),
        Column(
            "zeros_share", "zeros", "share", 11, "Share of the weights that mean zero.",
            lambda row: f"{row.entry.zeros:.1%}", lambda row: row.entry.zeros,
        ),
        Column(
            "most_unique", "unique max", "", 12, "Distinct values of the weight tensor that has most.",
            lambda row: str(_unique(row.entry)), lambda row: _unique(row.entry),
        ),
        Column(
            "latency_ratio", "latency vs source", "ratio", 3, "Latency against the source's file, round by round.",
            _latency, _latency_value, brief=lambda row: _latency(row).partition(" [")[0], short="latency",
            parts=INTERVAL,
        ),
        Column(
            "seconds", "seconds", "s", 10, "Spent in the stage, without measuring.",
            lambda row: f"{row.entry.seconds:.0f}", lambda row: row.entry.seconds,
        ),
    ]  # fmt: skip


def rows(entries: Sequence[Entry]) -> list[Row]:
    """Return a row for every stage; the first entry is the source."""
    return [Row(entry, entries[0]) for entry in entries]


def ledger_table(entries: Sequence[Entry], look: Look = PLAIN) -> str:
    """Return the whole ledger; sizes and latency are against the first entry, the source."""
    return render(shown_columns(entries), rows(entries), look)


def shown_columns(entries: Sequence[Entry]) -> list[Column[Row]]:
    """Return the columns that tell something about a ledger."""
    limited = any(entry.drop is not None for entry in entries)
    return columns(entries[0].score.metric, limited=limited)


def _unique(entry: Entry) -> int:
    return max(entry.unique.values(), default=0)


def _latency(row: Row) -> str:
    ratio = row.entry.ratio()
    return "1.00x" if ratio is None else ratio_with_interval(ratio)


def _latency_value(row: Row) -> dict[str, float | None] | None:
    ratio = row.entry.ratio()
    return None if ratio is None else interval(ratio)
