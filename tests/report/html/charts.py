"""The charts of the golden records; `python -m tests.report.html.charts` writes their golden files anew."""

from __future__ import annotations

import json
from pathlib import Path

from edgekit.reporting.comparison import rows_of_several
from edgekit.reporting.history.series import history
from edgekit.reporting.html.charts.health import health, moments
from edgekit.reporting.html.charts.history import over_records
from edgekit.reporting.html.charts.latency import Course, course_of_time, functions, strip
from edgekit.reporting.html.charts.memory import Footprint, memory
from edgekit.reporting.html.charts.sensitivity import sensitivity
from edgekit.reporting.html.charts.theme import config
from edgekit.reporting.html.charts.tradeoff import LATENCY, SIZE, tradeoff, with_cost
from edgekit.reporting.html.charts.waterfall import bytes_steps, latency_steps, score_steps, waterfall
from edgekit.reporting.html.points import of_rows, once_a_file, short_names
from edgekit.reporting.html.sections.labels import labels
from edgekit.schema.types import JsonObject
from tests.report.history.test_history import days
from tests.report.html import busy
from tests.report.reports import collection
from tests.support.layers import table

STEPS = [10.0, 10.1, 10.0, 10.2, 10.1, 10.0, 10.1, 13.0, 13.1, 13.2, 13.0, 13.1, 13.2, 13.1]
"""Milliseconds, day by day."""
GOLDEN = Path(__file__).parent / "golden"


def charts() -> dict[str, JsonObject]:
    """Return every kind of chart, by name."""
    found = collection()
    [record], [bundle] = found.records.values(), found.bundles.values()
    rows = rows_of_several(found.records)
    [group] = of_rows(rows, {("m-int8.tflite", rows[1].name)})
    names = short_names(group.points, {})
    timed = with_cost(group.points, LATENCY)
    courses = [
        Course.of_row(row, label) for row, label in zip(rows, labels(rows), strict=True) if row.measurement.latency
    ]
    footprints = [f for row in rows if (f := Footprint.of_run(row.file, row.measurement.memory))]
    entries = bundle.manifest.ledger
    return {
        "config": config(),
        "tradeoff-size": tradeoff(group, list(once_a_file(group.points)), SIZE, names),
        "tradeoff-latency": tradeoff(group, timed, LATENCY, names),
        "waterfall-bytes": waterfall(*bytes_steps(entries)),
        "waterfall-score": waterfall(*score_steps(entries)),
        "waterfall-latency": waterfall(*latency_steps(entries)),
        "latency-strip": strip(courses),
        "latency-functions": functions(courses, 8),
        "latency-course": course_of_time(courses, 4),
        "memory": memory(footprints),
        "history": over_records(history(days(STEPS), "latency").series[1], "median latency"),
        "health": health(moments(busy(record))),
        "sensitivity": sensitivity(table()),
    }


def text(spec: JsonObject) -> str:
    """Return a chart as its golden file has it."""
    return json.dumps(spec, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, spec in charts().items():
        (GOLDEN / f"{name}.json").write_text(text(spec), encoding="utf-8")
