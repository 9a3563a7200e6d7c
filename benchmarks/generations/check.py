"""Take every file that `make.py` made to int8: its outputs against those when it was saved, then the int8 file's.

The networks have random weights, so there is no accuracy to lose: the int8 file is compared with the float model, on
random samples without labels.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.config import Recipe
from edgekit.errors import EdgekitError
from edgekit.export.signature import identifiers
from edgekit.models.loader import load_model
from edgekit.pipeline import compress
from edgekit.progress import SILENT

from .save import FAILURES, NETWORKS

KINDS = {".h5": "h5", ".keras": "keras", "-hdf5.keras": "HDF5 as .keras", "": "SavedModel"}
TRAINING, TEST = 300, 50
"""Samples of each part, of which 100 calibrate and 30 are compared."""
INT8 = Recipe("int8", schemes=("int8",), formats=("tflite",), calibration_samples=100)
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
        int8: of the int8 TFLite file `bytes`, and against the float model `agreement` (share of the samples with the
            same class), `samples`, `max_steps` and `sqnr_db`; or `refused`, a sentence. None if there was no model.
    """

    generation: str
    network: str
    kind: str
    outcome: str
    max_abs_diff: float | None
    reason: str = ""
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
        x = [saved[name] for name in sorted(saved.files) if name != "outputs"]
        outputs = saved["outputs"]
    try:
        loaded = load_model(path, progress=SILENT)
    except EdgekitError as error:
        return Cell(generation, network, kind, "refused", None, error.message.replace(str(path), path.name))
    found = loaded.model.predict(x if len(x) > 1 else x[0], verbose=0)
    outcome = "trainable" if loaded.trainable else "post-training only"
    difference = float(np.abs(found - outputs).max())
    return Cell(generation, network, kind, outcome, difference, loaded.untrainable, _int8(path, loaded.model, x))


def _int8(path: Path, model: Any, x: list[np.ndarray]) -> dict[str, Any]:
    """Compress the file with seeded samples like those it was saved with, and return what the int8 file is like."""
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for name, saved in zip(identifiers(model.input_names), x, strict=True):
        for part, count in (("train", TRAINING), ("test", TEST)):
            samples = (rng.random((count, *saved.shape[1:])) * np.ceil(saved.max())).astype(np.float32)
            arrays[f"x_{part}" if len(x) == 1 else f"x_{part}/{name}"] = samples
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "samples.npz", **arrays)
        try:
            bundle = compress(path, str(Path(folder) / "samples.npz"), INT8, Path(folder) / "out")
        except EdgekitError as error:
            return {"refused": error.message.replace(str(path), path.name)}
        artifact, agreement = bundle.manifest.artifacts[0], bundle.manifest.agreement[0]
        return {
            "bytes": artifact.bytes,
            "agreement": agreement.top1,
            "samples": agreement.samples,
            "max_steps": agreement.max_steps,
            "sqnr_db": agreement.sqnr_db,
        }


def failures(cells: list[Cell]) -> list[Cell]:
    """Return the cells that show a fault of edgekit: refused, or other outputs."""
    return [c for c in cells if c.outcome == "refused" or (c.max_abs_diff or 0) > TOLERANCE]


def table(cells: list[Cell]) -> str:
    """Return Markdown: a row for every generation and kind of file, the largest difference over its networks."""
    lines = [
        "| saved by | as | networks | loaded as | largest difference | int8: same class, SQNR |",
        "|---|---|---|---|---|---|",
    ]
    for generation, kind in dict.fromkeys((cell.generation, cell.kind) for cell in cells):
        group = [cell for cell in cells if (cell.generation, cell.kind) == (generation, kind)]
        for outcome in dict.fromkeys(cell.outcome for cell in group):
            same = [cell for cell in group if cell.outcome == outcome]
            differences = [cell.max_abs_diff for cell in same if cell.max_abs_diff is not None]
            largest = f"{max(differences):.1e}" if differences else f"{same[0].network}: {same[0].reason}"
            lines.append(f"| {generation} | {kind} | {len(same)} | {outcome} | {largest} | {_worst(same)} |")
    return "\n".join(lines)


def _worst(cells: list[Cell]) -> str:
    """Return the lowest agreement and SQNR of the int8 files."""
    found = [cell.int8 for cell in cells if cell.int8 is not None]
    if not found:
        return ""
    made = [one for one in found if "refused" not in one]
    refused = f"; {len(found) - len(made)} refused" if len(made) < len(found) else ""
    if not made:
        return refused.removeprefix("; ")
    return f"{min(o['agreement'] for o in made):.0%}, {min(o['sqnr_db'] for o in made):.1f} dB{refused}"


def to_json(cells: list[Cell]) -> str:
    """Return a line for every cell."""
    return "[\n" + ",\n".join(json.dumps(asdict(cell)) for cell in cells) + "\n]\n"
