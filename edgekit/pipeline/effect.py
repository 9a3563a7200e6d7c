"""Measure a model as it would ship: the numbers of a ledger entry."""

from __future__ import annotations

from pathlib import Path

from edgekit.bundle.ledger import Entry
from edgekit.bundle.recipe import Recipe
from edgekit.bundle.runs import LATENCY, SampledRun
from edgekit.data.split import Splits, sample
from edgekit.data.stored import write_samples
from edgekit.devices.device import Device
from edgekit.devices.jobs import BRIEF, RUNTIMES, Job
from edgekit.export.exporter import export
from edgekit.files.whole import gzip_bytes, sha256
from edgekit.formats.info import FileInfo
from edgekit.formats.reading import inspect_file
from edgekit.frameworks.types import KerasModel
from edgekit.measuring.core import run_file, time_files
from edgekit.measuring.ports import feed_names, specs
from edgekit.pipeline.check import reference_labels
from edgekit.progress import SILENT
from edgekit.stats import paired_ratio
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.scoring import score
from edgekit.tasks.task import Task

ROUNDS = 3


class EffectMeter:
    """Makes ledger entries; keeps the source's file to compare latencies with."""

    def __init__(
        self,
        device: Device,
        source: KerasModel,
        recipe: Recipe,
        splits: Splits,
        preprocessing: Preprocessing,
        task: Task,
        folder: Path,
    ) -> None:
        self._device, self._recipe, self._preprocessing, self._folder = device, recipe, preprocessing, folder
        self._task = task
        self._calibration = preprocessing.apply(splits.x_calibration)
        rows = sample(splits.y_validation, len(splits.x_validation), recipe.check_samples)
        x, y = splits.x_validation[rows], None if splits.y_validation is None else splits.y_validation[rows]
        self._samples, self._first = folder / "validation.npz", folder / "first.npz"
        write_samples(self._samples, x)
        write_samples(self._first, x[:1])
        self._labels = reference_labels(task, source, x, y, preprocessing)
        self._source = self._export(source, "source")
        self._source_info = inspect_file(self._source)

    def source(self) -> Entry:
        """Return the entry of the source itself."""
        return self._entry("source", self._source, self._source_info, None, 0.0)

    def measure(self, stage: str, model: KerasModel, seconds: float, float_model: KerasModel | None = None) -> Entry:
        """Export a model as it would ship, and measure the file.

        Args:
            stage: what made the model.
            model: a tf_keras model.
            seconds: that the stage took.
            float_model: for a model trained with fake quantization, the same weights without it.

        Raises:
            ConversionError: it cannot be exported.
            RunnerError: the file cannot be run.
        """
        path = self._export(model, "model", float_model)
        info = inspect_file(path)
        return self._entry(stage, path, info, self._compare(path, info), seconds)

    def _export(self, model: KerasModel, name: str, float_model: KerasModel | None = None) -> Path:
        recipe = Recipe("ledger", schemes=self._recipe.schemes[-1:], formats=("tflite",))
        [made] = export(model, recipe, self._calibration, self._folder, name, SILENT, float_model)
        return made.path

    def _entry(self, stage: str, path: Path, info: FileInfo, latency: list[float] | None, seconds: float) -> Entry:
        inputs, outputs = specs(info.inputs), specs(info.outputs)
        found = run_file(
            self._device, path, inputs, outputs, self._samples, self._preprocessing, self._task, self._folder
        )
        large = [w for w in info.weights if w.elements >= 32 and w.unique is not None]
        elements = sum(w.elements for w in large)
        return Entry(
            stage=stage,
            scheme=self._recipe.schemes[-1],
            sha256=sha256(path),
            score=score(found.real[0], self._labels[0], self._task.main),
            bytes=path.stat().st_size,
            gzip_bytes=gzip_bytes(path),
            parameters=info.parameters,
            macs=info.macs,
            zeros=sum(w.zeros or 0 for w in large) / elements if elements else 0.0,
            unique={w.name: w.unique for w in large if w.unique is not None},
            latency=latency,
            seconds=round(seconds, 3),
        )

    def _compare(self, path: Path, info: FileInfo) -> list[float]:
        """Time the file and the source's in turns; each round is two fresh processes."""
        jobs = [self._job(path, info), self._job(self._source, self._source_info)]
        own, source = time_files(self._device, jobs, ROUNDS)
        ratio = paired_ratio([run.median_ns for run in own], [run.median_ns for run in source])
        return [ratio.value, ratio.low, ratio.high]

    def _job(self, path: Path, info: FileInfo) -> Job[SampledRun]:
        return Job(
            LATENCY,
            RUNTIMES["tflite"],
            path,
            samples=self._first,
            feed=feed_names(specs(info.inputs)),
            preprocessing=self._preprocessing,
            settings=BRIEF,
        )
