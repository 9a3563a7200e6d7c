"""What differs between two measurements: latency, score, memory, bytes and operators, each with its certainty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from edgekit.bundle.runs import LatencyRun
from edgekit.reporting.comparing.sides import Pair, Side
from edgekit.stats import Interval
from edgekit.stats.pairs import Paired, bootstrap_difference, mcnemar
from edgekit.stats.ratios import Ratio, paired_ratio, unpaired_ratio
from edgekit.tasks.metrics import Score


@dataclass(frozen=True)
class Unknown:
    """Something that cannot be compared, and why."""

    why: str


@dataclass(frozen=True)
class ScoreChange:
    """Two scores of the same metric on the same samples.

    Attributes:
        here, there: of A and B.
        paired: of shares of samples: which ones change.
        difference: B less A, with its 95 % interval; NaN where there is none.
        note: why nothing is tested, or what else to know; may be empty.
        same: whether both predict the same for every sample.
    """

    here: Score
    there: Score
    difference: Interval
    paired: Paired | None = None
    note: str = ""
    same: bool = False

    @property
    def shown(self) -> bool:
        """Whether there is a difference that chance does not explain."""
        if self.paired is not None:
            return self.paired.shown
        return self.difference.low > 0 or self.difference.high < 0

    @property
    def tested(self) -> bool:
        """Whether the samples could be paired."""
        return not math.isnan(self.difference.low)


@dataclass(frozen=True)
class Changes:
    """B against A.

    Attributes:
        pair: the two.
        operators: by name how often A and B have one, where that differs; None where a file is not at hand.
    """

    pair: Pair
    operators: Mapping[str, tuple[int, int]] | None = None

    @cached_property
    def latency(self) -> Ratio | Unknown:
        """The latency of B by that of A."""
        return latency(self.pair)

    @cached_property
    def score(self) -> ScoreChange | Unknown:
        """The score of B against that of A."""
        return score(self.pair)

    @property
    def memory(self) -> tuple[float, float] | Unknown:
        """What the model and the runtime's buffers take, A and B, MiB; of one process each, so without an interval."""
        here, there = (side.row.memory_mib for side in (self.pair.here, self.pair.there))
        return Unknown("not measured") if here is None or there is None else (here, there)


def latency(pair: Pair) -> Ratio | Unknown:
    """Return the latency of B by that of A: by rounds where one session measured both, else by processes."""
    here, there = pair.here, pair.there
    for letter, side in (("A", here), ("B", there)):
        if side.row.emulated:
            return Unknown(f"the CPU of {letter} is emulated, and its latency means nothing")
        if not side.measurement.latency:
            return Unknown(f"not measured of {letter}")
    ours, theirs = _medians(here.measurement.latency), _medians(there.measurement.latency)
    if not all([*ours, *theirs]):
        return Unknown("a process has a median of 0")
    whole = len(ours) == len(theirs) == here.record.plan.processes
    return paired_ratio(theirs, ours) if pair.together and whole else unpaired_ratio(theirs, ours)


def _medians(runs: tuple[LatencyRun, ...]) -> list[float]:
    return [run.median_ns for run in runs]


def score(pair: Pair) -> ScoreChange | Unknown:
    """Return how the scores of A and B differ, on the same samples."""
    here, there = (side.measurement.accuracy for side in (pair.here, pair.there))
    if here is None or there is None or here.score is None or there.score is None:
        return Unknown("not measured")
    if here.score.metric != there.score.metric:
        return Unknown(f"A is judged by {here.score.metric}, B by {there.score.metric}")
    unknown = Interval(there.score.value - here.score.value, math.nan, math.nan)
    digests = [side.record.evaluation.sha256 if side.record.evaluation else None for side in (pair.here, pair.there)]
    if digests[0] != digests[1] or here.samples != there.samples:
        return ScoreChange(here.score, there.score, unknown, note="not of the same samples, so nothing is tested")
    same = here.predictions_sha256 is not None and here.predictions_sha256 == there.predictions_sha256
    if here.right is not None and there.right is not None:
        paired = mcnemar(here.right.array(), there.right.array())
        return ScoreChange(here.score, there.score, paired.difference, paired, same=same)
    difference, note = _by_samples(pair.here, pair.there, unknown)
    return ScoreChange(here.score, there.score, difference, note=note, same=same)


def _by_samples(here: Side, there: Side, unknown: Interval) -> tuple[Interval, str]:
    """Return the interval of a difference by what every sample adds, or the unknown one and why."""
    ours, theirs = here.contributions, there.contributions
    if ours is not None and theirs is not None:
        found = bootstrap_difference(ours, theirs)
        if math.isfinite(found.low) and math.isfinite(found.high):
            return found, ""
        return unknown, "not finite for some samples, so nothing is tested"
    accuracy = here.measurement.accuracy
    if accuracy is not None and accuracy.score is not None and accuracy.score.correct is not None:
        return unknown, "a record of an older edgekit does not hold which samples are right, so nothing is tested"
    return unknown, "nothing is tested: that takes the outputs for every sample, which files give and records do not"


def operator_changes(here: Mapping[str, int], there: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Return the operators of which two files have different numbers, by name."""
    names = dict.fromkeys([*here, *there])
    counts = {name: (here.get(name, 0), there.get(name, 0)) for name in names}
    return {name: both for name, both in counts.items() if both[0] != both[1]}
