"""Which layer breaks the int8 file of a model: opened as `compress` opens it, looked into, and nothing is written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekit.bundle.recipe import load_recipe
from edgekit.bundle.sensitivity import Sensitivity
from edgekit.data.split import sample
from edgekit.data.trial.cost import afforded
from edgekit.export.mixed.sensitivity import Measured
from edgekit.export.sources import int8_ways
from edgekit.files.temporary import temporary_folder
from edgekit.models.sources.file_source import source_format
from edgekit.pipeline.check import answers
from edgekit.pipeline.input_sizes import InputOptions
from edgekit.pipeline.job import Job
from edgekit.pipeline.opening import opened
from edgekit.pipeline.request import Request
from edgekit.pipeline.stages import untrained
from edgekit.progress import SILENT, Progress
from edgekit.schema.types import JsonObject, JsonValue
from edgekit.tasks.samples import Array, ModelInputs, Samples, evenly, part
from edgekit.tasks.scoring import labels, score

SAMPLES, FEWEST = 32, 16
"""Validation samples that both files are run on, at most, and of a large model."""
RUN_MACS = 6e10
"""Multiplications in one file, of all samples: from there on a model is large."""
LEAST_CALIBRATION, CALIBRATION_MACS = 64, 2e11
"""Samples that set the ranges of a large model, and multiplications in all."""
RECIPE = "int8"
"""Whose file is looked into."""
_COMPARED = 2
"""Samples that the model itself is run on, to know its outputs again."""
EQUAL_DB = 150.0
"""Outputs that are as near as this are the same."""


def sensitivity(
    model: Path,
    data: str,
    *,
    preprocessing: Mapping[str, JsonValue] | None = None,
    normalize_outside: bool = False,
    calibration_samples: int | None = None,
    calibration_method: str | None = None,
    allow_unsafe: bool = False,
    metric: str | None = None,
    task: str = "",
    custom: Sequence[str] = (),
    anyway: bool = False,
    inputs: InputOptions | None = None,
    samples: int | None = None,
    progress: Progress = SILENT,
) -> Sensitivity:
    """Return what int8 does in every layer of a model.

    Args:
        model: as of `edgekit.pipeline.run.compress`, and so are the others that are not named here.
        data: its validation part is run, its training part calibrates, its test part is not read.
        preprocessing: likewise.
        normalize_outside: move normalization of the model's start into the preprocessing.
        calibration_samples: that set the ranges; by default those of `compress`. For a large model they are fewer, and
            its biases are not corrected.
        calibration_method: how they do; by default that of `compress`.
        allow_unsafe: likewise.
        metric: of the scores beside the ratios.
        task: likewise.
        custom: likewise.
        anyway: likewise.
        inputs: likewise.
        samples: validation samples that are run, at most; by default `SAMPLES`, and fewer for a large model.
        progress: notified of every step.

    Raises:
        ChanceError, InputError: as `compress`.
        ConversionError: no int8 file can be made of the model.
    """
    recipe = load_recipe(RECIPE).changed(calibration_samples=calibration_samples, calibration_method=calibration_method)
    recipe = replace(recipe, normalize_outside=normalize_outside)
    if source_format(model) == "onnx":
        recipe = replace(recipe, formats=("onnx",))  # the file itself is looked at, not layers made of it
    request = Request(
        model, data, recipe, preprocessing=preprocessing or {}, allow_unsafe=allow_unsafe, metric=metric, task=task,
        custom=custom, anyway=anyway, inputs=inputs or InputOptions(), progress=progress,
    )  # fmt: skip
    job, _ = opened(request)
    source, outcome = job.source, untrained(job.source.model)
    x, y = _rows(job, samples or afforded(SAMPLES, source.model.cost, FEWEST, RUN_MACS))
    calibration = job.splits.x_calibration
    if calibration_samples is None:
        calibration = _fewer(calibration, source.model.cost, progress)
    fed = job.preprocessing.apply(x)
    progress.notify("Making the int8 file")
    with temporary_folder("sensitivity") as folder:
        ways = int8_ways(
            source.model.format, outcome.model, outcome.float_model, recipe, job.preprocessing.apply(calibration),
            folder, corrected=len(calibration) == len(job.splits.x_calibration),
        )  # fmt: skip
        columns = list(fed) if isinstance(fed, tuple) else [fed]
        found = ways.measured(ways.quantized(ways.plain()), columns, progress)
    return Sensitivity(
        model=source.name,
        format=ways.suffix.removeprefix("."),
        samples=len(x),
        sqnr_db=None if found.sqnr_db >= EQUAL_DB else found.sqnr_db,
        inputs_share=found.inputs_share,
        outputs_share=found.outputs_share,
        scores=_scores(job, found, x, y, fed),
        layers=found.layers,
    )


def _fewer(calibration: Samples, cost: float, progress: Progress) -> Samples:
    """Return the calibration samples of a model, evenly spaced ones of a large model."""
    count = afforded(len(calibration), cost, min(LEAST_CALIBRATION, len(calibration)), CALIBRATION_MACS)
    if count == len(calibration):
        return calibration
    progress.notify(
        f"Calibrating with {count} samples and without correction of biases, since the model is large: "
        f"--calibration-samples {len(calibration)} does as edgekit compress"
    )
    return calibration[evenly(len(calibration), count)]


def _rows(job: Job, most: int) -> tuple[Samples, Samples | None]:
    """Return some validation samples, with each class in its share, and their labels."""
    splits = job.splits
    chosen = sample(splits.y_validation, len(splits.x_validation), most)
    return splits.x_validation[chosen], None if splits.y_validation is None else splits.y_validation[chosen]


def _scores(job: Job, found: Measured, x: Samples, y: Samples | None, fed: ModelInputs) -> dict[str, JsonObject]:
    """Return the scores of the main output, in float, in int8, and with the first region in float.

    Args:
        job: the run.
        found: outputs of the files, (n, values) each, in their order.
        x: stored samples.
        y: their labels.
        fed: the samples as the model takes them.
    """
    head, step = job.task.main, found.step
    x, y = x[::step], None if y is None else y[::step]
    first_rows = answers(job.source.model.model, part(fed, slice(0, _COMPARED * step, step)))[0]
    place = _nearest(found.true, first_rows)
    if place is None or head.metric == "sqnr" or job.task.detection is not None:  # of which the table has its own
        return {}
    shape = (len(x), *first_rows.shape[1:])
    true = found.true[place].reshape(shape)
    truth = true if head.kind == "unlabelled" else labels(job.task, x, y, job.preprocessing)[0]
    files = {"float": found.true, "int8": found.found}
    first = next((gain for gain in found.gains if found.order and gain.region == found.order[0]), None)
    if first is not None:
        files["reverted"] = first.outputs
    scores = {name: score(outputs[place].reshape(shape), truth, head) for name, outputs in files.items()}
    return {name: one.to_dict() for name, one in scores.items() if math.isfinite(one.value)}


def _nearest(outputs: Sequence[Array], main: Array) -> int | None:
    """Return which output of a file is the first of a model; None where none can be.

    Args:
        outputs: of the file, (n, values) each, in its order.
        main: of the model, (rows, ...), of the first few samples.
    """
    rows = main.reshape(len(main), -1)
    alike = [place for place, output in enumerate(outputs) if output.shape[1] == rows.shape[1]]
    return min(alike, key=lambda place: float(np.square(outputs[place][: len(rows)] - rows).sum()), default=None)
