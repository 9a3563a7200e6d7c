"""The page of the documentation that explains every column of every table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.errors.printable import lines
from edgekit.reporting import bench_columns, bundle_table, ledger_table, search_table, sensitivity_table
from edgekit.reporting.checking import table as checking
from edgekit.text.columns import Column

TABLES: dict[str, tuple[str, Sequence[Column[Any]]]] = {
    "Measurements": ("`edgekit bench` and `edgekit report`, a row a file and thread count", bench_columns.COLUMNS),
    "Files of a bundle": ("`edgekit compress`, a row a file", bundle_table.columns()),
    "The front of a search": ("`edgekit search`, a row a file", search_table.columns()),
    "The effect ledger": ("`edgekit compress` with training stages, a row a stage", ledger_table.columns()),
    "Layers": ("`edgekit sensitivity`, a row a layer of the int8 file", sensitivity_table.COLUMNS),
    "Checks": ("`edgekit check`, a row a file and bound", checking.COLUMNS),
}


def markdown() -> str:
    """Return the page: a table a table, a line a column."""
    text = [
        "# Columns",
        "On a terminal a table shows the columns that decide most and fit its width, with `--wide` all of them; a pipe "
        "gets all. `--json` prints the same numbers by the keys below; an interval is an object with `value`, `low` "
        "and `high` (95 %), and what is not known is null.",
    ]
    for title, (where, columns) in TABLES.items():
        ordered = sorted(columns, key=lambda column: column.priority)
        rows = ["| column | key in JSON | unit | meaning |", "|---|---|---|---|"]
        rows += [f"| {c.header} | `{c.name}` | {c.unit} | {c.help} |" for c in ordered]
        text += [f"## {title}", f"{where}; what decides most stands first.", lines(rows)]
    return "\n\n".join(text) + "\n"
