"""How each file is preprocessed, and what its outputs are for: as its bundle says, as the data say, or as a trial says.

A file that no bundle describes gets the preprocessing given, or what does best on training samples of `--data`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from edgekit.bundle.reason import Reason
from edgekit.data.dataset import Dataset
from edgekit.data.fitting import fit, ports_of, with_axes
from edgekit.data.split import split
from edgekit.data.trial.cost import of_file_of_size
from edgekit.data.trial.look import look
from edgekit.errors import EdgekitError
from edgekit.measuring.candidates import Candidate
from edgekit.measuring.child_runner import FileRunner
from edgekit.measuring.ports import output_order, to_stored, unscaled
from edgekit.progress import Progress
from edgekit.schema.types import JsonMapping
from edgekit.tasks.detection.options import options_of
from edgekit.tasks.heads import chosen_kinds
from edgekit.tasks.preprocessing import Preprocessing, sets_scale
from edgekit.tasks.samples import Array, ModelInputs, NamedArrays, Stored, arrays_of
from edgekit.tasks.scoring import real, with_metric
from edgekit.tasks.task import DEFAULT_METRICS, Task
from edgekit.tasks.tensors import TensorSpec


def names_of(candidate: Candidate) -> tuple[list[str], list[str]]:
    """Return the inputs and outputs in the order of the model, where a bundle names it, else of the file."""
    inputs, outputs = [spec.name for spec in candidate.fed], [spec.name for spec in candidate.outputs]
    if candidate.preprocessing and candidate.preprocessing.inputs:
        inputs = [name for name, _ in candidate.preprocessing.inputs]
    return inputs, [head.name for head in candidate.task.heads] if candidate.task else outputs


def preprocessed(
    candidate: Candidate, data: Dataset | None, given: JsonMapping | None, metric: str | None, kinds: str
) -> Candidate:
    """Return the file with its preprocessing and what its outputs are for, from its bundle or from the data.

    Args:
        candidate: the file.
        data: the data set, or None.
        given: fields of `Preprocessing` that the user gave.
        metric: as `bench` takes it.
        kinds: what `--task` says.
    """
    how, task = candidate.preprocessing, candidate.task
    if how is None and (data or given):
        how = (data.preprocessing if data else Preprocessing()).changed(given or {})
    if task is None and data is not None and how is not None:
        outputs = ports_of(candidate.outputs)
        asked = chosen_kinds(kinds, [port.name for port in outputs])
        name, given_ports = candidate.subject.name, ports_of(candidate.fed)
        _, task = fit(data, how, given_ports, outputs, name, kinds=asked, detector=options_of(kinds))
    assumed = [Reason("task-assumed", head.note) for head in (task.heads if task else ()) if head.note]
    notes = (*candidate.notes, *assumed)
    if task is not None and metric is None and ":" in task.main.metric:
        # A bundle may come from anywhere, and what it names is not run unless it is asked for.
        own = f"{candidate.subject.name}: was judged by {task.main.metric}; --metric {task.main.metric} does so here"
        notes = (*notes, Reason("metric-not-run", own))
        task = task.with_metric(DEFAULT_METRICS[task.main.kind])
    task = with_metric(task, metric) if task else task
    return dataclasses.replace(candidate, preprocessing=how, task=task, notes=notes)


def with_axes_of(data: Dataset | None, candidate: Candidate) -> Dataset | None:
    """Return the data with the axes that a file takes: channels last; of an only input, added, dropped or flattened."""
    if data is None or candidate.preprocessing is None:
        return data
    data = _channels_last(data, candidate)
    if isinstance(data.x_train, NamedArrays):
        return data
    ports = ports_of(candidate.fed)
    return with_axes(data, candidate.preprocessing, ports) if len(ports) == 1 else data


def _channels_last(data: Dataset, candidate: Candidate) -> Dataset:
    """Return the data with channels behind the other axes, where the data and the model of a bundle have them first."""
    parts: dict[str, Stored] = {}
    for key in ("x_train", "x_test"):
        part = getattr(data, key)
        names = part.names if isinstance(part, NamedArrays) else [spec.name for spec in candidate.fed[:1]]
        made = dict(zip(names, arrays_of(part), strict=False))
        for spec in candidate.fed:
            array, last = made.get(spec.name), _stored_last(spec, candidate)
            if array is not None and last and tuple(array.shape[1:]) == (last[-1], *last[:-1]) != last:
                made[spec.name] = np.asarray(array).transpose(0, *range(2, array.ndim), 1)
        parts[key] = NamedArrays(made) if isinstance(part, NamedArrays) else next(iter(made.values()), part)
    return dataclasses.replace(data, **parts)


def _stored_last(spec: TensorSpec, candidate: Candidate) -> tuple[int, ...]:
    """Return the sizes of a stored sample with its channels last; nothing where data cannot have them first."""
    sizes, how = tuple(spec.shape[1:]), candidate.preprocessing
    if how is not None and how.of(spec.name).layout == "NCHW" and len(sizes) == 3:
        return (*sizes[1:], sizes[0])
    return sizes if spec.name in candidate.channels_first and len(sizes) > 1 else ()


def tried_out(
    described: Candidate,
    candidate: Candidate,
    data: Dataset | None,
    given: JsonMapping | None,
    kinds: str,
    progress: Progress,
) -> Candidate:
    """Return a file with the preprocessing that a trial on training samples finds, and report it.

    Args:
        described: the file as the command line has it; what a bundle describes is left alone.
        candidate: the same, as `preprocessed` returned it.
        data: the data set; the test part is not looked at.
        given: fields of `Preprocessing` that the user gave.
        kinds: what `--task` says.
        progress: notified of the result.
    """
    how, task = candidate.preprocessing, candidate.task
    if (
        described.preprocessing is not None
        or candidate.values
        or data is None
        or data.y_train is None
        or how is None
        or task is None
    ):
        return candidate
    if unscaled("input", candidate.inputs) or unscaled("output", candidate.outputs):
        return candidate
    name = candidate.subject.name
    try:
        outputs = ports_of(candidate.outputs)
        asked = chosen_kinds(kinds, [port.name for port in outputs])
        ports = ports_of(candidate.inputs)
        fitted, _ = fit(data, how, ports, outputs, name, kinds=asked, detector=options_of(kinds))
        splits = split(fitted, 1)
        facts = [None] * len(candidate.inputs)
        macs = of_file_of_size(candidate.subject.bytes)
        predict = _predicting(candidate, task)
        looked = look(name, predict, macs, facts, splits, task, how, given=sets_scale(given or {}), anyway=True)
    except EdgekitError:
        return candidate  # what stands in the way here is told where the file is measured
    progress.notify(looked.notice)
    for finding in looked.findings:
        progress.warn(finding.message, finding.code)
    task = looked.task if task.detection is not None else task  # with how its boxes are written
    return dataclasses.replace(candidate, preprocessing=looked.preprocessing, task=task)


def _predicting(candidate: Candidate, task: Task) -> Callable[[ModelInputs], list[Array]]:
    runner = FileRunner(candidate.path, candidate.subject.format, [spec.name for spec in candidate.outputs])
    order = output_order(candidate.outputs, task)

    def predict(inputs: ModelInputs) -> list[Array]:
        arrays = list(inputs) if isinstance(inputs, tuple) else [inputs]
        found = runner.run([to_stored(a, spec) for a, spec in zip(arrays, candidate.inputs, strict=True)])
        return [real(found[i], candidate.outputs[i].quantization()) for i in order]

    return predict
