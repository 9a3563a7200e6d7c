"""The effect ledger as a waterfall: what every stage added or took away, of bytes, accuracy and latency."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.bundle.ledger import Entry
from edgekit.reporting.html.charts import theme
from edgekit.schema.types import JsonObject
from edgekit.stats import Interval
from edgekit.tasks.register import METRICS
from edgekit.tasks.scores import brief_title, score_text
from edgekit.text.tables import ratio_with_interval

STEP_PX = 38
START, GAIN, LOSS, SAME = "source", "better", "worse", "no change beyond the interval"


@dataclass(frozen=True)
class Quantity:
    """What a waterfall is of.

    Attributes:
        name: of it.
        title: of the axis, with the unit.
        label: of its ticks, a Vega expression.
        from_zero: whether the bar of the source begins at zero; else it is a mark on an axis of the data's range.
        lower_is_better: which way is better.
    """

    name: str
    title: str
    label: str
    from_zero: bool
    lower_is_better: bool


@dataclass(frozen=True)
class Step:
    """A stage, and where the quantity stands after it.

    Attributes:
        stage: its name, numbered where it stands several times.
        value: with its interval, as it is drawn.
        text: as tables show it.
    """

    stage: str
    value: Interval
    text: str


def bytes_steps(entries: Sequence[Entry]) -> tuple[Quantity, list[Step]]:
    """Return the sizes of a ledger's files."""
    steps = [
        Step(stage, Interval(entry.bytes, math.nan, math.nan), f"{entry.bytes:,} B")
        for stage, entry in zip(_stages(entries), entries, strict=True)
    ]
    return Quantity("size", "size of the file", theme.BYTES_LABEL, True, True), steps


def score_steps(entries: Sequence[Entry]) -> tuple[Quantity, list[Step]]:
    """Return the scores of a ledger's files; those that are not finite, or of another metric, are left out."""
    metric = entries[0].score.metric
    known = METRICS.get(metric)
    percent = known is not None and known.unit == "%"
    factor = 100 if percent else 1
    steps = [
        Step(stage, Interval(*(factor * part for part in _parts(entry.score.interval))), score_text(entry.score))
        for stage, entry in zip(_stages(entries), entries, strict=True)
        if math.isfinite(entry.score.value) and entry.score.metric == metric
    ]
    unit = f", {known.unit}" if known is not None and known.unit else ""
    title = f"{brief_title(metric)}{unit}, on validation samples"
    lower = entries[0].score.lower_is_better
    return Quantity(brief_title(metric), title, "format(datum.value, '.4~g')", False, lower), steps


def latency_steps(entries: Sequence[Entry]) -> tuple[Quantity, list[Step]]:
    """Return the latencies of a ledger's files as ratios to the source's, where they were measured."""
    steps = []
    for index, (stage, entry) in enumerate(zip(_stages(entries), entries, strict=True)):
        ratio = Interval(1.0, math.nan, math.nan) if index == 0 else entry.ratio()
        if ratio is not None and math.isfinite(ratio.value):
            steps.append(Step(stage, ratio, ratio_with_interval(ratio)))
    label = "format(datum.value, '.3~g') + 'x'"
    return Quantity("latency", "latency, ratio to the source's file", label, False, True), steps


def waterfall(quantity: Quantity, steps: Sequence[Step]) -> JsonObject:
    """Return the chart: a row a stage, a bar from where the quantity stood before it to where it stands after it."""
    rows = [_row(quantity, steps, index) for index in range(len(steps))]
    ends = [end for step in steps for end in _parts(step.value) if math.isfinite(end)]
    low, high = theme.linear_domain([0.0, *ends] if quantity.from_zero else ends, low=0.0)
    wide = high + 0.22 * (high - low)  # room for texts
    y = {
        "field": "stage", "type": "nominal", "sort": None,
        "axis": {"title": None, "labelColor": theme.INK, "grid": False},
    }  # fmt: skip
    x = {
        "field": "after", "type": "quantitative",
        "scale": {"domain": theme.all_drawn([low, wide]), "zero": False, "nice": False},
        "axis": {"title": quantity.title, "labelExpr": quantity.label, "tickCount": 4, "labelOverlap": True},
    }  # fmt: skip
    kinds = [START, GAIN, LOSS, SAME]
    colour = {
        "field": "effect", "type": "nominal", "legend": None,
        "scale": {"domain": kinds, "range": [theme.QUIET, theme.BETTER, theme.WORSE, theme.QUIET]},
    }  # fmt: skip
    hover = theme.tooltips(stage="stage", text="after it", change="change", effect="effect")
    return theme.specification(
        _description(quantity, steps),
        rows,
        height=STEP_PX * len(steps),
        encoding={"y": y},
        layer=[
            {
                "transform": [{"filter": "isValid(datum.next)"}],
                "mark": {"type": "rule", "strokeDash": [2, 2], "color": theme.QUIET},
                "encoding": {"x": x, "y2": {"field": "next"}},
            },
            {
                "mark": {"type": "bar", "height": {"band": 0.4}},
                "encoding": {
                    "x": {**x, "field": "before"}, "x2": {"field": "after"}, "color": colour, "tooltip": hover,
                },
            },
            {
                "mark": {"type": "tick", "thickness": 2, "height": 22},
                "encoding": {"x": x, "color": colour, "tooltip": hover},
            },
            {
                "transform": [{"filter": "isValid(datum.low)"}],
                "mark": {"type": "rule", "strokeWidth": 1, "yOffset": 13},
                "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 6, "baseline": "middle"},
                "encoding": {"x": {**x, "field": "right"}, "text": {"field": "short", "type": "nominal"}},
            },
        ],
    )  # fmt: skip


def _row(quantity: Quantity, steps: Sequence[Step], index: int) -> JsonObject:
    step = steps[index]
    after = step.value.value
    before = steps[index - 1].value.value if index else (0.0 if quantity.from_zero else after)
    change = after - before
    better = change < 0 if quantity.lower_is_better else change > 0
    within = change == 0 or step.value.low <= before <= step.value.high
    effect = START if index == 0 else SAME if within else GAIN if better else LOSS
    row: JsonObject = {
        "stage": step.stage,
        "before": theme.drawn(before),
        "after": theme.drawn(after),
        "right": theme.drawn(max(before, after)),
        "short": step.text.partition(" [")[0],
        "text": step.text,
        "change": "-" if index == 0 else f"{'+' if change > 0 else ''}{change:.4g}",
        "effect": effect,
    }
    if math.isfinite(step.value.low) and math.isfinite(step.value.high):
        row |= {"low": theme.drawn(step.value.low), "high": theme.drawn(step.value.high)}
    if index + 1 < len(steps):
        row["next"] = steps[index + 1].stage
    return row


def _parts(interval: Interval) -> tuple[float, float, float]:
    return interval.value, interval.low, interval.high


def _stages(entries: Sequence[Entry]) -> list[str]:
    """Return names of stages, none twice."""
    names = [entry.stage for entry in entries]
    return [name if names.count(name) == 1 else f"{index}. {name}" for index, name in enumerate(names)]


def _description(quantity: Quantity, steps: Sequence[Step]) -> str:
    return f"{quantity.name} after every stage: " + ", ".join(f"{step.stage} {step.text}" for step in steps)
