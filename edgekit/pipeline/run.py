"""The main path: a model, data and a recipe become a bundle.

source -> matched to data -> stages -> export -> check -> bundle
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.bundle.manifest import MANIFEST, Bundle, Manifest, strangers
from edgekit.bundle.recipe import Recipe
from edgekit.devices.device import Device, open_device
from edgekit.export.sources import export_source
from edgekit.files.whole import atomic_folder
from edgekit.pipeline.advice import Conclusion, coarse_of_lossy, conclude, limited
from edgekit.pipeline.escalation.escalate import escalate
from edgekit.pipeline.finished import Finished, work_folder
from edgekit.pipeline.input_sizes import InputOptions
from edgekit.pipeline.job import Job
from edgekit.pipeline.opening import opened
from edgekit.pipeline.quality import judge_on_test
from edgekit.pipeline.request import Request
from edgekit.pipeline.stages import run_stages
from edgekit.pipeline.verification import verify
from edgekit.pipeline.writing import write_bundle
from edgekit.progress import SILENT, Progress
from edgekit.schema.types import JsonValue


def compress(
    model: Path | None,
    data: str,
    recipe: Recipe,
    out: Path,
    *,
    preprocessing: Mapping[str, JsonValue] | None = None,
    allow_unsafe: bool = False,
    metric: str | None = None,
    task: str = "",
    custom: Sequence[str] = (),
    force: bool = False,
    fresh: bool = False,
    anyway: bool = False,
    inputs: InputOptions | None = None,
    split_outputs: bool = False,
    progress: Progress = SILENT,
) -> Bundle:
    """Compress a model into a bundle.

    Args:
        model: a `.keras` or `.h5` file of Keras 2 or 3, or a SavedModel folder; or a float `.tflite` or `.onnx` file,
            which gets post-training schemes in its own format; None trains and takes the demo model.
        data: what `--data` takes (`edgekit.data.loading.load_raw`).
        recipe: what to do.
        out: the folder to create.
        preprocessing: fields of `Preprocessing` in place of the recipe's and the card's, or, without either, in place
            of the default for the data, or of what a trial chooses.
        allow_unsafe: load Lambda layers, which run code from the model file.
        metric: a key of `edgekit.tasks.register.METRICS` or `module:function`, in place of the task's default.
        task: what `--task` takes (`edgekit.tasks.heads.chosen_kinds`), in place of what labels and outputs show.
        custom: the user's own layers and functions, `package.module:NAME` or `file.py:NAME`.
        force: replace an existing bundle at `out`.
        fresh: start over, in place of going on where an interrupted run of the same job stopped.
        anyway: go on where the model or the files would be worthless.
        inputs: sizes and values of inputs: what `--input-shape` and `--input-value` take.
        split_outputs: give what a detector's last layer concatenates as outputs of their own.
        progress: notified of every step.

    Raises:
        ChanceError: the model is no better than a constant guess on the data, whatever the preprocessing.
        InputError: the model, the data or the recipe cannot be used, or the files would be worthless.
        ConversionError: an artifact cannot be made.
        OutputError: `out` exists, or cannot be written.
    """
    request = Request(
        model, data, recipe, out, preprocessing or {}, allow_unsafe, metric, task, custom,
        force, fresh, anyway, inputs or InputOptions(), progress, split_outputs,
    )  # fmt: skip
    job, doubtful = opened(request.proved())
    with work_folder(job) as work:
        bundle = bundle_of(job, Finished(work))
    for finding in doubtful:
        progress.warn(f"repeated, because the bundle may be worthless: {finding.message}", finding.code)
    return bundle


def bundle_of(job: Job, done: Finished) -> Bundle:
    """Run the stages of a job that is ready, and write its bundle.

    Args:
        job: model and data matched, and the preprocessing settled.
        done: stages that are finished, and where those are kept that are run now.

    Raises:
        ConversionError: an artifact cannot be made.
        OutputError: the bundle cannot be written.
    """
    with open_device() as device:
        manifest, conclusion = _made(job, device, done)
    return Bundle(job.request.out, manifest, conclusion.lost, conclusion.advice, conclusion.large)


def _made(job: Job, device: Device, done: Finished) -> tuple[Manifest, Conclusion]:
    """Run the stages, and write the bundle of what they made: whole, or not at all."""
    out, source, recipe = job.request.out, job.source, job.recipe
    outcome, chosen, refusal = run_stages(job, device, done), None, ""
    if recipe.max_drop is not None:
        escalated = escalate(job, device, outcome, done)
        outcome, chosen, refusal = escalated.outcome, escalated.chosen, escalated.refusal
    with atomic_folder(out, force=job.request.force, marker=MANIFEST, keep=True, strangers=strangers) as folder:
        calibration = job.preprocessing.apply(job.splits.x_calibration)
        exported = export_source(
            source.model.format, outcome.model, outcome.float_model, recipe, calibration, folder, source.name,
            job.progress, chosen,
        )  # fmt: skip
        verified = verify(job, device, outcome, exported)
        tested = judge_on_test(job, device, verified.artifacts, folder) if outcome.ledger else None
        manifest = write_bundle(job, outcome, verified, tested, folder)
    coarse = coarse_of_lossy([out / loss.file for loss in verified.judged.losses])
    stages = job.request.stages
    of_stages = outcome.ledger[: len(stages) + 1]
    conclusion = conclude(verified.judged, tested, recipe.stages, stages, of_stages, source.model, coarse)
    return manifest, conclusion if recipe.max_drop is None else limited(conclusion, refusal)
