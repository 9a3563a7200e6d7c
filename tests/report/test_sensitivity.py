"""The layer table as text, as JSON and as a picture: no file is run."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.bundle.sensitivity import Sensitivity
from edgekit.reporting.sensitivity_plot import draw
from edgekit.reporting.sensitivity_table import (
    COLUMNS,
    cause,
    conclusion,
    document,
    notes,
    sensitivity_table,
    shown_names,
)
from edgekit.text.columns import Look
from tests.documents import DOCUMENTS, faults
from tests.support.layers import CULPRIT, MOVED, PLAIN, READER, table
from tests.support.raised import raised


def cells(text: str) -> list[list[str]]:
    return [line.split() for line in text.split("\n\n")[0].splitlines()]


def test_the_layer_to_revert_stands_first() -> None:
    found = table()
    lines = cells(sensitivity_table(found))
    assert [line[0] for line in lines[2:]] == ["wide", "reader", "plain", "flat/Reshape"]
    assert [layer.name for layer in found.ranked] == [CULPRIT.name, READER.name, PLAIN.name, MOVED.name]
    assert found.culprit == CULPRIT
    assert "+18.5" in lines[2] and "exact" in lines[5]


def test_it_fits_a_narrow_terminal() -> None:
    text = sensitivity_table(table(), Look(80))
    lines = text.split("\n\n")[0].splitlines()
    assert max(map(len, lines[:-1])) <= 80
    headers = lines[0].split("  ")
    for name in ("layer", "gain dB", "noise"):
        assert name in [header.strip() for header in headers]
    assert "--wide" in lines[-1]
    assert "reader" in lines[2].split()  # what was reverted with it
    wide = sensitivity_table(table(), Look(None)).splitlines()
    assert all(column.header in wide[0] for column in COLUMNS)
    assert "--wide" not in "\n".join(wide)


def test_rows_can_be_fewer() -> None:
    lines = sensitivity_table(table(), top=1).splitlines()
    assert lines[2].startswith("wide") and lines[3].startswith("3 more layers") and "--top 0" in lines[3]
    assert "more layer" not in sensitivity_table(table(), top=0)


def test_names_are_short_and_stay_apart() -> None:
    names = shown_names(table())
    assert names == {PLAIN.name: "plain", CULPRIT.name: "wide", MOVED.name: "flat/Reshape", READER.name: "reader"}
    names = ["StatefulPartitionedCall:0", "Conv2D", "net/conv2d_4/BiasAdd", "net/dense_1/MatMul;net/dense_1/BiasAdd"]
    others = table(*[replace(PLAIN, name=name) for name in names])
    assert list(shown_names(others).values()) == ["StatefulPartitionedCall:0", "Conv2D", "conv2d_4", "dense_1"]


def test_the_conclusion_names_the_culprit_and_what_it_gains() -> None:
    text = conclusion(table())
    for part in ("`wide`", "CONV_2D", "`reader`", "9.0 to 27.5 dB", "34.38 % to 90.62 %", "93.75 %", "212"):
        assert part in text
    alone = replace(CULPRIT, with_it=(), acting_weights_sqnr_db=3.25)
    assert "3.2 dB" in conclusion(table(alone)) and "reader" not in conclusion(table(alone))
    several = replace(CULPRIT, with_it=(READER.name, MOVED.name))
    assert "its 2 readers" in conclusion(table(several, READER, MOVED))
    assert "accuracy" not in conclusion(table(scores={}))


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        ({"sqnr_db": None}, ["No layer"]),
        ({"sqnr_db": 41.25}, ["No layer", "41.2 dB"]),
        ({"inputs_share": 0.63}, ["No layer", "63%", "inputs", "9.0 dB"]),
        ({"outputs_share": 0.71}, ["No layer", "71%", "outputs", "9.0 dB"]),
        ({}, ["No layer", "`reader`", "0.2 dB", "9.0 dB"]),
    ],
)
def test_no_layer_stands_out(changed: dict[str, float | None], parts: list[str]) -> None:
    found = table(PLAIN, MOVED, READER, **changed)
    assert found.culprit is None
    for part in parts:
        assert part in conclusion(found)


def test_a_file_that_is_near_is_broken_by_nothing() -> None:
    for near in (30.0, None):
        found = table(sqnr_db=near)
        assert found.culprit is None and "No layer" in conclusion(found)


def test_a_table_without_layers() -> None:
    found = replace(table(), layers=(), sqnr_db=4.0)
    assert found.culprit is None and "0.0 dB" in conclusion(found)
    assert sensitivity_table(found)


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"with_it": (), "acting_weights_sqnr_db": 3.5}, "3.5 dB"),
        ({"with_it": (), "acting_weights_sqnr_db": None}, "arithmetic"),
        ({}, "212"),
        ({"outliers": 1.2, "narrow_channels": 0.38}, "38%"),
        ({"outliers": 1.2, "range_used": 0.06}, "6%"),
        ({"outliers": 1.2}, "one scale"),
    ],
)
def test_causes(changed: dict[str, object], part: str) -> None:
    assert part in cause(replace(CULPRIT, **changed))


def test_notes_say_what_the_numbers_are_of() -> None:
    [note] = notes(table())
    for part in ("32 validation samples", "9.0 dB", "float 93.75 %", "int8 34.38 %", "accuracy"):
        assert part in note
    assert "accuracy" not in notes(table(scores={}, sqnr_db=None))[0]


def test_json_has_every_column_and_the_conclusion() -> None:
    found = table()
    value = {**document(found), "plot": None}
    assert not faults(value, DOCUMENTS["sensitivity"])
    assert value["culprit"] == CULPRIT.name and value["conclusion"] == conclusion(found)
    assert [layer["name"] for layer in value["layers"]] == [layer.name for layer in found.layers]
    assert value["layers"][1]["with_it"] == [READER.name]
    assert document(table(PLAIN))["culprit"] is None


def test_json_and_back() -> None:
    found = table()
    assert Sensitivity.from_dict(found.to_dict()) == found
    assert found.score("int8") is not None and found.score("int8").correct == 11  # type: ignore[union-attr]
    wrong = found.to_dict()
    wrong["layers"][0]["noise_share"] = 1.5
    with raised("value-out-of-range", "layers", "noise_share"):
        Sensitivity.from_dict(wrong)


def test_hostile_names_are_shown_escaped() -> None:
    found = table(replace(CULPRIT, name="net/\x1b[2J\n", with_it=()))
    for text in (sensitivity_table(found), conclusion(found)):
        assert "\x1b" not in text and "\\x1b" in text


@pytest.mark.parametrize(("name", "begin"), [("layers.png", b"\x89PNG"), ("layers.svg", b"<?xml")])
def test_plots(tmp_path: Path, name: str, begin: bytes) -> None:
    path = tmp_path / name
    draw(table(), path)
    first = path.read_bytes()
    assert first.startswith(begin)
    draw(table(), path)
    assert path.read_bytes() == first  # the same layers, the same bytes
    draw(table(*[replace(PLAIN, name=f"$x_{n}$") for n in range(70)]), path)
    assert path.read_bytes() != first


def test_plots_need_their_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with raised("extra-not-installed", "edgekit[plot]"):
        draw(table(), tmp_path / "layers.png")
