"""Layouts of a rebuilt model: what its files take (`--layout-out`), and data that are stored either way.

Files have their channels last unless the other is asked for: kernels of TFLite compute so, and an input with its
channels first costs a transpose at every inference. Samples are stored with their channels last, as everywhere in
edgekit, and transposed by the preprocessing where a file takes images the other way. Series, which no preprocessing
transposes, are stored as the files take them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edgekit.data.dataset import Dataset
from edgekit.data.fitting import Port as ModelPort
from edgekit.errors import InputError
from edgekit.models.imported.lowering.layout import Port
from edgekit.models.sources.file_source import FileSource
from edgekit.models.sources.source import SourceModel
from edgekit.pipeline.request import Request
from edgekit.pipeline.source import Source
from edgekit.schema.types import JsonObject
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import NamedArrays, Stored, arrays_of

FIRST = "NCHW"
_IMAGE = 3
"""Axes of an image."""
Moves = dict[str, tuple[int, ...]]
"""By the name of an input or output the axes of its stored samples, in the order in which they are wanted."""


def is_onnx(model: SourceModel) -> bool:
    """Return whether a source is an ONNX file as it is."""
    return isinstance(model, FileSource) and model.format == "onnx"


def check_layout_out(source: Source, request: Request) -> None:
    """Refuse `--layout-out NCHW` where no input has its channels first; the source is rebuilt by now, or never is.

    Raises:
        InputError: it is so.
    """
    if request.recipe.layout_out != FIRST:
        return
    ports = () if source.rebuilt is None else source.rebuilt.made.inputs
    if not any(port.first for port in ports):
        why = "a Keras model" if source.rebuilt is None else "its graph takes channels last, or tells nothing of them"
        raise InputError(
            f"{source.file}: `--layout-out {FIRST}` keeps channels first where a model has them so: {why}",
            "leave `--layout-out` out, and transpose what you feed",
            code="layout-out-unsuitable",
        )


def with_layout(request: Request, source: Source, dataset: Dataset) -> Request:
    """Return a request with the layouts that the model takes.

    Of a rebuilt model the graph tells them, whatever `--layout` says; of an ONNX file as it is the samples do, where
    `--layout` does not.

    Args:
        request: of a run.
        source: opened, and rebuilt if it is to be.
        dataset: its data, whose arrays have the names of the inputs.
    """
    if source.rebuilt is None and is_onnx(source.model):
        return _as_samples_show(request, source.model, dataset)
    if source.rebuilt is None or all(port.channels is None for port in source.rebuilt.made.inputs):
        return request
    ports = dict(zip([p.name for p in source.model.inputs], source.rebuilt.made.inputs, strict=True))
    images = {name for name, port in ports.items() if port.first and len(port.order) == _IMAGE}
    given = request.recipe.preprocessing
    kept = _without_layout(given)
    if not images and kept != given:
        request.progress.notify("`--layout` is left out: the rebuilt model takes channels last, as samples are stored")
    return _with_first(request, kept, images, dataset)


def _as_samples_show(request: Request, model: SourceModel, dataset: Dataset) -> Request:
    """Transpose images (height, width, channels) for inputs that declare (channels, height, width)."""
    given = request.recipe.preprocessing
    if _without_layout(given) != given:
        return request
    x = dataset.x_train
    names = x.names if isinstance(x, NamedArrays) else [port.name for port in model.inputs[:1]]
    shapes = {name: tuple(array.shape[1:]) for name, array in zip(names, arrays_of(x), strict=False)}
    images = set[str]()
    for port in model.inputs:
        sizes, stored = tuple(port.shape), shapes.get(port.name, ())
        last = (*sizes[1:], *sizes[:1])
        if len(sizes) == _IMAGE and stored != sizes and stored in (last, *([last[:-1]] if last[-1] == 1 else [])):
            images.add(port.name)
    if images:
        request.progress.notify(
            f"Samples are transposed to {FIRST}, as the model takes them: {', '.join(sorted(images))}"
        )
    return _with_first(request, dict(given), images, dataset)


def _with_first(request: Request, fields: JsonObject, images: set[str], dataset: Dataset) -> Request:
    """Return a request with these fields of the preprocessing, and channels first for some inputs."""
    named = [name for name, _ in dataset.preprocessing.inputs]
    if images and not named:
        fields["layout"] = FIRST
    elif images:
        own = fields.get("inputs", {})
        layouts = {name: {**own.get(name, {}), "layout": FIRST} for name in named if name in images}
        fields["inputs"] = {**own, **layouts}
    return replace(request, recipe=replace(request.recipe, preprocessing=fields))


def _without_layout(fields: Any) -> JsonObject:
    kept = {key: value for key, value in fields.items() if key != "layout"}
    if "inputs" in kept:
        kept["inputs"] = {name: _without_layout(own) for name, own in kept["inputs"].items()}
    return kept


def as_fed(source: Source, dataset: Dataset) -> tuple[Dataset, list[str]]:
    """Return the data as samples of a rebuilt model are stored, channels first or last in either way, and notes.

    Series (n, channels, steps) may have been taken for images of one channel, and have an axis of 1 at their end.

    Raises:
        InputError: labels are masks, and the output with their classes has its channels first.
    """
    if source.rebuilt is None:
        return dataset, []
    made, model, notes = source.rebuilt.made, source.model, []
    for what, keys, ports, ends in (
        ("samples", ("x_train", "x_test"), made.inputs, model.inputs),
        ("labels", ("y_train", "y_test"), made.outputs, model.outputs),
    ):
        part = getattr(dataset, keys[0])
        if part is None:
            continue
        names = list(part.names) if isinstance(part, NamedArrays) else [end.name for end in ends[:1]]
        wanted = {end.name: (port, _stored(port, what)) for end, port in zip(ends, ports, strict=True)}
        if what == "labels":
            _check_masks(source.file, dict(zip(names, arrays_of(part), strict=False)), ends, ports)
        moves = _moves(dict(zip(names, arrays_of(part), strict=False)), wanted)
        if moves:
            dataset = replace(dataset, **{key: _moved(getattr(dataset, key), names, moves) for key in keys})
            shown = ", ".join(f"{name} {_order(wanted[name])}" for name in moves)
            notes.append(f"{dataset.name}: {what} are transposed: {shown}")
    return dataset, notes


def _stored(port: Port, what: str) -> tuple[int, ...]:
    """Return the axes of the file in the order in which samples, or labels, are stored."""
    return port.last if what == "samples" and len(port.order) == _IMAGE else port.order


def _moves(arrays: dict[str, Any], wanted: dict[str, tuple[Port, tuple[int, ...]]]) -> Moves:
    """Return how arrays are transposed that stand as the file has them, or with their channels last, and should not."""
    moves: Moves = {}
    for name, array in arrays.items():
        if name not in wanted or wanted[name][0].channels is None:
            continue
        port, order = wanted[name]
        given = tuple(array.shape[1:])
        if given == port.sizes(order):
            continue
        for now in (port.natural, port.last):
            if now != order and given in (port.sizes(now), (*port.sizes(now), 1)):
                moves[name] = tuple(1 + now.index(axis) for axis in order)
                break
    return moves


def _moved(part: Stored, names: Sequence[str], moves: Moves) -> Stored:
    made = {}
    for name, array in zip(names, arrays_of(part), strict=True):
        order = moves.get(name)
        if order is not None:
            values = np.asarray(array)
            array = values.reshape(values.shape[: len(order) + 1]).transpose(0, *order)
        made[name] = array
    return NamedArrays(made) if isinstance(part, NamedArrays) else made[names[0]]


def _order(wanted: tuple[Port, tuple[int, ...]]) -> str:
    port, order = wanted
    where = "last" if order == port.last else "first"
    return f"to {'×'.join(map(str, port.sizes(order)))}, channels {where}"


def _check_masks(file: str, labels: dict[str, Any], ends: Sequence[ModelPort], ports: Sequence[Port]) -> None:
    """Raise `InputError` where masks (n, height, width) are of classes that come first: the last axis is scored."""
    for end, port in zip(ends, ports, strict=True):
        array = labels.get(end.name)
        if array is None or not port.first or len(port.order) != _IMAGE:
            continue
        space = port.sizes(port.last)[:-1]
        if array.shape[1:] in (space, (*space, 1)) and port.shape[port.order[0]] > 1:
            raise InputError(
                f"{file}: output `{end.name}` has its classes first with `--layout-out {FIRST}`, and masks are scored "
                "along the last axis",
                "leave `--layout-out` out: the files give classes last then",
                code="layout-out-unsuitable",
            )


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
            layouts[name] = FIRST
    return layouts
