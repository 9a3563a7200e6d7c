"""Latency distributions: every file's range, the distribution function of every process, and its course."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.reporting.html.charts.latency import BODY, TITLES, Course, course_of_time, functions, strip
from edgekit.reporting.html.markup import Markup, element, joined
from edgekit.reporting.html.sections.labels import labels
from edgekit.reporting.html.sections.parts import Figure, Section, figures, paragraphs, plain_table
from edgekit.reporting.html.thinning import share_of
from edgekit.reporting.rows import NS_PER_MS, Row
from edgekit.text.tables import duration

IDENTIFIER = "latency"
MOST_FILES, MOST_LINES, LINES_A_PANEL = 60, 700, 40
"""Measurements that are drawn, processes of all of them, and processes of one; the table has them all."""
STEPS, BUCKETS = 8_000, 3_000
"""Of all distribution functions and of all courses of a page: together about 0.2 MB: more is not seen."""
HOW = (
    "The thin line goes from the fastest to the slowest of all samples, the thick one from 1 % to 99 %, the box from "
    "25 % to 75 %; a tick is the median of one process."
)
PANELS = (
    "A line a process. Lines that fall into two bundles are a machine that runs at two speeds. Times are divided by "
    "the file's median, so that panels compare; they end at the 98th percentile, and the range above has the rest."
)
COURSE = "The median and the range of neighbouring samples, process after process in alternating colours; cut as above."


def latency(rows: Sequence[Row]) -> Section | None:
    """Return the charts, by device; None: no latency was measured."""
    timed = [row for row in rows if row.measurement.latency and not row.emulated]
    if not timed:
        return None
    drawn = _drawn(timed)
    lines = sum(min(len(row.measurement.latency), LINES_A_PANEL) for row in drawn)
    steps, buckets = share_of(STEPS, lines, 20, 64), share_of(BUCKETS, lines, 4, 24)
    devices = list(dict.fromkeys(row.record.target for row in drawn))
    parts: list[Markup] = []
    thinned = False
    for index, device in enumerate(devices, 1):
        here = [row for row in drawn if row.record.target == device]
        courses = [Course.of_row(row, label) for row, label in zip(here, labels(here), strict=True)]
        sampled = [course.of_at_most(LINES_A_PANEL) for course in courses if course.processes]
        thinned |= any(len(samples) > steps for course in sampled for samples in course.processes)
        if len(devices) > 1:
            parts.append(element("h3", device))
        parts.append(figures(f"{IDENTIFIER}-{index}", _charts(courses, sampled, steps, buckets, explained=index == 1)))
    notes = []
    if thinned:
        kept = "the fastest and the slowest among them"
        notes.append(f"Each line is drawn at {steps} of its samples, {kept}; the records hold all.")
    left = len(timed) - len(drawn)
    if left:
        notes.append(f"{left} more measurements are not drawn.")
    return Section(IDENTIFIER, "Latency distributions", joined([paragraphs(notes), *parts]))


def _drawn(timed: Sequence[Row]) -> list[Row]:
    """Return the measurements that are drawn: the first ones, so that the page stays small."""
    drawn: list[Row] = []
    lines = 0
    for row in timed[:MOST_FILES]:
        lines += min(len(row.measurement.latency), LINES_A_PANEL)
        if drawn and lines > MOST_LINES:
            break
        drawn.append(row)
    return drawn


def _charts(
    courses: Sequence[Course], sampled: Sequence[Course], steps: int, buckets: int, *, explained: bool
) -> list[Figure]:
    how, panels, course = (HOW, PANELS, COURSE) if explained else ("", "", "")
    found = []
    if any(ms > 0 for course in courses for ms in course.medians_ms):
        whole = [course for course in courses if course.processes]
        found.append(Figure("Range", strip(courses), how, _numbers(whole), wide=True))
    if sampled:
        found.append(Figure("Distribution functions", functions(sampled, steps), panels, wide=True))
        found.append(Figure("Course", course_of_time(sampled, buckets), course, wide=True))
    return found


def _numbers(courses: Sequence[Course]) -> Markup:
    rows = []
    for course in courses:
        whole = np.percentile(np.concatenate(course.processes), BODY)
        medians = ", ".join(duration(ms * NS_PER_MS) for ms in course.medians_ms)
        rows.append((course.label, f"{course.samples:,}", *(duration(ms * NS_PER_MS) for ms in whole), medians))
    header = ["file", "samples", *TITLES, "medians of the processes"]
    return plain_table("Percentiles of all samples, and the medians of the processes in order", header, rows)
