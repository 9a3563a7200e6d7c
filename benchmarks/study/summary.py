"""One line of results: a row in one scheme, over all its seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from edgekit.stats import Interval, efficiency, wilson

from .budgets import Budget
from .compare import Study
from .findings import FLOAT_BASELINE
from .rows import Row


@dataclass(frozen=True)
class Line:
    """What the table shows of a row in one scheme.

    Attributes:
        row, scheme: what it is.
        seeds: how many seeds there are; 0: not run.
        accuracy: over seeds; with one seed over samples.
        binomial: over the test samples (Wilson), of the mean accuracy; it says nothing about other trainings.
        bytes, gzip_bytes: mean over the seeds.
        efficiency: accuracy in percent per KiB.
        latency: ratio to the baseline's float32 file, first seed; None if not timed.
        macs: of the first seed; None where not countable.
        parameters, zeros: mean over the seeds.
    """

    row: Row
    scheme: str
    seeds: int
    accuracy: Interval
    binomial: Interval
    bytes: float
    gzip_bytes: float
    efficiency: float
    latency: Mapping[str, Any] | None
    macs: int | None
    parameters: float
    zeros: float

    @property
    def ratio(self) -> Interval | None:
        """The latency ratio with its interval."""
        return None if self.latency is None else Interval(*(self.latency[key] for key in ("ratio", "low", "high")))


def lines(study: Study, rows: list[Row]) -> list[Line]:
    """Return a line for each row and scheme that has a file, in the order of the rows."""
    return [_line(study, row, scheme) for row in rows for scheme in row.schemes if study.files.get((row.id, scheme))]


def best(found: list[Line], study: Study, lost: float) -> list[Line]:
    """Return the lines whose interval excludes a loss above `lost` (0 to 1) against the baseline, smallest first."""
    if study.missing([FLOAT_BASELINE]):
        return []
    kept = [n for n in found if study.difference([((n.row.id, n.scheme), FLOAT_BASELINE)]).low >= -lost]
    return sorted(kept, key=lambda line: line.bytes)


def not_done(study: Study, rows: list[Row], failures: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the rows without results as label and reason: refused by edgekit, failed, or not run yet."""
    found = []
    for row in rows:
        if reason := row.refusal():
            found.append((row.label, f"refused: {reason}"))
        elif row.id in failures:
            found.append((row.label, f"failed: {failures[row.id]}"))
        elif not any(study.files.get((row.id, scheme)) for scheme in row.schemes):
            found.append((row.label, "not run yet"))
    return found


def budget_sentences(budget: Budget) -> str:
    """Say how long everything was trained."""
    part = f"{budget.train_samples:,} training samples" if budget.train_samples else "all training samples"
    model = f"`{budget.model}`" + f" at width {budget.width:g}" * (budget.width != 1)
    return (
        f"Baseline and teacher: {model}, {budget.baseline} epochs on {part}. Further epochs: pruning (and the "
        f"control that is only trained on) {budget.prune}, quantization-aware training {budget.quantize}, every model "
        f"of a distillation {budget.distill}, each of the three stages whose order is compared {budget.order}. "
        f"Every training: batches of {budget.batch_size}, learning rate `{budget.schedule}`, augmentation "
        f"`{budget.augment}`."
    )


def _line(study: Study, row: Row, scheme: str) -> Line:
    files = study.files[row.id, scheme]
    all_files = [files[seed] for seed in sorted(files)]
    accuracy, size = study.accuracy((row.id, scheme)), fmean(f.bytes for f in all_files)
    return Line(
        row=row,
        scheme=scheme,
        seeds=len(files),
        accuracy=accuracy,
        binomial=wilson(round(fmean(f.correct for f in all_files)), all_files[0].samples),
        bytes=size,
        gzip_bytes=fmean(f.gzip_bytes for f in all_files),
        efficiency=efficiency(accuracy.value, round(size)),
        latency=all_files[0].latency,
        macs=all_files[0].macs,
        parameters=fmean(f.parameters for f in all_files),
        zeros=fmean(f.zeros for f in all_files),
    )
