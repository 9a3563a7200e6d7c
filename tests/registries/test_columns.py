"""A column more: in the table, in JSON output and on the page of columns, from one entry."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edgekit.bundle.records import read_record
from edgekit.cli import app
from edgekit.cli.entry import run
from edgekit.reporting import bench_columns, bench_table, bundle_table, columns_page, ledger_table, sensitivity_table
from edgekit.reporting.rows import Row
from edgekit.text.columns import Column, Look

SESSION = Path(__file__).parents[1] / "report" / "session.json"
PROCESSES: Column[Row] = Column(
    "processes", "processes", "", 3, "How many processes measured latency.",
    lambda row: str(len(row.measurement.latency)), lambda row: len(row.measurement.latency),
)  # fmt: skip


def test_one_entry_adds_a_column(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    more = (*bench_columns.COLUMNS[:-1], PROCESSES, bench_columns.COLUMNS[-1])
    monkeypatch.setattr(bench_columns, "COLUMNS", more)
    monkeypatch.setattr(bench_table, "COLUMNS", more)
    monkeypatch.setitem(columns_page.TABLES, "Measurements", ("here", more))
    record = read_record(SESSION)
    assert bench_table.bench_table(record).splitlines()[0].split()[-2:] == ["processes", "verdict"]
    assert "processes" in bench_table.bench_table(record, look=Look(80)).splitlines()[0]
    assert PROCESSES.help in columns_page.markdown()
    assert run(app, "edgekit", ["report", str(SESSION), "--json"]) == 0
    assert [row["processes"] for row in json.loads(capsys.readouterr().out)["rows"]] == [3, 3, 0]


@pytest.mark.parametrize(
    "columns", [bench_columns.COLUMNS, bundle_table.columns(), ledger_table.columns(), sensitivity_table.COLUMNS]
)
def test_columns_explain_themselves(columns: list[Column[object]]) -> None:
    assert len({column.name for column in columns}) == len(columns)
    for column in columns:
        assert column.name.isidentifier()
        assert column.help[0].isupper() and column.help.endswith(".")
        assert column.priority >= 1


def test_the_tables_of_the_pages_have_these_columns() -> None:
    root = Path(__file__).parents[2]
    text = "\n".join((root / name).read_text(encoding="utf-8") for name in ("README.md", "docs/measuring.md"))
    shown = [re.split(r" {2,}", line) for line in text.splitlines() if re.match(r"(file|stage) {2,}", line)]
    headers = [column.header for column in bench_columns.COLUMNS]
    tables = [
        [header for header in headers if header != "vs host"],
        headers,
        [column.header for column in ledger_table.columns(limited=False)],
        [column.header for column in bundle_table.columns()],
    ]
    narrow = [
        next(c.short or c.header for c in bench_columns.COLUMNS if c.name == name) for name in ("vs_baseline", "score")
    ]
    tables.append(["file", "size", "median [95 %]", *narrow, "verdict"])
    assert len(shown) == 5
    for table in shown:
        assert table in tables, table
    assert all(f"**{header}**" in text for header in ("vs baseline", "accuracy/KiB", "verdict"))
