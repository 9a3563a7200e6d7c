"""How long `edgekit --help` takes, against `python -c "import typer"`, interleaved in one run.

python benchmarks/startup.py [--rounds 15] [--limit RATIO]

Prints medians and the paired ratio; exits 1 if the ratio is above --limit.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from edgekit.stats import CONFIDENCE
from edgekit.stats.medians import median_interval
from edgekit.stats.ratios import paired_ratio
from edgekit.text.tables import duration_with_interval, ratio_with_interval

COMMANDS = {
    "edgekit --help": [sys.executable, "-m", "edgekit", "--help"],
    "import typer": [sys.executable, "-c", "import typer"],
}


def wall_ns(argv: list[str]) -> int:
    start = time.perf_counter_ns()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter_ns() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--limit", type=float)
    options = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(options.rounds + 1):
        for name, argv in COMMANDS.items():
            times[name].append(wall_ns(argv))
    for values in times.values():
        del values[0]  # the first round filled the file cache
    for name, values in times.items():
        print(f"{name:<16} {duration_with_interval(median_interval(values))}")
    ratio = paired_ratio(times["edgekit --help"], times["import typer"], CONFIDENCE).interval
    print(f"ratio            {ratio_with_interval(ratio)}, {options.rounds} interleaved rounds")
    return int(options.limit is not None and ratio.value > options.limit)


if __name__ == "__main__":
    sys.exit(main())
