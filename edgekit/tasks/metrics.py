"""How good a model's outputs are: one number with its 95 % interval, from outputs and labels.

A new metric is a function here and a line in `edgekit.tasks.register`. Outputs come in real units, as a runtime or
Keras gives them: scores before a softmax or sigmoid are as good, because only their order and sign are used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, NotRequired, TypedDict

import numpy as np

from edgekit.schema.gate import read
from edgekit.schema.rules import AnyFloat, Choosing, Count, Natural, Through, Wrong
from edgekit.schema.types import JsonMapping, JsonObject
from edgekit.stats import Interval, bootstrap_ratio, mean_interval, sqnr_db, wilson
from edgekit.tasks.detection.boxes import check_truth
from edgekit.tasks.register import METRICS
from edgekit.tasks.samples import Array
from edgekit.tasks.task import SOFTMAX, Head


@dataclass(frozen=True)
class Score:
    """A metric's value.

    Attributes:
        metric: a key of `edgekit.tasks.register.METRICS`, or a function of the user's as `module:function`.
        interval: the value with its 95 % interval; low and high are NaN where there is none.
        samples: it was computed on.
        correct: for a share of samples, how many.
    """

    metric: str
    interval: Interval
    samples: int
    correct: int | None = None

    @property
    def value(self) -> float:
        """The metric's value; of a share from 0 to 1."""
        return self.interval.value

    @property
    def lower_is_better(self) -> bool:
        """Whether less is better, as of errors; a function of the user's is taken for a score."""
        return self.metric in METRICS and not METRICS[self.metric].higher_is_better

    @classmethod
    def of_count(cls, correct: int, samples: int, metric: str = "accuracy") -> Score:
        """Return a share of samples, with its Wilson interval."""
        return cls(metric, wilson(correct, samples), samples, correct)

    def to_dict(self) -> JsonObject:
        """Return the JSON form: of a share its counts, of another metric its value and interval."""
        if self.correct is not None:
            named = {} if self.metric == "accuracy" else {"metric": self.metric}
            return {**named, "correct": self.correct, "samples": self.samples}
        value, low, high = self.interval.value, self.interval.low, self.interval.high
        bounds = {} if np.isnan(low) else {"low": low, "high": high}
        return {"metric": self.metric, "value": value, **bounds, "samples": self.samples}

    @classmethod
    def from_dict(cls, value: JsonMapping, source: str = "score") -> Score:
        """Read the JSON form; `source` names it in messages.

        Raises:
            InputError: it is of another form.
        """
        form: JsonMapping = read(ScoreForm, value, source, "score")
        metric = form.get("metric", "accuracy")
        if "correct" in form:
            return cls.of_count(form["correct"], form["samples"], metric)
        interval = Interval(form["value"], form.get("low", math.nan), form.get("high", math.nan))
        return cls(metric, interval, form["samples"])


def decisions(outputs: Array, head: Head) -> Array:
    """Return the classes that outputs stand for: the largest, or 0 and 1 for an output that is one probability.

    Class numbers are what they are.
    """
    if head.indices:
        return np.rint(outputs).astype(np.int64)
    if head.kind in SOFTMAX:
        classes: Array = outputs.argmax(axis=-1)
        return classes
    return np.asarray(outputs > (0.0 if head.logits else 0.5), np.int64)


def accuracy(outputs: Array, y: Array, head: Head) -> Score:
    """Share of right decisions: of samples, or, where a sample has many, the mean of its shares."""
    right = right_decisions(outputs, y, head)
    if right.ndim == 1:
        return Score.of_count(int(right.sum()), len(right))
    return Score("accuracy", mean_interval(_means(right)), len(right))


def right_decisions(outputs: Array, y: Array, head: Head) -> Array:
    """Return which decisions are right, bool (samples, ...)."""
    right: Array = _fitted(decisions(outputs, head), y) == y
    return right


def top5(outputs: Array, y: Array, head: Head) -> Score:
    """Share of samples whose class is among the five largest outputs."""
    return Score.of_count(int(right_in_five(outputs, y, head).sum()), len(y), "top5")


def right_in_five(outputs: Array, y: Array, head: Head) -> Array:
    """Return of which samples the class is among the five largest outputs, bool (samples,)."""
    best = np.argsort(-outputs, axis=-1, kind="stable")[:, :5]
    right: Array = (best == y[:, np.newaxis]).any(axis=1)
    return right


def auc(outputs: Array, y: Array, head: Head) -> Score:
    """Area under the ROC curve (Mann-Whitney), its variance as of Hanley and McNeil 1982; several labels: the mean."""
    scores = outputs.reshape(len(outputs), -1)
    if head.kind in SOFTMAX:
        if scores.shape[1] != 2:
            raise ValueError("auc is for two classes, or for several independent labels")
        scores = scores[:, 1:] - scores[:, :1]
    areas = [_one_auc(s, t) for s, t in zip(scores.T, y.reshape(len(y), -1).T, strict=True)]
    value = float(np.mean([area for area, _ in areas]))
    half = 1.96 * float(np.sqrt(np.sum([variance for _, variance in areas]))) / len(areas)
    return Score("auc", Interval(value, max(0.0, value - half), min(1.0, value + half)), len(y))


def _one_auc(scores: Array, y: Array) -> tuple[float, float]:
    positives, negatives = int((y == 1).sum()), int((y == 0).sum())
    if not positives or not negatives:
        raise ValueError("auc needs samples with and without a label")
    order = np.unique(scores, return_inverse=True)[1].ravel()
    counts = np.bincount(order)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[order]
    area = float((ranks[y == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))
    q1, q2 = area / (2 - area), 2 * area * area / (1 + area)
    spread = area * (1 - area) + (positives - 1) * (q1 - area * area) + (negatives - 1) * (q2 - area * area)
    return area, max(0.0, spread) / (positives * negatives)


def mae(outputs: Array, y: Array, head: Head) -> Score:
    """Mean absolute error."""
    return _mean_error("mae", absolute_errors(outputs, y))


def mse(outputs: Array, y: Array, head: Head) -> Score:
    """Mean squared error."""
    return _mean_error("mse", squared_errors(outputs, y))


def absolute_errors(outputs: Array, y: Array) -> Array:
    """Return the mean absolute error of every sample."""
    return _means(np.abs(_fitted(outputs, y) - y))


def squared_errors(outputs: Array, y: Array) -> Array:
    """Return the mean squared error of every sample."""
    return _means((_fitted(outputs, y) - y) ** 2)


def _means(values: Array) -> Array:
    means: Array = values.reshape(len(values), -1).mean(axis=1)
    return means


def _mean_error(name: str, errors: Array) -> Score:
    mean = mean_interval(errors)
    low = mean.low if np.isnan(mean.low) else max(0.0, mean.low)
    return Score(name, Interval(mean.value, low, mean.high), len(errors))


def miou(outputs: Array, y: Array, head: Head) -> Score:
    """Mean over the classes that occur of intersection over union, over all pixels; bootstrap over the samples."""
    return Score("miou", bootstrap_ratio(*overlaps(outputs, y, head)), len(y))


def overlaps(outputs: Array, y: Array, head: Head) -> tuple[Array, Array]:
    """Return the pixels of every sample and class that predictions and labels share, and those that either has."""
    chosen, truth = _fitted(decisions(outputs, head), y).astype(np.int64), y.astype(np.int64)
    classes = [c for c in range(int(max(chosen.max(), truth.max())) + 1) if (truth == c).any() or (chosen == c).any()]
    pixels = tuple(range(1, truth.ndim))
    shared = np.stack([((chosen == c) & (truth == c)).sum(axis=pixels) for c in classes], axis=1)
    either = np.stack([((chosen == c) | (truth == c)).sum(axis=pixels) for c in classes], axis=1)
    return shared, either


def mean_average_precision(outputs: Array, y: Array, head: Head) -> Score:
    """Mean average precision by pycocotools; bootstrap over the images.

    Args:
        outputs: boxes as `edgekit.tasks.detection.decoding.detections` returns them.
        y: labelled boxes.
        head: whose metric says which overlaps count.
    """
    from edgekit.tasks.detection.precision import OVERLAPS, interval, matches

    if fault := check_truth(y):
        raise ValueError(fault)
    return Score(head.metric, interval(matches(outputs, y), OVERLAPS[head.metric]), len(y))


def agreement(outputs: Array, y: Array, head: Head) -> Score:
    """Share of samples (or positions) with the largest value where the float model has it, or with its class number."""
    same = same_picks(outputs, y, head)
    if same.size == len(same):
        return Score.of_count(int(same.sum()), len(y), "agreement")
    return Score("agreement", mean_interval(_means(same)), len(y))


def same_picks(outputs: Array, y: Array, head: Head) -> Array:
    """Return where the largest value is where the float model has it, bool (samples, ...)."""
    same: Array = picks(outputs, head) == picks(y.reshape(outputs.shape), head)
    return same


def picks(outputs: Array, head: Head) -> Array:
    """Return where the largest value of an unlabelled output is, along the last axis, or its class numbers."""
    indices: Array = decisions(outputs, head) if head.indices else outputs.argmax(axis=-1)
    return indices


def sqnr(outputs: Array, y: Array, head: Head) -> Score:
    """Signal-to-quantization-noise ratio to the float model's outputs, in dB; infinite where they are equal."""
    return Score("sqnr", Interval(sqnr_db(y.astype(np.float64), outputs), float("nan"), float("nan")), len(y))


def _fitted(outputs: Array, y: Array) -> Array:
    """Return outputs in the shape of the labels, which may lack a last axis of one."""
    return outputs.reshape(y.shape)


class Counted(TypedDict):
    """A score that is a share of samples."""

    metric: NotRequired[str]
    correct: Count
    samples: Natural


class Valued(TypedDict):
    """Another score; of a broken model it may be infinite or not a number."""

    metric: str
    value: AnyFloat
    low: NotRequired[AnyFloat]
    high: NotRequired[AnyFloat]
    samples: Natural


def share(score: JsonObject) -> JsonObject:
    """Return a score whose counts fit each other."""
    if "correct" in score and score["correct"] > score["samples"]:
        raise Wrong(f"has {score['correct']:,} correct of {score['samples']:,} samples")
    return score


def scores_form(scores: Mapping[str, Score]) -> JsonObject:
    """Return the JSON form of the scores of all outputs: the first one's, and, of several, all under `heads`."""
    main = next(iter(scores.values()))
    heads = {"heads": {name: score.to_dict() for name, score in scores.items()}} if len(scores) > 1 else {}
    return {**main.to_dict(), **heads}


ScoreForm = Annotated[JsonObject, Choosing((("correct", Counted), ("", Valued))), Through(share)]
