"""The wall time of `edgekit compress --recipe int8` against a bare script that makes, runs and compares the same files.

    python benchmarks/compress_time.py MODEL DATA.npz [--scale 1/255] [--rounds 5]

Both are whole processes, started in turn; the ratio is the median of the rounds' ratios. MODEL is a Keras 2 file, which
the bare script (`bare_export.py`) can load.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer

BARE = Path(__file__).with_name("bare_export.py")


def seconds(command: list[str]) -> float:
    """Run a command to its end."""
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - started


def command(
    model: Annotated[Path, typer.Argument(help="A Keras 2 file.")],
    data: Annotated[Path, typer.Argument(help="An .npz with x_train, y_train, x_test, y_test.")],
    scale: Annotated[str, typer.Option(help="Of the inputs.")] = "1",
    rounds: Annotated[int, typer.Option(help="How often both run.")] = 5,
) -> None:
    """Print both medians in seconds, and the ratio."""
    factor = str(float(Fraction(scale)))
    found: dict[str, list[float]] = {"edgekit": [], "bare": []}
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            edgekit = [sys.executable, "-m", "edgekit", "compress", str(model), "--data", str(data), "--scale", factor]
            found["edgekit"].append(seconds([*edgekit, "-o", f"{folder}/bundle"]))
            found["bare"].append(seconds([sys.executable, str(BARE), str(model), str(data), f"{folder}/bare", factor]))
        ratios = [a / b for a, b in zip(found["edgekit"], found["bare"], strict=True)]
        print(
            f"round {number + 1}: edgekit {found['edgekit'][-1]:.1f} s, bare {found['bare'][-1]:.1f} s, "
            f"{ratios[-1]:.2f}x; median {statistics.median(ratios):.2f}x",
            flush=True,
        )


if __name__ == "__main__":
    typer.run(command)
