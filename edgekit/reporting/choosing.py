"""Which of some files to ship, in sentences: the smallest that keeps the baseline's accuracy.

The first file is the baseline. A file keeps its accuracy if its own is not beyond the worse end of the baseline's 95 %
interval. Of those that do, the smallest is named; of files within 1 % of its size one with a valid measurement, and of
these one that is clearly faster, whose interval lies below the other's. What is invalid is never named, and what is
suspect is said to be. Where accuracy is not known nothing is decided.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgekit.errors.printable import visible
from edgekit.stats import Interval
from edgekit.tasks.metrics import Score
from edgekit.tasks.register import METRICS
from edgekit.tasks.scores import brief_text, brief_title, score_text
from edgekit.text.tables import ratio_with_interval

AS_SMALL = 1.01
"""Times the bytes of another file: up to here a file counts as as small."""
NO_POINTS = 0.005
"""Differences of a share in points below it are shown as none."""
ROUNDING = 1e-12


class Name(str):
    """What a stranger may have named: a file, a record, a device. Each format shows it in its own safe way."""

    __slots__ = ()


@dataclass(frozen=True)
class Sentence:
    """A sentence that tells its names apart from its words; as text, names stand in backticks."""

    parts: tuple[str, ...]

    def __str__(self) -> str:
        return "".join(f"`{visible(part)}`" if isinstance(part, Name) else visible(part) for part in self.parts)


@dataclass(frozen=True)
class Candidate:
    """A file to choose among.

    Attributes:
        name: of it, as words and a `Name`.
        bytes: its size.
        score: how good it is; None where that is not known, or not of the same samples as the baseline's.
        ratio: its latency against the baseline's; None where they cannot be compared.
        latency: its latency in words, where there is no such ratio.
        verdict: of its measurement; empty where there is none.
        why: the first reason of the verdict.
    """

    name: tuple[str, ...]
    bytes: int
    score: Score | None
    ratio: Interval | None = None
    latency: str = ""
    verdict: str = ""
    why: str = ""


@dataclass(frozen=True)
class Among:
    """How the files are spoken of.

    Attributes:
        place: the words that a choice begins with, such as `On`, a device, and a comma.
        files: what they are, such as `files`.
        baseline: what the first one is, such as `the baseline`.
        under: where latency was measured, behind a ratio.
        limited: files were held to a limit of accuracy before, so that all of them keep it.
    """

    place: tuple[str, ...]
    files: str = "files"
    baseline: str = "the baseline"
    under: tuple[str, ...] = ()
    limited: str = ""


@dataclass(frozen=True)
class Choice:
    """What is decided about some files.

    Attributes:
        kind: `smallest`: a file other than the baseline is the smallest that keeps its accuracy; `baseline`: that is
            the baseline itself; `single`: there is one file; `undecided`.
        sentence: which file and why, or why none.
        notes: what it costs, and what to know before it is shipped.
        index: of the file among the candidates; None where nothing is decided.
    """

    kind: str
    sentence: Sentence
    notes: tuple[Sentence, ...] = ()
    index: int | None = None

    @property
    def text(self) -> str:
        """All of it in one line."""
        return " ".join(map(str, (self.sentence, *self.notes)))


def choose(files: Sequence[Candidate], among: Among) -> Choice:
    """Return which of the files to ship; there is at least one, and the first is the baseline."""
    baseline = files[0]
    if baseline.verdict == "invalid":
        why = (*among.place, "nothing can be decided: the measurement of ", *_called(baseline, among), " is invalid: ")
        return Choice("undecided", Sentence((*why, f"{baseline.why}.")))
    if len(files) == 1:
        return _single(baseline, among)
    if baseline.score is None or not math.isfinite(baseline.score.value):
        return _without_accuracy(files, among)
    usable = [file for file in files if file.verdict != "invalid"]
    kept = [file for file in usable if among.limited or _keeps(file, baseline.score)]
    best = _best(kept)
    notes = [*_cost(best, baseline, among), *_others(best, usable, kept, baseline), *_trust(best, baseline, among)]
    notes += _left_out(files, baseline.score)
    index = next(i for i, file in enumerate(files) if file is best)
    metric = brief_title(baseline.score.metric)
    if best is baseline:
        reason = f"no smaller one keeps its {metric}, {score_text(baseline.score)}"
        if among.limited or best.bytes == min(file.bytes for file in usable):
            reason = f"of {len(files)} {among.files} it is the smallest {among.limited}".rstrip()
        sentence = Sentence((*among.place, "ship ", *_called(best, among), f": {reason}."))
        return Choice("baseline", sentence, tuple(notes), index)
    bound = "that" if _bound(baseline.score) is None else "the 95 % interval"
    kept_text = f"whose {metric} is no worse than {bound} of {among.baseline}, {score_text(baseline.score)}"
    reason = f": of {len(files)} {among.files} the smallest {among.limited or kept_text}."
    return Choice("smallest", Sentence((*among.place, "ship ", *best.name, reason)), tuple(notes), index)


def _called(file: Candidate, among: Among) -> tuple[str, ...]:
    return (f"{among.baseline} ", *file.name)


def _single(file: Candidate, among: Among) -> Choice:
    known = [f"{file.bytes:,} B", *([file.latency] if file.latency else [])]
    known += [f"{brief_title(file.score.metric)} {score_text(file.score)}"] if file.score else []
    sentence = Sentence((*among.place, "there is one file, ", *file.name, f": {', '.join(known)}."))
    return Choice("single", sentence, tuple(_trust(file, file, among)), 0)


def _without_accuracy(files: Sequence[Candidate], among: Among) -> Choice:
    usable = [file for file in files if file.verdict != "invalid"]
    smallest = min(usable, key=lambda file: file.bytes)
    facts = [Sentence(("The smallest is ", *smallest.name, f", {smallest.bytes:,} B."))]
    timed = [file for file in usable if file.ratio is not None]
    if len(timed) > 1:
        fastest = min(timed, key=lambda file: _value(file.ratio))
        facts.append(
            Sentence(("The fastest is ", *fastest.name, f", {_ratio(fastest)} the latency", *among.under, "."))
        )
    why = "nothing can be decided: how good the files are is not known for "
    return Choice("undecided", Sentence((*among.place, why, *_called(files[0], among), ".")), tuple(facts))


def _keeps(file: Candidate, baseline: Score) -> bool:
    """Return whether a score is not beyond the worse end of the baseline's interval, or its value if it has none."""
    if file.score is None or not _comparable(file, baseline):
        return False
    bound = _bound(baseline)
    below = (baseline.value if bound is None else bound) - file.score.value
    return (-below if baseline.lower_is_better else below) <= ROUNDING


def _bound(score: Score) -> float | None:
    end = score.interval.high if score.lower_is_better else score.interval.low
    return end if math.isfinite(end) else None


def _best(kept: Sequence[Candidate]) -> Candidate:
    """Return the smallest file; of those as small the one that is measured best, then the one that is faster."""
    by_size = sorted(kept, key=lambda file: file.bytes)
    best = by_size[0]
    for file in by_size[1:]:
        if file.bytes <= AS_SMALL * by_size[0].bytes and _better(file, best):
            best = file
    return best


def _better(file: Candidate, other: Candidate) -> bool:
    suspect, others = (one.verdict not in ("valid", "") for one in (file, other))
    return others and not suspect if suspect != others else _faster(file, other)


def _faster(file: Candidate, other: Candidate) -> bool:
    """Return whether a file is clearly faster than another: the intervals of the ratios do not meet."""
    if file.ratio is None or other.ratio is None:
        return False
    return file.ratio.high < other.ratio.low  # False for NaN


def _cost(best: Candidate, baseline: Candidate, among: Among) -> Iterator[Sentence]:
    """Yield what the choice costs against the baseline."""
    if best is baseline:
        return
    latency: tuple[str, ...] = (best.latency or "latency not compared",)
    if best.ratio is not None:
        latency = (f"{_ratio(best)} the latency", *among.under)
    size = f"{best.bytes / baseline.bytes:.2f}x the bytes ({best.bytes:,} B)"
    loss = _loss(best, baseline)
    yield Sentence(
        (
            "Against ",
            *baseline.name,
            f": {size}, ",
            *latency,
            f", {loss}.",
        )
    )


def _loss(file: Candidate, baseline: Candidate) -> str:
    assert file.score is not None and baseline.score is not None, "both were compared"
    return loss_text(file.score, baseline.score)


def loss_text(score: Score, baseline: Score) -> str:
    """Return how much worse a score is: `0.12 points of accuracy less`, or of another metric both values."""
    metric = brief_title(baseline.metric)
    known = METRICS.get(baseline.metric)
    if known is None or known.unit != "%":
        return f"{metric} {brief_text(score)} for {brief_text(baseline)}"
    points = 100 * (baseline.value - score.value)
    if abs(points) < NO_POINTS:
        return f"the same {metric}"
    return f"{abs(points):.2f} points of {metric} {'less' if points > 0 else 'more'}"


def _others(
    best: Candidate, usable: Sequence[Candidate], kept: Sequence[Candidate], baseline: Candidate
) -> Iterator[Sentence]:
    """Yield a file that is faster and larger, other than the baseline, and one that is smaller and worse."""
    faster = [file for file in kept if file is not best and file is not baseline and _faster(file, best)]
    if faster:
        file = min(faster, key=lambda one: _value(one.ratio))
        size = f"{file.bytes / baseline.bytes:.2f}x the bytes"
        yield Sentence((*file.name, f" keeps it, too, and is faster: {_ratio(file)} the latency, {size}."))
    keeping = set(map(id, kept))
    worse = [f for f in usable if id(f) not in keeping and baseline.score and _comparable(f, baseline.score)]
    smaller = [file for file in worse if file.bytes * AS_SMALL < best.bytes]
    if smaller:
        file = min(smaller, key=lambda one: _distance(one, baseline))
        size = f"{file.bytes / baseline.bytes:.2f}x the bytes"
        yield Sentence((*file.name, f" is smaller and worse: {size}, {_loss(file, baseline)}."))


def _comparable(file: Candidate, baseline: Score) -> bool:
    return file.score is not None and file.score.metric == baseline.metric and math.isfinite(file.score.value)


def _distance(file: Candidate, baseline: Candidate) -> float:
    assert file.score is not None and baseline.score is not None
    return abs(file.score.value - baseline.score.value)


def _trust(best: Candidate, baseline: Candidate, among: Among) -> Iterator[Sentence]:
    """Yield what keeps the measurements from being valid."""
    if best.verdict == "emulated":
        yield Sentence(("The CPU is emulated, so latency is not known.",))
    elif best.verdict == "suspect":
        yield Sentence((f"Its measurement is suspect: {best.why}.",))
    if best is not baseline and baseline.verdict == "suspect":
        yield Sentence((f"The measurement of {among.baseline} is suspect: {baseline.why}.",))


def _left_out(files: Sequence[Candidate], baseline: Score) -> Iterator[Sentence]:
    """Yield which files were not considered."""
    invalid = [file for file in files if file.verdict == "invalid"]
    unknown = [file for file in files if file.verdict != "invalid" and not _comparable(file, baseline)]
    for these, why in ((invalid, "the measurement is invalid"), (unknown, "the accuracy cannot be compared")):
        if len(these) == 1:
            yield Sentence(("Left out: ", *these[0].name, f", {why}."))
        elif these:
            yield Sentence((f"Left out: {len(these)} files, {why}.",))


def _ratio(file: Candidate) -> str:
    return "-" if file.ratio is None else ratio_with_interval(file.ratio)


def _value(ratio: Interval | None) -> float:
    return math.inf if ratio is None else ratio.value
