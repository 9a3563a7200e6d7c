"""What is drawn in a report: accuracy against size and against latency, a point a file, with the Pareto front."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgekit.bundle.manifest import Bundle
from edgekit.bundle.search_result import SearchResult
from edgekit.reporting import bundle_table
from edgekit.reporting.contents import Contents
from edgekit.reporting.front import on_front
from edgekit.reporting.rows import Row
from edgekit.tasks.metrics import Score
from edgekit.tasks.register import METRICS
from edgekit.tasks.scores import brief_title

BYTES, MS = "bytes", "ms"
"""Units of costs."""


@dataclass(frozen=True)
class Point:
    """A file in a drawing.

    Attributes:
        name: of the file.
        cost: bytes, or ms.
        score: by the metric; of a share in percent.
        front: whether it is on the Pareto front.
    """

    name: str
    cost: float
    score: float
    front: bool


@dataclass(frozen=True)
class Cloud:
    """A drawing of points.

    Attributes:
        of: the device, bundle or search.
        metric: of the scores.
        unit: of the scores, `%` or empty.
        cost: what costs are: `size` or `latency`.
        cost_unit: `BYTES` or `MS`.
        points: two or more.
    """

    of: str
    metric: str
    unit: str
    cost: str
    cost_unit: str
    points: tuple[Point, ...]


def clouds(contents: Contents) -> Iterator[Cloud]:
    """Yield the drawings of a report: two for each device, one or two for each bundle and search."""
    for device in dict.fromkeys(row.record.target for row in contents.rows):
        rows = [row for row in contents.rows if row.record.target == device]
        files = _first_threads(rows)
        several = {name for name, count in Counter(row.file for row in files).items() if count > 1}
        names = [f"{row.file} of {row.name}" if row.file in several else row.file for row in files]
        sized = [(name, float(row.bytes), row.accuracy) for name, row in zip(names, files, strict=True)]
        timed = [(name, row.median_ms, row.accuracy) for name, row in zip(names, files, strict=True)]
        yield from _drawn(device, sized, timed)
    for name, bundle in contents.collection.bundles.items():
        yield from _drawn(name, _of_bundle(bundle), [])
    for name, result in contents.collection.searches.items():
        yield from _drawn(name, *_of_search(result))


Files = Sequence[tuple[str, float | None, Score | None]]
"""Name, cost and score."""


def _first_threads(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with as many threads as the first one, without what is invalid."""
    return [row for row in rows if row.threads == rows[0].threads and row.verdict != "invalid"]


def _of_bundle(bundle: Bundle) -> Files:
    rows = [row for row in bundle_table.rows(bundle.manifest) if row.artifact.format != "c"]
    return [(row.artifact.file, float(row.artifact.bytes), row.tested or row.score) for row in rows]


def _of_search(result: SearchResult) -> tuple[Files, Files]:
    sized, timed = [], []
    tested = all(point.tested is not None for point in result.front)
    for point in result.front:
        measured = point.trial.measured
        if measured is not None:
            name = f"trial {point.trial.number}"
            size = measured.gzip_bytes if result.gzip else measured.bytes
            score = point.tested if tested else measured.scored
            sized.append((name, float(size), score))
            timed.append((name, measured.latency_ms, score))
    return sized, timed


def _drawn(of: str, sized: Files, timed: Files) -> Iterator[Cloud]:
    for cost, unit, files in (("size", BYTES, sized), ("latency", MS, timed)):
        scores = [score for _, _, score in files if score is not None]
        if not scores:
            continue
        metric = scores[0].metric
        share = metric in METRICS and METRICS[metric].unit == "%"
        known = [
            (name, value, score.value * (100 if share else 1))
            for name, value, score in files
            if value is not None and score is not None and score.metric == metric
            if value > 0 and math.isfinite(value) and math.isfinite(score.value)
        ]
        if len({(value, score) for _, value, score in known}) < 2:
            continue
        sign = -1 if scores[0].lower_is_better else 1
        front = on_front([(value, sign * score) for _, value, score in known])
        points = tuple(Point(*one, on) for one, on in zip(known, front, strict=True))
        yield Cloud(of, brief_title(metric), "%" if share else "", cost, unit, points)
