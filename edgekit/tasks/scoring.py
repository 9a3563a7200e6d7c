"""From raw outputs of a file to its score: dequantized, against the labels, by the task's metric."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgekit.errors import InputError
from edgekit.files.own_code import importable
from edgekit.samples import Array, arrays_of
from edgekit.stats import Interval, mean_interval
from edgekit.tasks.metrics import METRICS, Score, decisions
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.task import SIGMOID, SOFTMAX, USUAL, Head, Task

OF_SCORES = ("top5", "auc", "sqnr")
"""Metrics that look at how large values are, which class numbers do not tell."""


def real(stored: Array, quantization: Mapping[str, Any] | None) -> Array:
    """Return outputs in real units, float64."""
    values: Array = stored.astype(np.float64)
    return values if quantization is None else (values - float(quantization["zero_point"])) * quantization["scale"]


def labels(task: Task, x: Any, y: Any, preprocessing: Preprocessing) -> tuple[Array, ...]:
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
        raise InputError("the samples have no labels, so nothing can be scored", "switch it off with --no-accuracy")
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
        raise InputError(f"{len(y)} labels for {len(outputs)} samples")
    if ":" in head.metric:
        return _custom(outputs, y, head)
    metric = METRICS[head.metric]
    if not np.isfinite(outputs).all():
        return Score(head.metric, Interval(float("nan"), float("nan"), float("nan")), len(y))
    try:
        return metric.measure(outputs, y, head)
    except (ValueError, IndexError, TypeError) as error:
        raise InputError(f"{head.metric} of output {head.name}: {error}") from error


def scores(outputs: Sequence[Array], y: Sequence[Array], task: Task) -> dict[str, Any]:
    """Return the JSON form of the first output's score; of several outputs, of all of them under `heads`."""
    if not len(outputs) == len(y) == len(task.heads):
        raise InputError(f"the task has {len(task.heads)} outputs, the file {len(outputs)}, the labels {len(y)}")
    found = [score(o, t, head) for o, t, head in zip(outputs, y, task.heads, strict=True)]
    several = {h.name: s.to_dict() for h, s in zip(task.heads, found, strict=True)}
    named = {"heads": several} if len(found) > 1 else {}
    return {**found[0].to_dict(), **named}


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
        fitting = ", ".join(name for name, m in METRICS.items() if kind in m.kinds)
        unknown = "unknown" if metric not in METRICS else f"not for {kind}"
        raise InputError(f"--metric {metric}: {unknown}", f"one of: {fitting}; or your own, module:function")
    elif task.main.indices and metric in OF_SCORES:
        raise InputError(
            f"--metric {metric}: takes scores of classes, and output {task.main.name} is class numbers",
            f"use --metric {USUAL[kind] if kind in SOFTMAX else 'agreement'}",
        )
    return task.with_metric(metric)


def digest(outputs: Array, head: Head) -> dict[str, str]:
    """Return the SHA-256 of a classifier's decisions, which tells at a glance whether two files decide alike."""
    if head.kind not in SOFTMAX | SIGMOID:
        return {}
    found = np.ascontiguousarray(decisions(outputs, head), "<i4")
    return {"predictions_sha256": hashlib.sha256(found.tobytes()).hexdigest()}


def _custom(outputs: Array, y: Array, head: Head) -> Score:
    try:
        found = np.asarray(_function(head.metric)(y, outputs), np.float64)
    except InputError:
        raise
    except Exception as error:  # it is the user's
        raise InputError(f"--metric {head.metric} failed: {type(error).__name__}: {error}") from error
    if found.shape == (len(y),):
        return Score(head.metric, mean_interval(found), len(y))
    if found.size != 1:
        raise InputError(
            f"--metric {head.metric} returned shape {found.shape}",
            "return one number, or one a sample; it is called with (y_true, y_pred)",
        )
    return Score(head.metric, Interval(float(found.reshape(())), float("nan"), float("nan")), len(y))


def _function(spec: str) -> Any:
    """Import `module:function`; modules in the current folder are found."""
    module, _, name = spec.partition(":")
    try:
        with importable(module):
            function = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # the module is the user's
        raise InputError(f"--metric {spec}: cannot import {module}: {error}") from error
    if not callable(function):
        raise InputError(f"--metric {spec}: {module} has no function {name!r}")
    return function
