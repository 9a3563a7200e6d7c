"""Measure a model between two stages as it would ship: exported, and then its file."""

from __future__ import annotations

from pathlib import Path

from edgekit.bundle.ledger import Entry
from edgekit.bundle.recipe import Recipe
from edgekit.data.split import Splits
from edgekit.devices.device import Device
from edgekit.errors import ConversionError
from edgekit.export.exporter import export
from edgekit.frameworks.types import KerasModel
from edgekit.pipeline.meter import FileMeter
from edgekit.progress import SILENT
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.task import Task

NOT_TOLERATED = "int4-not-tolerated"
"""Code of the error that no layer can be int4."""


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
        self._recipe, self._folder, self._scheme = recipe, folder, recipe.schemes[-1]
        self._calibration = preprocessing.apply(splits.x_calibration)
        self._meter = FileMeter(device, source, splits, preprocessing, task, recipe.check_samples, folder)
        self._source, self._source_scheme = self._export(source, "source")

    def source(self) -> Entry:
        """Return the entry of the source itself."""
        return self._meter.entry("source", self._source_scheme, self._source, 0.0)

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
        path, scheme = self._export(model, "model", float_model)
        return self._meter.entry(stage, scheme, path, seconds, self._source)

    def _export(self, model: KerasModel, name: str, float_model: KerasModel | None = None) -> tuple[Path, str]:
        """Return the file, and its scheme: int8 where int4 is for later, when the weights are trained for it."""
        try:
            return self._made(model, name, self._scheme, float_model), self._scheme
        except ConversionError as error:
            if error.code != NOT_TOLERATED:
                raise
            return self._made(model, name, "int8", float_model), "int8"

    def _made(self, model: KerasModel, name: str, scheme: str, float_model: KerasModel | None) -> Path:
        recipe = Recipe("ledger", schemes=(scheme,), formats=("tflite",))
        [made] = export(model, recipe, self._calibration, self._folder, name, SILENT, float_model)
        return made.path
