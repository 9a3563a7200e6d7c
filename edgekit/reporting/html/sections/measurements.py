"""The table of all measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from edgekit.reporting.bench_columns import columns_for
from edgekit.reporting.bench_table import TARGET
from edgekit.reporting.comparison import RECORD
from edgekit.reporting.html.markup import element, joined
from edgekit.reporting.html.points import Chosen
from edgekit.reporting.html.sections.limits import MOST_ROWS, first
from edgekit.reporting.html.sections.parts import Section, column_help, paragraphs, table
from edgekit.reporting.rows import Row
from edgekit.tasks.register import METRICS
from edgekit.text.columns import Column

IDENTIFIER = "table"
_RECORD_AT = 4
"""Where the column `record` stands: behind what decides, since its names are long."""


def columns_of(rows: Sequence[Row]) -> list[Column[Row]]:
    """Return the columns: the file, where it was measured, then what decides most."""
    file, *others = columns_for(rows)
    others.sort(key=lambda column: column.priority)
    if len({row.name for row in rows}) > 1:
        others.insert(min(_RECORD_AT, len(others)), RECORD)
    if len({row.record.target for row in rows}) > 1:
        others.insert(0, TARGET)
    metrics = {row.accuracy.metric for row in rows if row.accuracy}
    units = {METRICS[metric].unit if metric in METRICS else "" for metric in metrics}
    changed: dict[str, dict[str, Any]] = {"score": {"unit": units.pop() if len(units) == 1 else ""}}
    return [replace(column, **changed.get(column.name, {})) for column in (file, *others)]


def measurements(rows: Sequence[Row], cautions: Sequence[str], chosen: Chosen) -> Section:
    """Return the table, the files that were chosen marked, and what makes its rows hard to compare."""
    columns = columns_of(rows)

    def word(row: Row) -> str:
        if (row.file, row.name) in chosen:
            return "ship"
        return "baseline" if row.measurement is row.baseline else ""

    shown, left = first(rows, MOST_ROWS, "measurements")
    whole = table(columns, shown, "Measurements, a row a file and thread count", sortable=True, marked=word)
    beware = None
    if cautions:
        beware = element("div", element("strong", "To beware of"), paragraphs(cautions), class_="beware")
    how = "A press on a header sorts. Intervals are of 95 %. Every number is computed from the samples of the records."
    parts = [beware, element("p", how, class_="note"), paragraphs(left), whole, column_help(columns)]
    return Section(IDENTIFIER, "All measurements", joined(parts))
