from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.study import budgets, findings
from benchmarks.study.compare import Study
from benchmarks.study.findings import NOT_REPRODUCED, NOT_RUN, NOT_SEPARABLE, REPRODUCED
from benchmarks.study.records import Record
from benchmarks.study.rows import distill_id, prune_id
from edgekit.stats import Interval

from .made_up import made_up, study

Question = Callable[[Study, budgets.Budget], findings.Answer]
QUICK = budgets.find("mnist", quick=True)
BASELINE = made_up("baseline", "float32", 0.98, 100_000)


@pytest.mark.parametrize(
    ("sizes", "verdict"),
    [([25_000, 26_000], REPRODUCED), ([50_000, 60_000], NOT_REPRODUCED), ([25_000, 50_000], NOT_SEPARABLE)],
)
def test_four_times(sizes: list[int], verdict: str) -> None:
    records = [made_up("baseline", "float32", 0.98, 100_000, seed) for seed in range(2)]
    records += [made_up("ptq-int8", "int8", 0.979, size, seed) for seed, size in enumerate(sizes)]
    answer = findings.four_times(study(*records), QUICK)
    assert answer.verdict == verdict
    assert "-0.10" in answer.numbers


@pytest.mark.parametrize(
    ("accuracies", "verdict"),
    [
        ((0.99, 0.99, 0.97, 0.97), REPRODUCED),
        ((0.97, 0.97, 0.97, 0.979), NOT_REPRODUCED),
        ((0.9801, 0.9801, 0.97, 0.97), NOT_SEPARABLE),
    ],
)
@pytest.mark.parametrize(("opponent", "answer"), [("baseline", findings.beats), ("finetune", findings.beats_control)])
def test_beats(
    accuracies: tuple[float, ...],
    verdict: str,
    opponent: str,
    answer: Callable[[Study, budgets.Budget], findings.Answer],
) -> None:
    names = ("ptq-dynamic", "ptq-int8", prune_id("local", "channel", "conv", 0.5), "qat")
    others = [made_up(row, "int8", value) for row, value in zip(names, accuracies, strict=True)]
    found = answer(study(made_up(opponent, "float32", 0.98), *others), QUICK)
    assert found.verdict == verdict
    assert "of 4 files" in found.numbers


def test_beats_counts_neither_the_baseline_nor_the_control() -> None:
    found = findings.beats(study(BASELINE, made_up("finetune", "int8", 0.99), made_up("qat", "int8", 0.97)), QUICK)
    assert "of 1 files 0 are more accurate" in found.numbers


def test_beats_control_leaves_out_what_had_more_epochs_than_the_control() -> None:
    control, longer = made_up("finetune", "float32", 0.98), made_up("seq-prune-quantize", "int8", 0.99)
    found = findings.beats_control(study(control, longer, made_up("qat", "int8", 0.97)), QUICK)
    assert "of 1 files 0 are more accurate" in found.numbers


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.0001, 0.0009, NOT_REPRODUCED),
        (0.0001, 0.002, REPRODUCED),
        (-0.001, 0.002, NOT_SEPARABLE),
        (-0.002, -0.001, NOT_REPRODUCED),
    ],
)
def test_a_gain_that_is_separable_but_worth_nothing_is_none(low: float, high: float, verdict: str) -> None:
    assert findings.gain(Interval((low + high) / 2, low, high)) == verdict


@pytest.mark.parametrize(
    ("with_assistant", "verdict"),
    [
        ((0.98, 0.981), REPRODUCED),
        ((0.96, 0.961), NOT_REPRODUCED),
        ((0.98, 0.965), NOT_SEPARABLE),
    ],
)
def test_assistant_is_judged_by_the_smallest_student(with_assistant: tuple[float, ...], verdict: str) -> None:
    records = [made_up(distill_id(w, a), "float32", 0.97, seed=s) for w in QUICK.widths for a in (0, 1) for s in (0, 1)]
    for seed, value in enumerate(with_assistant):
        records.append(made_up(distill_id(min(QUICK.widths), 1), "float32", value, seed=seed))
    answer = findings.assistant(study(*records), QUICK)
    assert answer.verdict == verdict
    assert answer.numbers.startswith("width 0.5: +0.00 [+0.00, +0.00] points; width 0.25")


def pruned(conv: tuple[float, ...], dense: tuple[float, ...]) -> list[Record]:
    return [
        made_up(prune_id("local", "channel", layers, level), "float32", value, 50_000)
        for layers, values in (("conv", conv), ("dense", dense))
        for level, value in zip(QUICK.levels, values, strict=True)
    ]


@pytest.mark.parametrize(
    ("conv", "dense", "verdict"),
    [
        ((0.98, 0.97), (0.97, 0.95), REPRODUCED),
        ((0.97, 0.95), (0.98, 0.97), NOT_REPRODUCED),
        ((0.98, 0.95), (0.97, 0.96), NOT_SEPARABLE),
    ],
)
def test_conv_or_dense(conv: tuple[float, ...], dense: tuple[float, ...], verdict: str) -> None:
    answer = findings.conv_or_dense(study(*pruned(conv, dense)), QUICK)
    assert answer.verdict == verdict
    assert "50%:" in answer.numbers
    assert "50 kB against 50 kB" in answer.numbers


@pytest.mark.parametrize(
    ("accuracies", "size", "verdict"),
    [
        ((0.979, 0.978), 5_000, REPRODUCED),
        ((0.979, 0.978), 20_000, NOT_REPRODUCED),
        ((0.950, 0.951), 5_000, NOT_REPRODUCED),
        ((0.979, 0.960), 5_000, NOT_SEPARABLE),
    ],
)
def test_sequence(accuracies: tuple[float, ...], size: int, verdict: str) -> None:
    records = [made_up("baseline", "float32", 0.98, 100_000, seed) for seed in range(2)]
    for seed, value in enumerate(accuracies):
        records.append(made_up("seq-distill-prune-quantize", "int8", value, size, seed))
    answer = findings.sequence(study(*records), QUICK)
    assert answer.verdict == verdict
    assert f"{100_000 / size:.1f}x smaller" in answer.numbers


@pytest.mark.parametrize(
    ("others", "verdict"),
    [((0.96, 0.96), REPRODUCED), ((0.96, 0.99), NOT_REPRODUCED), ((0.96, 0.9699), NOT_SEPARABLE)],
)
def test_order(others: tuple[float, float], verdict: str) -> None:
    rest = zip(("order-pdq", "order-dpq"), others, strict=True)
    records = [made_up("order-pqd", "int8", 0.97), *(made_up(row, "int8", value) for row, value in rest)]
    answer = findings.order(study(*records), QUICK)
    assert answer.verdict == verdict
    assert "against order-dpq" in answer.numbers


def test_what_is_missing_is_named() -> None:
    answers = findings.answer_all(study(BASELINE), QUICK)
    assert len(answers) == 7
    assert {a.verdict for a in answers} == {NOT_RUN}
    assert "ptq-int8 int8" in answers[0].numbers
