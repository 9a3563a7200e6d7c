"""From raw outputs of a file to its score: dequantized, against the labels, by the task's metric."""

from __future__ import annotations

import hashlib
import importlib
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edgekit.errors import InputError
from edgekit.files.own_code import importable
from edgekit.stats import Interval, mean_interval
from edgekit.tasks.metrics import Score, decisions, right_decisions, right_in_five, same_picks
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.register import METRICS, Metric, fitting
from edgekit.tasks.samples import Array, Samples, arrays_of
from edgekit.tasks.task import DEFAULT_METRICS, SIGMOID, SOFTMAX, Head, Task
from edgekit.tasks.tensors import Quantization

Measure = Callable[[Array, Array, Head], Score]
"""A metric's function: of outputs and labels, samples first, and what the output is for."""

_CALLED = "it is called with (y_true, y_pred) and returns one number, or one a sample"


def real(stored: Array, quantization: Quantization | None) -> Array:
    """Return outputs in real units, float64."""
    values: Array = stored.astype(np.float64)
    return values if quantization is None else (values - float(quantization["zero_point"])) * quantization["scale"]


def labels(task: Task, x: Samples, y: Samples | None, preprocessing: Preprocessing) -> tuple[Array, ...]:
    """Return what each output is compared with: the labels, or, of an autoencoder, its inputs.

    Args:
        task: of the model.
        x: stored samples.
        y: their labels as stored, or None.
        preprocessing: from stored samples to model inputs.

    Raises:
        InputError: the task needs labels, and there are none.
    """
    if task.main.kind == "reconstruction":
        return (preprocessing.apply(x),)
    if y is None:
        raise InputError(
            "the samples have no labels, so no score can be computed",
            "give labels, or switch scores off with `--no-accuracy`",
            code="labels-missing",
        )
    return tuple(np.asarray(array) for array in arrays_of(y))


def score(outputs: Array, y: Array, head: Head) -> Score:
    """Return the score of one output.

    Args:
        outputs: in real units, float64 (n, ...).
        y: what it is compared with, samples first.
        head: what the output is for, and its metric.

    Raises:
        InputError: the metric does not fit the output or the labels, or its function cannot be called.
    """
    if len(outputs) != len(y):
        raise InputError(
            f"{len(y)} labels for {len(outputs)} samples", "give one label a sample", code="labels-do-not-fit"
        )
    if ":" in head.metric:
        return _custom(outputs, y, head)
    metric = METRICS[head.metric]
    if not np.isfinite(outputs).all():
        return Score(head.metric, Interval(float("nan"), float("nan"), float("nan")), len(y))
    try:
        return measure(metric)(outputs, y, head)
    except (ValueError, IndexError, TypeError) as error:
        raise InputError(
            f"`{head.metric}` of output `{head.name}`: {error}",
            f"use one of: {fitting(head.kind)}",
            code="metric-failed",
        ) from error


def scores(outputs: Sequence[Array], y: Sequence[Array], task: Task) -> dict[str, Score]:
    """Return the score of every output that has one, by name, the main one first.

    Args:
        outputs: as a file gives them, in real units.
        y: what each is compared with.
        task: what they are for.

    Raises:
        InputError: as `score`; or there are labels for other outputs.
    """
    outputs = judged(outputs, task)
    if not len(outputs) == len(y) == len(task.scored):
        raise InputError(
            f"the task has {len(task.scored)} outputs, the file {len(outputs)}, the labels {len(y)}",
            "give labels for every output of the file",
            code="labels-do-not-fit",
        )
    return {head.name: score(o, t, head) for o, t, head in zip(outputs, y, task.scored, strict=True)}


def settled_by(task: Task, outputs: Sequence[Array]) -> tuple[Task, str]:
    """Return the task with what values of outputs show of how they are meant, and a sentence that says so.

    Args:
        task: as found from shapes and labels.
        outputs: of some samples, in real units.
    """
    if task.detection is None:
        return task, ""
    from edgekit.tasks.detection.finding import settle

    how, note = settle(task.detection, outputs)
    return replace(task, detection=how), note


def judged(outputs: Sequence[Array], task: Task) -> tuple[Array, ...]:
    """Return what has a score: the outputs; of a detector the boxes that they are decoded to.

    Args:
        outputs: as a file gives them, in real units.
        task: what they are for.

    Raises:
        InputError: they are not as the task describes.
    """
    if task.detection is None:
        return tuple(outputs)
    from edgekit.tasks.detection.decoding import detections

    return (detections(outputs, task.detection),)


def measure(metric: Metric) -> Measure:
    """Return the function that computes a metric."""
    module, _, name = metric.function.partition(":")
    return typing.cast(Measure, getattr(importlib.import_module(module), name))


def with_metric(task: Task, metric: str | None) -> Task:
    """Return the task with another metric.

    Raises:
        InputError: there is no such metric, or it is not for such outputs.
    """
    if metric is None:
        return task
    kind = task.main.kind
    if ":" in metric:
        _function(metric)
    elif metric not in METRICS or kind not in METRICS[metric].kinds:
        fault = "unknown metric" if metric not in METRICS else f"not for `{kind}`"
        hint = f"use one of: {fitting(kind)}; or your own, as module:function"
        raise InputError(f"`--metric {metric}`: {fault}", hint, code="metric-unfit")
    elif task.main.indices and METRICS[metric].of_scores:
        raise InputError(
            f"`--metric {metric}`: expected scores of classes, and output `{task.main.name}` is class numbers",
            f"use `--metric {DEFAULT_METRICS[kind] if kind in SOFTMAX else 'agreement'}`",
            code="metric-unfit",
        )
    return task.with_metric(metric)


RIGHT: Mapping[str, Callable[[Array, Array, Head], Array]] = {
    "accuracy": right_decisions,
    "top5": right_in_five,
    "agreement": same_picks,
}
"""Of metrics that can be a share of samples: which ones are right."""


def right(outputs: Array, y: Array, head: Head, score: Score) -> Array | None:
    """Return which samples a score counts as correct, bool (n,); None of a score that counts none.

    Args:
        outputs: as `score` takes them.
        y: likewise.
        head: likewise.
        score: of them.
    """
    if score.correct is None or head.metric not in RIGHT:
        return None
    return np.asarray(RIGHT[head.metric](outputs, y, head), np.bool_).reshape(-1)


def digest(outputs: Array, head: Head) -> str | None:
    """Return the SHA-256 of a classifier's decisions, which shows at a glance whether two files decide alike."""
    if head.kind not in SOFTMAX | SIGMOID:
        return None
    classes = np.ascontiguousarray(decisions(outputs, head), "<i4")
    return hashlib.sha256(classes.tobytes()).hexdigest()


def _custom(outputs: Array, y: Array, head: Head) -> Score:
    try:
        values = np.asarray(_function(head.metric)(y, outputs), np.float64)
    except InputError:
        raise
    except Exception as error:  # it is the user's
        raise InputError(
            f"`--metric {head.metric}` failed: {type(error).__name__}: {error}", _CALLED, code="metric-failed"
        ) from error
    if values.shape == (len(y),):
        return Score(head.metric, mean_interval(values), len(y))
    if values.size != 1:
        raise InputError(
            f"`--metric {head.metric}` returned shape {values.shape}, expected one number, or one a sample",
            _CALLED,
            code="metric-failed",
        )
    return Score(head.metric, Interval(float(values.reshape(())), float("nan"), float("nan")), len(y))


def _function(spec: str) -> Callable[[Array, Array], npt.ArrayLike]:
    """Import `module:function`; modules in the current folder are found."""
    module, _, name = spec.partition(":")
    try:
        with importable(module):
            function = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # the module is the user's
        raise InputError(
            f"`--metric {spec}`: cannot import `{module}`: {error}",
            "modules of the current folder and installed ones are found",
            code="metric-failed",
        ) from error
    if not callable(function):
        raise InputError(
            f"`--metric {spec}`: `{module}` has no function `{name}`", "check the name", code="metric-failed"
        )
    return typing.cast(Callable[[Array, Array], npt.ArrayLike], function)
