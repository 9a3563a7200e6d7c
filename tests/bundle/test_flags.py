"""Which samples are right, as a record keeps it."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from edgekit.bundle import flags
from edgekit.bundle.flags import Flags
from edgekit.bundle.runs import AccuracyRun, Runtime
from edgekit.schema.gate import read
from edgekit.tasks.metrics import Score
from tests.support.raised import raised

RIGHT = np.array([1, 0, 1, 1, 0, 0, 1, 1, 1, 0], bool)


def run(**changes: object) -> dict[str, object]:
    """The JSON form of a run over 10 samples."""
    own = AccuracyRun(
        runtime=Runtime("r", "1", ""), samples=10, score=Score.of_count(6, 10), right=Flags.of(RIGHT)
    ).to_dict()
    return {key: value for key, value in {**own, **changes}.items() if value is not None}


def test_flags_survive_writing() -> None:
    form = run()
    assert form["right"] == "s4A="  # 10110011 10000000
    found = read(AccuracyRun, form, "x", "run")
    assert found.right is not None
    assert (found.right.array() == RIGHT).all()
    assert found.to_dict() == form


def test_older_records_have_none() -> None:
    assert read(AccuracyRun, run(right=None), "x", "run").right is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"right": "s4A"}, "base64"),
        ({"right": "s4A=\n"}, "base64"),
        ({"right": "<script>"}, "base64"),
        ({"right": "s4"}, "base64"),
        ({"right": "s4AA"}, "10 samples"),
        ({"right": "s4E="}, "10 samples"),
        ({"right": "s8A="}, "7 right samples"),
        ({"correct": 5}, "6 right samples, not 5"),
        ({"correct": None, "metric": "mae", "value": 1.0}, "no count"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], said: str) -> None:
    with raised("value-not-valid", "`right`", said):
        read(AccuracyRun, run(**changes), "x", "run")


def test_of_very_many_samples_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flags, "MOST", 9)
    assert Flags.of(RIGHT) is None


def test_a_long_text_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base64, "b64decode", lambda *_, **__: pytest.fail("decoded"))
    with raised("value-not-valid", "`right`"):
        read(AccuracyRun, run(right="A" * (4 * (flags.MOST // 24 + 1) + 1)), "x", "run")
