"""A metric that is added is in the help, in messages, in documents, and computes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit.stats import Interval, mean_interval
from edgekit.tasks.metrics import Score
from edgekit.tasks.register import METRICS, Metric, fitting, page
from edgekit.tasks.samples import Array
from edgekit.tasks.scores import score_text
from edgekit.tasks.scoring import measure, score, with_metric
from edgekit.tasks.task import DEFAULT_METRICS, Head, Task
from tests.support.raised import raised

PAGE = Path(__file__).parents[2] / "docs" / "models-and-data.md"
ADDED = Metric(
    "largest absolute error of a sample", ("regression",), f"{__name__}:worst", unit="mm", higher_is_better=False
)
REGRESSION = Task((Head(kind="regression", metric="mae"),))


def worst(outputs: Array, y: Array, head: Head) -> Score:
    errors = np.abs(outputs - y).reshape(len(y), -1).max(axis=1)
    return Score("worst", mean_interval(errors), len(y))


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(METRICS, "worst", ADDED)
    return "worst"


def test_it_can_be_chosen_and_computes(added: str) -> None:
    head = with_metric(REGRESSION, added).main
    found = score(np.array([[1.0], [3.0]]), np.array([[0.0], [0.0]]), head)
    assert found.interval.value == 2
    assert score_text(found).startswith("2 mm")


def test_messages_list_it_where_it_fits(added: str) -> None:
    with raised("metric-unfit", "none", added):
        with_metric(REGRESSION, "none")
    with raised("metric-unfit", added, "classification") as caught:
        with_metric(Task(), added)
    assert added not in caught.value.hint


def test_the_page_describes_it(added: str) -> None:
    assert f"| `{added}` | {ADDED.measures} | mm | lower | regression |" in page()


def test_which_way_is_up_is_known_to_its_scores(added: str) -> None:
    assert Score(added, Interval(1.0, 0.5, 1.5), 10).lower_is_better
    assert not Score("accuracy", Interval(1.0, 0.5, 1.5), 10).lower_is_better


@pytest.mark.parametrize("command", ["bench", "compress"])
def test_the_help_lists_it(command: str) -> None:
    script = (
        "from edgekit.tasks.register import METRICS, Metric\n"
        "METRICS['worst'] = Metric('largest error', ('regression',), 'm:f')\n"
        "from edgekit.cli import main\n"
        "main()"
    )
    argv = [sys.executable, "-c", script, command, "--help"]
    assert "worst" in subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", METRICS)
def test_every_row_is_whole(name: str) -> None:
    metric = METRICS[name]
    assert callable(measure(metric))
    assert metric.measures and set(metric.kinds) <= set(DEFAULT_METRICS)


def test_every_default_is_for_its_kind() -> None:
    assert all(kind in METRICS[name].kinds for kind, name in DEFAULT_METRICS.items())


def test_the_page_lists_the_metrics_of_every_kind() -> None:
    rows = re.findall(r"^\|[^|]*\|([^|]*)\|([^|]*)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    listed: dict[str, set[str]] = {}
    for task, metrics in rows:
        for kind in DEFAULT_METRICS:
            if kind in task or (kind, "autoencoder") == ("reconstruction", task.strip()):
                listed.setdefault(kind, set(re.findall(r"`(\w+)`", metrics)))
    assert listed == {kind: set(fitting(kind).split(", ")) for kind in DEFAULT_METRICS}
