"""What a comparison says, of sessions that never were: no clock involved."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgekit.bundle.facts import HostFacts
from edgekit.bundle.records import Measurement, Record, Subject
from edgekit.bundle.runs import AccuracyRun
from edgekit.reporting.comparing.changes import Changes, operator_changes
from edgekit.reporting.comparing.document import Comparison, comparison_text, comparison_values
from edgekit.reporting.comparing.sentences import latency_sentence, sentences
from edgekit.reporting.comparing.sides import Pair, Side
from edgekit.stats import Interval
from edgekit.stats.pairs import Contributions
from edgekit.stats.ratios import Ratio
from edgekit.tasks.metrics import Score
from edgekit.text.columns import Look
from tests.report.comparing.made import accuracy_run, measurement, record, subject
from tests.support.runs import LITERT

ROUNDS = 12
LEVELS = [100_000 + 100 * (7 * i % 12) for i in range(ROUNDS)]
A, B = subject("a.tflite", size=3000), subject("b.tflite", None, "1" * 64, 1000)


def pair(ours: Measurement, theirs: Measurement, subjects: tuple[Subject, Subject] = (A, B)) -> Pair:
    """Two measurements of one session."""
    whole = record(subjects, [ours, theirs])
    return Pair(Side(whole, ours), Side(whole, theirs), together=True)


def said(ours: AccuracyRun | None, theirs: AccuracyRun | None) -> str:
    return sentences(Changes(pair(measurement(0, LEVELS, ours), measurement(1, LEVELS, theirs))))[1]


def test_latency_of_rounds() -> None:
    quick = [level * 10 // 27 + 700 * (5 * i % 12) for i, level in enumerate(LEVELS)]
    faster = sentences(Changes(pair(measurement(0, LEVELS), measurement(1, quick))))[0]
    assert faster == "B is 2.4x faster than A [2.3, 2.6]"
    equal = Changes(pair(measurement(0, LEVELS), measurement(1, LEVELS[::-1])))
    assert sentences(equal)[0].startswith("latency: no difference shown (a change of 0.")
    assert sentences(equal)[0].endswith(" % or more would have been seen)")
    few = Changes(pair(measurement(0, LEVELS[:1]), measurement(1, LEVELS[:1])))
    assert sentences(few)[0] == "latency: B takes 1.00x the time of A; one process each gives no interval"


@pytest.mark.parametrize(
    ("interval", "detectable", "sentence"),
    [
        (Interval(0.37, 0.357, 0.384), 0.03, "B is 2.7x faster than A [2.6, 2.8]"),
        (Interval(1.05, 1.04, 1.06), 0.03, "B is 1.05x slower than A [1.04, 1.06]"),
        (Interval(1.002, 1.001, 1.003), 0.03, "B is 1.002x slower than A [1.001, 1.003]"),
        (Interval(2.0, 2.0, 2.0), 0.0, "B is 2.0x slower than A [2.0, 2.0]"),
        (Interval(1.01, 0.99, 1.02), 0.0312,
         "latency: no difference shown (a change of 3.2 % or more would have been seen)"),
        (Interval(1.01, 0.6, 1.9), 1.92,
         "latency: no difference shown (a change of 192 % or more would have been seen)"),
        (Interval(1.0, 1.0, 1.0), 0.0, "latency: no difference shown (any change would have been seen)"),
    ],
)  # fmt: skip
def test_the_sentence_of_a_ratio(interval: Interval, detectable: float, sentence: str) -> None:
    assert latency_sentence(Ratio(interval, detectable, True, (9, 9))) == sentence


def test_rounds_that_failed_leave_processes() -> None:
    ours, theirs = measurement(0, LEVELS), measurement(1, LEVELS[1:])
    found = Changes(pair(ours, theirs)).latency
    assert isinstance(found, Ratio)
    assert not found.paired
    assert found.counts == (11, 12)


def test_an_emulated_cpu_has_no_latency() -> None:
    of = pair(measurement(0, LEVELS), measurement(1, LEVELS))
    emulated = dataclasses.replace(of.here.record, host=HostFacts(emulated="QEMU"))
    changes = Changes(Pair(Side(emulated, of.here.measurement), Side(emulated, of.there.measurement), True))
    assert sentences(changes)[0] == "latency: not compared: the CPU of A is emulated, and its latency means nothing"
    assert comparison_values(Comparison((changes,)))["pairs"][0]["latency"]["difference"] == "unknown"


def test_accuracy_by_mcnemar() -> None:
    ours = np.arange(200) % 10 != 0  # 180 right
    theirs = ours.copy()
    theirs[np.flatnonzero(~ours)[:1]], theirs[np.flatnonzero(ours)[:7]] = True, False
    assert said(accuracy_run(ours), accuracy_run(theirs)).startswith(
        "accuracy: 87.00 % of B, 90.00 % of A: -3.00 points [-6.62, -0.30], p = 0.039: "
        "1 gained and 7 lost of 200 samples"
    )
    theirs[np.flatnonzero(~ours)[:7]] = True
    none = said(accuracy_run(ours), accuracy_run(theirs))
    assert none.startswith("accuracy: no difference shown (+0.00 points [-")
    assert none.endswith("points or more would have been seen)")
    same = said(accuracy_run(ours, "f" * 64), accuracy_run(ours, "f" * 64))
    assert same == "accuracy: the same prediction for each of 200 samples"


def test_accuracy_that_cannot_be_tested() -> None:
    ours = np.ones(20, bool)
    assert "older edgekit" in said(accuracy_run(ours), accuracy_run(ours, kept=False))
    assert said(None, accuracy_run(ours)) == "accuracy: not compared: not measured"
    other = dataclasses.replace(accuracy_run(ours), score=Score.of_count(20, 20, "top5"))
    assert said(accuracy_run(ours), other) == "accuracy: not compared: A is judged by accuracy, B by top5"
    error = AccuracyRun(runtime=LITERT, samples=20, score=Score("mae", Interval(1.0, 0.9, 1.1), 20))
    assert said(error, error).startswith("mae: +0; nothing is tested")
    of = pair(measurement(0, LEVELS, accuracy_run(ours)), measurement(1, LEVELS, accuracy_run(ours)))
    elsewhere = dataclasses.replace(of.here.record, evaluation=None, created="later")
    changes = Changes(Pair(of.here, Side(elsewhere, of.there.measurement), False))
    assert sentences(changes)[1] == "accuracy: +0.00 points; not of the same samples, so nothing is tested"


def test_another_metric_by_what_samples_add(rng: np.random.Generator) -> None:
    errors = rng.exponential(size=100)

    def run(values: np.ndarray) -> AccuracyRun:
        return AccuracyRun(runtime=LITERT, samples=100, score=Score("mae", Interval(values.mean(), 0, 9), 100))

    def added(values: np.ndarray) -> Contributions:
        return Contributions(values[:, None], np.ones((100, 1)), lambda ratios: ratios[..., 0])

    of = pair(measurement(0, LEVELS, run(errors)), measurement(1, LEVELS, run(errors + 0.1)))
    changes = Changes(
        Pair(
            dataclasses.replace(of.here, contributions=added(errors)),
            dataclasses.replace(of.there, contributions=added(errors + 0.1)),
            True,
        )
    )
    assert sentences(changes)[1] == f"mae: {errors.mean() + 0.1:.4g} of B, {errors.mean():.4g} of A: +0.1 [+0.1, +0.1]"


def hostile() -> tuple[Subject, Subject]:
    return subject("<script>alert(1)</script>\n\x1b[31mA\u202e", None), subject('b"quoted".tflite', None, "1" * 64)


def test_the_text_fits_and_hides_nothing() -> None:
    of = pair(
        measurement(0, LEVELS, accuracy_run([1, 0, 1])), measurement(1, LEVELS, accuracy_run([1, 1, 1])), hostile()
    )
    changes = Changes(of, operator_changes({"CONV_2D": 9, "RELU": 1}, {"CONV_2D": 8, "<b>": 2, "RELU": 1}))
    text = comparison_text(Comparison((changes,), ("a note",)), Look(60))
    assert "\x1b" not in text and "\u202e" not in text
    assert max(map(len, [line for line in text.splitlines() if "  " in line])) <= 60
    assert "operator CONV_2D" in text and "a note" in text
    assert "RELU" not in text
    assert "<script>" in text  # a terminal runs nothing
    values = comparison_values(Comparison((changes,)))
    assert values["pairs"][0]["operators"] == {"CONV_2D": {"a": 9, "b": 8}, "<b>": {"a": 0, "b": 2}}
    assert values["pairs"][0]["memory_mib"] == {"a": pytest.approx(1000 / 1024), "b": pytest.approx(2000 / 1024)}
    assert values["unlike"] == []


def test_identical_files_and_operators() -> None:
    changes = Changes(pair(measurement(0, LEVELS), measurement(1, LEVELS), (A, dataclasses.replace(A, name="c"))), {})
    assert sentences(changes)[2] == "the files are identical: 3,000 bytes"
    assert "operators" in comparison_text(Comparison((changes,)))
    assert sentences(Changes(pair(measurement(0, LEVELS), measurement(1, LEVELS))))[2] == (
        "size: 3.00x smaller: 1,000 bytes against 3,000"
    )


def test_conditions_that_differ_are_listed() -> None:
    of = pair(measurement(0, LEVELS), measurement(1, LEVELS))
    other: Record = dataclasses.replace(of.here.record, created="later", host=HostFacts(cores=4))
    comparison = Comparison((Changes(Pair(of.here, Side(other, of.there.measurement), False)),))
    assert [difference.what for difference in comparison.unlike] == ["cores"]
    text = comparison_text(comparison)
    assert "latency and memory: not of the same number of cores: A: 2; B: 4" in text
    assert "which leaves out what changed on the machine between the two sessions" in text
    assert comparison_values(comparison)["unlike"] == [
        {"what": "cores", "a": "2", "b": "4", "affects": ["latency", "memory"]}
    ]
