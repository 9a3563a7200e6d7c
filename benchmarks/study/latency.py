"""The last step: every file of the first seed against the baseline's float32 file, in interleaved rounds."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgekit.bundle.runs import LATENCY, SampledRun
from edgekit.data.dataset import Dataset
from edgekit.devices.device import Device, open_device
from edgekit.devices.jobs import BRIEF, Job
from edgekit.errors import InputError
from edgekit.files.whole import sha256, write_json
from edgekit.measuring.core import time_files as time_in_rounds
from edgekit.progress import Progress
from edgekit.schema.types import JsonObject
from edgekit.stats import CONFIDENCE
from edgekit.stats.ratios import paired_ratio

from .records import File, busy
from .rows import BASELINE
from .run import Item, collect


def time_files(first_seed: Sequence[Item], dataset: Dataset, work: Path, rounds: int, progress: Progress) -> None:
    """Time the files that have no latency yet, or one of a busy machine, and write it into their records.

    A latency is `ratio` (median over the rounds of the file's time over the baseline's) with `low` and `high`
    (bootstrap over the rounds), the medians of every process `file_ns` and `baseline_ns`, and `load`, the machine's
    load average before anything was timed.

    Args:
        first_seed: what the study consists of, seed 0.
        dataset: one test sample is fed.
        work: the study's folder.
        rounds: of the file and the baseline in turns, each in a fresh process; at least 2.
        progress: told of every file.

    Raises:
        InputError: there is no baseline yet, a file is gone or was changed, or one round only is asked for.
    """
    if rounds < 2:
        raise InputError(f"--rounds {rounds}: expected at least 2, else there is no interval")
    records = {record.key: record for record in collect(first_seed)}
    baseline = next((r.files[0] for r in records.values() if r.row == BASELINE and r.files), None)
    if baseline is None:
        raise InputError("there is no baseline to compare with", "run the study first")
    load = os.getloadavg()[0]
    if busy({"load": load}):
        progress.warn(f"the load is {load:.1f}: these latencies are marked, and taken again the next time")
    sample = work / "first.npz"
    np.savez(sample, x=dataset.x_test[:1])
    timer = _Timer(work / "rows" / baseline.name, sample, dataset, rounds, load)
    left = [i for i in first_seed if i.key in records and any(_untimed(f) for f in records[i.key].files)]
    with progress.task("timing", len(left)) as task, open_device() as device:
        for item in left:
            record = records[item.key]
            timed = tuple(timer.time(device, item.path.parent / file.name, file) for file in record.files)
            write_json(item.path, dataclasses.replace(record, files=timed).to_dict())
            task.advance(item.row.id)


def _untimed(file: File) -> bool:
    return file.latency is None or busy(file.latency)


@dataclasses.dataclass(frozen=True)
class _Timer:
    baseline: Path
    sample: Path
    dataset: Dataset
    rounds: int
    load: float

    def time(self, device: Device, path: Path, file: File) -> File:
        """Return the file with its latency."""
        if not path.is_file() or sha256(path) != file.sha256:
            raise InputError(f"{path}: is gone or was changed", "delete its record (.json), and the row runs again")
        runs = time_in_rounds(device, [self._job(path), self._job(self.baseline)], self.rounds)
        times = {
            name: [run.median_ns for run in own] for name, own in zip(("file_ns", "baseline_ns"), runs, strict=True)
        }
        ratio = paired_ratio(times["file_ns"], times["baseline_ns"], CONFIDENCE).interval
        latency: JsonObject = {"ratio": ratio.value, "low": ratio.low, "high": ratio.high, **times, "load": self.load}
        return dataclasses.replace(file, latency=latency)

    def _job(self, path: Path) -> Job[SampledRun]:
        how = self.dataset.preprocessing
        return Job(LATENCY, "ai-edge-litert", path, samples=self.sample, preprocessing=how, settings=BRIEF)
