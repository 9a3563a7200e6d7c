"""A model and its data, opened and matched: sizes, names and axes, preprocessing, what each output is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgekit.data.dataset import Dataset
from edgekit.data.fitting import Port, fit, named_as, reshaped
from edgekit.data.loading import check_spec, load_data
from edgekit.errors import InputError
from edgekit.export.sources import not_made
from edgekit.models.sources.natures import natures_of
from edgekit.models.sources.source import SourceModel
from edgekit.pipeline.input_sizes import in_words, settled_sizes, without_values
from edgekit.pipeline.job import Job
from edgekit.pipeline.layouts import as_fed, check_layout_out, layouts_of, with_layout
from edgekit.pipeline.outside import check_outside
from edgekit.pipeline.rebuilding import prove_on_data, with_layers
from edgekit.pipeline.request import Request
from edgekit.pipeline.source import Source, open_source, splits_for, train_demo
from edgekit.pipeline.splitting import with_split_outputs
from edgekit.tasks.detection.options import options_of
from edgekit.tasks.heads import chosen_kinds
from edgekit.tasks.preprocessing import Preprocessing, sets_scale
from edgekit.tasks.task import Head

LOOKED_AT = 16
"""Samples whose outputs show how a detector's values are meant."""


def match(request: Request) -> Job:
    """Open the model and the data, and match them.

    Raises:
        InputError: the model or the data cannot be used, do not fit each other, or a stage cannot train the model.
        ConversionError: a Keras 3 model cannot be expressed in Keras 2.
    """
    check_spec(request.data)
    path = request.model
    if path is None:
        loaded = load_data(request.data)
        source = train_demo(loaded, request)
        preprocessing, given = loaded.preprocessing, True
    else:
        source, loaded = _opened(open_source(path, request), request)
        request = with_layout(request, source, loaded)
        default = source.card.preprocessing if source.card else _default(loaded.preprocessing, source.model)
        preprocessing = default.changed(request.recipe.preprocessing)
        request.progress.notify(f"{path.name}: {source.model.parameters:,} parameters")
        given = source.card is not None or sets_scale(request.recipe.preprocessing)
    outputs = source.model.outputs
    dataset, task = fit(
        loaded,
        preprocessing,
        source.model.inputs,
        outputs,
        source.name,
        look=natures_of(source.model, preprocessing),
        kinds=chosen_kinds(request.task, [port.name for port in outputs]),
        detector=options_of(request.task),
    )
    for note in reshaped(loaded, dataset):
        request.progress.notify(note)
    prove_on_data(source, dataset, preprocessing)
    if request.split_outputs:
        source, task = with_split_outputs(source, task)
    _check_heads(task.heads, source, request)
    for stage in request.stages:
        stage.preflight(source.model.model, request.progress, allow_unsafe=request.allow_unsafe)
    if request.recipe.normalize_outside:
        check_outside(request.recipe, task)
    splits = splits_for(dataset, request.recipe)
    return Job(request, source, dataset, splits, task, preprocessing, given)


def _opened(source: Source, request: Request) -> tuple[Source, Dataset]:
    """Load the data for a model, which settle the sizes that it leaves open; arrays get the names of its inputs."""
    options = request.inputs
    settle = options.to_settle(source.model.input_shapes)
    if not settle:
        source = with_layers(source, request)
    inputs = source.model.input_shapes
    dataset = load_data(request.data, options.sample_shape(inputs), request.progress)
    if settle:
        dataset = without_values(named_as(dataset, list(inputs), []), options.values)
        sizes = settled_sizes(source.file, inputs, options, dataset, layouts_of(source, dataset, request))
        note = in_words(sizes, options.values)
        source = replace(source, model=source.model.settled(sizes, options.values)).with_note(note)
        request.progress.notify(note)
        source = with_layers(source, request)
    check_layout_out(source, request)
    model = source.model
    model.try_out()
    left_out = not_made(model.format, request.recipe)
    if left_out:
        request.progress.notify(f"Left out, because they need the Keras model: {', '.join(left_out)}")
    dataset, notes = as_fed(source, named_as(dataset, _names(model.inputs), _names(model.outputs)))
    for note in notes:
        request.progress.notify(note)
    return source, dataset


def _names(ports: Sequence[Port]) -> list[str]:
    return [port.name for port in ports]


def _default(preprocessing: Preprocessing, model: SourceModel) -> Preprocessing:
    """Return the preprocessing of the data, without a scale where the model scales by itself, or takes integers."""
    known = zip(model.inputs, model.facts().inputs, strict=True)
    scaling = [port.name for port, facts in known if facts.takes_raw or facts.takes_integers]
    inputs = tuple((name, replace(how, scale=1.0) if name in scaling else how) for name, how in preprocessing.inputs)
    return replace(preprocessing, scale=1.0 if scaling and not inputs else preprocessing.scale, inputs=inputs)


def _check_heads(heads: Sequence[Head], source: Source, request: Request) -> None:
    """Notify of how labels are taken, where that is not plain; refuse to train what has no gradient."""
    for head in heads:
        if head.note:
            request.progress.notify(f"{source.name}: {head.note}")
        if head.indices and request.stages:
            raise InputError(
                f"{source.name}: output {head.name} is class numbers, as of ArgMax: it has no gradient to train with",
                "give the model without its last operation, or use a recipe without stages: --recipe int8",
                code="source-not-trainable",
            )
