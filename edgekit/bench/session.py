"""A measuring session: every file, every thread count, interleaved, in fresh processes."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from edgekit.bench.agreement import compare_with_host
from edgekit.bench.evaluation import Evaluation, evaluation
from edgekit.bench.feeding import tried_out, with_axes_of
from edgekit.bench.first_outputs import first_outputs
from edgekit.bench.inputs import fix_shapes, with_values
from edgekit.bench.plan import Plan
from edgekit.bench.ports import SCALES, feed_names, read_outputs, unscaled
from edgekit.bench.prepare import Prepared, prepare, set_governor, tell_differences
from edgekit.bench.subjects import Candidate
from edgekit.bundle.records import MOST_THREADS, Measurement, Record
from edgekit.data.dataset import Dataset
from edgekit.data.fitting import fit, named_as, ports_of
from edgekit.devices import benchmark_model
from edgekit.devices.device import Device
from edgekit.devices.facts import read_facts
from edgekit.devices.health import throttled, wait_cool
from edgekit.devices.jobs import Job, run_job
from edgekit.devices.transports.base import OnLine, retried
from edgekit.errors import EdgekitError, InputError, RunnerError, RunnerTimeout
from edgekit.files.temporary import temporary_folder
from edgekit.progress import SILENT, Progress, Task
from edgekit.tasks.heads import chosen_kinds, settled
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.scoring import digest, labels, scores, with_metric
from edgekit.tasks.task import DEFAULT_METRICS
from edgekit.version import __version__


def bench(
    subjects: Sequence[Candidate],
    plan: Plan,
    device: Device,
    *,
    data: Dataset | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    metric: str | None = None,
    kinds: str = "",
    forced: bool = False,
    wheels: Path | None = None,
    native: Path | None = None,
    command: Sequence[str] = (),
    progress: Progress = SILENT,
) -> Record:
    """Measure files on a device.

    Args:
        subjects: what to measure; the first is what the others are compared with.
        plan: how much.
        device: where.
        data: evaluate on the whole test part of this data set, in place of the samples in the bundles.
        preprocessing: for files that no bundle describes: fields of `Preprocessing` that are not as usual for the data.
        metric: a key of `edgekit.tasks.register.METRICS` or `module:function`, in place of the task's usual one.
        kinds: what `--task` takes (`edgekit.tasks.heads.chosen_kinds`), for files that no bundle describes.
        forced: `.tflite` files run under the runtime they name, and no other that the device may have.
        wheels: a folder of wheels for the device, in place of the package index.
        native: TFLite's `benchmark_model` for the device, used in place of Python.
        command: the command line, for the record.
        progress: told of every measurement.

    Returns:
        The record, with raw samples. A pass that failed is a sentence in its measurement; the others go on.

    Raises:
        InputError: the files carry different evaluation samples, so that accuracies would not compare.
        TargetError: the device is lost, or cannot run any of the files.
    """
    started = time.monotonic()
    subjects = with_values(subjects, plan.input_values)
    if data is not None:
        data = named_as(data, *_names(subjects[0]))
    fed = [_fed(c, data, preprocessing, metric, kinds) for c in subjects]
    fed = fix_shapes(fed, plan.input_shapes, plan.input_values, data)
    data = with_axes_of(data, fed[0])
    if plan.accuracy:
        fed = [tried_out(c, f, data, preprocessing, kinds, progress) for c, f in zip(subjects, fed, strict=True)]
    for note in dict.fromkeys(c.note for c in fed if c.note):
        progress.warn(note)
    with temporary_folder("bench") as folder:
        samples = evaluation(fed, data, folder)
        prepared = prepare(device, fed, forced=forced, wheels=wheels, native=native, progress=progress)
        if plan.governor:
            set_governor(device, plan.governor, progress)
        facts = read_facts(device.transport)
        plan = _settled(plan, device, facts)
        tell_differences(device, facts, prepared, progress)
        seconds = round(time.monotonic() - started, 1)
        session = _Session(prepared, plan, device, samples, folder)
        with progress.task(f"measuring on {device.name}", len(session.passes())) as task:
            measurements = session.run(task)
    return Record(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        edgekit=__version__,
        command=list(command),
        target=device.name,
        host=facts,
        plan=_plan(plan),
        evaluation=None if samples is None else samples.described,
        subjects=tuple(c.subject for c in prepared.subjects),
        measurements=tuple(measurements),
        device={
            **prepared.record,
            "prepare_seconds": seconds,
            "seconds": round(time.monotonic() - started, 1),
            "sent_bytes": device.work.sent_bytes,
            "throttled": session.throttled,
        },
    )


PROCESSES, EMULATED_PROCESSES = 5, 1
FIRST = "first outputs"
LATENCY_SETTINGS = ("min_samples", "max_samples", "min_seconds", "warmup_seconds")


@dataclass
class _Cell:
    """A file with a number of threads, and what has been measured of it so far."""

    subject: int
    threads: int
    latency: list[dict[str, Any]] = field(default_factory=list)
    memory: dict[str, Any] | None = None
    accuracy: dict[str, Any] | None = None
    failures: dict[str, list[str]] = field(default_factory=dict)
    """By what went wrong: in which passes."""
    agreement: dict[str, Any] | None = None

    def fail(self, mode: str, error: EdgekitError) -> None:
        """Note what went wrong, once for all passes."""
        modes = self.failures.setdefault(error.message + (f" ({error.hint})" if error.hint else ""), [])
        if mode not in modes:
            modes.append(mode)


class _Session:
    """The passes of one session. Latency runs in rounds: round 1 of every file, then round 2 of every file, ...

    Attributes:
        throttled: the bits of `get_throttled` before, and after every latency process; None where they cannot be read.
    """

    def __init__(
        self, prepared: Prepared, plan: Plan, device: Device, samples: Evaluation | None, folder: Path
    ) -> None:
        self._prepared, self._plan, self._device, self._folder = prepared, plan, device, folder
        self._subjects = prepared.subjects
        self._samples = samples
        self._cells = [_Cell(index, threads) for threads in plan.threads for index in range(len(self._subjects))]
        self._given_up: set[int] = set()
        """Files whose other passes would end alike, or be worth nothing."""
        self._remote = not device.target.kind.is_host
        before = throttled(device.transport, device.target.health) if self._remote and plan.latency else None
        self.throttled: dict[str, Any] | None = None if before is None else {"before": before, "during": []}

    def passes(self) -> list[tuple[str, _Cell]]:
        """Return every runner process to start, in order."""
        order: list[tuple[str, _Cell]] = []
        if self._remote:
            order += [(FIRST, cell) for cell in self._cells[: len(self._subjects)] if self._can_look(cell)]
        if self._plan.memory:
            order += [("memory", cell) for cell in self._cells]
        if self._plan.latency:
            order += [("latency", cell) for _ in range(self._plan.processes or PROCESSES) for cell in self._cells]
        if self._plan.accuracy and self._samples:
            # Predictions do not depend on the number of threads: one pass a file.
            order += [("accuracy", cell) for cell in self._cells[: len(self._subjects)] if self._can_evaluate(cell)]
        return order

    def run(self, task: Task) -> list[Measurement]:
        """Do all passes; every thread count of a file shows the accuracy of that file."""
        for mode, cell in self.passes():
            name = self._subjects[cell.subject].subject.name
            if cell.subject not in self._given_up:
                (self._look if mode == FIRST else partial(self._measure, mode))(cell, task)
            task.advance(f"{mode} {name}")
            if mode == "latency" and self.throttled is not None:
                bits = throttled(self._device.transport, self._device.target.health)
                self.throttled["during"] += [] if bits is None else [bits]
        accuracy = [cell.accuracy for cell in self._cells[: len(self._subjects)]]
        agreement = [cell.agreement for cell in self._cells[: len(self._subjects)]]
        return [
            Measurement(
                c.subject, c.threads, c.latency, c.memory, accuracy[c.subject], _sentences(c), agreement[c.subject]
            )
            for c in self._cells
        ]

    def _can_evaluate(self, cell: _Cell) -> bool:
        candidate = self._subjects[cell.subject]
        known = candidate.preprocessing is not None and candidate.task is not None
        return known and candidate.subject.runtime != benchmark_model.RUNTIME

    def _can_look(self, cell: _Cell) -> bool:
        runtime = self._subjects[cell.subject].subject.runtime
        return runtime != benchmark_model.RUNTIME and runtime in self._prepared.devices

    def _look(self, cell: _Cell, task: Task) -> None:
        """Compare a few outputs with this machine's, before anything is measured; a file that fails is given up."""
        of_classes = (found := self._subjects[cell.subject].task) is not None and found.main.kind == "classification"
        run = partial(self._run, cell=cell, task=task)
        wrong = first_outputs(self._job(FIRST, cell), run, self._folder, self._plan.timeout, of_classes=of_classes)
        if wrong is not None:
            self._given_up.add(cell.subject)
            for other in self._cells:
                if other.subject == cell.subject:
                    other.fail(FIRST, wrong)

    def _run(self, job: Job, outputs: Path | None, cell: _Cell, task: Task) -> dict[str, Any]:
        refusal = self._prepared.refusals.get(job.runtime)
        if refusal:
            raise RunnerError(refusal)
        device = self._prepared.devices[job.runtime]
        if self._plan.pin:
            device = dataclasses.replace(device, prefix=("taskset", "-c", self._plan.pin))
        on_line = partial(_relay, self._subjects[cell.subject].subject.name, task)
        return retried(lambda: _answer(device, job, self._plan.timeout, outputs, on_line))

    def _measure(self, mode: str, cell: _Cell, task: Task) -> None:
        job, timeout = self._job(mode, cell), self._plan.timeout
        outputs = self._folder / "outputs.npz" if mode == "accuracy" else None
        try:
            if mode == "accuracy" and (lacking := unscaled("input", self._subjects[cell.subject].inputs)):
                raise RunnerError(lacking, SCALES)
            cooled = self._cool(task) if mode == "latency" else None
            answer = self._run(job, outputs, cell, task)
        except RunnerError as error:
            cell.fail(mode, error)
            if mode == "memory" and isinstance(error, RunnerTimeout):
                self._given_up.add(cell.subject)
            return
        if mode == "latency":
            cell.latency.append(answer if cooled is None else {**answer, "cooled_to_c": cooled})
        elif mode == "memory":
            cell.memory = answer
        else:
            assert outputs is not None
            try:
                cell.accuracy = {**answer, **self._score(self._subjects[cell.subject], outputs)}
            except InputError as error:
                cell.fail(mode, error)
            if self._remote:
                cell.agreement = compare_with_host(job, answer, outputs, self._folder, timeout)

    def _score(self, candidate: Candidate, outputs: Path) -> dict[str, Any]:
        """Judge what a file answered."""
        assert self._samples is not None and candidate.task is not None and candidate.preprocessing is not None
        task = candidate.task
        found = read_outputs(outputs, candidate.outputs, task)
        truth = labels(task, self._samples.x, self._samples.y, candidate.preprocessing)
        heads = tuple(settled(h, o, y) for h, o, y in zip(task.heads, found, truth, strict=False))
        task = dataclasses.replace(task, heads=heads if len(heads) == len(found) else task.heads)
        return {**scores(found, truth, task), **digest(found[0], task.main)}

    def _cool(self, task: Task) -> float | None:
        """Wait until the device is cool enough, if that is asked for; return its temperature in degrees Celsius."""
        plan = self._plan
        return (
            None if plan.cool_below_c is None else wait_cool(self._device, plan.cool_below_c, plan.cool_timeout, task)
        )

    def _job(self, mode: str, cell: _Cell) -> Job:
        candidate = self._subjects[cell.subject]
        known = candidate.preprocessing is not None and not unscaled("input", candidate.inputs)
        fed = mode != "memory" and known
        samples = None
        if self._samples is not None and fed:
            kept = {"accuracy": self._samples.path, FIRST: self._samples.few}
            samples = kept.get(mode, self._samples.first)
        # benchmark_model takes the file's own sizes, which are 1 where they are dynamic.
        own_sizes = candidate.subject.runtime == benchmark_model.RUNTIME and not self._plan.input_shapes
        return Job(
            "accuracy" if mode == FIRST else mode,
            candidate.subject.runtime,
            candidate.path,
            cell.threads,
            samples=samples,
            preprocessing=candidate.preprocessing if fed else None,
            feed=feed_names(candidate.fed) if fed else (),
            quantization=[spec.quantization() for spec in candidate.inputs],
            settings={key: getattr(self._plan, key) for key in LATENCY_SETTINGS} if mode == "latency" else {},
            shapes=None if own_sizes else candidate.shapes,
            companions=candidate.companions,
            values=[candidate.values.get(s.name) for s in candidate.inputs] if candidate.values else None,
        )


def _sentences(cell: _Cell) -> list[str]:
    return [f"{', '.join(modes)}: {cause}" for cause, modes in cell.failures.items()]


def _plan(plan: Plan) -> dict[str, Any]:
    shapes = {name: list(shape) for name, shape in plan.input_shapes.items()}
    values = dict(plan.input_values)
    return {**dataclasses.asdict(plan), "threads": list(plan.threads), "input_shapes": shapes, "input_values": values}


def _settled(plan: Plan, device: Device, facts: Mapping[str, Any]) -> Plan:
    """Return the plan with what it leaves to the device: thread counts, as its target says, and processes."""
    cores = facts["cores"]
    usual = (1, cores) if isinstance(cores, int) and 1 < cores <= MOST_THREADS else (1,)
    processes = EMULATED_PROCESSES if isinstance(facts["emulated"], str) else PROCESSES
    return dataclasses.replace(
        plan, threads=plan.threads or device.target.threads or usual, processes=plan.processes or processes
    )


def _answer(device: Device, job: Job, timeout: float, outputs: Path | None, on_line: OnLine) -> dict[str, Any]:
    if job.runtime == benchmark_model.RUNTIME:
        if job.shapes:
            raise RunnerError(f"{job.model.name}: benchmark_model gets no --input-shape from edgekit")
        return benchmark_model.run(device, job.model, job.threads, job.settings, timeout=timeout, on_line=on_line)
    return run_job(device, job, timeout=timeout, outputs=outputs, on_line=on_line)


def _relay(name: str, task: Task, line: str) -> None:
    """Show what the runner is at."""
    marker = "edgekit-runner: "
    if line.startswith(marker):
        task.advance(f"{name}: {line.removeprefix(marker)}", units=0)


def _names(candidate: Candidate) -> tuple[list[str], list[str]]:
    """Return the inputs and outputs in the order of the model, where a bundle tells it, else of the file."""
    inputs, outputs = [spec.name for spec in candidate.fed], [spec.name for spec in candidate.outputs]
    if candidate.preprocessing and candidate.preprocessing.inputs:
        inputs = [name for name, _ in candidate.preprocessing.inputs]
    return inputs, [head.name for head in candidate.task.heads] if candidate.task else outputs


def _fed(
    candidate: Candidate, data: Dataset | None, given: Mapping[str, Any] | None, metric: str | None, kinds: str
) -> Candidate:
    """Return the file with how it is fed and what it is for, from its bundle or from the data."""
    how, task = candidate.preprocessing, candidate.task
    if how is None and (data or given):
        how = (data.preprocessing if data else Preprocessing()).changed(given or {})
    if task is None and data is not None and how is not None:
        outputs = ports_of(candidate.outputs)
        asked = chosen_kinds(kinds, [port.name for port in outputs])
        _, task = fit(data, how, ports_of(candidate.fed), outputs, candidate.subject.name, kinds=asked)
    note = "; ".join(filter(None, [candidate.note, *(head.note for head in (task.heads if task else ()))]))
    if task is not None and metric is None and ":" in task.main.metric:
        # A bundle may come from anywhere, and what it names is not run unless it is asked for.
        note = f"{candidate.subject.name}: was judged by {task.main.metric}; --metric {task.main.metric} does so here"
        task = task.with_metric(DEFAULT_METRICS[task.main.kind])
    task = with_metric(task, metric) if task else task
    return dataclasses.replace(candidate, preprocessing=how, task=task, note=note)
