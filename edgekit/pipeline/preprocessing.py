"""The preprocessing of a run, settled before any work: by a trial on labelled samples, and by `--normalize-outside`."""

from __future__ import annotations

from dataclasses import replace

from edgekit.data.trial.look import look
from edgekit.data.trial.looked import Looked
from edgekit.pipeline.job import Job


def settle_preprocessing(job: Job) -> tuple[Job, Looked]:
    """Return the run with the preprocessing and the task that hold from here on, and the trial that says so.

    Raises:
        ChanceError, InputError: as `edgekit.data.trial.look.look`; or `--normalize-outside` has nothing to move.
    """
    model = job.source.model
    trial = look(
        job.source.file, model.predictor(), model.cost, model.facts().inputs, job.splits, job.task,
        job.preprocessing, given=job.given, anyway=job.request.anyway,
    )  # fmt: skip
    job.progress.notify(trial.notice)
    for finding in trial.findings:
        job.progress.warn(finding.message, finding.code)
    source = job.source.noted("fed", trial.record) if trial.record else job.source
    settled = replace(job, source=source, preprocessing=trial.preprocessing, task=trial.task)
    return _moved_outside(settled) if job.recipe.normalize_outside else settled, trial


def _moved_outside(job: Job) -> Job:
    """Return the run with Rescaling and Normalization at the model's start done by its preprocessing."""
    moved = job.source.model.normalized_outside(job.preprocessing)
    layers = ", ".join(moved.layers)
    job.progress.notify(f"Done before the model: {layers}; inputs are {moved.preprocessing}")
    source = replace(job.source, model=moved.source).noted("normalized_outside", list(moved.layers))
    return replace(job, source=source, preprocessing=moved.preprocessing)
