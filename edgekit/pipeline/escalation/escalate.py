"""From what the stages made to the int8 file that ships, where a limit is set for what it may lose."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from edgekit.bundle.recipe import StageSpec
from edgekit.devices.device import Device
from edgekit.errors import ConversionError, InputError
from edgekit.export.exporter import Chosen
from edgekit.export.mixed.ways import Ways
from edgekit.export.sources import int8_ways
from edgekit.files.temporary import temporary_folder
from edgekit.pipeline.escalation.steps import Escalation, Steps
from edgekit.pipeline.escalation.trial import Judge
from edgekit.pipeline.finished import Finished
from edgekit.pipeline.job import Job
from edgekit.pipeline.meter import FileMeter
from edgekit.pipeline.stages import Outcome, run_stages
from edgekit.progress import SILENT
from edgekit.techniques.registry import resolve

RETRAINING = StageSpec("quantize", {"alpha": 0.7, "epochs": 5})
"""Of the last step: the labels, and more than those the float model's outputs."""
MOST_SAMPLES, MACS = 5000, 10**11
"""A file is run on more samples than the recipe says, up to the first, as long as that takes fewer MACs than these."""


@dataclass(frozen=True)
class Escalated:
    """The int8 file that ships.

    Attributes:
        outcome: what the stages made, trained once more if that was needed; its ledger has a row for every step.
        chosen: the file.
        refusal: why it is not what was asked for, a sentence; empty if it is.
    """

    outcome: Outcome
    chosen: Chosen
    refusal: str = ""


def escalate(job: Job, device: Device, outcome: Outcome, done: Finished) -> Escalated:
    """Make the int8 file in dearer and dearer ways, until it loses no more than the recipe allows.

    Args:
        job: the run; its recipe has a `max_drop`.
        device: the machine that runs files.
        outcome: what the stages made.
        done: stages that are finished, and where those are kept that are run now.

    Raises:
        ConversionError: no int8 file can be made.
        RunnerError: the int8 file cannot be run.
    """
    limit = job.recipe.max_drop
    assert limit is not None
    with temporary_folder("max-drop") as folder:
        source = job.source.model
        calibration = job.preprocessing.apply(job.splits.x_calibration)

        def ways(of: Outcome, name: str) -> Ways:
            (folder / name).mkdir()
            return int8_ways(source.format, of.model, of.float_model, job.recipe, calibration, folder / name)

        started = time.monotonic()
        first = ways(outcome, "first")
        meter = FileMeter(device, source.model, job.splits, job.preprocessing, job.task, _samples(job), folder)
        judge = Judge(meter, limit, first.suffix, folder)
        again = _Retraining(job, outcome, done, lambda of: ways(of, "again"))
        found = Steps(judge, job.progress, started).escalate(first, again if again.possible() else None)
        last = again.outcome if found.trained and again.outcome else outcome
        best = found.best
        chosen = Chosen(best.path.read_bytes(), best.how, best.reverted)
    ledger = [*outcome.ledger, *found.entries]
    return Escalated(replace(last, ledger=ledger), chosen, "" if found.reached else _refusal(found, limit))


def _samples(job: Job) -> int:
    """Return on how many validation samples files are judged: the drop of few samples is hardly known."""
    cost = max(job.source.model.cost, 1.0)
    return max(job.recipe.check_samples, min(MOST_SAMPLES, int(MACS / cost)))


def _refusal(found: Escalation, limit: float) -> str:
    best = found.best
    how = best.how or "as it is made by default"
    return (
        f"no int8 file loses at most {limit:g} {best.drop.unit}: the best, {how}, loses {best.drop.text} on validation "
        "samples"
    )


class _Retraining:
    """Quantization-aware training of what the stages made, with distillation from the float model."""

    def __init__(self, job: Job, outcome: Outcome, done: Finished, ways: Callable[[Outcome], Ways]) -> None:
        self._job, self._before, self._done, self._ways = job, outcome, done, ways
        self._stage = resolve(RETRAINING, "--max-drop")
        self.outcome: Outcome | None = None

    def possible(self) -> bool:
        """Return whether the model can be trained for int8, and was not."""
        source = self._job.source.model
        if source.untrainable or self._before.float_model is not None:
            return False
        try:
            self._stage.preflight(source.model, SILENT, allow_unsafe=self._job.request.allow_unsafe)
        except InputError:
            return False
        return True

    def __call__(self) -> Ways | None:
        """Train; return the files that can be made of the result, or None where it cannot be trained after all."""
        request = self._job.request
        recipe = request.recipe.with_stages([RETRAINING])
        job = replace(self._job, request=replace(request, recipe=recipe, stages=(*request.stages, self._stage)))
        try:
            self.outcome = run_stages(job, None, self._done)
            return self._ways(self.outcome)
        except (ConversionError, InputError) as error:
            job.progress.warn(f"quantization-aware training is left out: {error.message}", error.code)
            self.outcome = None
            return None
