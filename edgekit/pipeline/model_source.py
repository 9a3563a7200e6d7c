"""The file of a model, opened: what is compressed, with what edgekit noted beside it and where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.bundle.recipe import Recipe
from edgekit.data.dataset import Dataset
from edgekit.data.fitting import named_as
from edgekit.errors import InputError
from edgekit.export.signature import identifiers
from edgekit.files.whole import sha256
from edgekit.formats.reading import inspect_file
from edgekit.models.files.file_model import SUFFIXES, FileModel
from edgekit.models.files.saving import ModelCard, read_card
from edgekit.pipeline.open_inputs import (
    Asked,
    Shape,
    as_data,
    file_inputs,
    needs_settling,
    settled_file,
    settled_model,
    settled_sizes,
)
from edgekit.progress import Progress
from edgekit.tasks.preprocessing import Preprocessing


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
    path: Path,
    recipe: Recipe,
    load: Callable[[Shape | None], Dataset],
    asked: Asked,
    *,
    allow_unsafe: bool,
    custom: Sequence[str],
    progress: Progress,
) -> tuple[OpenedModel, Dataset]:
    """Open a model file or a SavedModel folder, and the data for it, which tell the sizes that the model leaves open.

    Args:
        path: of the model.
        recipe: whether it trains, and how samples are fed.
        load: loads the data for an input of one sample's shape; None where there are several inputs.
        asked: sizes and values that the user gave.
        allow_unsafe: load Lambda layers, which run code from the model file.
        custom: the user's own layers and functions.
        progress: told of every step.

    Raises:
        InputError: it cannot be used, or cannot be trained by a recipe that does.
    """
    if is_file_model(path):
        return _open_file(path, recipe, load, asked, progress)
    opened = _open_keras(path, recipe, allow_unsafe, custom, progress)
    names = identifiers(opened.model.input_names)
    own = dict(zip(names, opened.model.input_names, strict=True))
    inputs = {name: tuple(tensor.shape) for name, tensor in zip(names, opened.model.inputs, strict=True)}
    dataset = load(_only(inputs, asked))
    if not needs_settling(inputs, asked):
        return opened, dataset
    dataset = as_data(asked.values, named_as(dataset, names, []))
    sizes = settled_sizes(path.name, inputs, asked, dataset, _layouts(inputs, recipe))
    by_own = {own[name]: shape for name, shape in sizes.items()}, {own[n]: value for n, value in asked.values.items()}
    model = settled_model(opened.model, *by_own)
    quantized = None if opened.quantized is None else settled_model(opened.quantized, *by_own)
    origin = _with_note(opened.origin, sizes, asked, progress)
    return OpenedModel(model, quantized, opened.card, origin), dataset


def _open_file(
    path: Path, recipe: Recipe, load: Callable[[Shape | None], Dataset], asked: Asked, progress: Progress
) -> tuple[OpenedModel, Dataset]:
    info = inspect_file(path)
    inputs = file_inputs(info)
    dataset = load(_only(inputs, asked))
    origin: dict[str, Any] = {"step": "load", "file": path.name, "sha256": sha256(path), "notes": []}
    if needs_settling(inputs, asked):
        dataset = as_data(asked.values, named_as(dataset, list(inputs), []))
        sizes = settled_sizes(path.name, inputs, asked, dataset, _layouts(inputs, recipe))
        settled = settled_file(path, sizes, asked.values)
        model = FileModel(settled.path, kept=settled)
        origin = _with_note(origin, sizes, asked, progress)
    else:
        model = FileModel(path, info=info)
    model.try_out()
    progress.notify(f"It becomes .{model.format} again; the other format needs the Keras model")
    return OpenedModel(model, None, None, origin | {"format": model.format}), dataset


def _only(inputs: Mapping[str, Shape], asked: Asked) -> Shape | None:
    """Return what one sample of the only fed input has as sizes, None where one is open; None for several inputs."""
    fed = [name for name in inputs if name not in asked.values]
    return (asked.shapes.get(fed[0]) or inputs[fed[0]])[1:] if len(fed) == 1 else None


def _layouts(inputs: Mapping[str, Shape], recipe: Recipe) -> dict[str, str]:
    how = Preprocessing().changed(recipe.preprocessing)
    return {name: how.of(name).layout for name in inputs}


def _with_note(
    origin: dict[str, Any], sizes: Mapping[str, tuple[int, ...]], asked: Asked, progress: Progress
) -> dict[str, Any]:
    told = [f"{name} {'×'.join(map(str, shape))}" for name, shape in sizes.items()]
    told += [f"{name} = {value:g}, a constant now" for name, value in asked.values.items()]
    note = f"Inputs are settled: {', '.join(told)}"
    progress.notify(note)
    return origin | {"notes": [*origin.get("notes", []), note]}


def _open_keras(
    path: Path, recipe: Recipe, allow_unsafe: bool, custom: Sequence[str], progress: Progress
) -> OpenedModel:
    from edgekit.models.files.loader import load_model
    from edgekit.models.files.wrappers import is_quantization_aware

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
    progress.notify(note)
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
        progress.notify(
            f"Input{'' if one else 's'} {', '.join(names)}: numbers of tokens, which the files take as int32 (the "
            "model declares float32, which int8 would round)"
        )
    return made
