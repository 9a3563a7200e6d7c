"""Layer tables as Python shows them, and where plots may go; no file is run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import edgekit
from edgekit.api.sensitivity import check_place
from edgekit.errors import InputError, OutputError
from tests.support.layers import CULPRIT, PLAIN, READER, table
from tests.support.raised import raised


def shown() -> edgekit.Sensitivity:
    return edgekit.Sensitivity.of(table())


def test_a_table_and_what_follows_from_it() -> None:
    found = shown()
    assert found.culprit == CULPRIT and found.ranked[0] is found.layers[1]
    assert found.conclusion in repr(found) and "`wide`" in found.conclusion
    assert found.table(1).splitlines()[2].startswith("wide") and found.table(1).splitlines()[3].endswith("table()")
    assert "table()" not in found.table()
    inputs = edgekit.Sensitivity.of(table(PLAIN, inputs_share=0.9))
    assert "`normalize_outside=True`" in inputs.conclusion and "calibration_method='percentile'" in repr(inputs)
    hostile = edgekit.Sensitivity.of(table(PLAIN, model="<script>"))
    assert "<script>" not in hostile._repr_html_()


def test_a_data_frame() -> None:
    pytest.importorskip("pandas")
    frame = shown().to_pandas()
    assert list(frame["name"]) == [layer.name for layer in shown().layers]
    assert frame["with_it"][1] == READER.name and frame["gain_db"][1] == 18.5


def test_plots_appear_whole_and_replace_nothing_unasked(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "layers.svg"
    assert shown().plot(path) == path
    first = path.read_bytes()
    with raised("output-exists", "layers.svg", kind=OutputError):
        shown().plot(path)
    shown().plot(str(path), force=True)
    assert path.read_bytes() == first
    assert [file.name for file in path.parent.iterdir()] == ["layers.svg"]


def test_where_plots_may_go(tmp_path: Path) -> None:
    with raised("plot-format", "layers.pdf", ".png", ".svg", kind=InputError):
        check_place(tmp_path / "layers.pdf", force=True)
    (tmp_path / "data.png").write_text("mine")
    with raised("output-overlaps-input", "--plot", kind=OutputError):
        check_place(tmp_path / "data.png", tmp_path / "data.png", force=True)
    (tmp_path / "folder.png").mkdir()
    with raised("output-exists", "folder.png"):
        check_place(tmp_path / "folder.png", force=True)
    check_place(tmp_path / "new.PNG", "a data set's name", None, force=False)


def test_plots_need_their_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with raised("extra-not-installed", "edgekit[plot]"):
        check_place(tmp_path / "layers.png", force=False)
