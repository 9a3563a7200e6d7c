"""ONNX and TFLite files that become layers: when they do, and what else they get."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgekit.data.dataset import Dataset
from edgekit.errors import ConversionError
from edgekit.models.sources.file_source import FileSource
from edgekit.models.sources.keras_source import KerasSource
from edgekit.pipeline.layouts import FIRST
from edgekit.pipeline.request import Request
from edgekit.pipeline.source import Rebuilt, Source
from edgekit.schema.types import JsonObject
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import evenly

WORTHLESS = ("graph-damaged", "graph-in-training-mode", "weights-not-finite")
"""Codes of files that nothing of worth can be made of."""
REAL_SAMPLES = 4
"""Of the data, that go through the rebuilt model and its file."""


def with_layers(source: Source, request: Request) -> Source:
    """Return a source with layers in the place of its file, if the recipe wants them; all sizes are settled.

    A file that cannot be rebuilt stays what it is where that is enough.

    Raises:
        ConversionError: the recipe trains, or asks for a layout, and an operator cannot be rebuilt; it is named, with
            the reason. Or the graph is damaged, in training mode, or has NaN among its weights.
        InputError: the file is damaged, quantized already, or cannot be run.
    """
    file = source.model
    if not isinstance(file, FileSource) or not request.recipe.wants_layers(file.format):
        return source
    from edgekit.export.sources import plan_source
    from edgekit.models.imported.importing import import_file

    _ = file.model  # refuses what is no float model
    try:
        made = import_file(file.path, file.info, first=request.recipe.layout_out == FIRST)
    except ConversionError as error:
        if request.recipe.stages or request.recipe.layout_out or error.code in WORTHLESS:
            raise
        plan_source("onnx", request.recipe)
        note = f"Not rebuilt as layers, so that ONNX is all that can be made: {error.message}"
        request.progress.warn(note, error.code)
        return source.with_note(note)
    for note in made.notes:
        request.progress.notify(note)
        source = source.with_note(note)
    model = KerasSource(made.model)
    for key, new, old in (
        ("channels_last", model.inputs, made.inputs),
        ("outputs_channels_last", model.outputs, made.outputs),
    ):
        pairs = zip(new, old, strict=True)
        moved: JsonObject = {n.name: [0, *o.order] for n, o in pairs if o.moved and 0 not in o.order}
        if moved:
            source = source.noted(key, moved)
    return replace(source, model=model, rebuilt=Rebuilt(file, made))


def prove_on_data(source: Source, dataset: Dataset, preprocessing: Preprocessing) -> None:
    """Compare a rebuilt model with its file on samples of the data.

    Raises:
        ConversionError: their outputs differ.
        InputError: the file cannot be run on them.
    """
    if source.rebuilt is None:
        return
    made, rows = source.rebuilt.made, evenly(len(dataset.x_train), REAL_SAMPLES)
    inputs = preprocessing.apply(dataset.x_train[rows])
    arrays = inputs if isinstance(inputs, tuple) else (inputs,)
    fed = [
        np.ascontiguousarray(array.transpose(np.argsort((0, *port.order))))
        for port, array in zip(made.inputs, arrays, strict=True)
    ]
    made.prove_on(fed)
