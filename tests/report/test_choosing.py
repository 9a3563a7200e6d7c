"""Which file is named, and what is said of it: cases with the whole text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.reporting.choosing import Among, Candidate, Name, Sentence, choose
from edgekit.stats import Interval
from edgekit.tasks.metrics import Score

NAN = float("nan")
ON = Among(("On ", Name("rpi4"), ", "), under=(" with 1 thread",))


def share(correct: int, samples: int = 10_000) -> Score:
    return Score.of_count(correct, samples)


def ratio(value: float, width: float = 0.02) -> Interval:
    return Interval(value, value - width, value + width)


def file(name: str, size: int, score: Score | None, latency: float | None = None, verdict: str = "valid") -> Candidate:
    compared = None if latency is None else ratio(latency)
    return Candidate((Name(name),), size, score, compared, verdict=verdict, why="" if verdict == "valid" else "why not")


FLOAT = file("float32", 100_000, share(9900), 1.0)
INT8 = file("int8", 27_000, share(9890), 0.4)
TINY = file("tiny", 9_000, share(9500), 0.1)
ROUNDED = ", 99.00 % [98.8, 99.2]"


def said(*files: Candidate, among: Among = ON) -> list[str]:
    choice = choose(files, among)
    assert choice.text == " ".join([str(choice.sentence), *map(str, choice.notes)])
    return [choice.kind, str(choice.sentence), *map(str, choice.notes)]


def test_the_smallest_that_keeps_the_accuracy() -> None:
    assert said(FLOAT, INT8, TINY) == [
        "smallest",
        "On `rpi4`, ship `int8`: of 3 files the smallest whose accuracy is no worse than the 95 % interval of the "
        f"baseline{ROUNDED}.",
        "Against `float32`: 0.27x the bytes (27,000 B), 0.40x [0.38, 0.42] the latency with 1 thread, 0.10 points of "
        "accuracy less.",
        "`tiny` is smaller and worse: 0.09x the bytes, 4.00 points of accuracy less.",
    ]
    assert choose([FLOAT, INT8, TINY], ON).index == 1


def test_the_baseline_stays_where_nothing_smaller_keeps_it() -> None:
    assert said(FLOAT, TINY) == [
        "baseline",
        f"On `rpi4`, ship the baseline `float32`: no smaller one keeps its accuracy{ROUNDED}.",
        "`tiny` is smaller and worse: 0.09x the bytes, 4.00 points of accuracy less.",
    ]
    larger = replace(FLOAT, name=(Name("onnx"),), bytes=120_000)
    assert said(FLOAT, larger)[1] == "On `rpi4`, ship the baseline `float32`: of 2 files it is the smallest."


def test_a_larger_file_that_is_faster_is_named_too() -> None:
    faster = file("faster", 50_000, share(9900), 0.2)
    assert said(FLOAT, INT8, faster)[-1] == (
        "`faster` keeps it, too, and is faster: 0.20x [0.18, 0.22] the latency, 0.50x the bytes."
    )
    assert len(said(FLOAT, INT8, file("same", 50_000, share(9900), 0.39))) == 3  # the intervals meet
    slower = file("slower", 27_000, share(9890), 1.6)
    assert said(FLOAT, slower)[2:] == [  # the baseline is faster, which the ratio to it says already
        "Against `float32`: 0.27x the bytes (27,000 B), 1.60x [1.58, 1.62] the latency with 1 thread, 0.10 points of "
        "accuracy less.",
    ]


def test_of_files_as_small_the_one_that_is_measured_well_then_the_faster() -> None:
    smaller = file("smaller", 26_900, share(9900), 0.38, "suspect")
    assert "ship `int8`" in said(FLOAT, smaller, INT8)[1]
    assert "ship `smaller`" in said(FLOAT, replace(smaller, verdict="valid"), INT8)[1]  # not clearly slower
    assert "ship `int8`" in said(FLOAT, replace(smaller, verdict="valid", ratio=ratio(0.8)), INT8)[1]
    assert "ship `smaller`" in said(FLOAT, replace(smaller, bytes=20_000), INT8)[1]
    assert said(INT8, replace(INT8, name=(Name("again"),), ratio=ratio(0.99)))[0] == "baseline"  # A/A


def test_what_is_known_of_the_measurements_is_said() -> None:
    suspect = replace(INT8, verdict="suspect", why="the governor is powersave")
    notes = said(replace(FLOAT, verdict="suspect", why="load"), suspect)[3:]
    assert notes == [
        "Its measurement is suspect: the governor is powersave.",
        "The measurement of the baseline is suspect: load.",
    ]
    emulated = [replace(one, verdict="emulated", ratio=None) for one in (FLOAT, INT8)]
    assert said(*emulated)[2:] == [
        "Against `float32`: 0.27x the bytes (27,000 B), latency not compared, 0.10 points of accuracy less.",
        "The CPU is emulated, so latency is not known.",
    ]


def test_what_is_invalid_is_never_named() -> None:
    broken = file("broken", 1000, share(9900), 0.1, "invalid")
    assert "ship `int8`" in said(FLOAT, broken, INT8)[1]
    assert said(FLOAT, broken, INT8)[-1] == "Left out: `broken`, the measurement is invalid."
    assert said(replace(FLOAT, verdict="invalid", why="it crashed"), INT8) == [
        "undecided",
        "On `rpi4`, nothing can be decided: the measurement of the baseline `float32` is invalid: it crashed.",
    ]


@pytest.mark.parametrize("score", [None, Score("accuracy", Interval(NAN, NAN, NAN), 10)])
def test_without_accuracy_nothing_is_decided(score: Score | None) -> None:
    assert said(replace(FLOAT, score=score), replace(INT8, score=None)) == [
        "undecided",
        "On `rpi4`, nothing can be decided: how good the files are is not known for the baseline `float32`.",
        "The smallest is `int8`, 27,000 B.",
        "The fastest is `int8`, 0.40x [0.38, 0.42] the latency with 1 thread.",
    ]
    unknown = replace(INT8, score=None)
    assert said(FLOAT, unknown)[0] == "baseline"
    assert said(FLOAT, unknown, unknown)[-1] == "Left out: 2 files, the accuracy cannot be compared."


def test_a_single_file() -> None:
    alone = replace(INT8, latency="1.52 ms [1.50, 1.55]", verdict="suspect", why="load")
    assert said(alone) == [
        "single",
        "On `rpi4`, there is one file, `int8`: 27,000 B, 1.52 ms [1.50, 1.55], accuracy 98.90 % [98.7, 99.1].",
        "Its measurement is suspect: load.",
    ]


def test_errors_are_better_when_they_are_lower() -> None:
    errors = [Score("mae", Interval(value, value - 0.01, value + 0.01), 500) for value in (0.130, 0.138, 0.150)]
    found = said(*(replace(one, score=score) for one, score in zip((FLOAT, INT8, TINY), errors, strict=True)))
    assert "ship `int8`: of 3 files the smallest whose mae is no worse than the 95 % interval" in found[1]
    assert found[2].endswith("mae 0.138 for 0.13.")


def test_another_metric_and_scores_without_an_interval() -> None:
    bare = Score("sqnr", Interval(30.0, NAN, NAN), 500)
    assert said(replace(FLOAT, score=bare), INT8)[0] == "baseline"
    found = said(replace(FLOAT, score=bare), replace(INT8, score=replace(bare, interval=Interval(30.1, NAN, NAN))))
    assert "whose sqnr is no worse than that of the baseline, 30 dB." in found[1]


def test_files_that_keep_to_a_limit_already() -> None:
    limited = Among(("Of ", Name("s"), ", "), "files on the front", "the best one", limited="that keeps to the budget")
    assert said(FLOAT, INT8, TINY, among=limited)[1] == (
        "Of `s`, ship `tiny`: of 3 files on the front the smallest that keeps to the budget."
    )


def test_names_are_shown_on_one_line() -> None:
    assert str(Sentence(("Ship ", Name("a\n\x1b[31m\u202eb"), "."))) == r"Ship `a\n\x1b[31m\u202eb`."
