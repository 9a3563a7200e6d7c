"""The table of a run record, computed from its raw samples, with the reasons of the verdicts and the conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.bundle.facts import Unavailable
from edgekit.bundle.records import Record
from edgekit.errors.printable import lines as lines_of
from edgekit.reporting.bench_columns import COLUMNS, columns_for
from edgekit.reporting.conditions import conditions
from edgekit.reporting.rows import Row, rows_of
from edgekit.text.columns import PLAIN, Column, Look, render, values

TARGET: Column[Row] = Column(
    "target", "target", "", 1, "The device that measured.",
    lambda row: row.record.target, lambda row: row.record.target, left=True,
)  # fmt: skip


def bench_table(*records: Record, look: Look = PLAIN, rows: Sequence[Row] | None = None) -> str:
    """Return the table, the reasons of the verdicts, and the conditions; of several devices, one table.

    Args:
        records: of one session, a device each.
        look: where it is shown.
        rows: of the records, where they are known already.
    """
    rows = [row for record in records for row in rows_of(record)] if rows is None else rows
    before = [TARGET] if len(records) > 1 else []
    parts = [render([*before, *columns_for(rows)], rows, look), reasons(rows, before)]
    return "\n\n".join([*filter(None, parts), *map(conditions, records)])


def row_values(row: Row) -> dict[str, Any]:
    """Return a row as JSON, by the names of the columns, with the reasons of its verdict and their codes."""
    reasons = [{"code": reason.code, "message": reason.sentence} for reason in row.reasons]
    metric = row.accuracy.metric if row.accuracy else None
    return {
        "record": row.name or None,
        "target": row.record.target,
        **values(COLUMNS, row),
        "metric": metric,
        "reasons": reasons,
    }


def reasons(rows: Sequence[Row], before: Sequence[Column[Row]]) -> str:
    """Return why verdicts are not `valid`, a line each; what holds for several thread counts of a file stands once.

    Args:
        rows: of the table.
        before: columns that name the device or record of a row, if there are several.
    """
    threads: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        sentences = list(map(str, row.reasons))
        if isinstance(row.measurement.agreement, Unavailable):
            sentences.append(f"not compared with the host: {row.measurement.agreement.why}")
        if sentences:
            place = "".join(f"{column.text(row)}: " for column in before[:1])
            text = f"{row.verdict}: {'; '.join(sentences)}"
            threads.setdefault((place + row.file, text), []).append(str(row.threads))
    return lines_of(f"{name}, {_threads(counts)}: {text}" for (name, text), counts in threads.items())


def _threads(counts: Sequence[str]) -> str:
    return f"{', '.join(counts)} thread{'s' * (list(counts) != ['1'])}"
