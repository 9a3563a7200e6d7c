"""The lint of a run: findings about its data, and about what int8 inputs do to its model, as warnings."""

from __future__ import annotations

from edgekit.bundle.schemes import from_int8
from edgekit.data.lint.finding import Finding
from edgekit.data.lint.int8 import INT8
from edgekit.data.lint.report import data_findings
from edgekit.data.split import sample
from edgekit.data.trial.look import LOOK
from edgekit.pipeline.int8_inputs import SPOILED, Subject, judge
from edgekit.pipeline.job import Job

SCALES = ("normalised-twice", "not-normalised")
"""Findings about how inputs are scaled."""
GRAVE = (*SCALES, "channel-order", "token-range", "not-integers", SPOILED)
"""Findings that spoil every number: they are repeated at the end."""


def lint(job: Job, *, proven: bool) -> list[Finding]:
    """Warn about the data and their preprocessing; return the findings to repeat at the end.

    Args:
        job: with the preprocessing that holds.
        proven: whether a trial has shown that the model is fed as in its training, however unusual that is.

    Raises:
        InputError: int8 inputs leave too little of the model for a file to be worth anything.
    """
    int8 = any(map(from_int8, job.recipe.schemes))
    samples = len(job.splits.x_calibration)
    every = data_findings(job.dataset, job.preprocessing, job.source.model.facts(), samples, int8=int8)
    passed = (*INT8, *(SCALES if proven else ()))
    findings = [finding for finding in every if finding.code not in passed]
    for finding in findings:
        job.progress.warn(finding.message, finding.code)
    limited = job.recipe.max_drop is not None  # then other ranges are tried, and the files are judged
    measured = judge(every, _subject(job), job.recipe, anyway=job.request.anyway or limited)
    for finding in measured:
        job.progress.warn(finding.message, finding.code)
    return [finding for finding in (*findings, *measured) if finding.code in GRAVE]


def _subject(job: Job) -> Subject:
    splits = job.splits
    rows = sample(splits.y_validation, len(splits.x_validation), LOOK)
    x = splits.x_validation[rows]
    return Subject(job.source.model, job.preprocessing, x, splits.x_calibration, job.task)
