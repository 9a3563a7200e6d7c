"""The samples that the files of a session are evaluated on, and how good a file's outputs for them are."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundle.flags import Flags
from edgekit.bundle.records import EvaluatedOn
from edgekit.bundle.runs import AccuracyRun
from edgekit.data.dataset import Dataset
from edgekit.data.fitting import coded, ports_of
from edgekit.data.stored import read_samples, write_samples
from edgekit.errors import InputError
from edgekit.files.whole import sha256
from edgekit.measuring.candidates import Candidate
from edgekit.measuring.host import FEW
from edgekit.measuring.ports import output_order, read_outputs
from edgekit.stats.pairs import Contributions
from edgekit.tasks.contributions import contributions
from edgekit.tasks.heads import settled
from edgekit.tasks.samples import Samples
from edgekit.tasks.scoring import digest, labels, right, scores, settled_by

Contributed = dict[str, Contributions]


@dataclass(frozen=True)
class Evaluation:
    """The samples that every file is evaluated on.

    Attributes:
        path: an `.npz` with them.
        first: another with the first of them, so that timed processes do not hold the whole set in memory.
        few: another with a few, to look at before all else.
        x, y: what it holds.
        described: for the record.
        contributed: gets by a file's name what every sample adds to its score, where that is no share of samples;
            None: nobody asks.
    """

    path: Path
    first: Path
    few: Path
    x: Samples
    y: Samples | None
    described: EvaluatedOn
    contributed: Contributed | None = None

    def judged(self, run: AccuracyRun, candidate: Candidate, outputs: Path) -> AccuracyRun:
        """Return the run of a file with its scores.

        Args:
            run: over all samples.
            candidate: the file; its task and preprocessing are known.
            outputs: that the runner wrote.

        Raises:
            InputError: there are no labels, or the outputs are not what the metric takes.
        """
        assert candidate.task is not None and candidate.preprocessing is not None
        task = candidate.task
        real = read_outputs(outputs, candidate.outputs, task)
        task, _ = settled_by(task, real)
        truth = labels(task, self.x, self.y, candidate.preprocessing)
        if task.detection is None and len(task.heads) == len(real) == len(truth):
            heads = tuple(settled(h, o, y) for h, o, y in zip(task.heads, real, truth, strict=True))
            task = dataclasses.replace(task, heads=heads)
        by_head = scores(real, truth, task)
        score = by_head[task.main.name]
        correct = right(real[0], truth[0], task.main, score)
        if self.contributed is not None and correct is None:
            added = contributions(real[0], truth[0], task.main)
            if added is not None:
                self.contributed[candidate.subject.name] = added
        return dataclasses.replace(
            run,
            score=score,
            heads=by_head if len(by_head) > 1 else {},
            predictions_sha256=digest(real[0], task.main),
            right=None if correct is None else Flags.of(correct),
        )


def evaluation(
    candidates: Sequence[Candidate], data: Dataset | None, folder: Path, contributed: Contributed | None = None
) -> Evaluation | None:
    """Return the samples that every file is evaluated on: of the data, else of the bundles, else None."""
    paths = () if data is not None else dict.fromkeys(c.samples for c in candidates if c.samples is not None)
    carried = {sha256(path): path for path in paths}
    if len(carried) > 1:
        raise InputError(
            "the bundles carry different evaluation samples, so their accuracies do not compare",
            "give --data, bench them one by one, or switch accuracy off with --no-accuracy",
            code="evaluation-samples-differ",
        )
    if data is not None:
        path, source = folder / "test.npz", f"{data.name}, the whole test part"
        x, y = data.x_test, _coded(data.y_test, candidates)
        write_samples(path, x, y)
    elif carried:
        [path], source = carried.values(), "the bundle's evaluation samples"
        x, y = read_samples(path)
    else:
        return None
    first, few = folder / "first.npz", folder / "few.npz"
    write_samples(first, x[:1])
    write_samples(few, x[:FEW])
    return Evaluation(path, first, few, x, y, EvaluatedOn(source, len(x), sha256(path)), contributed)


def _coded(y: Samples | None, candidates: Sequence[Candidate]) -> Samples | None:
    """Return the labels of a data set as the first file whose task is known takes them."""
    first = next((c for c in candidates if c.task is not None), None)
    if first is None or first.task is None or y is None:
        return y
    ports = ports_of([first.outputs[i] for i in output_order(first.outputs, first.task)])
    as_taken: Samples = coded(y, first.task, ports)
    return as_taken
