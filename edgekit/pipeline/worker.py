"""What `edgekit.compress` and `edgekit.train` do in a worker process, and the command line in its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

from edgekit.bundle.recipe import load_recipe
from edgekit.files.temporary import claim
from edgekit.models.reference.train_reference import train_reference
from edgekit.pipeline.input_sizes import InputOptions
from edgekit.pipeline.run import compress as run
from edgekit.pipeline.sensitivity import sensitivity as look_into
from edgekit.progress import Progress
from edgekit.schema.types import JsonObject
from edgekit.tasks.preprocessing import checked_fields


def compress(request: dict[str, Any], progress: Progress) -> dict[str, str]:
    """Compress as a request says (see `edgekit.api.compression`); return why not to use the bundle, and what to do."""
    name, recipe_file = request["recipe"]
    recipe = replace(load_recipe(recipe_file), name=name)
    model = request["model"] and Path(request["model"])
    fields = checked_fields(request["preprocessing"])
    inputs = InputOptions({k: tuple(v) for k, v in request["input_shapes"].items()}, request["input_values"])
    claim()
    progress.notify(f"Compressing {model or 'the demo model'} with {recipe.name}: {recipe.description}")
    bundle = run(
        model,
        request["data"],
        recipe,
        Path(request["out"]),
        preprocessing=fields,
        metric=request["metric"],
        task=request["task"],
        allow_unsafe=request["allow_unsafe"],
        custom=request["custom"],
        force=request["force"],
        fresh=request["fresh"],
        anyway=request["anyway"],
        inputs=inputs,
        split_outputs=request["split_outputs"],
        progress=progress,
    )
    return {"refusal": bundle.refusal, "advice": bundle.advice}


def sensitivity(request: dict[str, Any], progress: Progress) -> JsonObject:
    """Look into a model as a request says (see `edgekit.api.sensitivity`); return the JSON form of the layer table."""
    inputs = InputOptions({k: tuple(v) for k, v in request["input_shapes"].items()}, request["input_values"])
    claim()
    found = look_into(
        Path(request["model"]),
        request["data"],
        preprocessing=checked_fields(request["preprocessing"]),
        normalize_outside=request["normalize_outside"],
        calibration_samples=request["calibration_samples"],
        calibration_method=request["calibration_method"],
        metric=request["metric"],
        task=request["task"],
        allow_unsafe=request["allow_unsafe"],
        custom=request["custom"],
        anyway=request["anyway"],
        inputs=inputs,
        samples=request["samples"],
        progress=progress,
    )
    return found.to_dict()


class Trained(TypedDict):
    """What training kept.

    Attributes:
        best_epoch: the epoch that was kept, from 1.
        epochs: how many there were.
        scores: of that epoch, of the Keras model, on validation samples.
    """

    best_epoch: int
    epochs: int
    scores: dict[str, float]


def train(request: dict[str, Any], progress: Progress) -> Trained:
    """Train a reference model as a request says (see `edgekit.api.training`)."""
    claim()
    given = request | {"out": Path(request["out"])}
    history = train_reference(given.pop("name"), given.pop("data"), given.pop("out"), **given, progress=progress)
    return {"best_epoch": history.best_epoch + 1, "epochs": history.config.epochs, "scores": history.best}
