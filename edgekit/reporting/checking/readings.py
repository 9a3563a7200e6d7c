"""One number of a file with its 95 % interval, as a bound is decided on, or the reason why there is none.

A function a bound: it takes a file, and what the file is compared with; it returns a `Reading`, or a `Reason`. What was
not measured is never read as kept. A new bound is a function here and a line in `edgekit.reporting.checking.bounds`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgekit.bundle.budget import Budget
from edgekit.bundle.reason import Reason
from edgekit.bundle.runs import SampledRun
from edgekit.errors import InputError
from edgekit.reporting.checking.files import CheckedFile
from edgekit.reporting.rows import NS_PER_MS, Row
from edgekit.stats import CONFIDENCE, Interval, percentile
from edgekit.stats.medians import FEWEST, median_interval
from edgekit.stats.pairs import mcnemar
from edgekit.stats.ratios import paired_ratio, unpaired_ratio
from edgekit.tasks.drop import drop_between
from edgekit.tasks.metrics import Score
from edgekit.tasks.register import METRICS

BYTES, MS, SHARE, MORE = "bytes", "ms", "share", "relative"
"""Units of readings, beside those of metrics and of drops (`edgekit.tasks.drop`)."""
MEMORY_SPREAD_BYTES = 256 << 10
"""Memory is read once. Readings of one file on one machine differed by up to 144 KiB (see `docs/gates.md`)."""


@dataclass(frozen=True)
class Reading:
    """A number of a file.

    Attributes:
        interval: in its unit; exact numbers have low = value = high.
        unit: `bytes`, `ms`, `share` (1 is all), `relative` (0.05 is 5 % more), or that of a metric or a drop.
        how: what a reader of the number should know, a phrase; may be empty.
    """

    interval: Interval
    unit: str
    how: str = ""


def size(file: CheckedFile, _: CheckedFile | None, __: float) -> Reading | Reason:
    """Read the size of the file."""
    return Reading(_exact(file.bytes), BYTES)


def latency(file: CheckedFile, _: CheckedFile | None, __: float) -> Reading | Reason:
    """Read the median latency, with its interval between processes."""
    row = _timed(file)
    if isinstance(row, Reason):
        return row
    return Reading(_scaled(median_interval(_medians(row)), 1 / NS_PER_MS), MS)


def latency_p90(file: CheckedFile, _: CheckedFile | None, __: float) -> Reading | Reason:
    """Read the median of the processes' 90th percentiles, with its interval between processes.

    The table of a record shows the 90th percentile of all samples together. Its interval would be one of a high
    percentile of processes wherever these differ, which five or eleven of them do not give: resampling whole processes
    held the true one in 84 of 100 simulated sessions. What a typical process stays below in 90 % of its inferences has
    the interval of a median, which holds for whatever distribution.
    """
    row = _timed(file)
    if isinstance(row, Reason):
        return row
    runs = row.measurement.latency
    sampled = [run.inferences_ns for run in runs if isinstance(run, SampledRun)]
    if len(sampled) < len(runs):
        return Reason("summaries-only", "latency came as summaries without samples, which hold no 90th percentile")
    return Reading(_scaled(median_interval([percentile(ns, 90) for ns in sampled]), 1 / NS_PER_MS), MS)


def memory(file: CheckedFile, _: CheckedFile | None, __: float) -> Reading | Reason:
    """Read peak memory: one reading, taken to be right within `MEMORY_SPREAD_BYTES`.

    Of an emulated CPU it is an upper bound only: the emulator's own memory is in it.
    """
    row = _measured(file)
    if isinstance(row, Reason):
        return row
    run = row.measurement.memory
    if run is None or run.used_kib is None:
        return Reason("not-measured", "memory was not measured")
    used = run.used_kib * 1024.0
    if row.emulated:
        return Reading(Interval(used, 0.0, used + MEMORY_SPREAD_BYTES), BYTES, "at most: the emulator's own is in it")
    return Reading(Interval(used, max(0.0, used - MEMORY_SPREAD_BYTES), used + MEMORY_SPREAD_BYTES), BYTES, "read once")


def accuracy(file: CheckedFile, _: CheckedFile | None, limit: float) -> Reading | Reason:
    """Read the score, of a metric where more is better."""
    return _scored(file, Budget(min_accuracy=limit))


def error(file: CheckedFile, _: CheckedFile | None, limit: float) -> Reading | Reason:
    """Read the score, of a metric where less is better."""
    return _scored(file, Budget(max_error=limit))


def drop(file: CheckedFile, against: CheckedFile | None, _: float) -> Reading | Reason:
    """Read how much worse the score is than that of what it is compared with, as `compress --max-drop` counts it."""
    assert against is not None
    after, before = _score(file), _score(against)
    if isinstance(after, Reason):
        return after
    if isinstance(before, Reason):
        return Reason(before.code, f"the baseline {against.name}: {before.sentence}")
    if after.metric != before.metric:
        metrics = f"{after.metric}, and the baseline's is {before.metric}"
        return Reason("metric-differs", f"the score is of the metric {metrics}")
    lost = drop_between(before, after)
    if _is_same(file, against) and before.value == after.value:
        return Reading(_exact(0.0), lost.unit, "the same file")
    if file.right is not None and against.right is not None and file.samples == against.samples:
        less = mcnemar(file.right.array(), against.right.array()).difference
        return Reading(_scaled(less, 100), lost.unit, "paired")
    if file.predictions and (file.samples, file.predictions) == (against.samples, against.predictions):
        return Reading(_exact(0.0), lost.unit, "every prediction is the same")
    return Reading(lost.interval, lost.unit, "unpaired")


def _is_same(file: CheckedFile, against: CheckedFile) -> bool:
    """Return whether two measurements are of one file on the same samples."""
    rows = file.row, against.row
    digests = {row.subject.sha256 for row in rows if row is not None}
    return None not in rows and len(digests) == 1 and bool(file.samples) and file.samples == against.samples


def slowdown(file: CheckedFile, against: CheckedFile | None, _: float) -> Reading | Reason:
    """Read by how much the median latency is above that of what the file is compared with."""
    assert against is not None
    row, other = _timed(file), _timed(against)
    if isinstance(row, Reason):
        return row
    if isinstance(other, Reason):
        return Reason(other.code, f"the baseline {against.name}: {other.sentence}")
    mine, theirs = _medians(row), _medians(other)
    if not all((*mine, *theirs)):
        return Reason("not-measured", "a process has a median of 0 ns")
    whole = len(mine) == len(theirs) == row.record.plan.processes
    paired = row.record is other.record and whole  # else rounds are missing, and do not pair
    ratio = (paired_ratio if paired else unpaired_ratio)(mine, theirs, CONFIDENCE).interval
    how = "paired by rounds" if paired else "unpaired"
    return Reading(Interval(ratio.value - 1, ratio.low - 1, ratio.high - 1), MORE, how)


def growth(file: CheckedFile, against: CheckedFile | None, _: float) -> Reading | Reason:
    """Read by how much the file is larger than what it is compared with."""
    assert against is not None
    return Reading(_exact(file.bytes / against.bytes - 1), MORE)


def _exact(value: float) -> Interval:
    return Interval(value, value, value)


def _scaled(interval: Interval, factor: float) -> Interval:
    return Interval(interval.value * factor, interval.low * factor, interval.high * factor)


def _measured(file: CheckedFile) -> Row | Reason:
    """Return the measurements of a file, if they are worth something."""
    if file.row is None:
        return Reason("not-measured", "a bundle holds no measurements: check what `edgekit bench` makes of it")
    if file.row.verdict == "invalid":
        why = "; ".join(map(str, file.row.reasons))
        return Reason("measurement-invalid", f"the measurement is invalid: {why}")
    return file.row


def _timed(file: CheckedFile) -> Row | Reason:
    """Return the measurements of a file, if they hold a latency with an interval."""
    row = _measured(file)
    if isinstance(row, Reason):
        return row
    if row.emulated:
        return Reason("emulated-cpu", f"{row.record.emulated_by}: its latency tells nothing about a board")
    count = len(row.measurement.latency)
    if not count:
        return Reason("not-measured", "latency was not measured")
    if count < FEWEST:
        few = f"{count} process{'es' * (count > 1)}"
        return Reason("too-few-processes", f"{few}; an interval to decide on needs at least {FEWEST}")
    return row


def _medians(row: Row) -> list[float]:
    return [run.median_ns for run in row.measurement.latency]


def _score(file: CheckedFile) -> Score | Reason:
    if file.row is not None and isinstance(invalid := _measured(file), Reason):
        return invalid
    if file.score is None:
        return Reason("not-measured", "accuracy was not measured: there were no samples to evaluate on")
    return file.score


def _scored(file: CheckedFile, bound: Budget) -> Reading | Reason:
    score = _score(file)
    if isinstance(score, Reason):
        return score
    known = METRICS.get(score.metric)
    is_share = known is not None and known.unit == "%"
    try:
        bound.for_metric(score.metric, lower_is_better=score.lower_is_better, is_share=is_share)
    except InputError as trouble:
        if trouble.code != "budget-wrong-direction":
            raise
        return Reason(trouble.code, trouble.message)
    interval = score.interval
    if math.isinf(interval.value):  # noise of 0: a score without an upper end
        interval = _exact(interval.value)
    unit = SHARE if is_share else known.unit if known is not None else ""
    return Reading(interval, unit, f"{score.metric}, {score.samples:,} samples")
