"""The model to compress, opened: a Keras model, a float `.tflite` or `.onnx` file, or the demo model, trained here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.bundle.recipe import DEMO_MODEL, Recipe
from edgekit.data.dataset import Dataset
from edgekit.data.split import Splits, split
from edgekit.errors import InputError
from edgekit.files.whole import sha256
from edgekit.formats.reading import inspect_file
from edgekit.frameworks.types import KerasModel
from edgekit.models.files.saving import ModelCard, read_card
from edgekit.models.imported.importing import Imported
from edgekit.models.imported.torch_program import is_program
from edgekit.models.sources.file_source import FileSource, source_format
from edgekit.models.sources.keras_source import KerasSource
from edgekit.models.sources.plain_source import PlainSource
from edgekit.models.sources.source import SourceModel
from edgekit.pipeline.request import Request
from edgekit.schema.types import JsonObject, JsonValue


@dataclass(frozen=True)
class Rebuilt:
    """A file that layers stand for now.

    Attributes:
        file: itself, its sizes settled.
        made: the model of layers, with the axes of its inputs and outputs in the file.
    """

    file: FileSource
    made: Imported


@dataclass(frozen=True)
class Source:
    """The model to compress, with where it comes from.

    Attributes:
        name: what its files are called.
        model: the model.
        key: the same for the same model: the file's SHA-256, or the name of the demo model.
        step: the lineage step of its loading or training, JSON values.
        generation: of Keras, in which the model was saved; None for other files.
        loss: that the model was compiled with, if that is a loss for values; else empty.
        card: what an earlier edgekit wrote beside the file, or None.
        file: name of the file, for messages.
        rebuilt: the ONNX file that the model was rebuilt from, and how; or None.
    """

    name: str
    model: SourceModel
    key: str
    step: JsonObject
    generation: int | None = None
    loss: str = ""
    card: ModelCard | None = None
    file: str = DEMO_MODEL
    rebuilt: Rebuilt | None = None

    @property
    def lineage(self) -> list[JsonObject]:
        """The steps that made the model, oldest first."""
        return [*(self.card.lineage if self.card else ()), self.step]

    def noted(self, key: str, value: JsonValue) -> Source:
        """Return it with something more in its lineage step."""
        return replace(self, step={**self.step, key: value})

    def with_note(self, note: str) -> Source:
        """Return it with one more sentence among the notes of its lineage step."""
        return self.noted("notes", [*self.step.get("notes", ()), note])


def open_source(path: Path, request: Request) -> Source:
    """Open a model file or a SavedModel folder; sizes of its inputs may still be open.

    Args:
        path: of the model.
        request: which stages train, and what may be loaded.

    Raises:
        InputError: it cannot be used, or cannot be trained by a recipe that does.
    """
    name = re.sub(r"[^\w.-]+", "-", path.stem).strip(".-")[:48] or "model"
    if source_format(path) != "keras":
        model, notes = _opened(path)
        key = sha256(path)
        step = {"step": "load", "file": path.name, "sha256": key, "notes": notes, "format": model.format}
        for note in notes:
            request.progress.notify(note)
        return Source(name, model, key, step, file=path.name)
    return replace(_open_keras(path, request), name=name, file=path.name)


def _opened(path: Path) -> tuple[FileSource, list[str]]:
    """Return a file as a source; a program of PyTorch as the ONNX file that PyTorch exports of it, with a note."""
    if not is_program(path):
        return FileSource(path, inspect_file(path)), []
    from edgekit.models.imported.torch_program_export import exported_program

    made, folder = exported_program(path)
    note = f"{path.name}: exported as ONNX by PyTorch, outputs equal; nothing in it was unpickled"
    return FileSource(made, inspect_file(made), folder), [note]


def _open_keras(path: Path, request: Request) -> Source:
    from edgekit.models.files.loader import load_model
    from edgekit.models.files.wrappers import is_quantization_aware
    from edgekit.techniques.qat_taken import taken

    recipe, progress = request.recipe, request.progress
    card = read_card(path) if path.is_file() else None
    loaded = load_model(path, allow_unsafe=request.allow_unsafe, custom=request.custom, progress=progress)
    origin = loaded.origin

    def source(model: SourceModel) -> Source:
        return Source(path.stem, model, origin.sha256, origin.to_dict(), origin.generation, origin.loss, card)

    if not loaded.trainable:
        if recipe.stages:
            raise InputError(
                f"{path}: recipe {recipe.name} trains, which this model cannot: {loaded.untrainable}",
                "choose a recipe without stages, such as int8 or all-schemes",
                code="source-not-trainable",
            )
        return source(PlainSource(loaded.model, loaded.untrainable))
    if not is_quantization_aware(loaded.model):
        return source(KerasSource(_with_integer_tokens(loaded.model, request)))
    quantized, model = taken(loaded.model)
    note = "It was trained with fake quantization (TFMOT): the int8 file gets the ranges that it was trained with"
    if recipe.stages:
        note = "It was trained with fake quantization (TFMOT): the recipe trains its float form, and ranges anew"
    progress.notify(note)
    return source(KerasSource(model, None if recipe.stages else quantized)).with_note(note)


def _with_integer_tokens(model: KerasModel, request: Request) -> KerasModel:
    """Return a model whose files take token numbers as integers, where an integer file would round them."""
    from edgekit.techniques.token_inputs import with_integer_tokens

    if not any(scheme.startswith("int") for scheme in request.recipe.schemes):
        return model
    made, names = with_integer_tokens(model)
    if names:
        request.progress.notify(_tokens_note(names))
    return made


def _tokens_note(names: Sequence[str]) -> str:
    return (
        f"Input{'s' * (len(names) > 1)} {', '.join(names)}: numbers of tokens, which the files take as int32 (the "
        "model declares float32, which int8 would round)"
    )


def splits_for(dataset: Dataset, recipe: Recipe) -> Splits:
    """Return the parts of a data set as a recipe wants them; at most half of the training samples calibrate."""
    return split(dataset, min(recipe.calibration_samples, len(dataset.x_train) // 2))


def train_demo(dataset: Dataset, request: Request) -> Source:
    """Train the demo model.

    Args:
        dataset: its data.
        request: the seed, and how many samples are not trained on.

    Raises:
        InputError: a preprocessing is asked for other than the one that it is trained with.
    """
    from edgekit.models.reference.train_reference import find, train_in_memory
    from edgekit.models.training.training import TrainConfig

    recipe, progress = request.recipe, request.progress
    chosen = [*recipe.preprocessing, *(["normalize_outside"] if recipe.normalize_outside else [])]
    chosen += ["layout_out"] if recipe.layout_out else []
    if chosen:
        raise InputError(
            f"the demo model is trained on {dataset.preprocessing}: {', '.join(chosen)} cannot be chosen",
            "give a MODEL, or leave the option out",
            code="demo-preprocessing-fixed",
        )
    demo = find(DEMO_MODEL)
    splits = splits_for(dataset, recipe)
    progress.notify(f"No model given: training the demo model {DEMO_MODEL}, {demo.epochs} epochs")
    config = TrainConfig(demo.epochs, demo.batch_size, augment=demo.augment, schedule=demo.schedule, seed=recipe.seed)
    model, history = train_in_memory(DEMO_MODEL, dataset, splits, config, 1.0, progress)
    step = {"step": "train", "model": DEMO_MODEL, "data": dataset.name, **history.to_dict()}
    return Source(DEMO_MODEL, KerasSource(model), DEMO_MODEL, step)
