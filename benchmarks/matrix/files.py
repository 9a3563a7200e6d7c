"""One trained network in every kind of file that edgekit reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.bundle.recipe import Recipe
from edgekit.export.exporter import export
from edgekit.frameworks.tensorflow import keras3, quiet, tf_keras
from edgekit.progress import SILENT

from .networks import NETWORKS, train


def make(kind: str, network: str, folder: Path) -> tuple[Path, Any]:
    """Train a network with the Keras of a kind of file, and save it.

    Args:
        kind: a key of `KINDS`.
        network: a key of `NETWORKS`.
        folder: to write to.

    Returns:
        The path, and the model in memory.
    """
    keras, suffix, save = KINDS[kind]
    with quiet():
        model = train(NETWORKS[network], keras())
        path = folder / f"{model.name}{suffix}"
        save(model, path)
    return path, model


def _saved(model: Any, path: Path) -> None:
    model.save(str(path))


def _saved_as_folder(model: Any, path: Path) -> None:
    model.save(str(path), save_format="tf")


def _exported(model: Any, path: Path) -> None:
    model.export(str(path), verbose=False)


def _float_file(model: Any, path: Path) -> None:
    recipe = Recipe("float32", schemes=("float32",), formats=(path.suffix[1:],))
    [made] = export(model, recipe, (), path.parent, model.name, SILENT)
    made.path.rename(path)


KINDS: dict[str, tuple[Callable[[], Any], str, Callable[[Any, Path], None]]] = {
    "Keras 3 .keras": (keras3, ".keras", _saved),
    "Keras 3 .h5": (keras3, ".h5", _saved),
    "Keras 2 .keras": (tf_keras, ".keras", _saved),
    "Keras 2 .h5": (tf_keras, ".h5", _saved),
    "Keras 2 SavedModel": (tf_keras, "-saved", _saved_as_folder),
    "plain SavedModel": (keras3, "-exported", _exported),
    "float .tflite": (tf_keras, ".tflite", _float_file),
    "float .onnx": (tf_keras, ".onnx", _float_file),
}
"""Kind of file -> the Keras that makes it, how its name ends, and how it is written."""
