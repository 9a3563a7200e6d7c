"""A report as CSV (RFC 4180): a row a measurement of a record, a file of a bundle, and a trial on a search's front.

The header is the same whatever the report is about: the keys of all columns, with their units. An interval takes three
columns. Texts are quoted, and none is taken for a formula by a spreadsheet: one that begins as a formula does gets an
apostrophe before it (https://owasp.org/www-community/attacks/CSV_Injection).
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgekit.errors.printable import visible
from edgekit.reporting import bench_columns, bundle_table, search_table
from edgekit.reporting.contents import Contents
from edgekit.text.columns import Column, Value, values

KIND, NAME, TARGET, METRIC, REASONS = "kind", "name", "target", "metric", "reasons"
RENAMED = {"vs_baseline": "vs_baseline_ratio", "accuracy_per_kib": "accuracy_percent_per_kib"}
"""Columns whose keys leave out the unit."""
FORMULA = "=+-@\t\r\n＝＋－＠"
Cell = str | float | None


def text(contents: Contents) -> str:
    """Return the report."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, header(), quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(_rows(contents))
    return stream.getvalue()


def header() -> list[str]:
    """Return the names of the columns."""
    columns: list[Column[Any]] = [*bench_columns.COLUMNS, *bundle_table.columns(), *search_table.columns()]
    names = [name for column in columns for name in _names(column)]
    return list(dict.fromkeys([KIND, NAME, TARGET, *names, METRIC, REASONS]))


def _names(column: Column[Any]) -> list[str]:
    name = RENAMED.get(column.name, column.name)
    return [name if part in ("", "value") else f"{name}_{part}" for part in column.parts or ("",)]


def _rows(contents: Contents) -> Iterator[Mapping[str, Cell]]:
    for row in contents.rows:
        reasons = " ".join(reason.code for reason in row.reasons)
        metric = row.accuracy.metric if row.accuracy else ""
        about = {KIND: "measurement", NAME: row.name, TARGET: row.record.target, METRIC: metric, REASONS: reasons}
        yield _cells(bench_columns.COLUMNS, row, about)
    for name, bundle in contents.collection.bundles.items():
        metric = bundle.manifest.task.main.metric
        for artifact in bundle_table.rows(bundle.manifest):
            yield _cells(bundle_table.columns(), artifact, {KIND: "file", NAME: name, METRIC: metric})
    for name, result in contents.collection.searches.items():
        about = {KIND: "trial", NAME: name, TARGET: result.target, METRIC: result.metric}
        for point in result.front:
            yield _cells(search_table.columns(), point, about)


def _cells(columns: Sequence[Column[Any]], row: object, about: Mapping[str, str]) -> Mapping[str, Cell]:
    cells: dict[str, Cell] = dict(about)
    found = values(columns, row)
    for column in columns:
        parts = _parts(found[column.name], column)
        cells |= dict(zip(_names(column), parts, strict=True))
    return {name: _safe(cell) for name, cell in cells.items()}


def _parts(value: Value, column: Column[Any]) -> list[Cell]:
    if not column.parts:
        assert not isinstance(value, dict), f"{column.name} declares no parts"
        return [value]
    return [value.get(part) for part in column.parts] if isinstance(value, dict) else [None] * len(column.parts)


def _safe(cell: Cell) -> Cell:
    if isinstance(cell, str):
        shown = visible(cell)
        return f"'{shown}" if shown.lstrip()[:1] in FORMULA and shown.strip() else shown
    return "" if cell is None or not math.isfinite(cell) else cell
