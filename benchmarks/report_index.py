"""How long reading a folder of many small records takes, and whether that grows with their number alone.

    PYTHONPATH=. python benchmarks/report_index.py [--records 10000]

The records are copies of the one in `tests/golden` (two files, 9 kB) with other times, which a project gathers when it
measures every commit. A process a size reads them (`edgekit.bundle.collection.gather`), and says how much memory it
took.
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


def main(records: Annotated[int, typer.Option(help="Of the largest folder.")] = 10_000) -> None:
    """Print a line a size."""
    print(f"{'records':>8}  {'MB':>6}  {'s':>6}  {'ms a record':>11}  {'memory MiB':>10}")
    for count in (records // 10, records // 2, records):
        with tempfile.TemporaryDirectory() as name:
            make(Path(name), count)
            size = sum(path.stat().st_size for path in Path(name).rglob("*.json"))
            argv = [sys.executable, "-c", PROGRAM, name]
            done = subprocess.run(argv, capture_output=True, text=True, check=True)
            found, seconds, memory = done.stdout.split()
            assert int(found) == count, done.stdout
            each = 1000 * float(seconds) / count
            print(f"{count:8,}  {size / 1e6:6.1f}  {float(seconds):6.2f}  {each:11.3f}  {float(memory):10.0f}")


if __name__ == "__main__":
    typer.run(main)
