"""A metric over dates: ordered, split by conditions, with its changes marked."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence

import numpy as np
import pytest

from edgekit.bundle.facts import HostFacts
from edgekit.bundle.records import Record
from edgekit.reporting.history.drawing import drawn
from edgekit.reporting.history.metrics import HISTORIES
from edgekit.reporting.history.series import history
from edgekit.reporting.history.texts import document, history_text, markdown
from edgekit.tasks.metrics import Score
from tests.report.checking.made import BROKEN, FLOAT, INT8, scored, session, timed
from tests.support.raised import raised


def at(record: Record, day: int) -> Record:
    return dataclasses.replace(record, created=f"2026-10-{day + 1:02}T12:00:00+00:00")


def days(latencies_ms: Sequence[float]) -> dict[str, Record]:
    """Return a record a day, in which the int8 file took this long; the newest comes first."""
    made = [
        (f"day{day:02}", at(timed(session(), INT8, *([ms] * 2 for _ in range(3))), day))
        for day, ms in enumerate(latencies_ms)
    ]
    return dict(reversed(made))


def test_records_are_ordered_by_date_and_a_planted_change_is_marked(rng: np.random.Generator) -> None:
    latencies = 10 + rng.normal(0, 0.1, 24)
    latencies[14:] *= 1.3
    found = history(days(latencies), "latency")
    [_, series] = found.series
    assert (series.file, series.target, series.threads, series.unit) == (INT8, "desktop", 1, "ms")
    assert [point.record for point in series.points] == [f"day{i:02}" for i in range(24)]
    [change] = series.changes
    assert change.index == 14 and series.is_worse(change)
    assert change.relative == pytest.approx(0.3, abs=0.03)
    text = history_text(found)
    assert f"median latency of {INT8}, 1 thread on desktop: 24 records, 2026-10-01 to 2026-10-24" in text
    assert "  worse from 2026-10-15T12:00:00+00:00, day14: 10" in text
    axis = next(line for line in text.splitlines() if "^" in line)
    assert axis.index("^") - axis.index("+-") - 2 == 14
    assert "day14" in markdown(found) and "```text\n" in markdown(found)


def test_unlike_conditions_are_not_joined() -> None:
    records = days([10.0] * 6)
    for day in (1, 3):
        name = f"day{day:02}"
        records[name] = dataclasses.replace(records[name], host=HostFacts(cpu_model="Cortex-A72"))
    found = history(records, "latency")
    first, other = (series for series in found.series if series.file == INT8)
    assert [point.record for point in first.points] == ["day00", "day02", "day04", "day05"]
    assert [point.record for point in other.points] == ["day01", "day03"]
    assert first.unlike == ()
    assert [difference.what for difference in other.unlike] == ["cpu"]
    assert "not joined with the series before: not of the same CPU: Cortex-A72, " in history_text(found)
    sizes = history(records, "size")  # bytes are bytes on any machine
    assert [len(series.points) for series in sizes.series] == [6, 6, 6]
    assert sizes.series[0].target is None


def test_every_other_size_is_a_change() -> None:
    records = days([10.0] * 4)
    subjects = records["day03"].subjects
    grown = (subjects[0], dataclasses.replace(subjects[1], bytes=subjects[1].bytes + 100), subjects[2])
    records["day03"] = dataclasses.replace(records["day03"], subjects=grown)
    found = history(records, "size")
    assert [[change.index for change in series.changes] for series in found.series] == [[], [3], []]


def test_accuracy_and_its_direction() -> None:
    records = {}
    for day in range(24):
        score = Score.of_count(9000 - 100 * (day >= 12) + day % 3, 10_000)
        records[f"day{day}"] = at(scored(session(), INT8, score), day)
    found = history(records, "accuracy")
    series = next(series for series in found.series if series.file == INT8)
    assert (series.metric, series.unit) == ("accuracy", "share")
    [change] = series.changes
    assert change.index == 12 and series.is_worse(change)


def test_what_is_left_out_is_named() -> None:
    records = days([10.0, 11.0])
    records["day01"] = dataclasses.replace(records["day01"], created="yesterday\x1b")
    found = history(records, "latency")
    reasons = {what: reason.code for what, reason in found.left_out}
    assert reasons == {"day01": "date-missing", f"day00: {BROKEN}": "measurement-invalid"}
    text = history_text(found)
    assert "yesterday\\x1b" in text and all(line.isprintable() for line in text.splitlines())
    emulated = {"a": dataclasses.replace(session(), host=HostFacts(emulated="QEMU"))}
    assert history(emulated, "latency").series == ()
    assert len(history(emulated, "accuracy").series) == 2


@pytest.mark.parametrize("metric", HISTORIES)
def test_json_of_every_metric(metric: str) -> None:
    value = document(history(days([10.0, 11.0, 12.0]), metric))
    json.dumps(value, allow_nan=False)
    assert value["series"] and all(len(series["points"]) == 3 for series in value["series"])
    if metric == "latency-ratio":
        assert [series["file"] for series in value["series"]] == [INT8]


def test_an_unknown_metric_is_named() -> None:
    with raised("unknown-name", "latenzy", "did you mean `latency`?"):
        history(days([10.0]), "latenzy")


def test_thousands_of_records_share_the_columns_of_a_drawing(rng: np.random.Generator) -> None:
    [_, series] = history(days([10.0]), "latency").series
    values = rng.normal(10, 1, 3000)
    points = tuple(
        dataclasses.replace(series.points[0], interval=dataclasses.replace(series.points[0].interval, value=v))
        for v in values
    )
    text = drawn(dataclasses.replace(series, points=points), 60)
    assert max(map(len, text.splitlines())) <= 60
    assert sum(line.count("o") for line in text.splitlines()) > 40


def test_names_of_strangers_are_text() -> None:
    hostile = "<script>|`x`\n::error::\u202e"
    records = days([10.0] * 5)
    renamed = {
        f"{hostile}{name}": dataclasses.replace(
            record,
            target=hostile,
            subjects=(record.subjects[0], dataclasses.replace(record.subjects[1], name=hostile), record.subjects[2]),
        )
        for name, record in records.items()
    }
    found = history(renamed, "latency")
    for text in (history_text(found), markdown(found)):
        assert all(line.isprintable() for line in text.splitlines())
    assert "<script>" not in markdown(found)


def test_a_record_without_an_interval_has_a_point() -> None:
    found = history({"a": at(timed(session(), INT8, [10.0] * 60), 1)}, "latency")
    series = next(series for series in found.series if series.file == INT8)
    assert series.points[0].interval.value == 10 and math.isnan(series.points[0].interval.low)
    assert FLOAT in {series.file for series in found.series}
