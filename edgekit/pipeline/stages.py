"""Run the stages of a recipe one after the other, measure each, and pick up where a killed run stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgekit.bundle.ledger import Entry, ledger_line
from edgekit.devices.device import Device
from edgekit.export.calibration import Ranging
from edgekit.files.temporary import temporary_folder
from edgekit.frameworks.tensorflow import seed_everything
from edgekit.frameworks.types import KerasModel
from edgekit.models.files.saving import bare
from edgekit.models.sources.source import SourceModel
from edgekit.pipeline.effect import EffectMeter
from edgekit.pipeline.finished import Finished, entry_name, stage_names
from edgekit.pipeline.job import Job
from edgekit.schema.types import JsonObject
from edgekit.techniques.qat_finish import for_converter, strip_quantization
from edgekit.techniques.stage import QUANTIZED, ModelState, Stage, StageContext


@dataclass(frozen=True)
class Outcome:
    """What the stages made.

    Attributes:
        model: the last model, ready for the exporter: of the source's kind.
        float_model: the same weights without fake quantization; None unless the model was trained with it.
        lineage: one step a stage, JSON values.
        ledger: one entry for the source and one a stage; empty for recipes without stages.
        trained_seconds: spent in stages that were run now, and not taken from an earlier run.
    """

    model: KerasModel
    float_model: KerasModel
    lineage: list[JsonObject]
    ledger: list[Entry]
    trained_seconds: float = 0.0


def untrained(source: SourceModel) -> Outcome:
    """Return what no stage makes of a model: itself; for int8, the form it was trained in with fake quantization."""
    if source.quantized is None:
        return Outcome(source.model, None, [], [])
    return Outcome(for_converter(source.quantized), source.model, [], [])


def run_stages(job: Job, device: Device | None, done: Finished) -> Outcome:
    """Run all stages, or those that are not finished.

    Args:
        job: the run.
        device: the machine that runs the exported file after each stage; None: nothing is measured, and the outcome has
            no ledger.
        done: what is finished, and where what is done here is kept.
    """
    if not job.request.stages:
        return untrained(job.source.model)
    for stage in job.request.stages:
        job.progress.notify(f"expect: {stage.expectation}")
    if device is None:
        return _trained(job, None, done)
    with temporary_folder("effect") as folder:
        model = job.source.model.model
        meter = EffectMeter(device, model, job.recipe, job.splits, job.preprocessing, job.task, folder)
        return _trained(job, meter, done)


def _trained(job: Job, meter: EffectMeter | None, done: Finished) -> Outcome:
    original, progress = job.source.model.model, job.progress
    # Stages train in place; the original stays as it came.
    state = _Later(lambda: ModelState(bare(original)))
    lineage, ledger, seconds = list[JsonObject](), _Ledger(job, meter, done), 0.0
    ledger.source()
    for index, (name, stage) in enumerate(zip(stage_names(job), job.request.stages, strict=True)):
        spec = job.recipe.stages[index]
        with done.turn(name):
            note = done.note(name)
            if note is None:
                made, step, took = _run(job, index, stage, state(), done.scratch(name))
                done.save(name, made, step, took)
                state, seconds = _Later(made), seconds + took
            else:
                progress.notify(f"{spec.use}: finished by an earlier run, taken from {done.folder}")
                state, step, took = _Later(partial(done.model, name, note)), note["lineage"], note["seconds"]
        lineage.append(step)
        ledger.stage(name, spec.use, state, took)
    last = state()
    return Outcome(_for_converter(last), _float(last), lineage, ledger.entries, seconds)


def _run(job: Job, index: int, stage: Stage, state: ModelState, work: Path) -> tuple[ModelState, JsonObject, float]:
    """Run one stage; return what it made, its step of the lineage, and the seconds it took."""
    recipe = job.recipe
    spec = recipe.stages[index]
    seed_everything((recipe.seed + 1000003 * (index + 1)) % 2**32)
    context = StageContext(
        job.splits, job.preprocessing, recipe.seed, job.progress, work, job.source.model.model,
        job.request.allow_unsafe, job.task, Ranging.of(recipe),
    )  # fmt: skip
    started = time.monotonic()
    made, described = stage.run(state, context)
    step = {"step": spec.use, "options": dict(spec.options), "seed": recipe.seed, **described}
    return made, step, time.monotonic() - started


class _Later:
    """A model that is read from disk when it is first asked for: what only later stages need may never be."""

    def __init__(self, state: ModelState | Callable[[], ModelState]) -> None:
        self._state = state

    def __call__(self) -> ModelState:
        if not isinstance(self._state, ModelState):
            self._state = self._state()
        return self._state


class _Ledger:
    """The effect ledger as it grows; of entries that are kept nothing is measured again."""

    def __init__(self, job: Job, meter: EffectMeter | None, done: Finished) -> None:
        self.entries: list[Entry] = []
        self._job, self._meter, self._done = job, meter, done

    def source(self) -> None:
        """Add the source's entry."""
        if self._meter is not None:
            self._add("source", self._meter.source)

    def stage(self, name: str, use: str, state: _Later, seconds: float) -> None:
        """Add a stage's entry."""
        meter = self._meter
        if meter is not None:
            self._add(name, lambda: meter.measure(use, _for_converter(state()), seconds, _float(state())))

    def _add(self, name: str, measure: Callable[[], Entry]) -> None:
        kept = entry_name(self._job, name)
        entry = self._done.entry(kept)
        if entry is None:
            entry = measure()
            self._done.keep_entry(kept, entry)
        self.entries.append(entry)
        self._job.progress.notify(ledger_line(entry, self.entries[0]))


def _for_converter(state: ModelState) -> KerasModel:
    return for_converter(state.model) if QUANTIZED in state.traits else state.model


def _float(state: ModelState) -> KerasModel:
    return strip_quantization(state.model) if QUANTIZED in state.traits else None
