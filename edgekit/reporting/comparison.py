"""Several run records in one table, each row compared with the first, and what stands in the way of comparing them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from edgekit.bundle.records import Record
from edgekit.errors.printable import lines, visible
from edgekit.reporting.bench_columns import columns_for
from edgekit.reporting.bench_table import TARGET, reasons
from edgekit.reporting.conditions import conditions
from edgekit.reporting.rows import Row, baselines
from edgekit.reporting.unlike import CONDITIONS, affected, unlike
from edgekit.text.columns import PLAIN, Column, Look, render

RECORD: Column[Row] = Column(
    "record", "record", "", 1, "The record that a row is of.", lambda row: row.name, lambda row: row.name, left=True
)


def comparison(records: Mapping[str, Record], look: Look = PLAIN, rows: Sequence[Row] | None = None) -> str:
    """Return the table of several records, the reasons of the verdicts, what to beware of, and the conditions.

    Args:
        records: by what the table calls them, such as the file's name.
        look: where it is shown.
        rows: of `rows_of_several`, where they are known already.
    """
    rows = rows_of_several(records) if rows is None else rows
    before = [RECORD]
    if len({record.target for record in records.values()}) > 1:
        before.append(TARGET)
    table = render([*before, *columns_for(rows)], rows, look)
    parts = [table, reasons(rows, before), lines(cautions(records))]
    return "\n\n".join(
        [*filter(None, parts), *(f"{visible(name)}\n{conditions(record)}" for name, record in records.items())]
    )


def rows_of_several(records: Mapping[str, Record]) -> list[Row]:
    """Return a row for every measurement of one or more records, compared with the first record's first file."""
    start = next(iter(records.values()))
    first = baselines(start)
    default = next(iter(first.values()), None)
    return [
        Row(
            record,
            measurement,
            first.get(measurement.threads, default) or measurement,
            None if record is start else start,
            name,
        )
        for name, record in records.items()
        for measurement in record.measurements
    ]


def cautions(records: Mapping[str, Record]) -> Iterator[str]:
    """Yield what makes numbers of other records hard to compare with the first one's, and files that changed."""
    (first, start), *others = records.items()
    conditions: dict[str, dict[str, str]] = {}
    for name, record in others:
        for difference in unlike(start, record):
            conditions.setdefault(difference.what, {first: difference.here})[name] = difference.there
    for what, by_record in conditions.items():
        each = "; ".join(f"{name}: {text}" for name, text in by_record.items())
        yield f"{affected(CONDITIONS[what].affects)}: not of the same {CONDITIONS[what].noun}: {each}"
    files: dict[str, set[str]] = {}
    for record in records.values():
        for subject in record.subjects:
            files.setdefault(subject.name, set()).add(subject.sha256)
    yield from (f"{name}: not the same file everywhere" for name, digests in files.items() if len(digests) > 1)
