"""What has a history: a number of a row. A new metric is a function and an entry in `HISTORIES`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from edgekit.bundle.reason import Reason
from edgekit.reporting.rows import NS_PER_MS, Row
from edgekit.reporting.unlike import ACCURACY, LATENCY, MEMORY
from edgekit.stats import Interval
from edgekit.stats.medians import median_interval
from edgekit.tasks.register import METRICS

Amount = tuple[Interval, str]
"""A number with its interval (NaN where there is none), and its unit (`edgekit.reporting.amounts`)."""


@dataclass(frozen=True)
class Tracked:
    """A metric.

    Attributes:
        noun: what it is called.
        read: it, of a row; None where the row has none by its nature, a reason where it was not measured.
        of: the pass whose conditions must be alike; empty: none matters.
        exact: whether it has no noise, so that every other value is a change.
    """

    noun: str
    read: Callable[[Row], Amount | Reason | None]
    of: str
    exact: bool = False


def _latency(row: Row) -> Amount | Reason:
    if row.emulated:
        return Reason("emulated-cpu", f"{row.record.emulated_by}: its latency tells nothing about a board")
    if not row.measurement.latency:
        return Reason("not-measured", "latency was not measured")
    return median_interval([run.median_ns / NS_PER_MS for run in row.measurement.latency]), "ms"


def _ratio(row: Row) -> Amount | Reason | None:
    if row.measurement.subject == 0:
        return None  # the baseline itself
    own, other = row.measurement.latency, row.baseline.latency
    whole = len(own) == len(other) and all(run.median_ns for run in other)
    if not own or not whole or row.emulated:
        return Reason("not-measured", "its latency cannot be compared with the first file's, round by round")
    return median_interval([mine.median_ns / theirs.median_ns for mine, theirs in zip(own, other, strict=True)]), "x"


def _size(row: Row) -> Amount:
    return Interval(row.bytes, row.bytes, row.bytes), "bytes"


def _memory(row: Row) -> Amount | Reason:
    if row.memory_mib is None:
        return Reason("not-measured", "memory was not measured")
    return Interval(row.memory_mib, float("nan"), float("nan")), "MiB"


def _accuracy(row: Row) -> Amount | Reason:
    score = row.accuracy
    if score is None:
        return Reason("not-measured", "accuracy was not measured")
    known = METRICS.get(score.metric)
    unit = "" if known is None else "share" if known.unit == "%" else known.unit
    return score.interval, unit


HISTORIES: Final[Mapping[str, Tracked]] = {
    "latency": Tracked("median latency", _latency, LATENCY),
    "latency-ratio": Tracked("latency against the first file", _ratio, LATENCY),
    "size": Tracked("size", _size, "", exact=True),
    "accuracy": Tracked("accuracy", _accuracy, ACCURACY),
    "memory": Tracked("memory", _memory, MEMORY),
}
"""By what `--metric` takes."""
