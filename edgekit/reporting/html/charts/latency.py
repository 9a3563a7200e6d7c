"""Latencies: every file's whole range on one axis; its distribution function, a line a process; and its course."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgekit.bundle.runs import SampledRun
from edgekit.reporting.html.charts import theme
from edgekit.reporting.html.thinning import bucketed, distribution
from edgekit.reporting.rows import NS_PER_MS, Row
from edgekit.schema.types import JsonObject
from edgekit.text.tables import duration

STRIP_PX, PANEL_PX, PANEL_HEIGHT_PX = 26, 140, 110
RATIO_DIGITS = 4
CUT, LEAST_RATIO, MOST_RATIO = 98.0, 0.5, 3.0
"""Percentile at which panels end, so that a single interruption does not hide the rest; and ratios beyond which they
end whatever the samples are."""
_PARITIES = ("odd", "even")
_BREAKING = {"invalid": "break-paths-filter-domains"}
_AS_GIVEN = {"value": None}
"""A line breaks where a number is missing, and its points come in the order of the data. So the processes of a file are
one mark: a mark a process takes Vega a millisecond each."""
_TIMES = "format(datum.value, '.2~f') + 'x'"
BODY = (0, 1, 25, 50, 75, 99, 100)
TITLES = ("fastest", "1 %", "25 %", "median", "75 %", "99 %", "slowest")
"""Percentiles of the range, and what they are called."""


@dataclass(frozen=True)
class Course:
    """The samples of a measurement, process by process, in the order in which they were taken.

    Attributes:
        label: the file, with what tells it from others of the chart.
        processes: of each its samples, in ms; none where a program reports summaries only.
        medians_ms: of every process, those of summaries too.
    """

    label: str
    processes: tuple[npt.NDArray[np.float64], ...]
    medians_ms: tuple[float, ...]

    @property
    def samples(self) -> int:
        """How many there are."""
        return sum(map(len, self.processes))

    @property
    def median_ms(self) -> float:
        """The median of the processes' medians."""
        return float(np.median(self.medians_ms))

    def of_at_most(self, most: int) -> Course:
        """Return it with no more than so many of its processes, at equal distances."""
        every = -(-len(self.processes) // most)
        return replace(self, processes=self.processes[::every])

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
        "axis": {"title": None, "labelColor": theme.INK, "grid": False},
    }  # fmt: skip
    titles = dict(zip(_TEXTS, TITLES, strict=True))
    hover = theme.tooltips(file="file", samples="samples", **titles)
    points = {"values": processes}

    def rule(low: str, high: str, **mark: object) -> JsonObject:
        x = {"field": low, **axis}
        return {"mark": {"type": "rule", **mark}, "encoding": {"x": x, "x2": {"field": high}, "tooltip": hover}}

    return theme.specification(
        "latency of every file: " + "; ".join(f"{row['file']} median {row['p50_text']}, "
        f"99 % below {row['p99_text']}, slowest {row['max_text']}" for row in rows),
        rows,
        height=STRIP_PX * len(courses),
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


def _strip_row(course: Course, parts: npt.NDArray[np.float64]) -> JsonObject:
    numbers = dict(zip(_KEYS, map(theme.drawn, parts), strict=True))
    texts = dict(zip(_TEXTS, (duration(part * NS_PER_MS) for part in parts), strict=True))
    return {"file": course.label, "samples": f"{course.samples:,}", **numbers, **texts}


def functions(courses: Sequence[Course], most: int) -> JsonObject:
    """Return a panel a file: the empirical distribution function of each of its processes, against the file's median.

    Args:
        courses: with samples.
        most: steps of a line.
    """
    rows = []
    for course in courses:
        found = [distribution(samples / course.median_ms, most) for samples in course.processes]
        rows.append({
            "file": course.label,
            "ratio": _broken(one.values for one in found),
            "share": _broken(100 * one.shares for one in found),
        })  # fmt: skip
    thinned = any(len(samples) > most for course in courses for samples in course.processes)
    shape = "linear" if thinned else "step-after"
    x = {
        "field": "ratio", "type": "quantitative",
        "scale": {"domain": _domain(courses), "zero": False, "nice": False},
        "axis": {"title": "times the median", "labelExpr": _TIMES, "tickCount": 4, "grid": False},
    }  # fmt: skip
    y = {
        "field": "share", "type": "quantitative", "scale": {"domain": [0, 100], "nice": False},
        "axis": {"title": "% at most", "values": [0, 50, 100]},
    }  # fmt: skip
    return theme.panels(
        "distribution functions of every process: " + ", ".join(course.label for course in courses),
        rows,
        "file",
        [course.label for course in courses],
        PANEL_PX,
        transform=[{"flatten": ["ratio", "share"]}],
        spec={
            "height": PANEL_HEIGHT_PX,
            "mark": {
                "type": "line", "clip": True, "interpolate": shape, "strokeWidth": 1.2, "color": theme.ACCENT,
                "opacity": 0.65, **_BREAKING,
            },
            "encoding": {"x": x, "y": y, "order": _AS_GIVEN},
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
        found = [bucketed(samples / course.median_ms, most) for samples in course.processes]
        before = np.cumsum([0, *(one.samples for one in found)])
        at = [100 * (start + one.centres) / course.samples for start, one in zip(before, found, strict=False)]
        for parity in (0, 1):  # two colours in turn, so that one process is told from the next
            if mine := found[parity::2]:
                rows.append({
                    "file": course.label, "parity": _PARITIES[parity],
                    "at": _broken(at[parity::2]), "low": _broken(one.low for one in mine),
                    "mid": _broken(one.middle for one in mine), "high": _broken(one.high for one in mine),
                })  # fmt: skip
    x = {
        "field": "at", "type": "quantitative", "scale": {"domain": [0, 100], "nice": False},
        "axis": {"title": "% of the samples", "values": [0, 50, 100], "grid": False},
    }  # fmt: skip
    y = {
        "type": "quantitative", "scale": {"domain": _domain(courses), "zero": False, "nice": False},
        "axis": {"title": "times the median", "labelExpr": _TIMES, "tickCount": 4},
    }  # fmt: skip
    colour = {
        "field": "parity", "type": "nominal", "legend": None,
        "scale": {"domain": list(_PARITIES), "range": [theme.ACCENT, theme.MUTED]},
    }  # fmt: skip
    line = {"color": colour, "x": x, "order": _AS_GIVEN}
    mark = {"clip": True, **_BREAKING}
    return theme.panels(
        "latency in the order of the samples: " + ", ".join(course.label for course in courses),
        rows,
        "file",
        [course.label for course in courses],
        PANEL_PX,
        transform=[{"flatten": ["at", "low", "mid", "high"]}],
        spec={
            "height": PANEL_HEIGHT_PX,
            "layer": [
                {
                    "mark": {"type": "area", "opacity": 0.22, **mark},
                    "encoding": {**line, "y": {"field": "low", **y}, "y2": {"field": "high"}},
                },
                {
                    "mark": {"type": "line", "strokeWidth": 1.4, **mark},
                    "encoding": {**line, "y": {"field": "mid", **y}},
                },
            ],
        },
    )  # fmt: skip


def _broken(parts: Iterable[npt.NDArray[np.float64]]) -> list[float | None]:
    """Return numbers as they are drawn, with a missing one between the parts."""
    found: list[float | None] = []
    for part in parts:
        found += [*theme.all_drawn(part, RATIO_DIGITS), None]
    return found[:-1]


def _domain(courses: Sequence[Course]) -> list[float]:
    """Return the ends of the axis of ratios that all panels share: from the fastest sample to where panels are cut."""
    cuts = [float(np.percentile(np.concatenate(course.processes), CUT)) / course.median_ms for course in courses]
    fastest = [min(float(samples.min()) for samples in course.processes) / course.median_ms for course in courses]
    low = max(min(fastest), LEAST_RATIO)
    high = min(max(cuts), MOST_RATIO)
    return theme.all_drawn([low - 0.02 * (high - low), high], 4)
