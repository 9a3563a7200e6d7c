"""The ways to an int8 file that loses no more than is allowed, the cheapest first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from edgekit.bundle.ledger import Entry, ledger_line
from edgekit.errors import ConversionError
from edgekit.export.mixed.choice import shortest
from edgekit.export.mixed.quantized import Quantized
from edgekit.export.mixed.regions import Region
from edgekit.export.mixed.ways import Ways
from edgekit.pipeline.escalation.trial import Judge, Trial
from edgekit.progress import Progress

FEW_REVERTED, FEW = 0.25, 4
"""Share of the operators that may compute in float before training is tried, and how many may in any case."""
TRAINED = "taught by the float model"

Retrain = Callable[[], Ways | None]
"""Trains the model with fake quantization, and returns the files that can be made of it; None if that failed."""


@dataclass
class Escalation:
    """What came of the steps.

    Attributes:
        best: the file that passed; if none did, the one that lost least.
        reached: whether it passed.
        entries: a row of the ledger for every step.
        trained: whether `best` is of the model that was trained with fake quantization.
    """

    best: Trial
    reached: bool
    entries: list[Entry] = field(default_factory=list)
    trained: bool = False


class Steps:
    """Goes from step to step until a file passes.

    Args:
        judge: of the files.
        progress: notified of every step.
        started: when the first file was begun, by `time.monotonic`; by default now. A step takes the time since the
            one before it was noted, so that all that was done for a file counts: conversion, training, judging.
    """

    def __init__(self, judge: Judge, progress: Progress, started: float | None = None) -> None:
        self._judge, self._progress = judge, progress
        self._entries: list[Entry] = []
        self._noted = time.monotonic() if started is None else started

    def escalate(self, ways: Ways, retrain: Retrain | None) -> Escalation:
        """Make files until one passes.

        Args:
            ways: to make them of the model.
            retrain: makes the same of the model trained with fake quantization; None where it cannot be trained.
        """
        bases, passed = self._with_ranges(ways)
        if passed:
            return Escalation(bases[0], True, self._entries)
        mixed = _Mixed(ways, bases[0])
        few = FEW_REVERTED if retrain is not None else 1.0
        best, passed = self._reverted(mixed, "mixed", few)
        for base in [] if passed or retrain is None else bases[1:]:
            # Ranges that suit all operators a little are not those that suit all but a few.
            other, passed = self._reverted(_Mixed(ways, base), "mixed", few)
            best = min(best, other, key=lambda one: one.lost)
        again = retrain() if not passed and retrain is not None else None
        if again is not None:
            other, passed = self._trained(again)
            if passed or other.lost < best.lost:
                return self._all(mixed, other, passed, trained=True)
        return self._all(mixed, best, passed or few == 1.0)

    def _all(self, mixed: _Mixed, best: Trial, settled: bool, *, trained: bool = False) -> Escalation:
        """Return the best file; where none passed that was left mostly int8, any number of operators is reverted."""
        if settled:
            return Escalation(best, self._judge.passes(best), self._entries, trained)
        other, passed = self._reverted(mixed, "mixed", 1.0)
        if passed or other.lost < best.lost:
            return Escalation(other, passed, self._entries)
        return Escalation(best, False, self._entries, trained)

    def _with_ranges(self, ways: Ways) -> tuple[list[Trial], bool]:
        """Return the files without operators in float, the best first, and whether that one passes."""
        plain = self._judged(ways, "int8", "", ways.plain())
        if self._row(plain):
            return [plain], True
        best = self._refined(ways)
        if best is None:
            return [plain], False
        passed = self._row(best)
        return sorted((best, plain), key=lambda one: one.lost), passed

    def _refined(self, ways: Ways) -> Trial | None:
        """Return the first of the files with other ranges that passes, else the best of them; None without any."""
        best: Trial | None = None
        for attempt in ways.refined():
            trial = self._judged(ways, "ranges", f"calibration by {attempt.name}", attempt.file)
            best = trial if best is None else min(best, trial, key=lambda one: one.lost)
            if self._judge.passes(trial):
                return trial
        return best

    def _reverted(self, mixed: _Mixed, step: str, most: float) -> tuple[Trial, bool]:
        """Return the file with the fewest operators in float that passes; if none does, the best that was seen."""
        base = mixed.base
        try:
            quantized, order = mixed.pair, mixed.order
        except ConversionError as error:
            self._progress.warn(f"no operator can compute in float: {error.message}", "mixed-precision-failed")
            return base, False
        names = {operator.index: operator.name for operator in quantized.operators}
        within, together = _within(order, max(FEW, int(most * len(names))))
        seen: dict[frozenset[int], Trial] = {}

        def judged(chosen: frozenset[int]) -> bool:
            reverted = tuple(names[index] for index in sorted(chosen))
            how = ", ".join(filter(None, [base.how, f"{len(chosen)} of {len(names)} operators in float"]))
            for float_weights in (False, True):
                raw = quantized.reverted(chosen, float_weights=float_weights)
                trial = self._judged(mixed.ways, step, how, raw, reverted)
                seen[chosen] = min(seen.get(chosen, trial), trial, key=lambda one: one.lost)
                if self._judge.passes(trial):
                    seen[chosen] = trial
                    return True
            return False

        everything = names if most == 1.0 else together
        if not everything:
            return base, False
        choice = shortest(within, everything, judged)
        best = seen[choice.operators] if choice.reached else min(seen.values(), key=lambda one: one.lost)
        passed = self._row(best)
        return min(base, best, key=lambda one: one.lost), passed

    def _trained(self, ways: Ways) -> tuple[Trial, bool]:
        best = self._judged(ways, "qat", TRAINED, ways.plain())
        if self._row(best):
            return best, True
        return self._reverted(_Mixed(ways, best), "qat, mixed", FEW_REVERTED)

    def _judged(self, ways: Ways, step: str, how: str, raw: bytes, reverted: tuple[str, ...] = ()) -> Trial:
        return self._judge.trial(step, how, raw, ways.finished(raw), reverted)

    def _row(self, trial: Trial) -> bool:
        """Note a step in the ledger; return whether its file passes."""
        self._entries.append(self._judge.entry(trial, time.monotonic() - self._noted))
        self._progress.notify(ledger_line(self._entries[-1], self._entries[0]))
        self._noted = time.monotonic()
        return self._judge.passes(trial)


def _within(order: Sequence[Region], limit: int) -> tuple[list[Region], frozenset[int]]:
    """Return the regions, from the first, that fit together into so many operators, and these operators."""
    fitting, union = list[Region](), frozenset[int]()
    for region in order:
        if len(union | region.operators) <= limit:
            fitting.append(region)
            union |= region.operators
    return fitting, union


class _Mixed:
    """A file whose operators are reverted; they are ranked once, when that is first asked for."""

    def __init__(self, ways: Ways, base: Trial) -> None:
        self.ways, self.base = ways, base

    @cached_property
    def pair(self) -> Quantized:
        return self.ways.quantized(self.base.raw)

    @cached_property
    def order(self) -> Sequence[Region]:
        return self.ways.order(self.pair)
