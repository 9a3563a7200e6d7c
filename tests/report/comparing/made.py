"""Records of sessions that never were, for comparisons."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgekit.bundle.flags import Flags
from edgekit.bundle.records import EvaluatedOn, Measurement, Record, Subject, read_record
from edgekit.bundle.runs import AccuracyRun
from edgekit.tasks.metrics import Score
from tests.support.runs import LITERT, latency_run, memory_run

SESSION = read_record(Path(__file__).parents[1] / "session.json")


def subject(name: str, scheme: str | None = None, sha256: str = "0" * 64, size: int = 1000) -> Subject:
    return Subject(name, name, "tflite", "ai-edge-litert", sha256, size, size // 2, "m", scheme)


def accuracy_run(right: Sequence[int] | np.ndarray, digest: str | None = None, *, kept: bool = True) -> AccuracyRun:
    """A run that got these samples right."""
    flags = np.asarray(right, bool)
    return AccuracyRun(
        runtime=LITERT, samples=len(flags), score=Score.of_count(int(flags.sum()), len(flags)),
        predictions_sha256=digest, right=Flags.of(flags) if kept else None,
    )  # fmt: skip


def measurement(
    index: int, levels: Sequence[int], accuracy: AccuracyRun | None = None, threads: int = 1
) -> Measurement:
    """What a file did: a run a level, ns."""
    runs = tuple(latency_run(level) for level in levels)
    return Measurement(index, threads, latency=runs, memory=memory_run(1000 * (index + 1)), accuracy=accuracy)


def record(
    subjects: Sequence[Subject], measurements: Sequence[Measurement], created: str = "2026-11-30T00:00:00"
) -> Record:
    """A session."""
    samples = next((m.accuracy.samples for m in measurements if m.accuracy), 1)
    rounds = max(len(m.latency) for m in measurements) or 1
    return dataclasses.replace(
        SESSION,
        subjects=tuple(subjects),
        measurements=tuple(measurements),
        plan=dataclasses.replace(SESSION.plan, processes=rounds),
        evaluation=EvaluatedOn("somewhere", samples, "a" * 64),
    )
