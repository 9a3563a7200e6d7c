"""The study's five findings and the question of the order, each answered by a rule. Pure functions of the files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from edgekit.stats import Interval

from .budgets import Budget
from .compare import Name, Study
from .rows import BASELINE, CONTROL_ROW, distill_id, prune_id, rows

REPRODUCED, NOT_REPRODUCED, NOT_SEPARABLE, NOT_RUN = "reproduced", "not reproduced", "not separable", "not run"

FOUR_TIMES = (3.5, 4.5)
OFTEN = 0.25
WORTH = 0.001
"""A gain of accuracy below this, 0.1 points, is none worth having."""
KEPT = 0.01
"""Accuracy counts as kept if at most this much, 1 point, is lost."""
HIGH_RATIO = 10.0

FLOAT_BASELINE: Name = (BASELINE, "float32")


@dataclass(frozen=True)
class Answer:
    """What is asked, the rule that decides, the verdict, and the sentence with the numbers."""

    question: str
    rule: str
    verdict: str
    numbers: str


def answer_all(study: Study, budget: Budget) -> list[Answer]:
    """Return the answers, in the order of the study's findings; the last is the order of the stages."""
    return [question(study, budget) for question in QUESTIONS]


def gain(difference: Interval) -> str:
    """Return the verdict on a claim that the difference is positive."""
    if difference.high < WORTH:
        return NOT_REPRODUCED
    return REPRODUCED if difference.low > 0 else NOT_SEPARABLE


def four_times(study: Study, budget: Budget) -> Answer:
    """Answer finding 1."""
    question = "int8 makes files about 4x smaller"
    low, high = FOUR_TIMES
    rule = f"the baseline's float32 bytes over its int8 bytes lie within {low} to {high} with every seed"
    int8: Name = ("ptq-int8", "int8")
    if missing := study.missing([FLOAT_BASELINE, int8]):
        return _not_run(question, rule, missing)
    floats, ints = study.files[FLOAT_BASELINE], study.files[int8]
    ratios = [floats[seed].bytes / ints[seed].bytes for seed in sorted(floats.keys() & ints.keys())]
    if not ratios:
        return _not_run(question, rule, ["a seed with both files"])
    inside = [low <= ratio <= high for ratio in ratios]
    verdict = REPRODUCED if all(inside) else NOT_SEPARABLE if any(inside) else NOT_REPRODUCED
    both = [row for row, scheme in study.files if scheme == "float32" and study.files.get((row, "int8"))]
    others = [study.bytes((row, "float32")) / study.bytes((row, "int8")) for row in both]
    loss = study.difference([(int8, FLOAT_BASELINE)])
    numbers = f"{fmean(ratios):.2f}x on the baseline; accuracy changes by {points(loss)}"
    if others:
        numbers += f"; over the {len(others)} rows with both files {min(others):.2f}x to {max(others):.2f}x"
    return Answer(question, rule, verdict, numbers + ".")


def beats(study: Study, budget: Budget) -> Answer:
    """Answer finding 2."""
    return _often_better(study, "compressed models often beat the original", FLOAT_BASELINE, list(study.files))


def beats_control(study: Study, budget: Budget) -> Answer:
    """Ask finding 2 of a fair opponent: the stages train on, so the original may do so too, for as many epochs."""
    question = "... and the original trained on, those compressed models that had no more epochs"
    short = {row.id for row in rows(budget) if row.epochs <= budget.prune}
    return _often_better(study, question, (CONTROL_ROW, "float32"), [name for name in study.files if name[0] in short])


def _often_better(study: Study, question: str, opponent: Name, among: Sequence[Name]) -> Answer:
    rule = (
        f"reproduced if at least {OFTEN:.0%} of the compressed files are separably more accurate (interval of the "
        f"difference above 0); not reproduced if fewer than {OFTEN:.0%} are more accurate at all; files of equal bytes "
        "count once"
    )
    if missing := study.missing([opponent]):
        return _not_run(question, rule, missing)
    names = study.once(name for name in among if name[0] not in (BASELINE, CONTROL_ROW))
    if not names:
        return _not_run(question, rule, ["every compressed row"])
    found = [study.difference([(name, opponent)]) for name in names]
    above, better = sum(d.low > 0 for d in found), sum(d.value > 0 for d in found)
    if above >= OFTEN * len(found):
        verdict = REPRODUCED
    else:
        verdict = NOT_REPRODUCED if better < OFTEN * len(found) else NOT_SEPARABLE
    numbers = (
        f"The opponent has {100 * study.accuracy(opponent).value:.2f} %; of {len(found)} files {better} are more "
        f"accurate, {above} of them separably; {sum(d.high < 0 for d in found)} are separably worse."
    )
    return Answer(question, rule, verdict, numbers)


def assistant(study: Study, budget: Budget) -> Answer:
    """Answer finding 3."""
    question = "an assistant helps when teacher and student are far apart"
    rule = (
        "the smallest student, with an assistant minus without: reproduced if the interval is above 0, not reproduced "
        f"if it excludes a gain of {100 * WORTH:g} points"
    )
    pairs: list[tuple[Name, Name]] = [
        ((distill_id(width, 1), "float32"), (distill_id(width, 0), "float32")) for width in budget.widths
    ]
    if missing := study.missing([name for pair in pairs for name in pair]):
        return _not_run(question, rule, missing)
    found = {width: study.difference([pair]) for width, pair in zip(budget.widths, pairs, strict=True)}
    numbers = "; ".join(f"width {width:g}: {points(d)}" for width, d in found.items())
    reached = [a for width in budget.widths for a in study.assistants.get(distill_id(width, 1), [])]
    if reached:
        low, high = 100 * min(reached), 100 * max(reached)
        numbers += f"; the assistants themselves reach {low:.1f} to {high:.1f} % on validation"
    return Answer(question, rule, gain(found[min(found)]), numbers + ".")


def conv_or_dense(study: Study, budget: Budget) -> Answer:
    """Answer finding 4."""
    question = "structured local pruning suits convolution layers better than dense ones"
    rule = (
        "the same share of channels, not of bytes, removed from convolutions minus from dense layers, mean over the "
        f"levels: reproduced if the interval is above 0, not reproduced if it excludes a gain of {100 * WORTH:g} points"
    )
    pairs: list[tuple[Name, Name]] = [
        ((prune_id("local", "channel", "conv", v), "float32"), (prune_id("local", "channel", "dense", v), "float32"))
        for v in budget.levels
    ]
    if missing := study.missing([name for pair in pairs for name in pair]):
        return _not_run(question, rule, missing)
    total = study.difference(pairs)
    each = "; ".join(
        f"{level:.0%}: {points(study.difference([pair]))}, {_kb(study, pair[0])} against {_kb(study, pair[1])}"
        for level, pair in zip(budget.levels, pairs, strict=True)
    )
    return Answer(question, rule, gain(total), f"mean {points(total)}; {each}.")


def sequence(study: Study, budget: Budget) -> Answer:
    """Answer finding 5."""
    question = "distil + prune + quantize keeps accuracy at a high compression ratio"
    rule = (
        f"a file at least {HIGH_RATIO:g}x smaller than the baseline's, and accuracy lost: reproduced if the interval "
        f"excludes a loss above {100 * KEPT:g} point, not reproduced if it lies beyond that or the file is larger"
    )
    name: Name = ("seq-distill-prune-quantize", "int8")
    if missing := study.missing([FLOAT_BASELINE, name]):
        return _not_run(question, rule, missing)
    ratio = study.bytes(FLOAT_BASELINE) / study.bytes(name)
    change = study.difference([(name, FLOAT_BASELINE)])
    if ratio < HIGH_RATIO or change.high < -KEPT:
        verdict = NOT_REPRODUCED
    else:
        verdict = REPRODUCED if change.low > -KEPT else NOT_SEPARABLE
    return Answer(question, rule, verdict, f"{ratio:.1f}x smaller; accuracy changes by {points(change)}.")


def order(study: Study, budget: Budget) -> Answer:
    """Answer the question of arXiv 2604.04988."""
    question = "prune, then quantize, then distil is the best order (arXiv 2604.04988)"
    rule = (
        "weights pruned, the model its own teacher, as many epochs for every stage: reproduced if its difference to "
        "every other possible order is above 0; not reproduced if another is separably better; orders that edgekit "
        "refuses do not compete"
    )
    names: list[Name] = [(row.id, "int8") for row in rows(budget) if row.family == "order" and not row.refusal()]
    first: Name = ("order-pqd", "int8")
    if missing := study.missing(names):
        return _not_run(question, rule, missing)
    found = {other: study.difference([(first, other)]) for other in names if other != first}
    if all(d.low > 0 for d in found.values()):
        verdict = REPRODUCED
    else:
        verdict = NOT_REPRODUCED if any(d.high < 0 for d in found.values()) else NOT_SEPARABLE
    numbers = "; ".join(f"against {other[0]}: {points(d)}" for other, d in found.items())
    return Answer(question, rule, verdict, f"{100 * study.accuracy(first).value:.2f} %; {numbers}.")


QUESTIONS: Sequence[Callable[[Study, Budget], Answer]] = (
    four_times,
    beats,
    beats_control,
    assistant,
    conv_or_dense,
    sequence,
    order,
)


def points(difference: Interval) -> str:
    """Return a difference of accuracies in points: `+0.12 [-0.03, +0.27] points`."""
    value, low, high = (100 * v for v in (difference.value, difference.low, difference.high))
    return f"{value:+.2f} [{low:+.2f}, {high:+.2f}] points"


def _kb(study: Study, name: Name) -> str:
    return f"{study.bytes(name) / 1000:.0f} kB"


def _not_run(question: str, rule: str, missing: Sequence[str]) -> Answer:
    return Answer(question, rule, NOT_RUN, f"Needs {', '.join(missing)}.")
