"""Accuracy against size, and against latency: points with their intervals, and the Pareto front through the best."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from edgekit.reporting.front import on_front
from edgekit.reporting.html.charts import theme
from edgekit.reporting.html.points import Group, Point
from edgekit.reporting.rows import NS_PER_MS
from edgekit.schema.types import JsonObject
from edgekit.stats import Interval
from edgekit.text.tables import duration_with_interval, share_with_interval

HEIGHT = 300
DOUBTFUL = {"size": ("invalid",), "latency": ("suspect", "invalid")}
"""Verdicts whose points are hollow: a suspect latency says nothing against a size and a score."""
ON, BEATEN = "on the Pareto front", "beaten in both"
_ROOM_PX = (300, HEIGHT)
"""Of a narrow screen's chart: labels that do not overlap there do so nowhere."""
_LETTER_PX, _LINE_PX = 6.0, 13.0
MOST_LABELS = 40
"""Points for which a place is looked for; there is room for fewer."""


@dataclass(frozen=True)
class Cost:
    """What stands on the horizontal axis.

    Attributes:
        name: `size` or `latency`.
        title: of the axis.
        label: of its ticks, a Vega expression.
        of: what a point costs; None: it is not known.
    """

    name: str
    title: str
    label: str
    of: Callable[[Point], Interval | None]


SIZE = Cost("size", "size of the file (log scale)", theme.BYTES_LABEL, lambda p: Interval(p.bytes, math.nan, math.nan))
LATENCY = Cost("latency", "median latency of one inference (log scale)", theme.MS_LABEL, lambda point: point.latency_ms)


def with_cost(points: Sequence[Point], cost: Cost) -> list[Point]:
    """Return the points whose cost is known and can stand on a logarithmic axis."""
    return [point for point in points if (known := cost.of(point)) is not None and known.value > 0]


def front_of(group: Group, points: Sequence[Point], cost: Cost) -> list[int]:
    """Return the indices of the points on the front, the cheapest first."""
    costs = [_known(cost, point).value for point in points]
    found = on_front([(spent, group.gain(point)) for spent, point in zip(costs, points, strict=True)])
    return sorted((index for index, on in enumerate(found) if on), key=lambda index: costs[index])


def tradeoff(group: Group, points: Sequence[Point], cost: Cost, names: Mapping[str, str]) -> JsonObject:
    """Return the chart.

    Args:
        group: that the points are of: all charts of a group have the same vertical axis.
        points: at least one, each with a cost.
        cost: on the horizontal axis.
        names: of the files, as labels call them.
    """
    front = front_of(group, points, cost)
    domain = theme.log_domain(end for point in points for end in _ends(_known(cost, point)))
    scores = _score_domain(group)
    rows = [_row(group, point, cost, index in front) for index, point in enumerate(points)]
    labelled = [*front, *(i for i, point in enumerate(points) if i not in front)]
    for index, (side, shift) in _labels(group, points, cost, front, labelled, names, domain, scores):
        beside = (12 if points[index].chosen else 9) * (1 if side == "left" else -1)
        rows[index] |= {"label": names[points[index].file], "side": side, "shift": shift, "beside": beside}
    x = {"field": "x", **theme.log_axis(cost.title, domain, cost.label)}
    y = {
        "field": "y", "type": "quantitative",
        "scale": {"domain": theme.all_drawn(scores), "zero": False, "nice": False, "reverse": group.lower_is_better},
        "axis": {"title": group.score_title, "tickCount": 6},
    }  # fmt: skip
    colour = {
        "field": "state", "type": "nominal", "legend": None,
        "scale": {"domain": [ON, BEATEN], "range": [theme.ACCENT, theme.QUIET]},
    }  # fmt: skip
    hover = theme.tooltips(
        file="file", place="of", device="device", threads="threads", size="size", score=group.metric,
        latency="latency", verdict="verdict", state="Pareto",
    )  # fmt: skip
    place = {"x": x, "y": y}
    label = {
        "type": "text", "align": {"expr": "datum.side"}, "dx": {"expr": "datum.beside"},
        "dy": {"expr": "datum.shift"}, "baseline": "middle",
    }  # fmt: skip
    text = {**place, "text": {"field": "label", "type": "nominal"}}
    layers: list[JsonObject] = [
        {
            "transform": [{"filter": "datum.front"}],
            "mark": {"type": "line", "interpolate": "step-after", "color": theme.ACCENT, "opacity": 0.6},
            "encoding": {**place, "order": {"field": "x", "type": "quantitative"}},
        },
        {
            "transform": [{"filter": "isValid(datum.y_low)"}],
            "mark": {"type": "rule", "strokeWidth": 1, "opacity": 0.6},
            "encoding": {"x": x, "y": {**y, "field": "y_low"}, "y2": {"field": "y_high"}},
        },
        {
            "transform": [{"filter": "isValid(datum.label)"}],
            "mark": {**label, "stroke": theme.PAPER, "strokeWidth": 3, "strokeJoin": "round"},
            "encoding": text,
        },
        {"transform": [{"filter": "isValid(datum.label)"}], "mark": label, "encoding": text},
        {
            "mark": {"type": "point", "strokeWidth": 2, "filled": False, "opacity": 1},
            "encoding": {
                **place,
                "size": {"condition": {"test": "datum.chosen", "value": 260}, "value": 70},
                "stroke": colour,
                "fill": {**colour, "condition": {"test": "datum.doubt", "value": theme.PAPER}},
                "tooltip": hover,
            },
        },
    ]  # fmt: skip
    if any("x_low" in row for row in rows):
        layers.insert(1, {
            "transform": [{"filter": "isValid(datum.x_low)"}],
            "mark": {"type": "rule", "strokeWidth": 1, "opacity": 0.6},
            "encoding": {"x": {**x, "field": "x_low"}, "x2": {"field": "x_high"}, "y": y},
        })  # fmt: skip
    return theme.specification(_description(group, points, cost, front), rows, height=HEIGHT, layer=layers)


def _row(group: Group, point: Point, cost: Cost, on_front: bool) -> JsonObject:
    scale = 100 if group.percent else 1
    spent = _known(cost, point)
    row: JsonObject = {
        "x": theme.drawn(spent.value),
        "y": theme.drawn(scale * point.score.value),
        "front": on_front,
        "state": ON if on_front else BEATEN,
        "chosen": point.chosen,
        "doubt": point.verdict in DOUBTFUL[cost.name],
        "file": point.file,
        "place": point.place,
        "device": point.device or "-",
        "threads": "-" if point.threads is None else str(point.threads),
        "size": f"{point.bytes:,} B",
        "score": score_label(group, point.score),
        "latency": "-" if point.latency_ms is None else latency_label(point.latency_ms),
        "verdict": point.verdict or "-",
    }
    for axis, interval, factor in (("x", spent, 1), ("y", point.score, scale)):
        if math.isfinite(interval.low) and math.isfinite(interval.high):
            row[f"{axis}_low"] = theme.drawn(factor * interval.low)
            row[f"{axis}_high"] = theme.drawn(factor * interval.high)
    return row


def score_label(group: Group, score: Interval) -> str:
    """Return a score as the tables show it."""
    if group.percent:
        return share_with_interval(score) if math.isfinite(score.low) else f"{100 * score.value:.2f} %"
    return f"{score.value:.4g}" + (f" [{score.low:.3g}, {score.high:.3g}]" if math.isfinite(score.low) else "")


def latency_label(latency_ms: Interval) -> str:
    """Return a latency as the tables show it."""
    return duration_with_interval(
        Interval(*(part * NS_PER_MS for part in (latency_ms.value, latency_ms.low, latency_ms.high)))
    )


def _known(cost: Cost, point: Point) -> Interval:
    known = cost.of(point)
    assert known is not None, "points without a cost are left out before"
    return known


def _ends(interval: Interval) -> Iterator[float]:
    yield interval.value
    yield from (end for end in (interval.low, interval.high) if math.isfinite(end) and end > 0)


def _score_domain(group: Group) -> tuple[float, float]:
    scale = 100 if group.percent else 1
    values = (scale * end for p in group.points for end in (p.score.value, p.score.low, p.score.high))
    return theme.linear_domain(values)


def _labels(
    group: Group,
    points: Sequence[Point],
    cost: Cost,
    front: Sequence[int],
    order: Sequence[int],
    names: Mapping[str, str],
    domain: tuple[float, float],
    scores: tuple[float, float],
) -> Iterator[tuple[int, tuple[str, int]]]:
    """Yield which points get a label, and on which side and how high: none that would lie on another or on a point."""
    width, height = _ROOM_PX
    scale = 100 if group.percent else 1
    span = math.log(domain[1] / domain[0])

    def place(point: Point) -> tuple[float, float]:
        across = math.log(_known(cost, point).value / domain[0]) / span * width
        up = (scale * point.score.value - scores[0]) / (scores[1] - scores[0])
        return across, height * (up if group.lower_is_better else 1 - up)

    places = [place(point) for point in points]
    taken = [(x - 5, x + 5, y - 5, y + 5) for x, y in places]
    on_line = [places[index] for index in order[: len(front)]]
    for (x, y), (next_x, next_y) in pairwise(on_line):  # a step goes across, then up
        taken += [(x + 5, next_x, y - 1, y + 1), (next_x - 1, next_x + 1, next_y, y)]
    named: set[str] = set()
    for index in order[:MOST_LABELS]:
        x, y = places[index]
        name = names[points[index].file]
        long = _LETTER_PX * len(name)
        if name in named:
            continue
        for side, shift in (("left", 0), ("right", 0), ("left", -9), ("left", 9), ("right", -9), ("right", 9)):
            left = x + 9 if side == "left" else x - 9 - long
            box = (left, left + long, y + shift - _LINE_PX / 2, y + shift + _LINE_PX / 2)
            inside = box[0] >= -30 and box[1] <= width + 10
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                named.add(name)
                yield index, (side, shift)
                break


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]


def _description(group: Group, points: Sequence[Point], cost: Cost, front: Sequence[int]) -> str:
    best = ", ".join(
        f"{points[i].file} ({score_label(group, points[i].score)}, "
        f"{f'{points[i].bytes:,} B' if cost is SIZE else latency_label(_known(cost, points[i]))})"
        for i in front[:MOST_LABELS]
    )
    files = f"{len(points)} file{'s' * (len(points) != 1)}"
    return f"{group.title} against {cost.name}: {files}; on the Pareto front, the cheapest first: {best}"
