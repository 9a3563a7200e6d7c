"""What charts draw as points: a file with its size, its score and its latency, of a record, a bundle or a search.

Points stand in one chart only where their scores are of one metric on the same samples; what is on a front is decided
in such a group.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from edgekit.bundle.manifest import Manifest
from edgekit.bundle.search_result import Point as SearchPoint
from edgekit.bundle.search_result import SearchResult
from edgekit.reporting import bundle_table
from edgekit.reporting.rows import NS_PER_MS, Row
from edgekit.stats import Interval
from edgekit.tasks.metrics import Score
from edgekit.tasks.register import METRICS
from edgekit.tasks.scores import brief_title


@dataclass(frozen=True)
class Point:
    """One file in a chart.

    Attributes:
        file: its name, or of a search the recipe's.
        place: the record, bundle or search that it is of.
        device: that measured it; empty: none did.
        threads: of the latency.
        bytes: its size.
        score: of the group's metric, as it is counted: a share from 0 to 1.
        latency_ms: None where it was not measured.
        verdict: on the measurement; empty where there is none.
        baseline: whether others are compared with it.
        chosen: whether it is the one to ship.
    """

    file: str
    place: str
    device: str
    threads: int | None
    bytes: int
    score: Interval
    latency_ms: Interval | None = None
    verdict: str = ""
    baseline: bool = False
    chosen: bool = False


Chosen = Set[tuple[str, str]]
"""Files to ship, each with the record, bundle or search that it is of."""


@dataclass(frozen=True)
class Group:
    """Points that may stand in one chart.

    Attributes:
        title: what their scores are of.
        metric: the scores', a key of `METRICS` or a function of the user's.
        points: in the order of their sources.
    """

    title: str
    metric: str
    points: tuple[Point, ...]

    @property
    def lower_is_better(self) -> bool:
        """Whether the metric is an error."""
        return self.metric in METRICS and not METRICS[self.metric].higher_is_better

    @property
    def percent(self) -> bool:
        """Whether scores are shown in percent."""
        return self.metric in METRICS and METRICS[self.metric].unit == "%"

    @property
    def score_title(self) -> str:
        """The metric with its unit, as an axis is called."""
        unit = METRICS[self.metric].unit if self.metric in METRICS else ""
        name = brief_title(self.metric)
        return f"{name}, {unit}" if unit else name

    def gain(self, point: Point) -> float:
        """Return how good a point is: more is better."""
        return -point.score.value if self.lower_is_better else point.score.value

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that measured, in order."""
        return tuple(dict.fromkeys(point.device for point in self.points if point.device))


def of_rows(rows: Sequence[Row], chosen: Chosen) -> list[Group]:
    """Return the points of measurements, a group for every metric and set of samples; those without score are none."""
    points: dict[tuple[str, str], list[Point]] = {}
    titles: dict[tuple[str, str], str] = {}
    for row in rows:
        score, on = row.accuracy, row.record.evaluation
        if score is None or not math.isfinite(score.value):
            continue
        key = (score.metric, on.sha256 if on else "")
        samples = f"on {score.samples:,} samples" + (f": {on.source}" if on else "")
        titles.setdefault(key, f"{brief_title(score.metric)} {samples}")
        points.setdefault(key, []).append(_of_row(row, score, chosen))
    repeated = {title for title in titles.values() if list(titles.values()).count(title) > 1}
    return [
        Group(titles[key] + f" ({key[1][:8]}…)" * (titles[key] in repeated), key[0], tuple(found))
        for key, found in points.items()
    ]


def _of_row(row: Row, score: Score, chosen: Chosen) -> Point:
    latency = None if row.emulated else row.latency_ns
    return Point(
        row.file,
        row.name,
        row.record.target,
        row.threads,
        row.bytes,
        score.interval,
        None if latency is None else _ms(latency),
        row.verdict,
        row.measurement is row.baseline,
        (row.file, row.name) in chosen,
    )


def _ms(latency_ns: Interval) -> Interval:
    return Interval(*(part / NS_PER_MS for part in (latency_ns.value, latency_ns.low, latency_ns.high)))


def of_bundle(name: str, manifest: Manifest, chosen: Chosen) -> Group | None:
    """Return the points of a bundle's files, by their test scores where all have one; None: none has a score."""
    rows = [row for row in bundle_table.rows(manifest) if row.score is not None]
    tested = bool(rows) and all(row.tested is not None for row in rows)
    part = "test" if tested else manifest.data.get("check", {}).get("split", "validation")
    scores = [(row.artifact, row.tested if tested else row.score) for row in rows]
    found = [(artifact, score) for artifact, score in scores if score is not None and math.isfinite(score.value)]
    if not found:
        return None
    metric, samples = found[0][1].metric, found[0][1].samples
    points = []
    for index, (artifact, score) in enumerate(found):
        ship = (artifact.file, name) in chosen
        point = Point(artifact.file, name, "", None, artifact.bytes, score.interval, baseline=index == 0, chosen=ship)
        points.append(point)
    return Group(f"{brief_title(metric)} on {samples:,} {part} samples", metric, tuple(points))


def of_search(name: str, result: SearchResult, chosen: Chosen) -> Group | None:
    """Return the points of a search's front, by their validation scores, which chose them; None: there are none."""
    points = []
    for point in result.front:
        measured = point.trial.measured
        if measured is None or not math.isfinite(measured.scored.value):
            continue
        ratio, ms = measured.ratio(), measured.latency_ms
        latency = None
        if ms is not None and ratio is not None and math.isfinite(ms) and ratio.value > 0:
            unit = ms / ratio.value
            latency = Interval(ms, ratio.low * unit, ratio.high * unit)
        label = f"trial {point.trial.number}, {point.trial.name}"
        size = measured.gzip_bytes if result.gzip else measured.bytes
        ship = (called(point), name) in chosen
        score = measured.scored.interval
        points.append(Point(label, name, result.target, None, size, score, latency, chosen=ship))
    if not points:
        return None
    return Group(f"{brief_title(result.metric)} on validation samples", result.metric, tuple(points))


def called(point: SearchPoint) -> str:
    """Return what decisions call a file of a search."""
    return point.bundle or f"trial {point.trial.number}"


def once_a_file(points: Iterable[Point]) -> Iterator[Point]:
    """Yield points without those that differ in device, threads and latency alone: size and score are the file's."""
    seen: set[tuple[str, str, int, float]] = set()
    for point in points:
        key = (point.file, point.place, point.bytes, point.score.value)
        if key not in seen:
            seen.add(key)
            yield point


def short_names(points: Iterable[Point], names: Mapping[str, str]) -> dict[str, str]:
    """Return what a label calls each file: as `names` does, cut where it is long."""
    return {point.file: clipped(names.get(point.file, point.file)) for point in points}


LONGEST_LABEL = 28


def clipped(name: str, longest: int = LONGEST_LABEL) -> str:
    """Return a name with its middle left out where it is longer."""
    if len(name) <= longest:
        return name
    head = (longest - 1) // 3
    return f"{name[:head]}…{name[head - longest + 1 :]}"
