"""`edgekit report`: what it takes, what it writes, and what it leaves alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edgekit.cli import app
from edgekit.cli.entry import run
from tests.documents import DOCUMENTS, faults

TESTS = Path(__file__).parents[1]
SESSION = TESTS / "report" / "session.json"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a record, a file that is none, a bundle and a search."""
    monkeypatch.chdir(tmp_path)
    for name, source in (
        ("records/a.json", SESSION),
        ("small/manifest.json", TESTS / "golden" / "bundle-manifest.1.json"),
        ("found/front.json", TESTS / "golden" / "search-result.1.json"),
    ):
        Path(name).parent.mkdir()
        shutil.copyfile(source, name)
    Path("records/half.json").write_text("{")
    return tmp_path


def edgekit(*argv: str) -> int:
    return run(app, "edgekit", ["report", *argv])


@pytest.mark.usefixtures("here")
def test_a_folder_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert edgekit(".") == 0
    out, err = capsys.readouterr()
    first, second, third = (line for line in out.splitlines()[:10] if line.startswith(("On ", "Of ")))
    assert (first[:13], second[:10], third[:10]) == ("On `desktop`,", "Of `small`", "Of `found`")
    for part in ("m-int8.tflite", "bundle small", "search found", "on the Pareto front", "skipped 1 file:"):
        assert part in out
    assert "records/half.json: not a record: line 1, column 2" in out
    assert err == ""


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("name", "format", "begin"),
    [
        ("report.md", "md", "**On `desktop`"), ("report.csv", "csv", '"kind","name"'), ("report.json", "json", "{\n"),
        ("report.txt", "terminal", "On `desktop`"), ("new/report.MD", "md", "**On `desktop`"),
        ("report.html", "html", "<!DOCTYPE html>\n"),
    ],
)  # fmt: skip
def test_a_file_gets_the_format_of_its_suffix(
    name: str, format: str, begin: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edgekit("records", "small", "-o", name) == 0
    out, err = capsys.readouterr()
    assert out.startswith("On `desktop`, ship `m-int8.tflite`")
    assert out.endswith(f"\n\nreport: {name}\n")
    assert "[files-skipped]" in err and "records/half.json" in err
    written = Path(name).read_text(encoding="utf-8")
    assert written.startswith(begin)
    assert edgekit("records", "small", "--format", format) == 0
    assert capsys.readouterr().out == written


@pytest.mark.usefixtures("here")
def test_json_beside_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert edgekit(".", "-o", "report.md", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert not faults(document, DOCUMENTS["report"])
    assert document["written"] == "report.md"
    assert [len(document[key]) for key in ("decisions", "rows", "bundles", "searches", "skipped")] == [3, 3, 1, 1, 1]
    assert Path("report.md").is_file()


def refused(code: str, *argv: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert edgekit(*argv) == 1
    assert f"[{code}]" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_what_is_there_is_not_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    Path("report.md").write_text("mine")
    refused("output-exists", "records", "-o", "report.md", capsys=capsys)
    assert Path("report.md").read_text() == "mine"
    assert edgekit("records", "-o", "report.md", "--force") == 0
    assert Path("report.md").read_text().startswith("**On")
    Path("folder.md").mkdir()
    refused("output-not-writable", "records", "-o", "folder.md", capsys=capsys)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("out", ["records/a.json", "small/report.json", "found/x.json"])
def test_what_is_reported_is_not_changed(out: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(Path().rglob("*"))
    refused("output-overlaps-input", ".", "-o", out, "--force", capsys=capsys)
    assert sorted(Path().rglob("*")) == before
    assert Path("records/a.json").read_text() == SESSION.read_text()


@pytest.mark.usefixtures("here")
def test_refusals(capsys: pytest.CaptureFixture[str]) -> None:
    refused("not-json", "records/half.json", capsys=capsys)
    refused("report-format-unknown", "records", "-o", "report.pdf", capsys=capsys)
    refused("unknown-name", "records", "--format", "yaml", capsys=capsys)
    refused("file-missing", "records", "none.json", capsys=capsys)
    Path("empty").mkdir()
    refused("nothing-to-report", "empty", capsys=capsys)
    assert not list(Path().glob("report*"))
