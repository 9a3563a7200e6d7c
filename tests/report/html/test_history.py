"""The histories of the page: where there are any, and what is drawn of them."""

from __future__ import annotations

import dataclasses

import numpy as np

from edgekit.bundle.collection import Collection
from edgekit.reporting.history.series import history
from edgekit.reporting.html.charts.history import MOST_POINTS, over_records
from edgekit.reporting.html.page import html_page
from edgekit.reporting.html.sections.history import histories
from tests.report.history.test_history import days


def test_few_records_have_no_history() -> None:
    assert histories(days([10.0] * 3)) is None
    assert histories({}) is None
    assert 'id="history"' not in html_page(Collection(records=days([10.0])))


def test_the_section_names_changes_and_links_to_them() -> None:
    page = html_page(Collection(records=days([10.0] * 8 + [13.0] * 8)))
    assert '<a href="#history">History</a>' in page
    assert "1 changes" not in page and "1 change<" in page
    assert "worse from 2026-10-09T12:00:00+00:00, day08: 10.0 ms -&gt; 13.0 ms (+30.0 %)" in page


def test_levels_and_changes_of_a_chart() -> None:
    [_, series] = history(days([10.0] * 8 + [13.0] * 8), "latency").series
    spec = over_records(series, "median latency")
    levels, changes, bars, _ = spec["layer"]
    assert [(level["first"], level["last"], level["level"]) for level in levels["data"]["values"]] == [
        (0.5, 8.5, 10.0), (8.5, 16.5, 13.0),
    ]  # fmt: skip
    assert changes["data"]["values"] == [{"at": 8.5, "worse": True}]
    assert {(bar["low"], bar["high"]) for bar in bars["data"]["values"]} == {(10.0, 10.0), (13.0, 13.0)}
    assert "1 change of level" in spec["description"]


def test_what_is_drawn_of_thousands_of_records(rng: np.random.Generator) -> None:
    [_, series] = history(days([10.0] * 4), "latency").series
    points = series.points * 1000
    spec = over_records(dataclasses.replace(series, points=points), "median latency")
    places = [row["place"] for row in spec["data"]["values"]]
    assert len(places) <= MOST_POINTS + 2 and places[0] == 1 and places[-1] == 4000
