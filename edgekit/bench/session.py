"""A measuring session: every file, every thread count, interleaved, in fresh processes."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import __version__
from edgekit.bench.plan import Plan
from edgekit.bench.subjects import Candidate
from edgekit.data import npz
from edgekit.data.dataset import Array, Dataset
from edgekit.devices.device import Device
from edgekit.devices.facts import read_facts
from edgekit.devices.jobs import Job, run_job
from edgekit.errors import InputError, RunnerError
from edgekit.files import sha256
from edgekit.preprocessing import Preprocessing
from edgekit.progress import SILENT, Progress, Task
from edgekit.records import Measurement, Record


def bench(
    subjects: Sequence[Candidate],
    plan: Plan,
    device: Device,
    *,
    data: Dataset | None = None,
    preprocessing: Mapping[str, Any] | None = None,
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
        command: the command line, for the record.
        progress: told of every measurement.

    Returns:
        The record, with raw samples. A pass that failed is a sentence in its measurement; the others go on.

    Raises:
        InputError: the files carry different evaluation samples, so that accuracies would not compare.
    """
    fed = [_with_preprocessing(c, data, preprocessing) for c in subjects]
    with tempfile.TemporaryDirectory(prefix="edgekit-bench-") as folder:
        samples = _evaluation(fed, data, Path(folder))
        first = _first_sample(samples, Path(folder))
        session = _Session(fed, plan, device, samples, first)
        facts = read_facts(device)
        with progress.task(f"measuring on {device.name}", len(session.passes())) as task:
            measurements = session.run(task)
        evaluation = None if samples is None else _describe(samples, data)
    return Record(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        edgekit=__version__,
        command=list(command),
        target=device.name,
        host=facts,
        plan={**dataclasses.asdict(plan), "threads": list(plan.threads)},
        evaluation=evaluation,
        subjects=tuple(c.subject for c in fed),
        measurements=tuple(measurements),
    )


LATENCY_SETTINGS = ("min_samples", "max_samples", "min_seconds", "warmup_seconds")


@dataclass
class _Cell:
    """A file with a number of threads, and what has been measured of it so far."""

    subject: int
    threads: int
    latency: list[dict[str, Any]] = field(default_factory=list)
    memory: dict[str, Any] | None = None
    accuracy: dict[str, Any] | None = None
    failures: list[str] = field(default_factory=list)


class _Session:
    """The passes of one session. Latency runs in rounds: round 1 of every file, then round 2 of every file, ..."""

    def __init__(
        self, subjects: list[Candidate], plan: Plan, device: Device, samples: Path | None, first: Path | None
    ) -> None:
        self._subjects, self._plan, self._device = subjects, plan, device
        self._samples, self._first = samples, first
        self._cells = [_Cell(index, threads) for threads in plan.threads for index in range(len(subjects))]

    def passes(self) -> list[tuple[str, _Cell]]:
        """Return every runner process to start, in order."""
        order: list[tuple[str, _Cell]] = []
        if self._plan.memory:
            order += [("memory", cell) for cell in self._cells]
        if self._plan.latency:
            order += [("latency", cell) for _ in range(self._plan.processes) for cell in self._cells]
        if self._plan.accuracy and self._samples:
            # Predictions do not depend on the number of threads: one pass a file.
            order += [("accuracy", cell) for cell in self._cells[: len(self._subjects)] if self._can_evaluate(cell)]
        return order

    def run(self, task: Task) -> list[Measurement]:
        """Do all passes; every thread count of a file shows the accuracy of that file."""
        for mode, cell in self.passes():
            self._measure(mode, cell)
            task.advance(f"{mode} {self._subjects[cell.subject].subject.name}")
        accuracy = [cell.accuracy for cell in self._cells[: len(self._subjects)]]
        return [
            Measurement(c.subject, c.threads, c.latency, c.memory, accuracy[c.subject], c.failures) for c in self._cells
        ]

    def _can_evaluate(self, cell: _Cell) -> bool:
        return self._subjects[cell.subject].preprocessing is not None

    def _measure(self, mode: str, cell: _Cell) -> None:
        try:
            answer = run_job(self._device, self._job(mode, cell), timeout=self._plan.timeout)
        except RunnerError as error:
            sentence = f"{mode}: {error.message}"
            if sentence not in cell.failures:
                cell.failures.append(sentence)
            return
        if mode == "latency":
            cell.latency.append(answer)
        elif mode == "memory":
            cell.memory = answer
        else:
            cell.accuracy = answer

    def _job(self, mode: str, cell: _Cell) -> Job:
        candidate = self._subjects[cell.subject]
        fed = mode != "memory" and candidate.preprocessing is not None
        return Job(
            mode,
            candidate.subject.runtime,
            candidate.path,
            cell.threads,
            samples=(self._samples if mode == "accuracy" else self._first) if fed else None,
            preprocessing=candidate.preprocessing if fed else None,
            quantization=candidate.quantization,
            settings={key: getattr(self._plan, key) for key in LATENCY_SETTINGS} if mode == "latency" else {},
        )


def _with_preprocessing(candidate: Candidate, data: Dataset | None, given: Mapping[str, Any] | None) -> Candidate:
    if candidate.preprocessing or not (data or given):
        return candidate
    usual = data.preprocessing if data else Preprocessing()
    return dataclasses.replace(candidate, preprocessing=dataclasses.replace(usual, **(given or {})))


def _evaluation(subjects: list[Candidate], data: Dataset | None, folder: Path) -> Path | None:
    """Return the `.npz` that every file is evaluated on, or None."""
    if data is not None:
        path = folder / "test.npz"
        np.savez(path, x=data.x_test, y=data.y_test)
        return path
    carried = {sha256(c.samples): c.samples for c in subjects if c.samples is not None}
    if len(carried) > 1:
        raise InputError(
            "the bundles carry different evaluation samples, so their accuracies do not compare",
            "give --data, bench them one by one, or switch accuracy off with --no-accuracy",
        )
    return next(iter(carried.values()), None)


def _first_sample(samples: Path | None, folder: Path) -> Path | None:
    """Write the first sample to a file of its own, so that timed processes do not hold the whole set in memory."""
    if samples is None:
        return None
    path = folder / "first.npz"
    np.savez(path, x=_x(samples)[:1])
    return path


def _x(samples: Path) -> Array:
    return npz.read(samples, ("x",))["x"]


def _describe(samples: Path, data: Dataset | None) -> dict[str, Any]:
    source = f"{data.name}, the whole test part" if data else "the bundle's evaluation samples"
    return {"source": source, "samples": len(_x(samples)), "sha256": sha256(samples)}
