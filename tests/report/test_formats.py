"""Whole reports in every format, and reports about what a stranger named."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.bundle.collection import Collection, Skipped
from edgekit.bundle.records import Record
from edgekit.reporting import bench_columns, bundle_table, ledger_table, search_table
from edgekit.reporting.contents import Contents
from edgekit.reporting.formats import csv_rows, markdown, terminal
from edgekit.reporting.formats.marked import code, plain, prose
from edgekit.reporting.rendering import FORMATS, SUFFIXES, WRITERS, format_for, rendered
from edgekit.text.columns import Column, Look
from tests.report.reports import FILES, HERE, collection
from tests.support.raised import raised

HOSTILE = (
    "<script>alert(1)</script>", "=cmd|'/c calc'!A0", "a|b\\|c`d``e", "\u202egnp.elif", "\x1b[2J\x1b[31mred",
    "a\nb\r\n| c |", "@everyone see #1 and https://example.com www.example.com", "*_~$~_*", "'quo\"ted", "</details>",
    "![x](http://a/b) [y](javascript:z)",
)  # fmt: skip


@pytest.fixture(scope="module")
def contents() -> Contents:
    return Contents.of(collection())


@pytest.mark.parametrize("name", FILES)
def test_the_whole_report(contents: Contents, name: str) -> None:
    assert rendered(contents, name) == (HERE / FILES[name]).read_text(encoding="utf-8"), (
        "look at the diff of: python -m tests.report.reports"
    )


def hostile(names: Sequence[str] = HOSTILE) -> Contents:
    """Return a report in which every name and text is a stranger's."""
    record = collection().records["session"]
    return Contents.of(Collection({name: renamed(record, name) for name in names}, {}, {}, skipped(names)))


def renamed(record: Record, name: str) -> Record:
    subjects = tuple(replace(s, name=f"{name}{i}", sha256=f"{name}{i}") for i, s in enumerate(record.subjects))
    host = replace(record.host, cpu_model=name, os=name)
    assert record.evaluation is not None
    return replace(
        record, subjects=subjects, host=host, created=name, evaluation=replace(record.evaluation, source=name)
    )


def skipped(names: Sequence[str]) -> tuple[Skipped, ...]:
    return tuple(Skipped(name, "not-json", name) for name in names)


def test_every_column_declares_the_parts_of_its_values(contents: Contents) -> None:
    found = contents.collection
    [bundle], [search] = found.bundles.values(), found.searches.values()
    tables: list[tuple[Sequence[Column[Any]], Sequence[Any]]] = [
        (bench_columns.COLUMNS, contents.rows),
        (bundle_table.columns(), bundle_table.rows(bundle.manifest)),
        (ledger_table.columns(), ledger_table.rows(bundle.manifest.ledger)),
        (search_table.columns(), search.front),
    ]
    for columns, rows in tables:
        for column in columns:
            values = [column.value(row) for row in rows]
            assert {tuple(value) for value in values if isinstance(value, dict)} <= {column.parts}, column.name
            assert not column.parts or not any(isinstance(value, (str, float)) for value in values), column.name


def test_csv_says_the_unit_in_every_header(contents: Contents) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_rows.text(contents))))
    assert len(rows) == 3 + 2 + 1
    assert list(rows[0]) == csv_rows.header()
    words = {"bytes": "bytes", "ms": "_ms", "ratio": "ratio", "MiB": "mib", "% per KiB": "percent_per_kib", "dB": "_db"}
    for column in bench_columns.COLUMNS:
        assert words.get(column.unit, "") in csv_rows.RENAMED.get(column.name, column.name)
    assert (rows[1]["median_ms"], rows[1]["median_ms_low"][:9]) == ("0.0803695", "0.0619828")


def test_csv_is_no_program() -> None:
    text = csv_rows.text(hostile([*HOSTILE, "+1", "-1", "@a", "\t=1", " =1", "＝1"]))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 3 * (len(HOSTILE) + 6)
    for row in rows:
        for key, cell in row.items():
            assert cell.isprintable(), key
            assert re.fullmatch(r"-?[0-9.e+-]*", cell) or cell.lstrip()[0] not in csv_rows.FORMULA, (key, cell)
    assert {row["name"] for row in rows} >= {"'=cmd|'/c calc'!A0", "'-1", "' =1", "'＝1", "'quo\"ted"}


def test_markdown_holds_no_markup_of_strangers() -> None:
    text = markdown.text(hostile())
    tags = set(re.findall(r"</?[a-z]+[^>]*>", text))
    assert tags <= {"<details>", "<summary>", "</summary>", "</details>", "<code>", "</code>"}
    assert text.count("<details>") == text.count("</details>")
    outside = re.sub(r"`[^`\n]*`", "", text)
    for mark in ("](", "@", "://", "www.", "*_", "~$", "\x1b", "\u202e", "\r"):
        assert mark not in outside, mark
    table = next(part for part in text.split("\n\n") if part.startswith("| record |"))
    cells = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
    assert cells == {8}
    assert not [
        line for line in text.splitlines() if not re.match(r"(\||- |\*\*|<|$|\d+ more|Skipped|Left out|latency|)", line)
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("m-int8.tflite", "`m-int8.tflite`"), ("a b", "`a b`"), ("a|b", "<code>a&#124;b</code>"),
        ("`", "<code>&#96;</code>"), (" a", "<code> a</code>"), ("<b>", "<code>&#60;b&#62;</code>"),
        ("Größe", "<code>Größe</code>"), ("a\nb", "<code>a&#92;nb</code>"),
    ],
)  # fmt: skip
def test_names_are_code(text: str, shown: str) -> None:
    assert code(text) == shown


def test_texts_are_plain_but_for_what_stands_in_backticks() -> None:
    assert plain("98.2 % [97.1, 98.9], a_b & `c`") == "98.2 % [97.1, 98.9], a&#95;b &#38; &#96;c&#96;"
    assert prose("give `--force`, or `<b>`") == "give `--force`, or <code>&#60;b&#62;</code>"
    assert prose("one ` alone") == "one &#96; alone"
    assert plain("[a]: http://b [c](d)") == "[a&#93;: http&#58;//b [c&#93;(d)"


def test_markdown_fits_a_comment() -> None:
    record = collection().records["session"]
    many = Contents.of(Collection({f"record-{number:04}": record for number in range(100)}))
    text = markdown.text(many)
    assert 10_000 < len(text) <= markdown.LONGEST + 1
    assert "\n250 more rows\n" in text
    assert re.search(r"so that this fits a comment: \d+ more sections\.\n$", text)
    long = Contents.of(Collection({}, {}, {}, ()))
    assert markdown.text(long) == "\n"


def test_a_narrow_terminal_and_many_skipped_files(contents: Contents) -> None:
    text = terminal.text(contents, Look(40))
    assert max(len(line) for line in text.split("\n\n")[1].splitlines()[:3]) <= 40
    assert "Pareto" in text
    assert "Pareto" not in terminal.text(contents, Look(30))
    lines = terminal.skipped_lines(skipped([f"{number}.json" for number in range(1000)]))
    assert lines[0] == "skipped 1,000 files:"
    assert lines[-1] == "  and 980 more"
    assert len(lines) == 22


def test_hostile_names_stay_on_their_lines_of_a_terminal() -> None:
    text = terminal.text(hostile())
    assert all(character.isprintable() or character == "\n" for character in text)
    assert len([line for line in text.splitlines() if line.startswith("a\\nb")]) >= 3


def test_json_has_no_numbers_that_json_lacks() -> None:
    record = collection().records["session"]
    one = replace(record, measurements=tuple(replace(m, latency=m.latency[:1]) for m in record.measurements))
    text = rendered(Contents.of(Collection({"a": one})), "json")
    rows = json.loads(text, parse_constant=pytest.fail)["rows"]
    assert rows[0]["median_ms"]["low"] is None


def test_formats_have_writers_and_suffixes() -> None:
    assert set(FORMATS) == {"terminal", *WRITERS} == set(SUFFIXES.values())
    assert format_for(None, None) == "terminal"
    assert format_for(Path("a.MD"), None) == "md"
    assert format_for(Path("a.md"), "csv") == "csv"
    with raised("report-format-unknown", ".pdf", "--format"):
        format_for(Path("a.pdf"), None)
    with raised("unknown-name", "jsn", "did you mean `json`?"):
        format_for(None, "jsn")
