"""`edgekit explain`, and wrong usage as JSON."""

from __future__ import annotations

import json

import pytest

from edgekit.cli import app
from edgekit.cli.entry import run
from edgekit.errors.codes import KINDS, register


def test_a_code_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "edgekit", ["explain", "wrong-usage"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    entry = register()["wrong-usage"]
    for part in (entry.code, entry.kind, entry.means, entry.why, entry.mend):
        assert part in text


def test_all_codes_are_listed_by_room(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "edgekit", ["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines if line.startswith("  ")} == set(register())
    rooms = [line for line in lines if line and not line.startswith("  ")]
    assert rooms == sorted({entry.room for entry in register().values()})


def test_codes_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "edgekit", ["explain", "--json"]) == 0
    codes = json.loads(capsys.readouterr().out)["codes"]
    assert [entry["code"] for entry in codes] == list(register())
    assert all(entry["kind"] in KINDS for entry in codes)
    assert run(app, "edgekit", ["explain", "wrong-usage", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["room"] == "cli"


def test_an_unknown_code_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "edgekit", ["explain", "wrong-usge"]) == 2
    assert "`wrong-usage`" in capsys.readouterr().err
    assert run(app, "edgekit", ["explain", "x" * 1000]) == 2
    assert len(capsys.readouterr().err) < 400


@pytest.mark.parametrize("argv", [["explain", "wrong-usge"], ["inspect"], ["inspct", "x"], ["targets", "shw"]])
def test_wrong_usage_as_json(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "edgekit", [*argv, "--json"]) == 2
    captured = capsys.readouterr()
    error = json.loads(captured.out)["error"]
    assert error["code"] == "wrong-usage"
    assert error["message"].split("`")[0] in captured.err


def test_an_explained_failure_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "edgekit", ["inspect", "none.tflite", "--json"]) == 1
    captured = capsys.readouterr()
    error = json.loads(captured.out)["error"]
    assert sorted(error) == ["code", "hint", "message"]
    assert "none.tflite" in error["message"]
    assert captured.err.startswith("edgekit: none.tflite")
    assert run(app, "edgekit", ["inspect", "none.tflite"]) == 1
    assert capsys.readouterr().out == ""
