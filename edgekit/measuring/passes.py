"""The passes of a session over its files: first outputs, memory, latency in rounds, accuracy; a process each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgekit.bundle.records import Measurement, Throttled
from edgekit.bundle.runs import ACCURACY, LATENCY, MEMORY, LatencyRun, Mode, R, SummarisedRun
from edgekit.devices import benchmark_model
from edgekit.devices.device import Device
from edgekit.devices.health import throttled, wait_cool
from edgekit.devices.jobs import RUNNER_MARK, Job, run_job
from edgekit.devices.transports.base import OnLine, retried
from edgekit.errors import InputError, RunnerError, RunnerTimeout
from edgekit.measuring.candidates import Candidate
from edgekit.measuring.core import interleaved
from edgekit.measuring.evaluation import Evaluation
from edgekit.measuring.host import compare_with_host, first_outputs
from edgekit.measuring.plan import Plan
from edgekit.measuring.ports import SCALES, feed_names, unscaled
from edgekit.measuring.prepare import Prepared
from edgekit.progress import ProgressTask

FIRST_OUTPUTS = "first outputs"


@dataclass(frozen=True)
class Further:
    """Rounds of the latency pass beyond those of the plan, for as long as what is asked needs them.

    Attributes:
        most: rounds in all.
        step: rounds after which it is looked again.
        enough: whether the measurements so far are. It may look at how widely latencies vary, and not at which file
            is faster: to go on until a difference shows would show one that is not there.
    """

    most: int
    step: int
    enough: Callable[[Sequence[Measurement]], bool]


Step = tuple[str, int]
"""A pass, by name, and the index of the measurement that it is for."""


class Passes:
    """Every runner process of a session. Latency runs in rounds: round 1 of every file, then round 2, ...

    Args:
        prepared: the files and the devices for their runtimes.
        plan: how much.
        device: where.
        samples: to evaluate on, or None.
        folder: for outputs, temporary.
        further: rounds beyond the plan's, or None.

    Attributes:
        rounds: of the latency pass that were done.
        throttled: the bits of `get_throttled` before, and after every latency process; None where they cannot be read.
    """

    def __init__(
        self,
        prepared: Prepared,
        plan: Plan,
        device: Device,
        samples: Evaluation | None,
        folder: Path,
        further: Further | None = None,
    ) -> None:
        self.rounds = plan.processes or plan.default_processes
        self._further = further if plan.latency else None
        self._prepared, self._plan, self._device, self._folder = prepared, plan, device, folder
        self._candidates = prepared.candidates
        self._samples = samples
        self._measurements = [
            Measurement(index, threads) for threads in plan.threads for index in range(len(self._candidates))
        ]
        self._given_up: set[int] = set()
        """Files whose other passes would end alike, or be worth nothing."""
        self._started = 0
        """Processes of the latency pass."""
        self._remote = not device.target.kind.is_host
        before = throttled(device.transport, device.target.health) if self._remote and plan.latency else None
        self.throttled = None if before is None else Throttled(before, ())

    def steps(self) -> list[Step]:
        """Return every runner process to start, in order."""
        all_, files = range(len(self._measurements)), range(len(self._candidates))
        order: list[Step] = []
        if self._remote:
            order += [(FIRST_OUTPUTS, index) for index in files if self._has_runner(index)]
        if self._plan.memory:
            order += [(MEMORY.name, index) for index in all_]
        if self._plan.latency:
            order += self._rounds(self.rounds)
        if self._plan.accuracy and self._samples:
            # Predictions do not depend on the number of threads: one pass a file.
            order += [(ACCURACY.name, index) for index in files if self._can_evaluate(index)]
        return order

    def run(self, task: ProgressTask) -> tuple[Measurement, ...]:
        """Do all passes; every thread count of a file shows the accuracy of that file."""
        kinds: dict[str, Callable[[int, ProgressTask], None]] = {
            FIRST_OUTPUTS: self._look,
            MEMORY.name: self._measure_memory,
            LATENCY.name: self._measure_latency,
            ACCURACY.name: self._measure_accuracy,
        }
        for name, index in self._in_turn():
            candidate = self._candidate(index)
            self._started += name == LATENCY.name
            if self._measurements[index].subject not in self._given_up:
                try:
                    kinds[name](index, task)
                except RunnerError as error:
                    self._measurements[index] = self._measurements[index].failed(name, error)
            task.advance(f"{name} {candidate.subject.name}")
            if name == LATENCY.name and self.throttled is not None:
                bits = throttled(self._device.transport, self._device.target.health)
                during = (*self.throttled.during, *([] if bits is None else [bits]))
                self.throttled = dataclasses.replace(self.throttled, during=during)
        evaluated = self._measurements[: len(self._candidates)]
        return tuple(
            dataclasses.replace(m, accuracy=evaluated[m.subject].accuracy, agreement=evaluated[m.subject].agreement)
            for m in self._measurements
        )

    def most_steps(self) -> int:
        """Return how many runner processes are started at most."""
        more = max(0, self._further.most - self.rounds) if self._further else 0
        return len(self.steps()) + more * len(self._measurements)

    def _in_turn(self) -> Iterator[Step]:
        """Yield every runner process to start, with the further rounds behind those of the plan."""
        steps = self.steps()
        last = max((place for place, (name, _) in enumerate(steps) if name == LATENCY.name), default=-1)
        for place, step in enumerate(steps):
            yield step
            if place == last:
                yield from self._more_rounds()

    def _more_rounds(self) -> Iterator[Step]:
        further = self._further
        while further is not None and self.rounds < further.most and not further.enough(self._measurements):
            rounds = min(further.step, further.most - self.rounds)
            yield from self._rounds(rounds)
            self.rounds += rounds

    def _rounds(self, count: int) -> Iterator[Step]:
        """Yield the processes of so many rounds of the latency pass."""
        for index in interleaved(range(len(self._measurements)), count):
            yield LATENCY.name, index

    def _candidate(self, index: int) -> Candidate:
        return self._candidates[self._measurements[index].subject]

    def _set(self, index: int, **results: object) -> None:
        self._measurements[index] = dataclasses.replace(self._measurements[index], **results)  # type: ignore[arg-type]

    def _can_evaluate(self, index: int) -> bool:
        candidate = self._candidate(index)
        known = candidate.preprocessing is not None and candidate.task is not None
        return known and candidate.subject.runtime != benchmark_model.RUNTIME

    def _has_runner(self, index: int) -> bool:
        runtime = self._candidate(index).subject.runtime
        return runtime != benchmark_model.RUNTIME and runtime in self._prepared.devices

    def _look(self, index: int, task: ProgressTask) -> None:
        """Compare a few outputs with the host's, before anything is measured; a file that fails is given up."""
        what, few = self._candidate(index).task, self._samples.few if self._samples else None
        of_classes = what is not None and what.main.kind == "classification"
        job = self._job(ACCURACY, index, few)
        run = partial(self._run, index=index, task=task)
        wrong = first_outputs(job, run, self._folder, self._plan.timeout, of_classes=of_classes)
        if wrong is not None:
            subject = self._measurements[index].subject
            self._given_up.add(subject)
            self._measurements = [
                m.failed(FIRST_OUTPUTS, wrong) if m.subject == subject else m for m in self._measurements
            ]

    def _measure_memory(self, index: int, task: ProgressTask) -> None:
        try:
            if self._native(index):
                self._set(index, memory=self._run_native(index, task).footprint())
            else:
                self._set(index, memory=self._run(self._job(MEMORY, index, None), None, index, task))
        except RunnerTimeout:
            self._given_up.add(self._measurements[index].subject)
            raise

    def _measure_latency(self, index: int, task: ProgressTask) -> None:
        plan, cooled = self._plan, None
        first = self._samples.first if self._samples else None
        if plan.cool_below_c is not None:
            cooled = wait_cool(self._device, plan.cool_below_c, plan.cool_timeout, task)
        run: LatencyRun
        if self._native(index):
            run = self._run_native(index, task)
        else:
            run = self._run(self._job(LATENCY, index, first), None, index, task)
        latency = self._measurements[index].latency
        self._set(index, latency=(*latency, dataclasses.replace(run, cooled_to_c=cooled, place=self._started)))

    def _measure_accuracy(self, index: int, task: ProgressTask) -> None:
        candidate, outputs = self._candidate(index), self._folder / "outputs.npz"
        assert self._samples is not None
        if lacking := unscaled("input", candidate.inputs):
            raise RunnerError(lacking, SCALES, code="scale-missing")
        job = self._job(ACCURACY, index, self._samples.path)
        run = self._run(job, outputs, index, task)
        try:
            self._set(index, accuracy=self._samples.judged(run, candidate, outputs))
        except InputError as error:
            self._measurements[index] = self._measurements[index].failed(ACCURACY.name, error)
        if self._remote:
            agreement = compare_with_host(job, run, outputs, self._folder, self._plan.timeout)
            self._set(index, agreement=agreement)

    def _job(self, mode: Mode[R], index: int, samples: Path | None) -> Job[R]:
        candidate = self._candidate(index)
        known = candidate.preprocessing is not None and not unscaled("input", candidate.inputs)
        fed = mode != MEMORY and known
        return Job(
            mode,
            candidate.subject.runtime,
            candidate.path,
            self._measurements[index].threads,
            samples=samples if fed else None,
            preprocessing=candidate.preprocessing if fed else None,
            feed=feed_names(candidate.fed) if fed else (),
            quantization=[spec.quantization() for spec in candidate.inputs],
            settings=self._plan.latency_settings,
            shapes=candidate.shapes,
            companions=candidate.companions,
            values=[candidate.values.get(s.name) for s in candidate.inputs] if candidate.values else None,
        )

    def _run(self, job: Job[R], outputs: Path | None, index: int, task: ProgressTask) -> R:
        device, timeout, on_line = self._place(index), self._plan.timeout, self._relay(index, task)
        return retried(lambda: run_job(device, job, timeout=timeout, outputs=outputs, on_line=on_line))

    def _native(self, index: int) -> bool:
        return self._candidate(index).subject.runtime == benchmark_model.RUNTIME

    def _run_native(self, index: int, task: ProgressTask) -> SummarisedRun:
        """Run `benchmark_model`, which takes a file's own sizes: 1 where they are dynamic."""
        candidate, plan = self._candidate(index), self._plan
        device, on_line = self._place(index), self._relay(index, task)
        if candidate.shapes and plan.input_shapes:
            raise RunnerError(
                f"{candidate.path.name}: benchmark_model gets no --input-shape from edgekit",
                code="not-with-benchmark-model",
            )
        threads, settings = self._measurements[index].threads, plan.latency_settings
        return retried(
            lambda: benchmark_model.run(
                device, candidate.path, threads, settings, timeout=plan.timeout, on_line=on_line
            )
        )

    def _place(self, index: int) -> Device:
        """Return the device with the runtime of a file.

        Raises:
            RunnerError: there is none for it.
        """
        runtime = self._candidate(index).subject.runtime
        if refusal := self._prepared.refusals.get(runtime):
            raise RunnerError(refusal, code="runtime-missing")
        device = self._prepared.devices[runtime]
        return dataclasses.replace(device, prefix=("taskset", "-c", self._plan.pin)) if self._plan.pin else device

    def _relay(self, index: int, task: ProgressTask) -> OnLine:
        """Return what shows the progress of a runner."""
        name, marker = self._candidate(index).subject.name, RUNNER_MARK

        def on_line(line: str) -> None:
            if line.startswith(marker):
                task.advance(f"{name}: {line.removeprefix(marker)}", units=0)

        return on_line
