"""`edgekit check`: exit codes, files that are written, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import edgekit
from edgekit.bundle.records import read_record, write_record
from edgekit.cli import app
from edgekit.cli.entry import run
from tests.documents import DOCUMENTS, faults
from tests.report.checking.made import FLOAT, INT8, SESSION, session, timed
from tests.support.raised import raised

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with records: one without the file that crashed, and one of the same, slower."""
    monkeypatch.chdir(tmp_path)
    steady = [[ms] * 60 for ms in (10.0, 10.1, 10.1, 10.1, 10.2)]
    for name, factor in (("before", 1.0), ("after", 1.3)):
        record = timed(session(), INT8, *[[factor * ms for ms in run] for run in steady])
        write_record(Path(f"{name}.json"), timed(record, FLOAT, *steady))
    return tmp_path


def check(*arguments: str) -> int:
    return run(app, "edgekit", ["check", *arguments])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["before.json", "--max-size", "1MB"], 0),
        (["before.json", "--max-size", "10kB", "--max-latency", "1s"], 3),
        (["before.json", "--only", "int8", "--max-latency", "10.1ms"], 4),
        (["before.json", "--only", "int8", "--max-latency", "10.1ms", "--max-size", "1"], 3),
        (["after.json", "--only", "int8", "--baseline", "before.json", "--max-slowdown", "50%"], 0),
        (["after.json", "--only", "int8", "--baseline", "before.json", "--max-slowdown", "5%"], 3),
        (["after.json", "--only", "*-int8.tflite", "--baseline", "before.json", "--max-slowdown", "30%"], 4),
        (["before.json", "--only", "int8", "--max-latency-p90", "10.2ms"], 0),
        (["before.json", "--only", "none", "--max-size", "1MB"], 1),
        (["before.json"], 1),
        (["none.json", "--max-size", "1MB"], 1),
        (["before.json", "--max-size", "1 megabyte"], 1),
        (["before.json", "--max-size", "0"], 1),
        (["--max-size", "1MB"], 2),
    ],
)
@pytest.mark.usefixtures("here")
def test_exit_codes(arguments: list[str], code: int) -> None:
    assert check(*arguments) == code


@pytest.mark.usefixtures("here")
def test_json_and_the_function_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("before.json", "--max-size", "200kB", "--max-latency", "10.15ms", "--json") == 3
    out = capsys.readouterr().out
    found = json.loads(out)
    assert not faults(found, DOCUMENTS["check"])
    gate = edgekit.check("before.json", max_size_bytes=200_000, max_latency_ms=10.15)
    assert (gate.word, gate.failed, gate.passed) == (found["decision"], True, False) == ("fail", True, False)
    assert [one.word for one in gate.checks] == [row["decision"] for row in found["checks"]]
    assert edgekit.check(read_record(Path("before.json")), max_size_bytes=1e6, only=["int8"]).passed
    assert "max_size" in repr(gate) and gate._repr_html_().startswith("<pre>")
    assert len(gate.to_pandas()) == len(gate.checks)


@pytest.mark.usefixtures("here")
def test_a_budget_and_options_that_win(capsys: pytest.CaptureFixture[str]) -> None:
    Path("budget.toml").write_text(
        'schema = 1\nmax_size = "1MB"\n[target.desktop.file.int8]\nmax_latency = "5ms"\n[file."*int4*"]\nmax_size = 1\n'
    )
    assert check("before.json", "--budget", "budget.toml") == 3
    heard = capsys.readouterr()
    assert "latency-above-limit" in heard.out
    assert 'budget.toml: [file."*int4*"] holds for none of the files [budget-unused]' in heard.err
    assert check("before.json", "--budget", "budget.toml", "--max-latency", "1s", "--only", "int8") == 0


@pytest.mark.usefixtures("here")
def test_what_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--junit", "out/checks.xml", "--sarif", "checks.sarif", "--markdown", "summary.md"]
    for _ in range(2):  # what edgekit wrote is replaced, and the summary grows
        assert check("before.json", "--max-size", "1", "--only", "int8", *files) == 3
    assert ElementTree.parse("out/checks.xml").getroot().attrib["failures"] == "1"
    [run_] = json.loads(Path("checks.sarif").read_text())["runs"]
    assert run_["results"][0]["ruleId"] == "size-above-limit"
    [location] = run_["results"][0]["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "before.json"
    assert Path("summary.md").read_text().count("### edgekit check: fail\n") == 2
    capsys.readouterr()


@pytest.mark.parametrize("option", ["--junit", "--sarif"])
@pytest.mark.usefixtures("here")
def test_files_of_others_are_not_replaced(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine").write_text("<testsuites/>")
    Path("link").symlink_to("mine")
    for name in ("mine", "link"):
        assert check("before.json", "--max-size", "1MB", option, name) == 1
        assert "output-not-ours" in capsys.readouterr().err
    assert Path("mine").read_text() == "<testsuites/>"


@pytest.mark.usefixtures("here")
def test_annotations_stand_behind_a_muted_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("before.json", "--max-size", "1", "--only", "int8", "--github") == 3
    first, *middle, last = capsys.readouterr().out.splitlines()
    token = first.removeprefix("::stop-commands::")
    assert re.fullmatch("[0-9a-f]{32}", token)
    assert middle[-1] == f"::{token}::"
    assert last.startswith("::error file=before.json,title=edgekit check%3A fail%3A size-above-limit::")
    assert check("none.json", "--max-size", "1", "--github") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"::{lines[0].removeprefix('::stop-commands::')}::"
    assert check("before.json", "--max-size", "1", "--only", "int8", "--github", "--json") == 3
    heard = capsys.readouterr()
    assert json.loads(heard.out)["decision"] == "fail"
    assert "::error file=before.json" in heard.err


def test_a_folder_with_something_unreadable(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = here / "records"
    folder.mkdir()
    shutil.copy(SESSION, folder / "a.json")
    (folder / "other.json").write_text('{"name": "package"}')
    assert check("records", "--max-size", "1MB") == 0  # JSON of another program
    (folder / "b.json").write_text(SESSION.read_text()[:3000])
    assert check("records", "--max-size", "1MB") == 4
    heard = capsys.readouterr()
    assert "cannot tell: 3 checks: 3 pass; 1 unread" in heard.out
    assert "warning: records/b.json: " in heard.err


def test_bundles(here: Path) -> None:
    bundle = here / "bundle"
    bundle.mkdir()
    shutil.copy(GOLDEN / "bundle-manifest.1.json", bundle / "manifest.json")
    with raised("bundle-incomplete"):  # what a manifest says of files that are not there is no size
        edgekit.check(bundle, max_size_bytes=1e9)


def test_a_search_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "found").mkdir()
    shutil.copy(GOLDEN / "search-result.1.json", here / "found" / "front.json")
    assert check("found", "--max-size", "1MB") == 1
    assert check("found", "before.json", "--max-size", "1MB") == 0
    assert "not-checked" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_conditions_are_refused_without_force(capsys: pytest.CaptureFixture[str]) -> None:
    record = read_record(Path("before.json"))
    write_record(Path("board.json"), dataclasses.replace(record, target="rpi4"))
    arguments = ["before.json", "--only", "int8", "--baseline", "board.json", "--max-slowdown", "5%"]
    assert check(*arguments) == 4
    assert "not of the same target: desktop, rpi4 [unlike-conditions]" in capsys.readouterr().out
    assert check(*arguments, "--force") == 0
    assert "compared all the same: not of the same target: desktop, rpi4" in capsys.readouterr().out


@pytest.mark.usefixtures("here")
def test_hints_of_the_function_name_parameters() -> None:
    with raised("bounds-missing", "max_size_bytes=", "budget"):
        edgekit.check("before.json")
    with raised("budget-not-positive", "`max_size_bytes`"):
        edgekit.check("before.json", max_size_bytes=-1)
    record: Any = "before.json"
    with raised("file-missing"):
        edgekit.check([record, "none.json"], max_size_bytes=1)
