"""Records in the order of their dates, a series a file, split where conditions are unlike, with changes of level."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from edgekit.bundle.reason import Reason
from edgekit.bundle.records import Record
from edgekit.errors import InputError
from edgekit.errors.printable import quoted, visible
from edgekit.measuring.verdict import faults
from edgekit.reporting.history.metrics import HISTORIES, Tracked
from edgekit.reporting.rows import Row, rows_of
from edgekit.reporting.unlike import Difference, unlike
from edgekit.schema.toml import nearest
from edgekit.stats import Interval
from edgekit.stats.changes import Change, change_points, steps

MOST_KINDS = 50
"""Kinds of conditions of one file, the latest ones, that a record is compared with."""


@dataclass(frozen=True)
class Point:
    """One record's number.

    Attributes:
        record: its name.
        created: when, as the record says it.
        interval: the number with its 95 % interval, NaN where there is none.
        sha256: of the file.
    """

    record: str
    created: str
    interval: Interval
    sha256: str


@dataclass(frozen=True)
class Series:
    """A metric of one file under like conditions.

    Attributes:
        file: its name.
        target, threads: how it was measured; None where that does not matter, as for sizes.
        metric: `latency` and so on, a key of `edgekit.reporting.history.metrics.HISTORIES`, or the name of a score.
        unit: of the numbers.
        lower_is_better: which way is up.
        unlike: what differs from the conditions of the first series of this file; empty for that one.
        points: in the order of time.
        changes: of level, in order.
    """

    file: str
    target: str | None
    threads: int | None
    metric: str
    unit: str
    lower_is_better: bool
    unlike: tuple[Difference, ...]
    points: tuple[Point, ...]
    changes: tuple[Change, ...]

    @property
    def name(self) -> str:
        """The file and how it was measured."""
        threads = "" if self.threads is None else f", {self.threads} thread{'s' * (self.threads != 1)}"
        return f"{self.file}{threads}" + (f" on {self.target}" if self.target is not None else "")

    def is_worse(self, change: Change) -> bool:
        """Return whether a change is for the worse."""
        return (change.after > change.before) == self.lower_is_better


@dataclass(frozen=True)
class History:
    """A metric over records.

    Attributes:
        metric: a key of `edgekit.reporting.history.metrics.HISTORIES`.
        series: by file, in the order of their first records.
        left_out: what has no such number, or no date: name of record and file, and the reason.
    """

    metric: str
    series: tuple[Series, ...]
    left_out: tuple[tuple[str, Reason], ...] = ()


@dataclass
class _Group:
    """Points under like conditions, and a row that stands for the conditions."""

    row: Row
    metric: str
    unit: str
    lower_is_better: bool
    unlike: tuple[Difference, ...] = ()
    points: list[Point] = field(default_factory=list)


def history(records: Mapping[str, Record], metric: str, keep: Callable[[Row], bool] = lambda _: True) -> History:
    """Return the history of a metric.

    Args:
        records: by name.
        metric: a key of `HISTORIES`.
        keep: which rows are looked at.

    Raises:
        InputError: there is no such metric.
    """
    if metric not in HISTORIES:
        sentence = f"`--metric {visible(metric)}`: no such history"
        raise InputError(sentence, nearest(metric, HISTORIES), code="unknown-name")
    tracked = HISTORIES[metric]
    left_out: list[tuple[str, Reason]] = []
    dated = []
    for name, record in records.items():
        when = _time(record.created)
        if when is None:
            left_out.append((name, Reason("date-missing", f"`created` is {quoted(record.created)}, which is no date")))
        else:
            dated.append((when, name, record))
    groups: dict[tuple[str | int | None, ...], list[_Group]] = {}
    for _, name, record in sorted(dated, key=lambda one: one[:2]):
        for row in filter(keep, _rows(record, name, tracked)):
            found = _read(row, tracked)
            if isinstance(found, Reason):
                left_out.append((f"{name}: {row.file}", found))
            elif found is not None:
                _add(groups, row, tracked, metric, *found)
    series = [_series(group, tracked) for several in groups.values() for group in several]
    return History(metric, tuple(series), tuple(left_out))


def _time(text: str) -> datetime | None:
    """Return when a record was made; None where it does not say so."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _rows(record: Record, name: str, tracked: Tracked) -> list[Row]:
    """Return the rows of a record; of what does not depend on how it was measured one a file."""
    rows = rows_of(record, name)
    return rows if tracked.of else list({row.file: row for row in reversed(rows)}.values())[::-1]


def _read(row: Row, tracked: Tracked) -> tuple[Interval, str] | Reason | None:
    if tracked.of and (wrong := list(faults(row.measurement, row.record))):
        return Reason("measurement-invalid", f"the measurement is invalid: {'; '.join(map(str, wrong))}")
    found = tracked.read(row)
    if found is None or isinstance(found, Reason) or math.isfinite(found[0].value):
        return found
    return Reason("not-measured", "the number is not finite")


def _add(
    groups: dict[tuple[str | int | None, ...], list[_Group]],
    row: Row,
    tracked: Tracked,
    metric: str,
    interval: Interval,
    unit: str,
) -> None:
    """Add a point to the series of its file whose conditions are like its own."""
    score = row.accuracy if tracked.read is HISTORIES["accuracy"].read else None
    named = score.metric if score is not None else metric
    measured = (row.record.target, row.threads) if tracked.of else (None, None)
    same = groups.setdefault((row.file, *measured, named), [])
    group = next((one for one in same[-MOST_KINDS:] if not _unlike(one.row, row, tracked.of)), None)
    if group is None:
        lower = not score or score.lower_is_better
        group = _Group(row, named, unit, lower, _unlike(row, same[0].row, tracked.of) if same else ())
        same.append(group)
    group.points.append(Point(row.name, row.record.created, interval, row.subject.sha256))


def _unlike(one: Row, other: Row, of: str) -> tuple[Difference, ...]:
    if not of or one is other:
        return ()
    found = unlike(one.record, other.record, (one.measurement, other.measurement))
    return tuple(difference for difference in found if of in difference.affects)


def _series(group: _Group, tracked: Tracked) -> Series:
    values = [point.interval.value for point in group.points]
    return Series(
        file=group.row.file,
        target=group.row.record.target if tracked.of else None,
        threads=group.row.threads if tracked.of else None,
        metric=group.metric,
        unit=group.unit,
        lower_is_better=group.lower_is_better,
        unlike=group.unlike,
        points=tuple(group.points),
        changes=steps(values) if tracked.exact else change_points(values),
    )
