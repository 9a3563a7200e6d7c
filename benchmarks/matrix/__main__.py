"""Every kind of file, of model and of recipe: what works, with its proof, and what does not, with its reason.

    python -m benchmarks.matrix benchmarks/matrix/results.json
    python -m benchmarks.matrix OUT.json --only 'Keras 3' --only lstm

Small networks are trained by Keras 3 or Keras 2, saved in a kind of file, and compressed by the recipes `int8`, `qat`
and `channels-qat`, with 1 or 2 epochs a stage and 50 samples for calibration and for comparing. One process a kind of
file, one after the other; every cell is written to OUT.json when it is done, and what stands there is not run again.
The table is printed, and written beside OUT.json as `.txt`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edgekit.files.whole import write_json
from edgekit.schema.gate import read_json

from .cells import RECIPES, Cell
from .networks import NETWORKS
from .table import show

ALL = tuple(NETWORKS)
ROWS: dict[str, tuple[str, ...]] = {
    "Keras 3 .keras": ALL,
    "Keras 3 .h5": ("cnn", "residual", "lstm"),
    "Keras 2 .keras": ("cnn", "residual", "autoencoder", "lstm"),
    "Keras 2 .h5": ("table", "two inputs", "segmentation"),
    "Keras 2 SavedModel": ("cnn", "two inputs", "lstm"),
    "plain SavedModel": ("cnn", "table", "two inputs"),
    "float .tflite": ("cnn", "two inputs", "segmentation"),
    "float .onnx": ("residual", "table", "autoencoder"),
}
"""Kind of file -> networks; each with all recipes."""
Name = tuple[str, str, str]


def chosen(only: list[str]) -> list[Name]:
    """Return file, network and recipe of every cell whose names contain one of some texts; of all without any."""
    names = [(file, network, recipe) for file, networks in ROWS.items() for network in networks for recipe in RECIPES]
    return [name for name in names if not only or any(text in " / ".join(name) for text in only)]


def run(file: str, names: list[Name], out: Path) -> None:
    """Measure cells of one kind of file, in this process, and add each to OUT.json."""
    from .cells import measure
    from .files import make
    from .networks import write_data

    with tempfile.TemporaryDirectory(prefix="edgekit-matrix-") as temporary:
        folder = Path(temporary)
        os.environ["EDGEKIT_WORK"] = str(folder / "work")
        for network in dict.fromkeys(name[1] for name in names):
            data = folder / f"{network}.npz"
            write_data(NETWORKS[network], data)
            path, model = make(file, network, folder)
            for name in names:
                if name[1] == network:
                    _add(measure(path, model, data, name, folder / "out" / "-".join(name)), out)


def _add(cell: Cell, out: Path) -> None:
    """Write one more cell, and say what became of it."""
    write_json(out, {"cells": [*(asdict(c) for c in _cells(out)), asdict(cell)]})
    print(f"{cell.file} / {cell.network} / {cell.recipe}: {cell.outcome} {cell.reason}, {cell.seconds} s", flush=True)


def _cells(out: Path) -> list[Cell]:
    return [Cell(**cell) for cell in read_json(out, "matrix")["cells"]] if out.exists() else []


def _missing(out: Path, names: list[Name]) -> list[Name]:
    done = {(cell.file, cell.network, cell.recipe) for cell in _cells(out)}
    return [name for name in names if name not in done]


def main(
    out: Annotated[Path, typer.Argument(metavar="OUT.json")],
    only: Annotated[list[str] | None, typer.Option(help="Part of `FILE / NETWORK / RECIPE`, else all.")] = None,
    one: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Fill the matrix."""
    names = chosen(only or [])
    if one:
        run(one, [name for name in _missing(out, names) if name[0] == one], out)
        return
    for file in ROWS:
        while missing := [name for name in _missing(out, names) if name[0] == file]:
            again = [part for text in only or [] for part in ("--only", text)]
            command = [sys.executable, "-m", "benchmarks.matrix", str(out), "--one", file, *again]
            ended = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
            if ended.returncode:
                died = (_missing(out, missing) or missing)[0]
                _add(Cell(*died, "bug", 0.0, f"the process ended with {ended.returncode}: {ended.stderr[-400:]}"), out)
    text = show(_cells(out))
    out.with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    typer.run(main)
