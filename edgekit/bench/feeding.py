"""How a file that no bundle describes is fed with `--data`: as given, or as a trial on its training samples says."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgekit.bench.file_runtime import FileRunner
from edgekit.bench.ports import output_order, unscaled
from edgekit.bench.subjects import Candidate
from edgekit.data.dataset import Dataset
from edgekit.data.fitting import fit, ports_of, with_axes
from edgekit.data.split import split
from edgekit.data.trial.cost import of_file_of_size
from edgekit.data.trial.look import look
from edgekit.errors import EdgekitError
from edgekit.progress import Progress
from edgekit.samples import Array, NamedArrays
from edgekit.tasks.heads import chosen_kinds
from edgekit.tasks.preprocessing import sets_scale
from edgekit.tasks.scoring import real
from edgekit.tasks.task import Task
from edgekit.tasks.tensors import TensorSpec


def with_axes_of(data: Dataset | None, candidate: Candidate) -> Dataset | None:
    """Return the data with the axes of a file's only input: added, dropped, flattened or unfolded."""
    if data is None or candidate.preprocessing is None or isinstance(data.x_train, NamedArrays):
        return data
    ports = ports_of(candidate.fed)
    return with_axes(data, candidate.preprocessing, ports) if len(ports) == 1 else data


def tried_out(
    described: Candidate,
    candidate: Candidate,
    data: Dataset | None,
    given: Mapping[str, Any] | None,
    kinds: str,
    progress: Progress,
) -> Candidate:
    """Return a file with the way of feeding that a trial finds, and say what it gave.

    Args:
        described: the file as the command line has it; what a bundle describes is left alone.
        candidate: the same with how it is fed and what it is for.
        data: the data set; the test part is not looked at.
        given: fields of `Preprocessing` that the user gave.
        kinds: what `--task` says.
        progress: told of the result.
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
        fitted, _ = fit(data, how, ports_of(candidate.inputs), outputs, name, kinds=asked)
        splits = split(fitted, 1)
        facts = [None] * len(candidate.inputs)
        macs = of_file_of_size(candidate.subject.bytes)
        predict = _predicting(candidate, task)
        looked = look(name, predict, macs, facts, splits, task, how, given=sets_scale(given or {}), anyway=True)
    except EdgekitError:
        return candidate  # what stands in the way here is told where the file is measured
    progress.notify(looked.notice)
    for warning in looked.warnings:
        progress.warn(warning)
    return dataclasses.replace(candidate, preprocessing=looked.preprocessing)


def _predicting(candidate: Candidate, task: Task) -> Callable[[Any], list[Array]]:
    runner = FileRunner(candidate.path, candidate.subject.format, [spec.name for spec in candidate.outputs])
    order = output_order(candidate.outputs, task)

    def predict(inputs: Any) -> list[Array]:
        arrays = list(inputs) if isinstance(inputs, tuple) else [inputs]
        found = runner.run([_stored(a, spec) for a, spec in zip(arrays, candidate.inputs, strict=True)])
        return [real(found[i], candidate.outputs[i].quantization()) for i in order]

    return predict


def _stored(values: Array, spec: TensorSpec) -> Array:
    """Return model inputs as a file takes them."""
    quantization, dtype = spec.quantization(), np.dtype(spec.dtype)
    if dtype.kind in "iu" and quantization:
        limits = np.iinfo(dtype)
        scaled = np.round(values / np.float32(quantization["scale"])) + quantization["zero_point"]
        return np.asarray(np.clip(scaled, limits.min, limits.max).astype(dtype))
    return values.astype(dtype)
