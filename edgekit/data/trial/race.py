"""Candidates run over the same samples, few first; losers are dropped early."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from edgekit.data.trial.candidates import flipped
from edgekit.data.trial.cost import BUDGET_MACS
from edgekit.data.trial.evidence import clearly_less
from edgekit.data.trial.losses import Collected, Losses, judged, together
from edgekit.errors import EdgekitError
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import Array, Index, ModelInputs, NamedArrays, Stored, arrays_of
from edgekit.tasks.task import SIGMOID, SOFTMAX, Head, Task

ROUNDS = (32, 128, 500)
"""Samples behind each round."""
LEAST = 64
"""Samples of those that are left at the end, whatever they cost."""
FLIPPED = 3
"""Candidates behind the first round whose channels are tried in the other order, too."""
BATCH_BYTES = 48 << 20
Predict = Callable[[ModelInputs], Sequence[Array]]
"""From model inputs, one array or a tuple of them, to one array an output."""


@dataclass
class Entrant:
    """A candidate and what it has lost so far.

    Attributes:
        how: the way of feeding.
        samples: that it was run on.
        collected: one an output; None for outputs that nothing is compared with.
        required: it is the default, or given: the model has to take it.
        failed: the model cannot be run on such values.
    """

    how: Preprocessing
    samples: int = 0
    collected: list[Collected | None] = field(default_factory=list)
    required: bool = False
    failed: bool = False


@dataclass(frozen=True)
class Result:
    """An entrant on the samples that all those left were run on.

    Attributes:
        how: the way of feeding.
        losses: one an output; None for outputs that nothing is compared with.
        relative: one number a sample over all outputs; None where no constant guess is ever wrong.
        samples: how many.
    """

    how: Preprocessing
    losses: list[Losses | None]
    relative: Array | None
    samples: int

    @property
    def mean(self) -> float:
        """The mean relative loss."""
        return float("inf") if self.relative is None else float(self.relative.mean())


class Race:
    """All candidates over the same samples.

    Args:
        predict: runs the float model.
        task: what its outputs are for.
        x, y: samples and labels as stored, in random order; y is None without labels.
        mean: the mean stored sample, for autoencoders.
        macs: multiplications of one sample.
    """

    def __init__(self, predict: Predict, task: Task, x: Stored, y: Stored, mean: Stored, macs: float) -> None:
        self._predict, self._task, self._x, self._mean = predict, task, x, mean
        self._labels: list[Array | None] = [None] * len(task.heads) if y is None else list(arrays_of(y))
        self._left = BUDGET_MACS / max(macs, 1.0)
        self._dropped: list[Entrant] = []
        self.logits = [False] * len(task.heads)

    def labels(self, index: int, count: int) -> Array:
        """Return the first labels of an output; of an autoencoder, which has none, zeros."""
        labels = self._labels[index]
        return np.zeros(count) if labels is None else labels[:count]

    def run(self, ways: Sequence[Preprocessing]) -> tuple[list[Result], list[Result]]:
        """Return those left at the end, the first candidate always among them, and those dropped on the way."""
        entrants = [Entrant(how, 0, self._new(), required=index == 0) for index, how in enumerate(ways)]
        total = len(self._x)
        for index, wanted in enumerate(ROUNDS):
            count = min(total, self._afforded(wanted, entrants))
            if index and count <= min(entrant.samples for entrant in entrants):
                break
            self._run_all(entrants, count)
            entrants = [e for e in entrants if not e.failed]
            if index == 0:
                entrants += self._flips(entrants, count)
            entrants = self._without_losers(entrants)
        return self._results(entrants), [self._results([entrant])[0] for entrant in self._dropped]

    def _new(self) -> list[Collected | None]:
        heads = zip(self._task.heads, self._labels, strict=True)
        return [Collected(head) if judged(head, labelled=y is not None) else None for head, y in heads]

    def _afforded(self, wanted: int, entrants: Sequence[Entrant]) -> int:
        done = min((entrant.samples for entrant in entrants), default=0)
        more = int(self._left / len(entrants))
        least = ROUNDS[0] // 2 if done == 0 else LEAST
        return max(done, min(wanted, max(done + more, least)))

    def _run_all(self, entrants: Sequence[Entrant], count: int) -> None:
        """Run all on up to `count` samples, several candidates in one batch where they are small."""
        waiting = [entrant for entrant in entrants if entrant.samples < count]
        while waiting:
            start = waiting[0].samples
            size = sum(4 * int(np.prod(c.shape[1:])) for c in arrays_of(self._x)) or 1
            rows = max(1, min(count - start, BATCH_BYTES // size))
            several = [e for e in waiting if e.samples == start][: max(1, BATCH_BYTES // (size * rows))]
            self._batch(several, slice(start, start + rows))
            self._left -= rows * len(several)
            waiting = [entrant for entrant in waiting if entrant.samples < count and not entrant.failed]

    def _batch(self, several: Sequence[Entrant], rows: slice) -> None:
        fed = [entrant.how.apply(self._x[rows]) for entrant in several]
        try:
            outputs = self._predict(_joined(fed))
        except EdgekitError:
            if several[0].required and len(several) == 1:
                raise
            if len(several) == 1:
                several[0].failed = True  # such values the model does not take
            else:
                for entrant in several:
                    self._batch([entrant], rows)
            return
        size = rows.stop - rows.start
        for k, entrant in enumerate(several):
            own = [output[k * size : (k + 1) * size] for output in outputs]
            self._collect(entrant, own, fed[k], rows)
            entrant.samples = rows.stop

    def _collect(self, entrant: Entrant, outputs: Sequence[Array], fed: Stored, rows: slice) -> None:
        for index, (collected, output) in enumerate(zip(entrant.collected, outputs, strict=True)):
            if collected is None:
                continue
            labels = self._labels[index]
            if self._task.heads[index].kind == "reconstruction":
                collected.add(output, fed, entrant.how.apply(self._mean))
            else:
                assert labels is not None
                collected.add(output, labels[rows], None)
            self.logits[index] = self.logits[index] or not collected.probable

    def _flips(self, entrants: Sequence[Entrant], count: int) -> list[Entrant]:
        """Try the best with their channels in the other order; whatever is tried so already is left out."""
        ordered = sorted(self._results(entrants), key=lambda result: result.mean)[:FLIPPED] if len(entrants) > 1 else []
        turned = [flipped(result.how, self._x) for result in ordered]
        known = [entrant.how for entrant in entrants]
        added = [Entrant(how, 0, self._new()) for how in turned if how is not None and how not in known]
        self._run_all(added, count)
        return [entrant for entrant in added if not entrant.failed]

    def _without_losers(self, entrants: list[Entrant]) -> list[Entrant]:
        results = self._results(entrants)
        best = min(results, key=lambda result: result.mean)
        if best.relative is None:
            return entrants[:1]
        kept: list[Entrant] = []
        for index, (entrant, result) in enumerate(zip(entrants, results, strict=True)):
            lost = result.relative is not None and clearly_less(best.relative, result.relative)
            (self._dropped if lost and index else kept).append(entrant)
        return kept

    def _results(self, entrants: Sequence[Entrant]) -> list[Result]:
        results = []
        for entrant in entrants:
            losses = [
                None if c is None else c.losses(self.labels(i, entrant.samples), logits=self.logits[i])
                for i, c in enumerate(entrant.collected)
            ]
            known = [each for each in losses if each is not None]
            results.append(Result(entrant.how, losses, together(known), entrant.samples))
        return results

    def task(self) -> Task:
        """Return the task with what the outputs are: probabilities, or logits."""
        heads = zip(self._task.heads, self.logits, strict=True)
        return Task(tuple(replace(head, logits=logits) if _scaled(head) else head for head, logits in heads))


def _scaled(head: Head) -> bool:
    return head.kind in SOFTMAX | SIGMOID and not head.indices


def _joined(fed: Sequence[ModelInputs]) -> ModelInputs:
    if len(fed) == 1:
        return fed[0]
    if isinstance(fed[0], tuple):
        return tuple(np.concatenate(column) for column in zip(*fed, strict=True))
    return np.concatenate(fed)


def as_rows(samples: Stored, rows: Index) -> Stored:
    """Return some samples in memory."""
    if isinstance(samples, NamedArrays):
        return NamedArrays({n: np.asarray(c[rows]) for n, c in zip(samples.names, samples.arrays, strict=True)})
    return np.asarray(samples[rows])
