"""Measure a file on validation samples: the numbers of a ledger entry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.bundle.ledger import Entry
from edgekit.bundle.runs import LATENCY, SampledRun
from edgekit.data.split import Splits, sample
from edgekit.data.stored import write_samples
from edgekit.devices.device import Device
from edgekit.devices.jobs import BRIEF, RUNTIMES, Job
from edgekit.files.whole import gzip_bytes, sha256
from edgekit.formats.info import FileInfo
from edgekit.formats.reading import inspect_file
from edgekit.frameworks.types import KerasModel
from edgekit.measuring.agreement import Outputs
from edgekit.measuring.core import run_file, time_files
from edgekit.measuring.ports import feed_names, specs
from edgekit.pipeline.check import answers, reference_labels
from edgekit.stats import CONFIDENCE
from edgekit.stats.ratios import paired_ratio
from edgekit.tasks.drop import Drop, drop
from edgekit.tasks.metrics import Score
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import Array
from edgekit.tasks.scoring import score, scores
from edgekit.tasks.task import Task

ROUNDS = 3


class FileMeter:
    """Runs files over validation samples, and times them against a baseline, in fresh processes."""

    def __init__(
        self,
        device: Device,
        source: KerasModel,
        splits: Splits,
        preprocessing: Preprocessing,
        task: Task,
        samples: int,
        folder: Path,
    ) -> None:
        """Choose the samples.

        Args:
            device: the machine that runs files.
            source: the model that files come from; without labels its outputs are what they are scored against.
            splits: of which validation samples are taken.
            preprocessing: from stored samples to model inputs.
            task: what outputs are for.
            samples: how many, at most.
            folder: for the samples and raw outputs, temporary.
        """
        self._device, self._source, self._preprocessing, self._task = device, source, preprocessing, task
        self._folder = folder
        rows = sample(splits.y_validation, len(splits.x_validation), samples)
        self._x, y = splits.x_validation[rows], None if splits.y_validation is None else splits.y_validation[rows]
        self._samples, self._first = folder / "validation.npz", folder / "first.npz"
        write_samples(self._samples, self._x)
        write_samples(self._first, self._x[:1])
        self._labels = reference_labels(task, source, self._x, y, preprocessing)
        self._reference: tuple[Array, ...] | None = None

    def outputs(self, path: Path, info: FileInfo | None = None) -> Outputs:
        """Return a file's outputs for the samples.

        Raises:
            RunnerError: the runtime cannot run the file.
        """
        info = info or inspect_file(path)
        ports = specs(info.inputs), specs(info.outputs)
        return run_file(self._device, path, *ports, self._samples, self._preprocessing, self._task, self._folder)

    def score(self, path: Path, info: FileInfo) -> Score:
        """Return how good a file's outputs for the samples are.

        Raises:
            RunnerError: the runtime cannot run the file.
        """
        return self._score(self.outputs(path, info))

    def _score(self, outputs: Outputs) -> Score:
        if self._task.detection is not None:
            return scores(outputs.real, self._labels, self._task)[self._task.main.name]
        return score(outputs.real[0], self._labels[0], self._task.main)

    def drop(self, outputs: Outputs) -> Drop:
        """Return what outputs for the samples lost against the source model's."""
        if self._reference is None:
            self._reference = answers(self._source, self._preprocessing.apply(self._x))
        return drop(self._reference, outputs.real, self._labels, self._task)

    def entry(
        self,
        stage: str,
        scheme: str,
        path: Path,
        seconds: float,
        baseline: Path | None = None,
        *,
        limited: bool = False,
        reverted: Sequence[str] = (),
    ) -> Entry:
        """Measure a file.

        Args:
            stage: what made it.
            scheme: how it was exported.
            path: the file.
            seconds: that the stage took.
            baseline: the file that its latency is compared with; None: it is the baseline itself.
            limited: whether its drop is recorded.
            reverted: names of its operators that compute in float.

        Raises:
            RunnerError: the file cannot be run.
        """
        info = inspect_file(path)
        outputs = self.outputs(path, info)
        large = [w for w in info.weights if w.elements >= 32 and w.unique is not None]
        elements = sum(w.elements for w in large)
        return Entry(
            stage=stage,
            scheme=scheme,
            sha256=sha256(path),
            score=self._score(outputs),
            bytes=path.stat().st_size,
            gzip_bytes=gzip_bytes(path),
            parameters=info.parameters,
            macs=info.macs,
            zeros=sum(w.zeros or 0 for w in large) / elements if elements else 0.0,
            unique={w.name: w.unique for w in large if w.unique is not None},
            latency=None if baseline is None else self._ratio(path, info, baseline),
            seconds=round(seconds, 3),
            drop=self.drop(outputs) if limited else None,
            reverted=tuple(reverted),
        )

    def _ratio(self, path: Path, info: FileInfo, baseline: Path) -> list[float]:
        """Time a file and the baseline in turns; each round is two fresh processes."""
        jobs = [self._job(path, info), self._job(baseline, inspect_file(baseline))]
        own, first = time_files(self._device, jobs, ROUNDS)
        mine, theirs = ([run.median_ns for run in runs] for runs in (own, first))
        ratio = paired_ratio(mine, theirs, CONFIDENCE).interval
        return [ratio.value, ratio.low, ratio.high]

    def _job(self, path: Path, info: FileInfo) -> Job[SampledRun]:
        return Job(
            LATENCY,
            RUNTIMES[path.suffix[1:]],
            path,
            samples=self._first,
            feed=feed_names(specs(info.inputs)),
            preprocessing=self._preprocessing,
            settings=BRIEF,
        )
