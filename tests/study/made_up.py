"""Records as a study would leave them, without training anything."""

from __future__ import annotations

import numpy as np

from benchmarks.study.compare import Study
from benchmarks.study.records import File, Record, pack

SAMPLES = 10_000


def made_up(row: str, scheme: str, accuracy: float, size: int = 1000, seed: int = 0) -> Record:
    """The first samples are right, so that files of unlike accuracy differ on as few samples as they can."""
    hits = np.arange(SAMPLES) < round(accuracy * SAMPLES)
    file = File(
        name=f"{row}-{scheme}.tflite",
        scheme=scheme,
        sha256=f"{row} {scheme} {seed}",
        bytes=size,
        gzip_bytes=size // 2,
        parameters=100,
        macs=2000,
        zeros=0.25,
        correct=int(hits.sum()),
        samples=SAMPLES,
        hits=pack(hits),
    )
    return Record(row, seed, "key", (file,))


def study(*records: Record) -> Study:
    return Study.of(records)
