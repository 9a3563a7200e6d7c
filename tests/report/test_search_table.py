"""The front of a search as text and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.bundle.search_result import SearchResult
from edgekit.bundle.trials import Trial
from edgekit.reporting.search_table import clock, nearest_text, search_table, search_values, trial_line
from edgekit.text.columns import Look
from tests.documents import DOCUMENTS, faults

GOLDEN = Path(__file__).parents[1] / "golden" / "search-result.1.json"


@pytest.fixture
def result() -> SearchResult:
    return SearchResult.from_dict(json.loads(GOLDEN.read_text()), "x")


def test_the_table_has_the_numbers(result: SearchResult) -> None:
    text = search_table(result)
    for part in ("48,532 B", "86.00 %", "85.01 %", "1.92 ms (0.61x", "5,200,000", "24,576 B", "front/0007-48532B"):
        assert part in text
    assert "trial 7, which misses `--min-accuracy` by 4.4%" in text
    assert "MACs stand in" not in text


def test_columns_of_nothing_are_left_out(result: SearchResult) -> None:
    point = replace(result.front[0], test=None, bundle="")
    text = search_table(replace(result, cost="macs", met=True, nearest=None, front=(point,)))
    header = text.splitlines()[0]
    assert "latency" not in header
    assert "test" not in header
    assert "MACs stand in" in text
    assert "no trial is complete" in search_table(replace(result, front=()))
    assert "no trial is complete" in nearest_text(replace(result, nearest=None))


def test_a_narrow_terminal(result: SearchResult) -> None:
    for width in (40, 80, 120):
        assert max(map(len, search_table(result, Look(width)).splitlines()[:3])) <= width


def test_json_is_of_its_schema(result: SearchResult) -> None:
    document = json.loads(json.dumps({"out": "found", **search_values(result)}))
    assert not faults(document, DOCUMENTS["search"])
    assert document["front"][0]["latency_ratio"] == {"value": 0.61, "low": 0.59, "high": 0.63}


def test_a_line_a_trial(result: SearchResult) -> None:
    trial = result.front[0].trial
    line = trial_line(trial, [trial], "3 min left")
    for part in ("trial 7", "86.00 %", "48,532 bytes", "1.92 ms", "on the front of 1", "3 min left"):
        assert part in line
    assert "same as trial 2" in trial_line(replace(trial, same_as=2), [], "")
    stopped = Trial(8, "pruned", "qat", "", "0" * 64, reason="too large")
    assert "trial 8 (qat): stopped: too large; front of 1" in trial_line(stopped, [trial], "")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 05 min"), (-5, "0 s")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
