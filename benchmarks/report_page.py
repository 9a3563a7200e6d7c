"""The page of a report: how long it takes to make and to draw, and how large it is.

    PYTHONPATH=. python benchmarks/report_page.py

Two cases: 20 files with 1,000,000 samples in all (made in at most 5 s, opened and drawn in Chromium in at most 2 s),
and 10 records of 50,000 samples each (at most 2 MB). Samples come from a seeded generator; no record is written.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from pathlib import Path

import numpy as np

from edgekit.bundle.collection import Collection
from edgekit.bundle.facts import HostFacts
from edgekit.bundle.records import EvaluatedOn, Measurement, Record, Settings, Subject
from edgekit.bundle.runs import AccuracyRun, MachineState, ResidentRun, ResidentSet, Runtime, SampledRun
from edgekit.reporting.html.page import html_page
from edgekit.tasks.metrics import Score
from tests.support.chromium import Chromium, program

PROCESSES = 10
RUNTIME = Runtime("ai-edge-litert", "2.3.0", "XNNPACK (2 partitions)")


def state(rng: np.random.Generator, warm: float) -> MachineState:
    load = round(float(rng.uniform(0.9, 1.3)), 2)
    return MachineState(load, (1_500_000, int(1_800_000 - 60_000 * warm)), {"cpu": round(48 + 20 * warm, 1)}, 0, 0)


def process(rng: np.random.Generator, median_ns: float, samples: int, warm: float) -> SampledRun:
    """Return a process of a machine with two speeds and rare interruptions."""
    speed = median_ns * (1.12 if rng.random() < 0.3 else 1.0)
    interrupted = rng.exponential(speed * 0.4, samples) * (rng.random(samples) < 0.02)
    times = speed * rng.lognormal(0, 0.02, samples) + interrupted
    return SampledRun(
        runtime=RUNTIME, mode="latency", threads=1, init_ns=int(30 * median_ns), first_ns=int(3 * median_ns),
        state_before=state(rng, warm), warmup_ns=(int(2 * median_ns),), plateau=True, calls_per_sample=1,
        samples_ns=tuple(times.astype(np.int64).tolist()), state_after=state(rng, warm + 0.05),
    )  # fmt: skip


def record(seed: int, files: int, samples: int) -> Record:
    """Return a session with so many files and, in all, samples."""
    rng = np.random.default_rng(seed)
    sizes = np.geomspace(300_000, 20_000, files).astype(int)
    subjects, measurements = [], []
    for index, size in enumerate(sizes.tolist()):
        name = f"model-{seed}-{index}-{'float32' if index == 0 else 'int8'}.tflite"
        digest = hashlib.sha256(name.encode()).hexdigest()
        subjects.append(Subject(name, name, "tflite", RUNTIME.name, digest, size, size * 9 // 10))
        each = samples // files // PROCESSES
        latency = tuple(process(rng, 10.0 * size**0.95, each, n / PROCESSES) for n in range(PROCESSES))
        rss = ResidentSet(40_000, 42_000 + size // 100, 41_500, 41_900)
        correct = int(9_300 - 2_000 * (index / files) ** 3 - rng.integers(0, 150))
        accuracy = AccuracyRun(runtime=RUNTIME, samples=10_000, score=Score.of_count(correct, 10_000))
        memory = ResidentRun(runtime=RUNTIME, rss_kib=rss)
        measurements.append(Measurement(index, 1, latency, memory, accuracy))
    return Record(
        created="2026-11-30T00:00:00+00:00", edgekit="0.3.0", command=["bench", *(s.path for s in subjects)],
        target="desktop", host=HostFacts(cpu_model="synthetic", cores=2), subjects=tuple(subjects),
        plan=Settings(processes=PROCESSES, min_samples=100, min_seconds=0.1), measurements=tuple(measurements),
        evaluation=EvaluatedOn("synthetic", 10_000, "0" * 64),
    )  # fmt: skip


def measure(name: str, collection: Collection, runs: int) -> None:
    start, busy = time.perf_counter(), time.process_time()
    page = html_page(collection)
    made, busy = time.perf_counter() - start, time.process_time() - busy
    print(f"{name}: made in {made:.2f} s, {busy:.2f} s of them on the processor; {len(page.encode()):,} bytes")
    if program() is None:
        print("there is no Chromium to draw it in")
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "report.html"
        path.write_text(page, encoding="utf-8")
        with Chromium(Path(folder) / "profile") as browser:
            browser.size(1280, 900)
            for run in range(runs):
                browser.call("Performance.enable", timeDomain="threadTicks")
                browser.open(path.as_uri())
                drawn = browser.run("performance.now()") / 1000
                metrics = {m["name"]: m["value"] for m in browser.call("Performance.getMetrics")["metrics"]}
                browser.call("Performance.disable")
                charts = browser.run("document.querySelectorAll('.plot svg').length")
                first = " (the first page of a new browser)" if run == 0 else ""
                print(
                    f"{name}: opened and drawn in {drawn:.2f} s, {metrics['TaskDuration']:.2f} s of them on the "
                    f"processor, {charts} charts{first}"
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="pages opened")
    runs = parser.parse_args().runs
    measure("20 files, 1,000,000 samples", Collection({"session": record(0, 20, 1_000_000)}), runs)
    ten = {f"session-{n}": record(n, 5, 50_000) for n in range(10)}
    measure("10 records of 50,000 samples", Collection(ten), runs)


if __name__ == "__main__":
    main()
