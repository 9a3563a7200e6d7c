"""The columns of the table of measurements. A new one is a property of `Row`, an entry in `COLUMNS` and a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from edgekit.reporting.rows import NS_PER_MS, Row
from edgekit.stats import Interval
from edgekit.tasks.scores import brief_text, brief_title, score_text, title
from edgekit.text.colours import Colour
from edgekit.text.columns import INTERVAL, Column, Value, interval, without_prefix
from edgekit.text.tables import duration, duration_with_interval, ratio_with_interval, size_text

COLOURS: dict[str, Colour] = {"valid": "green", "suspect": "yellow", "emulated": "yellow", "invalid": "red"}
AGREEMENT = ("same_class_share", "largest_difference_steps")
SAME_THREADS = 8
"""Priority of the column `threads` where all rows have as many."""


def _median(row: Row) -> str:
    if row.latency_ns is None:
        return "-"
    note = " (mean)" * row.of_means + " (emulated)" * row.emulated
    return duration_with_interval(row.latency_ns) + note


def _median_brief(row: Row) -> str:
    return "-" if row.latency_ns is None or row.emulated else duration(row.latency_ns.value)


def _ms(value: Interval | None) -> Value:
    if value is None:
        return None
    return interval(Interval(*(part / NS_PER_MS for part in (value.value, value.low, value.high))))


def _time(of: Callable[[Row], float | None]) -> tuple[Callable[[Row], str], Callable[[Row], Value]]:
    """Return the text and the value of a time in ms."""

    def text(row: Row) -> str:
        time = of(row)
        return "-" if time is None else duration(time * NS_PER_MS)

    return text, of


def _agreement(row: Row) -> str:
    """How often device and host name the same class, and the largest difference of an output."""
    agreement = row.agreement
    if agreement is None:
        return "-"
    if agreement.equal:
        return "equal"
    steps = agreement.max_steps
    off = f"{agreement.max_abs:.1e}" if steps is None else f"{steps:.0f} step{'s' * (steps != 1)}"
    return off if agreement.top1 is None else f"{agreement.top1:.2%}, {off}"


def _agreement_value(row: Row) -> Value:
    agreement = row.agreement
    if agreement is None:
        return None
    return dict(zip(AGREEMENT, (agreement.top1, agreement.max_steps), strict=True))


COLUMNS: tuple[Column[Row], ...] = (
    Column(
        "file", "file", "", 5, "The file that was measured; the first one is the baseline.",
        lambda row: row.file, lambda row: row.file, left=True,
    ),
    Column(
        "threads", "threads", "", 6, "Threads that the runtime was asked to use.",
        lambda row: str(row.threads), lambda row: row.threads,
    ),
    Column(
        "bytes", "size", "bytes", 3, "Size of the file, and its ratio to the baseline's.",
        lambda row: size_text(row.bytes, row.baseline_subject.bytes), lambda row: row.bytes,
        brief=lambda row: f"{row.bytes:,} B",
    ),
    Column(
        "gzip_bytes", "gzip", "bytes", 10, "Size after gzip -9, as in an app package or an update.",
        lambda row: f"{row.subject.gzip_bytes:,} B", lambda row: row.subject.gzip_bytes,
    ),
    Column(
        "median_ms", "median [95 %]", "ms", 2,
        "Latency of one inference: the median of the processes' medians, with its interval between processes.",
        _median, lambda row: None if row.emulated else _ms(row.latency_ns), brief=_median_brief, short="median",
        parts=INTERVAL,
    ),
    Column(
        "vs_baseline", "vs baseline [95 %]", "ratio", 7,
        "Latency against the first file with as many threads, round by round, so that drift of the machine cancels.",
        lambda row: "-" if row.vs_baseline is None else ratio_with_interval(row.vs_baseline),
        lambda row: None if row.vs_baseline is None else interval(row.vs_baseline),
        brief=lambda row: "-" if row.vs_baseline is None else f"{row.vs_baseline.value:.2f}x", short="vs baseline",
        parts=INTERVAL,
    ),
    Column("p90_ms", "p90", "ms", 12, "What 90 % of all samples stay below.", *_time(lambda row: row.p90_ms)),
    Column("p99_ms", "p99", "ms", 11, "What 99 % of all samples stay below.", *_time(lambda row: row.p99_ms)),
    Column(
        "init_ms", "init", "ms", 15, "Loading the file and preparing it, until the first inference can start.",
        *_time(lambda row: row.init_ms),
    ),
    Column(
        "first_inference_ms", "first inference", "ms", 14, "The first inference after that, with cold caches.",
        *_time(lambda row: row.first_inference_ms),
    ),
    Column(
        "memory_mib", "memory", "MiB", 9,
        "Peak resident set over what it was after the imports: the model and the runtime's buffers.",
        lambda row: "-" if row.memory_mib is None else f"{row.memory_mib:.1f} MiB", lambda row: row.memory_mib,
    ),
    Column(
        "score", "accuracy [95 %]", "", 4,
        "The metric of the task, of the file itself on test samples; the header names the metric.",
        lambda row: "-" if row.accuracy is None else score_text(row.accuracy),
        lambda row: None if row.accuracy is None else interval(row.accuracy.interval),
        brief=lambda row: "-" if row.accuracy is None else brief_text(row.accuracy), short="accuracy",
        parts=INTERVAL,
    ),
    Column(
        "vs_host", "vs host", "", 8,
        "Outputs of the device against the host's, sample by sample: share with the same class, largest difference.",
        _agreement, _agreement_value, parts=AGREEMENT,
    ),
    Column(
        "accuracy_per_kib", "accuracy/KiB", "% per KiB", 13, "Accuracy in percent divided by the size in KiB.",
        lambda row: "-" if row.accuracy_per_kib is None else f"{row.accuracy_per_kib:.2f}",
        lambda row: row.accuracy_per_kib,
    ),
    Column(
        "verdict", "verdict", "", 1,
        "Whether the measurement can be trusted: `valid`, `suspect`, `invalid` or `emulated`; the reasons stand below.",
        lambda row: row.verdict, lambda row: row.verdict, left=True,
        colour=lambda row: COLOURS[row.verdict],
    ),
)  # fmt: skip
OPTIONAL = ("vs_host",)
"""Columns that are left out where they are empty."""


def columns_for(rows: Sequence[Row]) -> list[Column[Row]]:
    """Return the columns of a table, with headers and priorities that fit its rows."""
    names = without_prefix([row.file for row in rows])
    metrics = {row.accuracy.metric for row in rows if row.accuracy}
    metric = metrics.pop() if len(metrics) == 1 else "accuracy"
    changed: dict[str, dict[str, Any]] = {
        "file": {"brief": lambda row: names[row.file]},
        "score": {"header": title(metric), "short": brief_title(metric)},
        "threads": {"priority": SAME_THREADS} if len({row.threads for row in rows}) == 1 else {},
    }
    empty = [name for name in OPTIONAL if all(row.measurement.agreement is None for row in rows)]
    return [replace(column, **changed.get(column.name, {})) for column in COLUMNS if column.name not in empty]
