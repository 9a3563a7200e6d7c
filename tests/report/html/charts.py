"""The charts of the golden records; `python -m tests.report.html.charts` writes their golden files anew."""

from __future__ import annotations

import json
from pathlib import Path

from edgekit.report.comparison import rows_of_several
from edgekit.report.html.charts.health import health, moments
from edgekit.report.html.charts.latency import Course, course_of_time, functions, strip
from edgekit.report.html.charts.memory import Footprint, memory
from edgekit.report.html.charts.sensitivity import sensitivity
from edgekit.report.html.charts.theme import config
from edgekit.report.html.charts.tradeoff import LATENCY, SIZE, tradeoff, with_cost
from edgekit.report.html.charts.waterfall import bytes_steps, latency_steps, score_steps, waterfall
from edgekit.report.html.points import of_rows, once_a_file, short_names
from edgekit.report.html.sections.labels import labels
from edgekit.schema.types import JsonObject
from tests.report.html import busy
from tests.report.reports import collection
from tests.support.layers import table

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
        "health": health(moments(busy(record))),
        "sensitivity": sensitivity(table()),
    }


def text(spec: JsonObject) -> str:
    """Return a chart as its golden file has it."""
    return json.dumps(spec, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, spec in charts().items():
        (GOLDEN / f"{name}.json").write_text(text(spec), encoding="utf-8")
