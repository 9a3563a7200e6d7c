"""A model and its data, opened, matched and looked at, for whatever is done with them."""

from __future__ import annotations

from dataclasses import replace

from edgekit.data.lint.finding import Finding
from edgekit.pipeline import data_lint
from edgekit.pipeline.job import Job
from edgekit.pipeline.matching import match
from edgekit.pipeline.preprocessing import settle_preprocessing
from edgekit.pipeline.request import Request
from edgekit.tasks.scoring import with_metric


def opened(request: Request) -> tuple[Job, list[Finding]]:
    """Return the run that a request asks for, with the findings that spoil every number.

    Raises:
        ChanceError: the model is no better than a constant guess on the data, whatever the preprocessing.
        InputError: the model, the data or the recipe cannot be used, or the files would be worthless.
        ConversionError: nothing can be made of a model like this, or it cannot be expressed in Keras 2.
    """
    job = match(request.checked())
    job, trial = settle_preprocessing(job)
    grave = data_lint.lint(job, proven=trial.proven)
    task = with_metric(job.task, request.metric).with_loss(job.source.loss)
    return replace(job, task=task), [*grave, *trial.findings]
