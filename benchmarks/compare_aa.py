"""How often `edgekit compare` is wrong: identical files that should show no difference, and slowdowns that should.

    python benchmarks/compare_aa.py FILE --data cifar10 --scale 1 --runs 100 --out compare-aa.jsonl

Every run copies FILE to two names and compares the copies as the command does. A slowdown is planted afterwards: in a
copy of the run's record, every sample of B is multiplied by 1.05 or 1.02, as a file's would be that takes that much
longer, and the record is compared again. How many rounds there are was decided before that; a factor changes nothing of
how widely latencies vary, on which that depends. With --data, the first run also compares accuracy.

Every line of --out is a run with all medians. The same command goes on where it stopped; `--runs 0` prints the table of
what is there. The last columns are what the 95 % interval of `edgekit bench` says of the first rounds of the same runs.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import edgekit
from edgekit import stats
from edgekit.bundle.records import Measurement, Record
from edgekit.bundle.runs import SampledRun
from edgekit.reporting.comparing.changes import latency
from edgekit.reporting.comparing.sides import pairs_of
from edgekit.stats.ratios import Ratio, paired_ratio
from edgekit.text.tables import table

PLANTED = (0.0, 0.02, 0.05)
BENCH_ROUNDS = (3, 5, 7)


def planted(record: Record, slowdown: float) -> Record:
    """Return a copy of a record in which every sample of the second file took that much longer."""

    def slower(measurement: Measurement) -> Measurement:
        runs = [run for run in measurement.latency if isinstance(run, SampledRun)]
        changed = [
            dataclasses.replace(run, samples_ns=tuple(round(ns * (1 + slowdown)) for ns in run.samples_ns))
            for run in runs
        ]
        return dataclasses.replace(measurement, latency=tuple(changed))

    first, second = record.measurements
    return dataclasses.replace(record, measurements=(first, slower(second)))


def verdict(record: Record) -> Ratio:
    """Return what compare says of the two files of a record."""
    [pair] = pairs_of(record, record, [(0, 1)])
    found = latency(pair)
    assert isinstance(found, Ratio), found
    return found


def one_run(file: Path, number: int, asked: dict[str, Any], records: Path | None) -> dict[str, Any]:
    """Compare two copies of a file, plant slowdowns, and return what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        copies = [Path(shutil.copy(file, Path(folder) / f"{letter}{file.suffix}")) for letter in "ab"]
        load = os.getloadavg()[0]
        found = edgekit.compare(*copies, memory=False, out=records, **asked)
    record = found.changes[0].pair.here.record
    assert found.changes[0].latency == verdict(record)
    seen = {str(slowdown): verdict(planted(record, slowdown)) for slowdown in PLANTED}
    return {
        "run": number,
        "created": record.created,
        "edgekit": record.edgekit,
        "sha256": record.subjects[0].sha256,
        "cpu": str(record.host.cpu_model),
        "load_before": load,
        "seconds": record.device.seconds,
        "medians_ns": [[run.median_ns for run in m.latency] for m in record.measurements],
        "shown": {name: ratio.shown for name, ratio in seen.items()},
        "intervals": {name: [ratio.interval.low, ratio.interval.high] for name, ratio in seen.items()},
        "detectable": seen["0.0"].detectable,
        "sentences": found.sentences,
    }


def read(path: Path) -> list[dict[str, Any]]:
    """Return the runs that are there; a line that was not written to its end is none."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def checked(runs: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield runs whose verdict of identical files does not follow from their medians."""
    for run in runs:
        ours, theirs = run["medians_ns"]
        if paired_ratio(theirs, ours).shown != run["shown"]["0.0"]:
            yield f"run {run['run']}: another verdict than its medians give"


def bench_shows(run: dict[str, Any], slowdown: float, rounds: int) -> bool:
    """Return whether the interval of `vs baseline` of so many rounds leaves 1 out."""
    ours, theirs = (medians[:rounds] for medians in run["medians_ns"])
    return paired_ratio([ns * (1 + slowdown) for ns in theirs], ours, stats.CONFIDENCE).shown


def summary(runs: Sequence[dict[str, Any]]) -> str:
    """Return how often a difference is shown, of identical files and of planted slowdowns."""
    rows = []
    for slowdown in PLANTED:
        shown = sum(run["shown"][str(slowdown)] for run in runs)
        inside = sum(low <= 1 + slowdown <= high for low, high in (run["intervals"][str(slowdown)] for run in runs))
        bench = [sum(bench_shows(run, slowdown, rounds) for run in runs) for rounds in BENCH_ROUNDS]
        label = f"B slowed down by {100 * slowdown:g} %" if slowdown else "identical files"
        rows.append([label, f"{shown} of {len(runs)}", f"{inside} of {len(runs)}", *map(str, bench), ""])
    header = ["", "difference shown", "interval holds it", *(f"bench, {n} rounds" for n in BENCH_ROUNDS), ""]
    rounds = [len(run["medians_ns"][0]) for run in runs]
    facts = {
        "rounds": rounds,
        "seconds": [run["seconds"] for run in runs],
        "change that would have been seen, %": [100 * run["detectable"] for run in runs],
        "load before": [run["load_before"] for run in runs],
    }
    spread = [
        f"{name}: median {stats.percentile(values, 50):.3g}, "
        f"{stats.percentile(values, 10):.3g} to {stats.percentile(values, 90):.3g} in 8 of 10 runs"
        for name, values in facts.items()
    ]
    return "\n".join([table(header, rows), "", *spread, *checked(runs)])


def main(
    file: Path,
    runs: Annotated[int, typer.Option(min=0)] = 100,
    data: str | None = None,
    scale: float | None = None,
    out: Path = Path("compare-aa.jsonl"),
    records: Annotated[Path | None, typer.Option(help="Keep whole records there.")] = None,
) -> None:
    done = read(out)
    for number in range(len(done), runs):
        asked = {"accuracy": False} if number or data is None else {"data": data, "scale": scale}
        found = one_run(file, number, asked, records)
        with out.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(found) + "\n")
        print(f"{number + 1}/{runs}: {'; '.join(found['sentences'][:2])}", flush=True)
    if not (done := read(out)):
        raise SystemExit("no runs yet")
    print(summary(done))


if __name__ == "__main__":
    typer.run(main)
