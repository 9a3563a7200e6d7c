"""Latencies: every file's whole range on one axis; its distribution function, a line a process; and its course."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.bundle.runs import SampledRun
from edgekit.report.html.charts import theme
from edgekit.report.html.thinning import bucketed, distribution
from edgekit.report.rows import NS_PER_MS, Row
from edgekit.schema.types import JsonObject
from edgekit.text.tables import duration

STRIP_PX, PANEL_PX, PANEL_HEIGHT_PX = 26, 230, 130
CUT = 99.5
"""Percentile at which panels end, so that a single interruption does not hide the rest; the title says the maximum."""
BODY = (0, 1, 25, 50, 75, 99, 100)


@dataclass(frozen=True)
class Course:
    """The samples of a measurement, process by process, in the order in which they were taken.

    Attributes:
        label: the file, with what tells it from others of the chart.
        processes: of each its samples, in ms; none where a program reports summaries only.
        medians_ms: of every process, those of summaries too.
    """

    label: str
    processes: tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]
    medians_ms: tuple[float, ...]

    @property
    def samples(self) -> int:
        """How many there are."""
        return sum(map(len, self.processes))

    @classmethod
    def of_row(cls, row: Row, label: str) -> Course:
        """Return the course of a row's measurement."""
        runs = () if row.emulated else row.measurement.latency
        sampled = [run for run in runs if isinstance(run, SampledRun)]
        processes = [np.asarray(run.samples_ns, np.float64) / (run.calls_per_sample * NS_PER_MS) for run in sampled]
        return cls(label, tuple(processes), tuple(run.median_ns / NS_PER_MS for run in runs))


def strip(courses: Sequence[Course]) -> JsonObject:
    """Return a row a file: its range from the fastest to the slowest sample, and the medians of its processes."""
    rows: list[JsonObject] = []
    processes: list[JsonObject] = []
    for course in courses:
        if course.processes:
            parts = np.percentile(np.concatenate(course.processes), BODY)
            rows.append(_strip_row(course, parts))
        processes += [
            {"file": course.label, "process": index, "median": theme.drawn(ms), "median_text": duration(ms * NS_PER_MS)}
            for index, ms in enumerate(course.medians_ms, 1)
            if ms > 0
        ]
    ends = [row[end] for row in rows for end in ("min", "max")] + [row["median"] for row in processes]
    axis = theme.log_axis("latency of one inference (log scale)", theme.log_domain(ends), theme.MS_LABEL)
    y = {
        "field": "file", "type": "nominal", "sort": [course.label for course in courses],
        "axis": {"title": None, "labelColor": theme.INK, "labelLimit": 190, "grid": False},
    }  # fmt: skip
    titles = {key: title for key, title in zip(_TEXTS, ("fastest", "1 %", "25 %", "median", "75 %", "99 %", "slowest"))}
    hover = theme.tooltips(file="file", samples="samples", **titles)
    points = {"values": processes}

    def rule(low: str, high: str, **mark: object) -> JsonObject:
        x = {"field": low, **axis}
        return {"mark": {"type": "rule", **mark}, "encoding": {"x": x, "x2": {"field": high}, "tooltip": hover}}

    return theme.specification(
        "latency of every file: " + "; ".join(f"{row['file']} median {row['p50_text']}, "
        f"99 % below {row['p99_text']}, slowest {row['max_text']}" for row in rows),
        rows,
        height={"step": STRIP_PX},
        encoding={"y": y},
        layer=[
            rule("min", "max", color=theme.QUIET, strokeWidth=1),
            rule("p1", "p99", color=theme.MUTED, strokeWidth=2.5),
            rule("p25", "p75", color=theme.MUTED, strokeWidth=9, opacity=0.55),
            {
                "data": points,
                "mark": {"type": "tick", "thickness": 1.5, "height": 18, "color": theme.ACCENT},
                "encoding": {
                    "x": {"field": "median", **axis},
                    "tooltip": theme.tooltips(file="file", process="process", median_text="its median"),
                },
            },
        ],
    )  # fmt: skip


_KEYS = ("min", "p1", "p25", "p50", "p75", "p99", "max")
_TEXTS = tuple(f"{key}_text" for key in _KEYS)


def _strip_row(course: Course, parts: Sequence[float]) -> JsonObject:
    numbers = dict(zip(_KEYS, map(theme.drawn, parts), strict=True))
    texts = dict(zip(_TEXTS, (duration(part * NS_PER_MS) for part in parts), strict=True))
    return {"file": course.label, "samples": f"{course.samples:,}", **numbers, **texts}


def functions(courses: Sequence[Course], most: int) -> JsonObject:
    """Return a panel a file: the empirical distribution function of each of its processes.

    Args:
        courses: with samples.
        most: steps of a line.
    """
    rows = []
    for course in courses:
        title, cut = _title(course), _cut(course)
        for index, samples in enumerate(course.processes):
            found = distribution(samples, most)
            share = 100 * found.shares
            rows.append({
                "file": title, "process": index + 1, "cut": theme.drawn(cut),
                "order": theme.drawn((index + 1) / len(course.processes)),
                "ms": theme.all_drawn(found.values), "share": theme.all_drawn(share),
            })  # fmt: skip
    x = {
        "field": "ms", "type": "quantitative", "scale": {"zero": False, "nice": False},
        "axis": {"title": None, "labelExpr": theme.MS_LABEL, "tickCount": 3, "labelOverlap": True},
    }  # fmt: skip
    return theme.panels(
        "distribution functions: " + "; ".join(map(_title, courses)),
        rows,
        "file",
        [_title(course) for course in courses],
        PANEL_PX,
        transform=[{"flatten": ["ms", "share"]}, {"filter": "datum.ms <= datum.cut"}],
        spec={
            "height": PANEL_HEIGHT_PX,
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.3, "color": theme.ACCENT},
            "encoding": {
                "x": x,
                "y": {
                    "field": "share", "type": "quantitative", "scale": {"domain": [0, 100], "nice": False},
                    "axis": {"title": "% at most", "values": [0, 25, 50, 75, 100]},
                },
                "detail": {"field": "process", "type": "nominal"},
                "opacity": {
                    "field": "order", "type": "quantitative", "legend": None,
                    "scale": {"domain": [0, 1], "range": [0.3, 1]},
                },
            },
        },
    )  # fmt: skip


def course_of_time(courses: Sequence[Course], most: int) -> JsonObject:
    """Return a panel a file: its samples in the order in which they were taken, process after process.

    Args:
        courses: with samples.
        most: buckets of a process.
    """
    rows = []
    for course in courses:
        title, cut, before = _title(course), _cut(course), 0
        for index, samples in enumerate(course.processes):
            found = bucketed(samples, most)
            ends = np.append(found.first[1:], found.samples)
            rows.append({
                "file": title, "process": index + 1, "parity": "odd" if index % 2 == 0 else "even",
                "n": [int(n) for n in before + (found.first + ends) // 2],
                "low": theme.all_drawn(np.minimum(found.low, cut)),
                "mid": theme.all_drawn(np.minimum(found.middle, cut)),
                "high": theme.all_drawn(np.minimum(found.high, cut)),
            })  # fmt: skip
            before += found.samples
    x = {
        "field": "n", "type": "quantitative", "scale": {"zero": False, "nice": False},
        "axis": {"title": "samples, in order", "tickCount": 3, "format": "~s", "grid": False, "labelOverlap": True},
    }  # fmt: skip
    y = {
        "type": "quantitative", "scale": {"zero": False, "nice": False},
        "axis": {"title": None, "labelExpr": theme.MS_LABEL, "tickCount": 4},
    }  # fmt: skip
    colour = {
        "field": "parity", "type": "nominal", "legend": None,
        "scale": {"domain": ["odd", "even"], "range": [theme.ACCENT, theme.MUTED]},
    }  # fmt: skip
    line = {"detail": {"field": "process", "type": "nominal"}, "color": colour, "x": x}
    return theme.panels(
        "latency in the order of the samples: " + "; ".join(map(_title, courses)),
        rows,
        "file",
        [_title(course) for course in courses],
        PANEL_PX,
        transform=[{"flatten": ["n", "low", "mid", "high"]}],
        spec={
            "height": PANEL_HEIGHT_PX,
            "layer": [
                {
                    "mark": {"type": "area", "opacity": 0.3},
                    "encoding": {**line, "y": {"field": "low", **y}, "y2": {"field": "high"}},
                },
                {
                    "mark": {"type": "line", "strokeWidth": 1.3},
                    "encoding": {**line, "y": {"field": "mid", **y}},
                },
            ],
        },
    )  # fmt: skip


def _cut(course: Course) -> float:
    return float(np.percentile(np.concatenate(course.processes), CUT, method="lower"))


def _title(course: Course) -> str:
    slowest = max(float(samples.max()) for samples in course.processes)
    return f"{course.label} · slowest {duration(slowest * NS_PER_MS)}"
