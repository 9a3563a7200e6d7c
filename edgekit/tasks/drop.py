"""How much worse a file's outputs are than the model's that it comes from: what `--max-drop` limits.

One number an output, in the unit that people give limits in: percentage points of a share, percent of an error, the
noise in percent of the signal where there is nothing but the model's own outputs to compare with, and the metric's own
unit of a function of the user's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, NotRequired, TypedDict

import numpy as np

from edgekit.errors import InputError
from edgekit.schema.rules import AnyFloat, Through, one_of
from edgekit.schema.types import Declaration, JsonMapping, JsonObject
from edgekit.stats import Interval, bootstrapped
from edgekit.stats.differences import unpaired_change, unpaired_difference
from edgekit.tasks.metrics import Score
from edgekit.tasks.register import METRICS
from edgekit.tasks.samples import Array
from edgekit.tasks.scoring import judged, score
from edgekit.tasks.task import DENSE, Head, Task

POINTS, OF_ERROR, OF_SIGNAL, OWN = "points", "% of the error", "% of the signal", "of the metric"
"""Units of a drop."""
_VALUES, _PIXELS = 20_000_000, 500_000
"""Of outputs, and of those with a class a position: what has more gets no interval, which would take minutes."""
_LEAST_ERROR = 1e-12


class DropForm(TypedDict):
    """A drop as JSON."""

    value: AnyFloat
    low: NotRequired[AnyFloat]
    high: NotRequired[AnyFloat]
    unit: Annotated[str, one_of(POINTS, OF_ERROR, OF_SIGNAL, OWN)]
    output: str


@dataclass(frozen=True)
class Drop:
    """What a file lost.

    Attributes:
        interval: the loss with its 95 % interval, paired over samples; negative where the file is better.
        unit: of it: `POINTS`, `OF_ERROR`, `OF_SIGNAL` or `OWN`.
        output: name of the output that lost most.
    """

    interval: Interval
    unit: str
    output: str

    def to_dict(self) -> JsonObject:
        """Return the JSON form."""
        bounds = {} if math.isnan(self.interval.low) else {"low": self.interval.low, "high": self.interval.high}
        return {"value": self.interval.value, **bounds, "unit": self.unit, "output": self.output}

    @classmethod
    def declared(cls) -> Declaration:
        """Return the declaration of the JSON form."""
        return Annotated[DropForm, Through(_of_form)]

    def within(self, limit: float) -> bool:
        """Return whether it is at most `limit`; what is not finite is not."""
        return self.interval.value <= limit + 1e-9

    @property
    def text(self) -> str:
        """The loss for people: `0.42 points [0.10, 0.75]`."""
        value, low, high = self.interval.value, self.interval.low, self.interval.high
        bounds = "" if math.isnan(low) else f" [{low:.2f}, {high:.2f}]"
        return "not finite" if math.isnan(value) else f"{value:.2f} {self.unit}{bounds}"


def _of_form(form: JsonMapping) -> Drop:
    interval = Interval(form["value"], form.get("low", math.nan), form.get("high", math.nan))
    return Drop(interval, form["unit"], form["output"])


def unit_of(head: Head) -> str:
    """Return in which unit a drop of an output is."""
    return OF_SIGNAL if head.metric == "sqnr" and head.kind == "unlabelled" else _unit(head.metric)


def _unit(name: str) -> str:
    metric = METRICS.get(name)
    if metric is None:
        return OWN
    return OF_ERROR if name == "sqnr" or not metric.higher_is_better else POINTS


def drop_between(before: Score, after: Score) -> Drop:
    """Return what is lost from one score to another of the same metric, where only the two scores are known.

    They may be of different files and samples: the interval is that of independent estimates, which is too wide where
    both are of the same samples.
    """
    unit = _unit(before.metric)
    if unit == OF_ERROR:
        if before.metric == "sqnr":
            lost = 100 * (_amplitude(after.value) / max(_amplitude(before.value), _LEAST_ERROR) - 1)
            return Drop(Interval(lost, math.nan, math.nan), unit, "")
        change = unpaired_change(after.interval, before.interval)
        return Drop(Interval(100 * change.value, 100 * change.low, 100 * change.high), unit, "")
    lost_points = unpaired_difference(before.interval, after.interval)
    factor = 100 if unit == POINTS else 1
    return Drop(Interval(factor * lost_points.value, factor * lost_points.low, factor * lost_points.high), unit, "")


def drop(reference: Sequence[Array], outputs: Sequence[Array], truth: Sequence[Array], task: Task) -> Drop:
    """Return what a file lost, of its outputs the one that lost most.

    Args:
        reference: outputs of the model that it comes from, in real units, float64 (n, ...) each.
        outputs: of the file, likewise.
        truth: what each is scored against; of an unlabelled model its own outputs.
        task: what the outputs are for.

    Raises:
        InputError: a metric does not fit.
    """
    reference, outputs = judged(reference, task), judged(outputs, task)
    drops = [
        Drop(_lost(before, _alike(before, after, head), y, head), unit_of(head), head.name)
        for before, after, y, head in zip(reference, outputs, truth, task.scored, strict=True)
    ]
    return max(drops, key=lambda one: math.inf if math.isnan(one.interval.value) else one.interval.value)


def _alike(before: Array, after: Array, head: Head) -> Array:
    """Return outputs in the shape of others; files find different numbers of boxes."""
    return after if head.kind == "detection" else after.reshape(before.shape)


def _lost(before: Array, after: Array, y: Array, head: Head) -> Interval:
    if not np.isfinite(after).all():
        return Interval(math.inf, math.nan, math.nan)

    if head.kind == "detection":
        from edgekit.tasks.detection.precision import OVERLAPS, difference, matches

        lost_share = difference(matches(before, y), matches(after, y), OVERLAPS[head.metric])
        return Interval(100 * lost_share.value, 100 * lost_share.low, 100 * lost_share.high)

    def lost(rows: slice | Array) -> float:
        return _difference(score(before[rows], y[rows], head), score(after[rows], y[rows], head), head)

    value = lost(slice(None))
    most = _PIXELS if head.kind in DENSE else _VALUES
    if before.size > most or len(before) < 2 or not math.isfinite(value):
        return Interval(value, math.nan, math.nan)
    try:
        return bootstrapped(lost, len(before), value)
    except InputError:  # a metric that some resamples do not allow, such as auc of one class
        return Interval(value, math.nan, math.nan)


def _difference(before: Score, after: Score, head: Head) -> float:
    unit, a, b = unit_of(head), before.value, after.value
    if unit == OF_SIGNAL:
        return 100 * _amplitude(b)
    if unit == OF_ERROR:
        a, b = (_amplitude(v) if head.metric == "sqnr" else v for v in (a, b))
        return 100 * (b - a) / max(a, _LEAST_ERROR)
    return (100 if unit == POINTS else 1) * (a - b)


def _amplitude(sqnr_db: float) -> float:
    """Return noise over signal, as amplitudes."""
    return 0.0 if sqnr_db == math.inf else 10 ** (-sqnr_db / 20)
