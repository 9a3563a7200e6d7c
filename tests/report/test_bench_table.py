"""The whole text of a table, from a recorded session: no clock involved."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgekit.bundle.records import add_record, read_record
from edgekit.errors import InputError
from edgekit.reporting.bench_table import bench_table
from edgekit.reporting.rows import rows_of
from edgekit.stats import Interval
from edgekit.text.tables import duration, ratio_with_interval, share_with_interval, table

HERE = Path(__file__).parent


def test_the_table_of_a_recorded_session() -> None:
    record = read_record(HERE / "session.json")
    assert bench_table(record) + "\n" == (HERE / "session.txt").read_text()
    assert "invalid" in {row.verdict for row in rows_of(record)}


MEASURED = HERE.parents[1] / "benchmarks" / "README.md"
STORED = re.findall(r"`(records/[\w.-]+\.json)`\n\n```\n(.*?)```", MEASURED.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(("name", "shown"), STORED, ids=[name for name, _ in STORED])
def test_the_tables_of_the_benchmarks_are_those_of_their_records(name: str, shown: str) -> None:
    assert shown == bench_table(read_record(MEASURED.parent / name)) + "\n"


def test_every_record_of_the_benchmarks_has_its_table() -> None:
    assert {name for name, _ in STORED} == {f"records/{path.name}" for path in MEASURED.parent.glob("records/*.json")}


def test_a_record_survives_writing(tmp_path: Path) -> None:
    record = read_record(HERE / "session.json")
    path = add_record(tmp_path, record)
    assert read_record(path) == record
    assert add_record(tmp_path, record) != path


@pytest.mark.parametrize("content", ["{}", "[]", '{"schema": 2}', '{"schema": 1}', "x"])
def test_files_that_are_no_records(tmp_path: Path, content: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"r\.json"):
        read_record(path)


def test_numbers_with_units() -> None:
    assert [duration(v) for v in (4.0, 78_300, 1_254_000, 2.5e9, float("nan"))] == [
        "4.00 ns", "78.3 us", "1.25 ms", "2.50 s", "-",
    ]  # fmt: skip
    assert share_with_interval(Interval(0.98765, 0.98, 0.99)) == "98.77 % [98.0, 99.0]"
    assert ratio_with_interval(Interval(0.3, float("nan"), float("nan"))) == "0.30x"


def test_columns_line_up() -> None:
    lines = table(("name", "n", "note"), [("a", "1", "x"), ("longer", "22", "")]).splitlines()
    assert lines == ["name     n  note", "------  --  ----", "a        1  x", "longer  22"]
