"""Tables that fit where they are shown."""

from __future__ import annotations

import math

import pytest

from edgekit.stats import Interval
from edgekit.text.colours import ESCAPES, RESET
from edgekit.text.columns import Column, Look, interval, render, values, without_prefix

Row = tuple[str, int]
ROWS: list[Row] = [("model-float32.tflite", 1000), ("model-int8.tflite", 250)]
COLUMNS: list[Column[Row]] = [
    Column("file", "file", "", 5, "x", lambda r: r[0], lambda r: r[0], brief=lambda r: r[0][5:], left=True),
    Column("size", "size", "bytes", 2, "x", lambda r: f"{r[1]} B (1.00x)", lambda r: r[1], brief=lambda r: f"{r[1]} B"),
    Column("p90", "p90", "ms", 9, "x", lambda r: "1.23 ms", lambda r: 1.23),
    Column("p99", "p99", "ms", 10, "x", lambda r: "1.24 ms", lambda r: 1.24),
    Column(
        "verdict", "verdict", "", 1, "x", lambda r: "valid", lambda r: "valid", left=True,
        colour=lambda r: "green" if r[1] < 500 else "",
    ),
]  # fmt: skip


def headers(width: int | None) -> list[str]:
    return render(COLUMNS, ROWS, Look(width)).splitlines()[0].split()


def test_a_pipe_gets_every_column() -> None:
    text = render(COLUMNS, ROWS)
    assert text.splitlines()[0].split() == ["file", "size", "p90", "p99", "verdict"]
    assert "--wide" not in text


@pytest.mark.parametrize(
    ("width", "shown", "note"),
    [
        (63, ["file", "size", "p90", "p99", "verdict"], None),
        (62, ["file", "size", "p90", "verdict"], "1 more column: --wide"),
        (45, ["file", "size", "verdict"], "2 more columns: --wide"),
        (40, ["file", "size", "verdict"], "2 more columns and longer cells: --wide"),
        (24, ["file", "verdict"], "3 more columns and longer cells: --wide"),
        (1, ["file"], "4 more columns and longer cells: --wide"),
    ],
)
def test_what_decides_least_goes_first(width: int, shown: list[str], note: str | None) -> None:
    lines = render(COLUMNS, ROWS, Look(width)).splitlines()
    assert lines[0].split() == shown
    assert width < 20 or all(len(line) <= width for line in lines[:4])
    assert lines[4:] == ([note] if note else [])


def test_every_width_keeps_the_order_and_fits() -> None:
    names = [column.header for column in COLUMNS]
    for width in range(24, 70):
        found = headers(width)
        assert found == [name for name in names if name in found]
        assert max(map(len, render(COLUMNS, ROWS, Look(width)).splitlines()[:4])) <= width


def test_a_wide_column_makes_room_for_several_that_decide_less() -> None:
    columns: list[Column[Row]] = [
        COLUMNS[0],
        Column("a", "a", "", 8, "x", lambda r: "w" * 30, lambda r: None),
        Column("b", "b", "", 9, "x", lambda r: "y", lambda r: None),
    ]
    assert render(columns, ROWS, Look(30)).splitlines()[0].split() == ["file", "b"]


def test_colours_take_no_room() -> None:
    plain, coloured = (render(COLUMNS, ROWS, Look(63, colours)) for colours in (False, True))
    assert f"{ESCAPES['green']}valid{RESET}" in coloured
    assert coloured.count(RESET) == 1
    assert coloured.replace(ESCAPES["green"], "").replace(RESET, "") == plain


def test_a_cell_makes_no_row_and_no_colour() -> None:
    text = render(COLUMNS, [("a\n\x1b[32mb", 1)], Look(None, True))
    assert len(text.splitlines()) == 3
    assert text.count("\x1b") == 2
    assert r"a\n\x1b[32mb" in text


def test_names_without_what_they_share() -> None:
    names = ["digits-cnn-float32.tflite", "digits-cnn-int8.onnx"]
    assert list(without_prefix(names).values()) == ["…-float32.tflite", "…-int8.onnx"]
    for unlike in (
        ["a.tflite", "b.tflite"],
        ["same-name.tflite"] * 2,
        ["one-file.tflite"],
        [],
        ["abcdef-", "abcdef-x"],
    ):
        assert without_prefix(unlike) == {name: name for name in unlike}


def test_rows_as_json() -> None:
    expected = {"file": "model-float32.tflite", "size": 1000, "p90": 1.23, "p99": 1.24, "verdict": "valid"}
    assert values(COLUMNS, ROWS[0]) == expected
    assert interval(Interval(1.0, math.nan, math.nan)) == {"value": 1.0, "low": None, "high": None}
