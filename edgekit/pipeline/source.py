"""What is compressed: a Keras model, a float `.tflite` or `.onnx` file, or the demo model; and the data for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.bundle.recipe import Recipe
from edgekit.data.dataset import Dataset
from edgekit.data.fitting import Port, named_as, ports
from edgekit.data.lint.model_facts import input_facts
from edgekit.data.loading import check_spec, load_data
from edgekit.data.split import Splits, split
from edgekit.data.trial.cost import about_macs
from edgekit.data.trial.look import look
from edgekit.errors import InputError
from edgekit.export.exporter import plan
from edgekit.export.foreign.from_file import plan_file
from edgekit.export.signature import identifiers
from edgekit.formats.reading import format_of
from edgekit.models.files.file_model import FileModel
from edgekit.models.files.saving import ModelCard
from edgekit.models.keras.asking import asking
from edgekit.pipeline.model_source import is_file_model, open_model
from edgekit.pipeline.open_inputs import Asked
from edgekit.progress import Progress
from edgekit.tasks.preprocessing import Preprocessing, sets_scale
from edgekit.tasks.task import Task
from edgekit.techniques.outside import normalize_outside

DEMO_MODEL = "digits-cnn"
NOTHING_ASKED = Asked()


@dataclass(frozen=True)
class Source:
    """The model to compress, with what is known about it.

    Attributes:
        name: what its files are called.
        model: a tf_keras model, or a `FileModel`.
        card: preprocessing, class names and lineage.
        key: the same for the same model: the file's SHA-256, or the name of the demo model.
        quantized: the model with fake quantization, if it came trained with it: `model` is then its float form.
        given: whether somebody said how it is fed: the user, or its card.
    """

    name: str
    model: Any
    card: ModelCard
    key: str
    quantized: Any = None
    given: bool = True

    @property
    def inputs(self) -> list[Port]:
        """The inputs, named as in the files made of the model."""
        return _ports(self.model)[0]

    @property
    def outputs(self) -> list[Port]:
        """The outputs, likewise."""
        return _ports(self.model)[1]

    @property
    def generation(self) -> int | None:
        """Of Keras, in which the model was saved; None for other files."""
        found: int | None = self.card.lineage[-1].get("generation")
        return found

    @property
    def loss(self) -> str:
        """What the model was compiled with, if that is a loss for values; else empty."""
        return str(self.card.lineage[-1].get("loss", ""))


def check_plan(model: Path | None, recipe: Recipe) -> None:
    """Raise if nothing can be made of such a model with this recipe."""
    if model is not None and is_file_model(model):
        plan_file(format_of(model), recipe)
    else:
        plan(recipe)


def load_source(
    path: Path | None,
    data: str,
    recipe: Recipe,
    *,
    allow_unsafe: bool,
    custom: Sequence[str],
    progress: Progress,
    asked: Asked = NOTHING_ASKED,
) -> tuple[Source, Dataset]:
    """Return the model and the data for it.

    Args:
        path: of the model; None trains the demo model.
        data: a data set name, or where data lie.
        recipe: its seed, number of calibration samples and preprocessing are used. Fields of the last replace the model
            card's, or, without a card, what is usual for the data.
        allow_unsafe: load Lambda layers, which run code from the model file.
        custom: the user's own layers and functions, `package.module:NAME` or `file.py:NAME`.
        progress: told of every step.
        asked: sizes and values of inputs that the user gave.

    Raises:
        InputError: the model or the data cannot be used.
        ConversionError: a Keras 3 model cannot be expressed in Keras 2.
    """
    check_spec(data)
    if path is None:
        dataset = load_data(data)
        chosen = [*recipe.preprocessing, *(["normalize_outside"] if recipe.normalize_outside else [])]
        if chosen:
            raise InputError(
                f"the demo model is trained on {dataset.preprocessing}: {', '.join(chosen)} cannot be chosen",
                "give a MODEL, or leave the option out",
            )
        return _demo(dataset, recipe, progress), dataset
    opened, dataset = open_model(
        path,
        recipe,
        lambda shape: load_data(data, shape, progress),
        asked,
        allow_unsafe=allow_unsafe,
        custom=custom,
        progress=progress,
    )
    model, card, origin = opened.model, opened.card, opened.origin
    dataset = named_as(dataset, *([port.name for port in side] for side in _ports(model)))
    usual = card.preprocessing if card else _usual(dataset.preprocessing, model)
    used = usual.changed(recipe.preprocessing)
    progress.notify(f"{path.name}: {model.count_params():,} parameters")
    given = card is not None or sets_scale(recipe.preprocessing)
    lineage = [*(card.lineage if card else []), origin]
    card = ModelCard(used, dataset.class_names, lineage)
    return Source(_file_name(path.stem), model, card, origin["sha256"], opened.quantized, given), dataset


def _usual(preprocessing: Preprocessing, model: Any) -> Preprocessing:
    """Return how samples usually are fed: as they are stored, where the model scales them itself, or takes integers."""
    names = [port.name for port in _ports(model)[0]]
    known = zip(names, input_facts(model), strict=True)
    scaling = [name for name, facts in known if facts and (facts.takes_raw or facts.takes_integers)]
    inputs = tuple((name, replace(how, scale=1.0) if name in scaling else how) for name, how in preprocessing.inputs)
    return replace(preprocessing, scale=1.0 if scaling and not inputs else preprocessing.scale, inputs=inputs)


def tried_out(
    source: Source, splits: Splits, task: Task, path: Path, *, anyway: bool, progress: Progress
) -> tuple[Source, Task, tuple[str, ...]]:
    """Return the source fed as a trial on labelled samples says, the task, and doubts to be repeated at the end.

    Raises:
        ChanceError, InputError: as `edgekit.data.trial.look.look`.
    """
    facts = input_facts(source.model)
    looked = look(
        path.name, asking(source.model), about_macs(source.model), facts, splits, task,
        source.card.preprocessing, given=source.given, anyway=anyway,
    )  # fmt: skip
    progress.notify(looked.notice)
    for warning in looked.warnings:
        progress.warn(warning)
    *earlier, loaded = source.card.lineage
    lineage = [*earlier, {**loaded, "fed": looked.record}] if looked.record else source.card.lineage
    card = replace(source.card, preprocessing=looked.preprocessing, lineage=lineage)
    return replace(source, card=card), looked.task, looked.warnings


def with_normalization_outside(source: Source, progress: Progress) -> Source:
    """Return the source with Rescaling and Normalization at the model's start done by its preprocessing.

    Raises:
        InputError: there is nothing to take out.
    """
    if not hasattr(source.model, "layers"):
        raise InputError(f"--normalize-outside: {source.name} has no layers to take out", "leave the option out")
    if source.quantized is not None:
        raise InputError(
            f"--normalize-outside: {source.name} was trained with fake quantization, with these layers inside",
            "leave the option out",
        )
    outside = normalize_outside(source.model, source.card.preprocessing, [port.name for port in source.inputs])
    progress.notify(f"Done before the model: {', '.join(outside.layers)}; inputs are {outside.preprocessing}")
    *earlier, loaded = source.card.lineage
    lineage = [*earlier, {**loaded, "normalized_outside": list(outside.layers)}]
    card = replace(source.card, preprocessing=outside.preprocessing, lineage=lineage)
    return replace(source, model=outside.model, card=card)


def _ports(model: Any) -> tuple[list[Port], list[Port]]:
    name = list if isinstance(model, FileModel) else identifiers
    return ports(name(model.input_names), model.inputs), ports(name(model.output_names), model.outputs)


def _demo(dataset: Dataset, recipe: Recipe, progress: Progress) -> Source:
    from edgekit.models.reference.train_reference import find, train_in_memory
    from edgekit.models.training.training import TrainConfig

    usual = find(DEMO_MODEL)
    splits = split(dataset, min(recipe.calibration_samples, len(dataset.x_train) // 2))
    progress.notify(f"No model given: training the demo model {DEMO_MODEL}, {usual.epochs} epochs")
    config = TrainConfig(
        usual.epochs, usual.batch_size, augment=usual.augment, schedule=usual.schedule, seed=recipe.seed
    )
    model, history = train_in_memory(DEMO_MODEL, dataset, splits, config, 1.0, progress)
    step = {"step": "train", "model": DEMO_MODEL, "data": dataset.name, **history.to_dict()}
    return Source(DEMO_MODEL, model, ModelCard(dataset.preprocessing, dataset.class_names, [step]), DEMO_MODEL)


def _file_name(stem: str) -> str:
    return re.sub(r"[^\w.-]+", "-", stem).strip(".-")[:48] or "model"
