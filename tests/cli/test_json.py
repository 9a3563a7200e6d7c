"""`--json`: one document on stdout, of the schema in `docs/`, and nothing else there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.cli import app
from edgekit.cli.entry import run
from tests.documents import DOCUMENTS, faults
from tests.support.tiny_tflite import tiny_tflite

SESSION = Path(__file__).parents[1] / "report" / "session.json"
QUICK = ("--processes", "1", "--min-samples", "5", "--min-seconds", "0.01", "--no-memory")


def document(name: str, argv: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> Any:
    assert run(app, "edgekit", [*argv, "--json"]) == code
    out = capsys.readouterr().out
    assert out.isascii()
    value = json.loads(out)
    assert not faults(value, DOCUMENTS[name])
    return value


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "argv"),
    [
        ("doctor", ["doctor"]), ("explain", ["explain"]), ("explain CODE", ["explain", "wrong-usage"]),
        ("init", ["init", "made"]), ("recipes", ["recipes"]), ("recipes NAME", ["recipes", "int8"]),
        ("compare", ["compare", str(SESSION), "--only", "float32,int8"]),
        ("compare", ["compare", str(SESSION), str(SESSION), "--only", "int8"]),
        ("report", ["report", str(SESSION)]), ("report", ["report", str(SESSION), str(SESSION)]),
        ("targets list", ["targets", "list"]), ("targets show", ["targets", "show", "rpi4"]),
        ("targets init", ["targets", "init", "rpi4"]), ("targets check", ["targets", "check", "desktop"]),
        ("targets emulate down", ["targets", "emulate", "down"]),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("here")
def test_documents(name: str, argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    document(name, argv, capsys)


def test_of_files(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_tflite(here / "a.tflite")
    document("inspect", ["inspect", "a.tflite"], capsys)
    pushed = document("push", ["push", "a.tflite", "--target", "desktop", "--dest", str(here / "there")], capsys)
    assert pushed["files"][0]["bytes"] == (here / "a.tflite").stat().st_size
    measured = document("bench", ["bench", "a.tflite", *QUICK], capsys)
    [record] = measured["records"]
    assert (here / record).is_file()
    [row] = measured["rows"]
    assert row["file"] == "a.tflite"
    assert row["record"] == record
    assert row["median_ms"]["value"] > 0
    assert "too-few-processes" in [reason["code"] for reason in row["reasons"]]


@pytest.mark.parametrize("argv", [["report", "none.json"], ["bench", "none.tflite"], ["recipes", "itn8"]])
@pytest.mark.usefixtures("here")
def test_errors(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    error = document("an error", argv, capsys, code=1)["error"]
    assert argv[1] in error["message"]
    assert error["code"]


def test_the_schema_finds_faults() -> None:
    schema = DOCUMENTS["recipes"]
    assert not faults({"recipes": [{"name": "a", "description": "b"}]}, schema)
    for wrong in ({}, {"recipes": {}}, {"recipes": [{"name": 1, "description": ""}]}, {"recipes": [], "more": 1}):
        assert faults(wrong, schema)
