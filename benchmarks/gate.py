"""What the gate in front of Keras costs on models with nothing wrong: reading, checking and loading, interleaved.

    python benchmarks/gate.py MODEL... [--rounds 5]

"keras" is Keras loading the file by itself, "edgekit" the same through the gate, without the bridge; the difference is
what the checks add, and the rows below it are single checks.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from edgekit.frameworks.tensorflow import keras3, quiet, tf_keras
from edgekit.models.files import loader
from edgekit.models.files.keras_file import read_keras_file


def seconds(act: Callable[[], Any]) -> float:
    started = time.perf_counter()
    with quiet():
        act()
    return time.perf_counter() - started


def command(
    models: Annotated[list[Path], typer.Argument(help="Keras 2 or 3 files.")],
    rounds: Annotated[int, typer.Option(help="Rounds, after one that is not counted.")] = 5,
) -> None:
    """Print medians in seconds."""
    for path in models:
        file = read_keras_file(path)
        keras = keras3() if file.generation == 3 else tf_keras()
        acts: dict[str, Callable[[], Any]] = {
            "keras": lambda path=path, keras=keras: keras.saving.load_model(str(path), compile=False),
            "edgekit": lambda path=path: loader._load(f := read_keras_file(path), loader._admitted(f, False), False),
            "reading": lambda path=path: read_keras_file(path),
            "checking names": lambda file=file: loader._admitted(file, False),
        }
        found: dict[str, list[float]] = {name: [] for name in acts}
        for number in range(rounds + 1):
            for name, act in acts.items():
                taken = seconds(act)
                if number:
                    found[name].append(taken)
        medians = {name: statistics.median(values) for name, values in found.items()}
        added = statistics.median(a - b for a, b in zip(found["edgekit"], found["keras"], strict=True))
        shown = ", ".join(f"{name} {value:.3f} s" for name, value in medians.items())
        print(f"{path.name}, {path.stat().st_size:,} bytes: {shown}; added {added:+.3f} s")


if __name__ == "__main__":
    typer.run(command)
