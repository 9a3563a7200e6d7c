"""How long reading a folder of many small records takes, and whether that grows with their number alone.

    PYTHONPATH=. python benchmarks/report_index.py [--records 10000]

The records are copies of the one in `tests/golden` (two files, 9 kB) with other times, which a project gathers when it
measures every commit. Fresh processes read them (`edgekit.bundle.collection.gather`) and say how
much CPU time and memory that took.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "record.2.json"
PROGRAM = """
import resource, sys, time
from pathlib import Path
from edgekit.bundle.collection import gather
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.process_time()
found = gather([Path(sys.argv[1])])
seconds = time.process_time() - started
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(found.records), seconds, (after - before) / 1024)
"""


def make(folder: Path, count: int) -> None:
    """Write records, a thousand a folder."""
    value = json.loads(GOLDEN.read_text(encoding="utf-8"))
    for number in range(count):
        for measurement in value["measurements"]:
            for run in measurement["latency"]:
                run["samples_ns"] = [sample + number % 7 for sample in run.get("samples_ns", [1])]
        place = folder / f"{number // 1000:03d}" / f"{number:06d}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(value), encoding="utf-8")


def main(
    records: Annotated[int, typer.Option(help="Of the largest folder.")] = 10_000,
    rounds: Annotated[int, typer.Option(help="The quickest counts.")] = 3,
) -> None:
    """Print a line a size."""
    counts = (records // 10, records // 2, records)
    with tempfile.TemporaryDirectory() as name:
        folders = {count: Path(name) / str(count) for count in counts}
        for count, folder in folders.items():
            make(folder, count)
        found = {count: [read(folder, count) for _ in range(rounds)] for count, folder in folders.items()}
        print(f"{'records':>8}  {'MB':>6}  {'s':>6}  {'ms a record':>11}  {'memory MiB':>10}")
        for count, folder in folders.items():
            size = sum(path.stat().st_size for path in folder.rglob("*.json"))
            seconds, memory = min(found[count])
            print(f"{count:8,}  {size / 1e6:6.1f}  {seconds:6.2f}  {1000 * seconds / count:11.3f}  {memory:10.0f}")


def read(folder: Path, count: int) -> tuple[float, float]:
    """Return the seconds of CPU time and the MiB that a process takes to read a folder."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, folder], capture_output=True, text=True, check=True)
    found, seconds, memory = done.stdout.split()
    assert int(found) == count, done.stdout
    return float(seconds), float(memory)


if __name__ == "__main__":
    typer.run(main)
