"""Records made from the recorded session: latencies, scores and machines as a test needs them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.bundle.collection import Collection
from edgekit.bundle.flags import Flags
from edgekit.bundle.records import Measurement, Record, read_record
from edgekit.reporting.checking.checks import Check, check
from edgekit.reporting.checking.files import Baselines, CheckedFile, files_of
from edgekit.stats import Interval
from edgekit.tasks.metrics import Score

SESSION = Path(__file__).parents[1] / "session.json"
FLOAT, INT8, BROKEN = "m-float32.tflite", "m-int8.tflite", "m-broken.tflite"


def session() -> Record:
    """Return the recorded session: a float and an int8 file with three processes each, and one that crashed."""
    return read_record(SESSION)


def changed(record: Record, name: str, **fields: Any) -> Record:
    """Return a record in which the measurement of a file is another."""
    index = next(i for i, subject in enumerate(record.subjects) if subject.name == name)
    measurements = tuple(dataclasses.replace(m, **fields) if m.subject == index else m for m in record.measurements)
    return dataclasses.replace(record, measurements=measurements)


def of(record: Record, name: str) -> Measurement:
    """Return the measurement of a file."""
    return next(m for m in record.measurements if record.subjects[m.subject].name == name)


def timed(record: Record, name: str, *processes_ms: Sequence[float]) -> Record:
    """Return a record in which a file took these times, process by process."""
    run: Any = of(record, name).latency[0]
    latency = tuple(
        dataclasses.replace(run, samples_ns=tuple(round(ms * 1e6) for ms in samples), calls_per_sample=1)
        for samples in processes_ms
    )
    return changed(record, name, latency=latency)


def scored(
    record: Record, name: str, score: Score | None, predictions: str | None = None, right: Flags | None = None
) -> Record:
    """Return a record in which a file has this score."""
    run: Any = of(record, FLOAT).accuracy
    accuracy = dataclasses.replace(run, score=score, predictions_sha256=predictions, right=right)
    return changed(record, name, accuracy=None if score is None else accuracy)


def files(*records: Record) -> list[CheckedFile]:
    """Return the files of records that are called `a`, `b`, ..."""
    return files_of(Collection(records={chr(ord("a") + i): record for i, record in enumerate(records)}))


def one(name: str, bound: str, limit: float, record: Record, *baselines: Record, force: bool = False) -> Check:
    """Return what comes of one bound on one file."""
    everything = files(record)
    named = files(*baselines)
    mine = [file for file in everything if file.name == name]
    [found] = check(mine, lambda _: {bound: limit}, Baselines(named, everything), force=force)
    return found


def near(value: float, low: float, high: float, metric: str = "mae") -> Score:
    """Return a score with an interval."""
    return Score(metric, Interval(value, low, high), 1000)
