"""Take every file that `make.py` made to int8: its outputs against those when it was saved, then both accuracies."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.bundle.manifest import Bundle
from edgekit.bundle.recipe import Recipe
from edgekit.devices.device import open_device
from edgekit.errors import EdgekitError
from edgekit.export.signature import identifiers
from edgekit.measuring.candidates import candidates
from edgekit.measuring.plan import Plan
from edgekit.measuring.session import bench
from edgekit.models.files.loader import load_model
from edgekit.pipeline.run import compress
from edgekit.progress import SILENT

from .save import FAILURES, NETWORKS, TRAINING

KINDS = {".h5": "h5", ".keras": "keras", "-hdf5.keras": "HDF5 as .keras", "": "SavedModel"}
INT8 = Recipe("int8", schemes=("int8",), formats=("tflite",), calibration_samples=100)
ACCURACY_ONLY = Plan(threads=(1,), latency=False, memory=False)
TOLERANCE = 1e-5
"""Of float32 outputs that sum to 1."""


@dataclass(frozen=True)
class Cell:
    """One file: what became of it.

    Attributes:
        generation, network, kind: which file.
        outcome: `trainable`, `post-training only`, `not saved` (by the Keras of that generation) or `refused`.
        max_abs_diff: of the outputs, to those when it was saved; None if it was not loaded.
        reason: why it is not trainable; empty if it is.
        accuracy: of the loaded model on the test part; None if it was not loaded.
        int8: of the int8 TFLite file `bytes`, `accuracy` on the same samples, and against the float model on validation
            samples `agreement` (share with the same class), `samples`, `max_steps` and `sqnr_db`; or `refused`, a
            sentence. None if there was no model.
    """

    generation: str
    network: str
    kind: str
    outcome: str
    max_abs_diff: float | None
    reason: str = ""
    accuracy: float | None = None
    int8: dict[str, Any] | None = None


def check(folder: Path, say: Callable[[str], None]) -> list[Cell]:
    """Return a cell for every file below a folder."""
    cells = []
    for generation in sorted(path for path in folder.iterdir() if path.is_dir()):
        unsaved = json.loads((generation / FAILURES).read_text()) if (generation / FAILURES).exists() else {}
        for network in NETWORKS:
            for suffix, kind in KINDS.items():
                path = generation / f"{network}{suffix}"
                if path.name in unsaved:
                    cells.append(Cell(generation.name, network, kind, "not saved", None, unsaved[path.name]))
                elif path.exists():
                    cells.append(_cell(path, generation.name, network, kind))
        say(f"{generation.name}: {sum(cell.generation == generation.name for cell in cells)} files")
    return cells


def _cell(path: Path, generation: str, network: str, kind: str) -> Cell:
    with np.load(path.parent / f"{network}.npz") as saved:
        x = [saved[name] for name in sorted(saved.files) if name.startswith("x")]
        y, outputs = saved["y"], saved["outputs"]
    try:
        loaded = load_model(path, progress=SILENT)
    except EdgekitError as error:
        return Cell(generation, network, kind, "refused", None, error.message.replace(str(path), path.name))
    test = [part[TRAINING:] for part in x]
    found = loaded.model.predict(test if len(x) > 1 else test[0], verbose=0)
    outcome = "trainable" if loaded.trainable else "post-training only"
    difference = float(np.abs(found - outputs).max())
    accuracy = float((found.argmax(-1) == y[TRAINING:]).mean())
    int8 = _int8(path, loaded.model, x, y)
    return Cell(generation, network, kind, outcome, difference, loaded.untrainable, accuracy, int8)


def _int8(path: Path, model: Any, x: list[np.ndarray], y: np.ndarray) -> dict[str, Any]:
    """Compress the file with the data it was trained on, and return what the int8 file is like."""
    arrays: dict[str, Any] = {}
    for part, chosen in (("train", slice(TRAINING)), ("test", slice(TRAINING, None))):
        arrays[f"y_{part}"] = y[chosen]
        for name, samples in zip(identifiers(model.input_names), x, strict=True):
            arrays[f"x_{part}" if len(x) == 1 else f"x_{part}/{name}"] = samples[chosen]
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "samples.npz", **arrays)
        try:
            bundle = compress(path, str(Path(folder) / "samples.npz"), INT8, Path(folder) / "out", anyway=True)
        except EdgekitError as error:
            return {"refused": error.message.replace(str(path), path.name)}
        artifact, agreement = bundle.manifest.artifacts[0], bundle.manifest.agreement[0]
        return {
            "bytes": artifact.bytes,
            "accuracy": _accuracy(bundle),
            "agreement": agreement.top1,
            "samples": agreement.samples,
            "max_steps": agreement.max_steps,
            "sqnr_db": agreement.sqnr_db,
        }


def _accuracy(bundle: Bundle) -> float:
    """Return the share of test samples that the int8 file gets right, as `edgekit bench` measures it."""
    with open_device() as desktop:
        measured = bench(candidates([bundle.path]), ACCURACY_ONLY, desktop).measurements[0].accuracy
    if measured is None or measured.score is None:
        raise RuntimeError(f"{bundle.path}: no accuracy")
    return measured.score.interval.value


def failures(cells: list[Cell]) -> list[Cell]:
    """Return the cells that show a fault of edgekit: refused, or other outputs."""
    return [c for c in cells if c.outcome == "refused" or (c.max_abs_diff or 0) > TOLERANCE]


def table(cells: list[Cell]) -> str:
    """Return Markdown: a row for every generation and kind of file, the largest difference over its networks."""
    lines = [
        "| saved by | as | networks | loaded as | largest difference | accuracy, float | int8 | int8: lowest SQNR |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for generation, kind in dict.fromkeys((cell.generation, cell.kind) for cell in cells):
        group = [cell for cell in cells if (cell.generation, cell.kind) == (generation, kind)]
        for outcome in dict.fromkeys(cell.outcome for cell in group):
            same = [cell for cell in group if cell.outcome == outcome]
            differences = [cell.max_abs_diff for cell in same if cell.max_abs_diff is not None]
            largest = f"{max(differences):.1e}" if differences else f"{same[0].network}: {same[0].reason}"
            row = (generation, kind, str(len(same)), outcome, largest, *_int8_columns(same))
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def _int8_columns(cells: list[Cell]) -> tuple[str, str, str]:
    """Return the accuracies of the float models and of the int8 files, network by network, and the lowest SQNR."""
    known = [cell for cell in cells if cell.int8 is not None and cell.accuracy is not None]
    made = [cell.int8 for cell in known if cell.int8 and "refused" not in cell.int8]
    floats = " ".join(f"{100 * (cell.accuracy or 0):.1f}" for cell in known)
    int8 = " ".join(
        f"{100 * cell.int8['accuracy']:.1f}" if "accuracy" in (cell.int8 or {}) else "refused" for cell in known
    )
    return floats, int8, f"{min(one['sqnr_db'] for one in made):.1f} dB" if made else ""


def to_json(cells: list[Cell]) -> str:
    """Return a line for every cell."""
    return "[\n" + ",\n".join(json.dumps(asdict(cell)) for cell in cells) + "\n]\n"
