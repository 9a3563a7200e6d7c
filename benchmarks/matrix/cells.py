"""A cell of the matrix: one file through one recipe, and the proof or the reason."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.bundle.manifest import Bundle
from edgekit.bundle.recipe import Recipe, load_recipe
from edgekit.errors import EdgekitError
from edgekit.models.files.file_model import FileModel
from edgekit.pipeline.run import compress
from edgekit.progress import SILENT

from .networks import HELD, NETWORKS

RECIPES = ("int8", "qat", "channels-qat")
SAMPLES = 50
"""For calibration, and for comparing the files with the model."""


@dataclass(frozen=True)
class Cell:
    """What became of a file and a recipe.

    Attributes:
        file, network, recipe: which.
        outcome: `works`, `refused` (with a named reason) or `bug` (anything else).
        seconds: it took.
        reason: the first sentence of the refusal, or the exception.
        max_abs_diff: largest difference of an output of the float32 file on test samples: without training to what the
            Keras that saved the file answered; after training to the compressed Keras model.
        bridge: largest difference of an output between the Keras 3 model and its Keras 2 form; None without a bridge.
        sqnr_db: of the int8 file to the Keras model it was made of; None where they are equal.
        float32, int8: `edgekit.tasks.metrics.Score` of these files, on the samples of the manifest's `data.check`.
        int8_bytes: size of the int8 file.
    """

    file: str
    network: str
    recipe: str
    outcome: str
    seconds: float
    reason: str = ""
    max_abs_diff: float | None = None
    bridge: float | None = None
    sqnr_db: float | None = None
    float32: Mapping[str, Any] | None = None
    int8: Mapping[str, Any] | None = None
    int8_bytes: int | None = None


def short(name: str) -> Recipe:
    """Return a recipe of the package with few epochs and samples."""
    recipe = load_recipe(name)
    stages = tuple(
        replace(s, options={**s.options, "epochs": 2 if s.use == "prune" else 1, "batch_size": 32})
        for s in recipe.stages
    )
    return replace(recipe, stages=stages, calibration_samples=SAMPLES, check_samples=SAMPLES)


def measure(path: Path, model: Any, data: Path, names: tuple[str, str, str], out: Path) -> Cell:
    """Compress a file and return its cell.

    Args:
        path: of the model.
        model: it, in memory, as the Keras that saved it has it.
        data: for `--data`.
        names: kind of file, network, recipe.
        out: the bundle's folder.
    """
    started = time.perf_counter()

    def ended(outcome: str, **found: Any) -> Cell:
        return Cell(*names, outcome, round(time.perf_counter() - started, 1), **found)

    try:
        bundle = compress(path, str(data), short(names[2]), out, anyway=True, progress=SILENT)
        found = _proof(bundle, model, names[1])
    except EdgekitError as error:
        return ended("refused", reason=_first_sentence(error.message, path))
    except Exception as error:  # that is what the matrix looks for
        place = traceback.extract_tb(error.__traceback__)[-1]
        return ended("bug", reason=f"{type(error).__name__} in {Path(place.filename).name}: {error}"[:400])
    return ended("works", **found)


def _proof(bundle: Bundle, model: Any, network: str) -> dict[str, Any]:
    made = {a.scheme: a for a in reversed(bundle.manifest.artifacts) if a.format != "c"}
    against = {a.other: a for a in bundle.manifest.agreement if a.reference.endswith("model")}
    float32, int8 = made["float32"], made["int8"]
    trained = bool(bundle.manifest.ledger)
    bridge = bundle.manifest.lineage[0].get("bridge") or {}
    return {
        "max_abs_diff": against[float32.file].max_abs if trained else _difference(bundle.file(float32), model, network),
        "bridge": bridge.get("max_abs_diff"),
        "sqnr_db": against[int8.file].sqnr_db,
        "float32": float32.validation,
        "int8": int8.validation,
        "int8_bytes": int8.bytes,
    }


def _difference(path: Path, model: Any, network: str) -> float:
    """Return the largest difference on test samples between a float file and the model that was saved."""
    x, _ = NETWORKS[network].data()
    named = {name: array[-HELD:] for name, array in x.items()} if isinstance(x, Mapping) else {"": x[-HELD:]}
    given = list(named.values())
    expected = np.asarray(model.predict(given if len(given) > 1 else given[0], verbose=0))
    file = FileModel(path)
    order = [next(array for name, array in named.items() if name in wanted) for wanted in file.input_names]
    return float(np.abs(np.asarray(file.predict(order if len(order) > 1 else order[0])) - expected).max())


def _first_sentence(message: str, path: Path) -> str:
    text = message.removeprefix(f"{path}: ").replace(str(path), path.name).splitlines()[0]
    return re.split(r"(?<=[a-z)`])\. ", text)[0]
