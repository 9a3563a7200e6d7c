"""`edgekit.report` from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.api.files import load_record
from edgekit.api.reports import report
from tests.support.raised import raised

TESTS = Path(__file__).parents[1]
SESSION = TESTS / "report" / "session.json"


def test_a_report_is_what_the_command_prints() -> None:
    made = report(SESSION)
    [decision] = made.decisions
    assert (decision.file, decision.source, decision.device) == ("m-int8.tflite", "session", "desktop")
    assert str(made).startswith("On `desktop`, ship `m-int8.tflite`")
    assert repr(made) == f"Report\n{made}"
    assert made.rows[1].file == "m-int8.tflite"
    assert made.text("csv").startswith('"kind"')
    assert str(report(SESSION, format="md")).startswith("**On `desktop`")
    assert "&lt;" not in made._repr_html_() and made._repr_html_().startswith("<pre>Report")


def test_records_that_are_here_already() -> None:
    record = load_record(SESSION)
    assert list(report(record).collection.records) == ["record 1"]
    assert list(report([SESSION, record, record]).collection.records) == ["session", "record 1", "record 2"]


def test_saving(tmp_path: Path) -> None:
    made = report([str(SESSION)], out=tmp_path / "a.md")
    assert (tmp_path / "a.md").read_text() == made.text("md") == str(made)
    assert made.save(tmp_path / "b.csv").read_text() == made.text("csv")
    with raised("output-exists", "`force=True`"):
        report(SESSION, out=tmp_path / "a.md")
    with raised("output-exists"):
        made.save(tmp_path / "a.md")
    made.save(tmp_path / "a.md", format="json", force=True)
    with raised("output-overlaps-input"):
        made.save(SESSION, force=True)
    with raised("report-format-unknown"):
        made.save(tmp_path / "a.pdf")


def test_as_a_data_frame() -> None:
    pytest.importorskip("pandas")
    assert list(report(SESSION).to_pandas()["bytes"]) == [318144, 98496, 99000]
