"""Run the stages of a recipe one after the other, measure each, and pick up where a killed run stopped."""

from __future__ import annotations

import time
from dataclasses import dataclass
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
from edgekit.pipeline.finished import Finished
from edgekit.pipeline.job import Job
from edgekit.schema.types import JsonObject
from edgekit.techniques.qat_finish import for_converter, strip_quantization
from edgekit.techniques.stage import QUANTIZED, ModelState, StageContext


@dataclass(frozen=True)
class Outcome:
    """What the stages made.

    Attributes:
        model: the last model, ready for the exporter: of the source's kind.
        float_model: the same weights without fake quantization; None unless the model was trained with it.
        lineage: one step a stage, JSON values.
        ledger: one entry for the source and one a stage; empty for recipes without stages.
    """

    model: KerasModel
    float_model: KerasModel
    lineage: list[JsonObject]
    ledger: list[Entry]


def untrained(source: SourceModel) -> Outcome:
    """Return what no stage makes of a model: itself; for int8, the form it was trained in with fake quantization."""
    if source.quantized is None:
        return Outcome(source.model, None, [], [])
    return Outcome(for_converter(source.quantized), source.model, [], [])


def run_stages(job: Job, device: Device, work: Path) -> Outcome:
    """Run all stages, or those that an earlier, interrupted run has not finished.

    Args:
        job: the run.
        device: the machine that runs the exported file after each stage.
        work: this job's folder (`work_folder`), kept until the job is done.
    """
    if not job.request.stages:
        return untrained(job.source.model)
    with temporary_folder("effect") as folder:
        model = job.source.model.model
        meter = EffectMeter(device, model, job.recipe, job.splits, job.preprocessing, job.task, folder)
        return _trained(job, model, meter, work)


def _trained(job: Job, model: KerasModel, meter: EffectMeter, work: Path) -> Outcome:
    recipe, stages, progress = job.recipe, job.request.stages, job.progress
    for stage in stages:
        progress.notify(f"expect: {stage.expectation}")
    # Stages train in place; the original stays as it came.
    state, lineage, entries = ModelState(bare(model)), list[JsonObject](), list[Entry]()
    done = Finished(work)
    first = done.read("source")
    entries.append(meter.source() if first is None else first["entry"])
    done.write("source", {"entry": entries[0].to_dict()})
    progress.notify(ledger_line(entries[0], entries[0]))
    for index, (spec, stage) in enumerate(zip(recipe.stages, stages, strict=True)):
        name = f"{index}-{spec.use}"
        finished = done.read(name)
        if finished is not None:
            progress.notify(f"{spec.use}: finished by an earlier run, taken from {work}")
            state = done.model(name, frozenset(finished.get("traits", ())))
            entry, step = finished["entry"], finished.get("lineage", {})
        else:
            seed_everything((recipe.seed + 1000003 * (index + 1)) % 2**32)
            context = StageContext(
                job.splits,
                job.preprocessing,
                recipe.seed,
                progress,
                done.scratch(name),
                model,
                job.request.allow_unsafe,
                job.task,
                Ranging.of(recipe),
            )
            started = time.monotonic()
            state, described = stage.run(state, context)
            seconds = time.monotonic() - started
            entry = meter.measure(spec.use, _for_converter(state), seconds, _float(state))
            step = {"step": spec.use, "options": dict(spec.options), "seed": recipe.seed, **described}
            done.save(name, state, {"traits": sorted(state.traits), "entry": entry.to_dict(), "lineage": step})
        lineage.append(step)
        entries.append(entry)
        progress.notify(ledger_line(entries[-1], entries[0]))
    return Outcome(_for_converter(state), _float(state), lineage, entries)


def _for_converter(state: ModelState) -> KerasModel:
    return for_converter(state.model) if QUANTIZED in state.traits else state.model


def _float(state: ModelState) -> KerasModel:
    return strip_quantization(state.model) if QUANTIZED in state.traits else None
