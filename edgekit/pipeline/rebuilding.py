"""ONNX and TFLite files that become layers: when they do, what else they get, and what their inputs are like then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgekit.data.dataset import Dataset
from edgekit.errors import ConversionError
from edgekit.models.imported.proof import as_in_file
from edgekit.models.keras.proof import difference, largest
from edgekit.models.sources.file_source import FileSource
from edgekit.models.sources.keras_source import KerasSource
from edgekit.models.sources.source import SourceModel
from edgekit.pipeline.request import Request
from edgekit.pipeline.source import Rebuilt, Source
from edgekit.schema.types import JsonObject
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import NamedArrays, Stored, arrays_of, evenly

REAL_SAMPLES = 8
"""Of the data, that go through the rebuilt model and its file."""
TOLERANCE = 1e-4
"""Of their outputs, times the largest one: real samples may be in bytes, far from the random ones of the proof."""


def is_onnx(model: SourceModel) -> bool:
    """Return whether a source is an ONNX file as it is."""
    return isinstance(model, FileSource) and model.format == "onnx"


def with_layers(source: Source, request: Request) -> Source:
    """Return a source with layers in the place of its file, if the recipe wants them; all sizes are settled.

    A file that cannot be rebuilt stays what it is where that is enough.

    Raises:
        ConversionError: the recipe trains, and an operator cannot be rebuilt; it is named, with the reason.
        InputError: the file is damaged, quantized already, or cannot be run.
    """
    file = source.model
    if not isinstance(file, FileSource) or not request.recipe.wants_layers(file.format):
        return source
    from edgekit.export.sources import plan_source
    from edgekit.models.imported.importing import import_file

    _ = file.model  # refuses what is no float model
    try:
        made = import_file(file.path, file.info)
    except ConversionError as error:
        if request.recipe.stages:
            raise
        plan_source("onnx", request.recipe)
        note = f"Not rebuilt as layers, so that ONNX is all that can be made: {error.message}"
        request.progress.warn(note, error.code)
        return source.with_note(note)
    for note in made.notes:
        request.progress.notify(note)
        source = source.with_note(note)
    model = KerasSource(made.model)
    ends = zip(model.inputs, made.inputs, strict=True)
    moved: JsonObject = {new.name: [0, *old.order] for new, old in ends if old.moved}
    if moved:
        source = source.noted("channels_last", moved)
    return replace(source, model=model, rebuilt=Rebuilt(file, made))


def with_layout(request: Request, source: Source) -> Request:
    """Return a request without `--layout` where the graph settled it: the rebuilt model takes channels last."""
    preprocessing = request.recipe.preprocessing
    if source.rebuilt is None or not source.rebuilt.moves_inputs:
        return request
    kept = {key: value for key, value in preprocessing.items() if key != "layout"}
    if len(kept) < len(preprocessing):
        request.progress.notify("`--layout` is left out: the rebuilt model takes channels last, as samples are stored")
    return replace(request, recipe=replace(request.recipe, preprocessing=kept))


def channels_last(source: Source, dataset: Dataset) -> tuple[Dataset, list[str]]:
    """Return the data as a rebuilt model takes them, where they are stored as its file took them, and notes of that.

    Series (n, channels, steps) may have been taken for images of one channel, and have an axis of 1 at their end.
    """
    ports = () if source.rebuilt is None else source.rebuilt.made.inputs
    x = dataset.x_train
    names = x.names if isinstance(x, NamedArrays) else [source.model.inputs[0].name]
    moves = {}
    for new, port, array in (
        (n, p, a) for n, p in zip(source.model.inputs, ports, strict=False) for a in _of(x, n.name)
    ):
        given, file = tuple(array.shape[1:]), port.shape[1:]
        if port.moved and given != tuple(new.shape) and given in (file, (*file, 1)):
            moves[new.name] = port.order
    if not moves or set(moves) - set(names):
        return dataset, []
    parts = {key: _moved(getattr(dataset, key), list(names), moves) for key in ("x_train", "x_test")}
    shown = ", ".join(moves)
    return replace(dataset, **parts), [
        f"{dataset.name}: samples have their channels first, and are transposed: {shown}"
    ]


def _of(part: Stored, name: str) -> list[Stored]:
    """Return the array of an input: by name, or the only one."""
    if isinstance(part, NamedArrays):
        return [array for own, array in zip(part.names, part.arrays, strict=True) if own == name]
    return [part]


def _moved(part: Stored, names: list[str], moves: dict[str, tuple[int, ...]]) -> Stored:
    made = {}
    for name, array in zip(names, arrays_of(part), strict=True):
        order = moves.get(name)
        if order is not None:
            values = np.asarray(array)
            array = values.reshape(values.shape[: len(order) + 1]).transpose(0, *order)
        made[name] = array
    return NamedArrays(made) if isinstance(part, NamedArrays) else made[names[0]]


def layouts_of(source: Source, dataset: Dataset, request: Request) -> dict[str, str]:
    """Return the layout of every input whose sizes are yet to be settled: as given, else as the samples show it.

    Images with their channels last are those of an ONNX input that declares as many channels behind the batch.
    """
    how, shapes = Preprocessing().changed(request.recipe.preprocessing), source.model.input_shapes
    layouts = {name: how.of(name).layout for name in shapes}
    if not is_onnx(source.model) or "layout" in request.recipe.preprocessing:
        return layouts
    x = dataset.x_train
    names = x.names if isinstance(x, NamedArrays) else list(shapes)[:1]
    for name, array in zip(names, arrays_of(x), strict=False):
        shape, sizes = shapes.get(name, ()), array.shape[1:]
        if len(shape) == 4 and len(sizes) == 3 and shape[1] == sizes[2] != sizes[0]:
            layouts[name] = "NCHW"
    return layouts


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
    expected = source.rebuilt.file.predict(tuple(fed) if len(fed) > 1 else fed[0])
    for port, old, array in zip(made.outputs, expected, source.model.predict(inputs), strict=True):
        new = as_in_file(array, port.order, port.shape).reshape(old.shape)
        off, allowed = difference(old, new), TOLERANCE * max(1.0, largest(old))
        if off > allowed:
            raise ConversionError(
                f"{source.file}: the rebuilt model computes something else on the data: output `{port.name}` differs "
                f"by {off:.3g}",
                "recipes without stages still quantize the file as it is; please report the model",
                code="import-differs",
            )
