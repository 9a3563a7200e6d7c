"""From the name of a reference model to a trained file."""

from __future__ import annotations

import difflib
import itertools
import os
from pathlib import Path

from edgekit.data.dataset import Dataset
from edgekit.data.fitting import with_classes
from edgekit.data.loading import load_data
from edgekit.data.split import Splits, split
from edgekit.errors import InputError, OutputError
from edgekit.files.destinations import check_apart, prove
from edgekit.files.whole import Exists, check_free_file
from edgekit.frameworks.types import KerasModel
from edgekit.models.files.saving import ModelCard, card_path, save_model
from edgekit.models.reference import reference
from edgekit.models.training.training import History, TrainConfig, train
from edgekit.progress import Progress
from edgekit.schema.types import JsonMapping

Overrides = JsonMapping
"""Fields of `TrainConfig`; None leaves the default."""


def find(name: str) -> reference.ReferenceModel:
    """Return a reference model by name.

    Raises:
        InputError: there is none of that name.
    """
    if name in reference.REFERENCE:
        return reference.REFERENCE[name]
    close = difflib.get_close_matches(name, reference.REFERENCE, n=1)
    known = f"the reference models are: {', '.join(reference.REFERENCE)}"
    hint = f"did you mean `{close[0]}`? {known}" if close else known
    raise InputError(f"no reference model `{name}`", hint, code="unknown-name")


def train_reference(
    name: str,
    data: str,
    out: Path,
    *,
    overrides: Overrides,
    width: float,
    seed: int,
    force: bool,
    progress: Progress,
) -> History:
    """Train a reference model on a data set and write it to `out`.

    Args:
        name: a reference model.
        data: a data set name or `.npz` file.
        out: the `.keras` file.
        overrides: fields of `TrainConfig` that are not None replace the model's default training.
        width: factor on the channels.
        seed: governs everything random here.
        force: replace an existing file.
        progress: notified of every step.

    Raises:
        InputError: unknown names, unusable data or options.
        OutputError: the file exists or cannot be written.
    """
    chosen = find(name)
    if out.suffix != ".keras":
        raise InputError(
            f"{out}: expected a file name that ends in `.keras`",
            f"use `-o {out.with_suffix('.keras')}`",
            code="suffix-mismatch",
        )
    check_apart(out, [data])
    for path in (out, card_path(out)):
        prove(path)
        check_free_file(path, force=force)
    config = _config(chosen, overrides, seed)
    dataset, note = with_classes(load_data(data))
    if note:
        progress.notify(f"{dataset.name}: {note}")
    if not dataset.classes:
        raise InputError(
            f"{data}: the labels are not classes, and reference models are classifiers",
            "use data with a class a sample",
            code="reference-model-unfit",
        )
    splits = split(dataset, calibration_samples=1)
    progress.notify(f"{dataset.name}: {len(splits.y_train)} training, {len(splits.y_validation)} validation samples")
    model, history = train_in_memory(name, dataset, splits, config, width, progress)
    step = {"step": "train", "model": name, "width": width, "data": dataset.name, "data_sha256": dataset.fingerprint}
    card = ModelCard(dataset.preprocessing, dataset.class_names, [{**step, **history.to_dict()}])
    try:
        save_model(model, out, card, replace=force)
    except Exists as error:  # another process was quicker
        kept = _free(out)
        save_model(model, kept, card, replace=False)
        raise OutputError(
            f"{error.message}: another process made it in the meantime; this model is kept as `{kept}`",
            "use it from there, or move it",
            code=error.code,
        ) from error
    return history


def _free(out: Path) -> Path:
    """Return a name like this that nothing has."""
    names = (out.with_name(f"{out.stem}-{number}{out.suffix}") for number in itertools.count(2))
    return next(path for path in names if not os.path.lexists(path) and not os.path.lexists(card_path(path)))


def train_in_memory(
    name: str, dataset: Dataset, splits: Splits, config: TrainConfig, width: float, progress: Progress
) -> tuple[KerasModel, History]:
    """Build and train a reference model; nothing is written."""
    from edgekit.frameworks.tensorflow import seed_everything

    seed_everything(config.seed)
    model = reference.build(name, dataset.sample_shape, dataset.classes, width)
    history = train(model, splits, dataset.preprocessing, config, progress)
    return model, history


def _config(model: reference.ReferenceModel, overrides: Overrides, seed: int) -> TrainConfig:
    fields = {
        "epochs": model.epochs,
        "batch_size": model.batch_size,
        "augment": model.augment,
        "schedule": model.schedule,
        "seed": seed,
    }
    return TrainConfig(**{**fields, **{key: value for key, value in overrides.items() if value is not None}})
