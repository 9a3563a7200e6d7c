"""What is best of what was tried: the Pareto front, and what comes nearest to a budget."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from edgekit.bundle.budget import Budget
from edgekit.bundle.trials import COMPLETE, Measured, Trial


@dataclass(frozen=True)
class Goals:
    """What is better: of the score more or less, of size and cost less.

    Attributes:
        more: whether more of the metric is better.
        latency: whether the cost is latency; else MACs stand in, and parameters where those cannot be counted.
        gzip: whether sizes count after gzip.
        budget: what files must keep to.
    """

    more: bool = True
    latency: bool = False
    gzip: bool = False
    budget: Budget = field(default_factory=Budget)

    def size(self, measured: Measured) -> int:
        """Return the bytes that count."""
        return measured.gzip_bytes if self.gzip else measured.bytes

    def cost(self, measured: Measured) -> float:
        """Return what an inference costs."""
        if self.latency and measured.latency_ms is not None:
            return measured.latency_ms
        return float(measured.parameters if measured.macs is None else measured.macs)

    def values(self, measured: Measured) -> tuple[float, float, float]:
        """Return score, size and cost, each finite."""
        score = measured.scored.value
        worst = -math.inf if self.more else math.inf
        score = worst if math.isnan(score) else score
        return max(-1e9, min(1e9, score)), float(self.size(measured)), self.cost(measured)

    def losses(self, measured: Measured) -> tuple[float, float, float]:
        """Return the same with less of each being better."""
        score, size, cost = self.values(measured)
        return (-score if self.more else score), size, cost

    def keeps(self, measured: Measured) -> bool:
        """Return whether a file keeps to the budget."""
        return all(miss <= 0 for miss in self.budget.misses(measured, gzip=self.gzip).values())


def front(trials: Iterable[Trial], goals: Goals) -> list[Trial]:
    """Return the trials whose files keep to the budget and are not beaten in everything, largest first.

    Of equal files the first counts.
    """
    files = [(trial, measured) for trial, measured in _files(trials) if goals.keeps(measured)]
    return [trial for trial, _ in _undominated(files, goals)]


def best_effort(trials: Iterable[Trial], goals: Goals) -> list[Trial]:
    """Return the front that there would be without a budget."""
    return [trial for trial, _ in _undominated(list(_files(trials)), goals)]


def nearest(trials: Iterable[Trial], goals: Goals) -> tuple[Trial, dict[str, float]] | None:
    """Return the trial whose file misses the budget by least, and by how much it misses each bound."""

    def missed(measured: Measured) -> dict[str, float]:
        each = goals.budget.misses(measured, gzip=goals.gzip)
        return {name: miss for name, miss in each.items() if miss > 0}

    found = [(trial, missed(measured)) for trial, measured in _files(trials)]
    return min(found, key=lambda pair: sum(pair[1].values()), default=None)


def _files(trials: Iterable[Trial]) -> Iterable[tuple[Trial, Measured]]:
    for trial in trials:
        if trial.state == COMPLETE and trial.measured is not None and trial.same_as is None:
            yield trial, trial.measured


def _undominated(files: Sequence[tuple[Trial, Measured]], goals: Goals) -> list[tuple[Trial, Measured]]:
    losses = [goals.losses(measured) for _, measured in files]
    kept = [
        pair
        for index, (pair, own) in enumerate(zip(files, losses, strict=True))
        if not any(_beats(other, own, place < index) for place, other in enumerate(losses) if place != index)
    ]
    return sorted(kept, key=lambda pair: goals.losses(pair[1])[1], reverse=True)


def _beats(one: tuple[float, ...], other: tuple[float, ...], earlier: bool) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and (one != other or earlier)
