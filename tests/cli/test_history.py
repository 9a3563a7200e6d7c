"""`edgekit history`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import edgekit
from edgekit.bundle.records import write_record
from edgekit.cli import app
from edgekit.cli.entry import run
from tests.documents import DOCUMENTS, faults
from tests.report.checking.made import INT8
from tests.report.history.test_history import days
from tests.support.raised import raised


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, record in days([10.0, 10.1, 10.0, 10.2, 10.1]).items():
        write_record(Path("records") / f"{name}.json", record)
    return tmp_path


@pytest.mark.usefixtures("here")
def test_text_json_and_the_function(capsys: pytest.CaptureFixture[str]) -> None:
    Path("records/broken.json").write_text('{"schema": 2, "subjects": [')
    assert run(app, "edgekit", ["history", "records", "--only", "int8", "--markdown", "h.md"]) == 0
    heard = capsys.readouterr()
    assert heard.out.startswith(f"median latency of {INT8}, 1 thread on desktop: 5 records")
    assert "warning: records/broken.json" in heard.err
    assert Path("h.md").read_text().startswith("### edgekit history: median latency")
    assert run(app, "edgekit", ["history", "records", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert not faults(value, DOCUMENTS["history"])
    found = edgekit.history("records", only=["int8"])
    assert [series.file for series in found.series] == [INT8]
    assert INT8 in repr(found) and found._repr_html_().startswith("<pre>")
    assert len(found.to_pandas()) == 5
    assert [warned.code for warned in found.warnings] == ["not-json"]


@pytest.mark.usefixtures("here")
def test_what_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "edgekit", ["history", "records", "--metric", "speed"]) == 1
    assert "unknown-name" in capsys.readouterr().err
    assert run(app, "edgekit", ["history", "records", "--only", "int4"]) == 1
    with raised("nothing-selected", "`metric`"):
        edgekit.history("records", only=["int4"])
