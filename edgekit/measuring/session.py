"""A measuring session on one device: every file, every thread count, in fresh processes; its record."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from edgekit.bundle.records import DeviceSession, Record
from edgekit.data.dataset import Dataset
from edgekit.data.fitting import named_as
from edgekit.devices.device import Device
from edgekit.devices.facts import read_facts
from edgekit.files.temporary import temporary_folder
from edgekit.measuring.candidates import Candidate
from edgekit.measuring.evaluation import Contributed, evaluation
from edgekit.measuring.inputs import fix_shapes, with_values
from edgekit.measuring.passes import Further, Passes
from edgekit.measuring.plan import Plan
from edgekit.measuring.prepare import prepare, set_governor, warn_of_differences
from edgekit.measuring.preprocessing import names_of, preprocessed, tried_out, with_axes_of
from edgekit.progress import SILENT, Progress
from edgekit.schema.types import JsonMapping
from edgekit.schema.versions import WRITER


class Options(TypedDict, total=False):
    """What `bench` takes by name besides `progress`: the same for every device of a run."""

    data: Dataset | None
    preprocessing: JsonMapping | None
    metric: str | None
    kinds: str
    forced: bool
    wheels: Path | None
    native: Path | None
    command: Sequence[str]
    contributed: Contributed | None
    further: Further | None


def bench(
    candidates: Sequence[Candidate],
    plan: Plan,
    device: Device,
    *,
    data: Dataset | None = None,
    preprocessing: JsonMapping | None = None,
    metric: str | None = None,
    kinds: str = "",
    forced: bool = False,
    wheels: Path | None = None,
    native: Path | None = None,
    command: Sequence[str] = (),
    contributed: Contributed | None = None,
    further: Further | None = None,
    progress: Progress = SILENT,
) -> Record:
    """Measure files on a device.

    Args:
        candidates: what to measure; the first is the baseline of the others.
        plan: how much.
        device: where.
        data: evaluate on the whole test part of this data set, in place of the samples in the bundles.
        preprocessing: for files that no bundle describes: fields of `Preprocessing` that are not the data's default.
        metric: a key of `edgekit.tasks.register.METRICS` or `module:function`, in place of the task's default.
        kinds: what `--task` takes (`edgekit.tasks.heads.chosen_kinds`), for files that no bundle describes.
        forced: `.tflite` files run under the runtime they name, and no other that the device may have.
        wheels: a folder of wheels for the device, in place of the package index.
        native: TFLite's `benchmark_model` for the device, used in place of Python.
        command: the command line, for the record.
        contributed: gets what every sample adds to a score that is no share of samples, by the file's name.
        further: rounds of the latency pass beyond the plan's; none where the CPU is emulated.
        progress: notified of every measurement.

    Returns:
        The record, with raw samples. A pass that failed is a failure in its measurement; the others go on.

    Raises:
        InputError: the files carry different evaluation samples, so that accuracies would not compare.
        TargetError: the device is lost, or cannot run any of the files.
    """
    started = time.monotonic()
    described = with_values(candidates, plan.input_values)
    if data is not None:
        data = named_as(data, *names_of(described[0]))
    fed = [preprocessed(c, data, preprocessing, metric, kinds) for c in described]
    fed = fix_shapes(fed, plan.input_shapes, plan.input_values, data)
    data = with_axes_of(data, fed[0])
    if plan.accuracy:
        fed = [tried_out(c, f, data, preprocessing, kinds, progress) for c, f in zip(described, fed, strict=True)]
    for note in dict.fromkeys(note for c in fed for note in c.notes):
        progress.warn(note.sentence, note.code)
    with temporary_folder("bench") as folder:
        samples = evaluation(fed, data, folder, contributed)
        prepared = prepare(device, fed, forced=forced, wheels=wheels, native=native, progress=progress)
        if plan.governor:
            set_governor(device, plan.governor, progress)
        facts = read_facts(device.transport)
        plan = plan.settled(device.target.threads, facts)
        warn_of_differences(device, facts, prepared, progress)
        seconds = round(time.monotonic() - started, 1)
        more = None if isinstance(facts.emulated, str) else further
        passes = Passes(prepared, plan, device, samples, folder, more)
        with progress.task(f"measuring on {device.name}", passes.most_steps()) as task:
            measurements = passes.run(task)
    return Record(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        edgekit=WRITER,
        command=list(command),
        target=device.name,
        host=facts,
        plan=dataclasses.replace(plan, processes=passes.rounds).recorded(),
        evaluation=None if samples is None else samples.described,
        subjects=tuple(c.subject for c in prepared.candidates),
        measurements=measurements,
        device=dataclasses.replace(
            prepared.device or DeviceSession(),
            prepare_seconds=seconds,
            seconds=round(time.monotonic() - started, 1),
            sent_bytes=device.work.sent_bytes,
            throttled=passes.throttled,
        ),
    )
