"""The file of a model, opened: what is compressed, with what edgekit noted beside it and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.config import Recipe
from edgekit.errors import InputError
from edgekit.files import sha256
from edgekit.models.file_model import SUFFIXES, FileModel
from edgekit.models.saving import ModelCard, read_card
from edgekit.progress import Progress


@dataclass(frozen=True)
class OpenedModel:
    """A model as it came.

    Attributes:
        model: a tf_keras model, a `PlainModel` or a `FileModel`.
        quantized: the same with the fake quantization it was trained with; None unless it was.
        card: what an earlier edgekit wrote beside the file, or None.
        origin: the first lineage step.
    """

    model: Any
    quantized: Any
    card: ModelCard | None
    origin: dict[str, Any]


def is_file_model(path: Path) -> bool:
    """Return whether a path is of a `.tflite` or `.onnx` file, by its suffix."""
    return path.suffix.lower() in SUFFIXES


def open_model(
    path: Path, recipe: Recipe, *, allow_unsafe: bool, custom: Sequence[str], progress: Progress
) -> OpenedModel:
    """Open a model file or a SavedModel folder.

    Args:
        path: of the model.
        recipe: whether it trains.
        allow_unsafe: load Lambda layers, which run code from the model file.
        custom: the user's own layers and functions.
        progress: told of every step.

    Raises:
        InputError: it cannot be used, or cannot be trained by a recipe that does.
    """
    if is_file_model(path):
        model = FileModel(path)
        model.try_out()
        progress.say(f"It becomes .{model.format} again; the other format needs the Keras model")
        origin = {"step": "load", "file": path.name, "sha256": sha256(path), "format": model.format}
        return OpenedModel(model, None, None, origin)
    from edgekit.models.loader import load_model
    from edgekit.models.wrappers import is_quantization_aware

    card = read_card(path) if path.is_file() else None
    loaded = load_model(path, allow_unsafe=allow_unsafe, custom=custom, progress=progress)
    if recipe.stages and not loaded.trainable:
        raise InputError(
            f"{path}: recipe {recipe.name} trains, which this model cannot: {loaded.untrainable}",
            "choose a recipe without stages, such as int8 or all-schemes",
        )
    if not loaded.trainable or not is_quantization_aware(loaded.model):
        return OpenedModel(_with_tokens(loaded.model, recipe, progress), None, card, loaded.source)
    from edgekit.techniques.qat_taken import taken

    quantized, model = taken(loaded.model)
    note = "It was trained with fake quantization (TFMOT): the int8 file gets the ranges that it was trained with"
    if recipe.stages:
        note = "It was trained with fake quantization (TFMOT): the recipe trains its float form, and ranges anew"
    progress.say(note)
    origin = loaded.source | {"notes": [*loaded.source["notes"], note]}
    return OpenedModel(model, None if recipe.stages else quantized, card, origin)


def _with_tokens(model: Any, recipe: Recipe, progress: Progress) -> Any:
    """Return a model whose files take token numbers as integers, where an integer file would round them."""
    from edgekit.techniques.token_inputs import with_integer_tokens

    if not any(scheme.startswith("int") for scheme in recipe.schemes):
        return model
    made, names = with_integer_tokens(model)
    if names:
        one = len(names) == 1
        progress.say(
            f"Input{'' if one else 's'} {', '.join(names)}: numbers of tokens, which the files take as int32 (the "
            "model declares float32, which int8 would round)"
        )
    return made
