"""Every chart against its golden specification, and the numbers that charts are made of."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from edgekit.reporting.comparison import rows_of_several
from edgekit.reporting.html.charts import theme
from edgekit.reporting.html.charts.health import changing, health, moments
from edgekit.reporting.html.charts.latency import Course, course_of_time, functions
from edgekit.reporting.html.charts.tradeoff import BEATEN, LATENCY, ON, SIZE, tradeoff
from edgekit.reporting.html.charts.waterfall import bytes_steps, score_steps, waterfall
from edgekit.reporting.html.points import Group, Point, clipped, of_bundle, of_rows, of_search
from edgekit.reporting.html.sections.labels import labels
from edgekit.reporting.html.sections.limits import MOST_POINTS
from edgekit.reporting.html.sections.overview import charts as figures_of
from edgekit.reporting.rows import Row
from edgekit.schema.types import JsonObject
from edgekit.stats import Interval
from tests.report.html import busy
from tests.report.html.charts import GOLDEN, charts, text
from tests.report.reports import collection

NAMES = sorted(path.stem for path in GOLDEN.iterdir())


@pytest.fixture(scope="module")
def made() -> dict[str, JsonObject]:
    return charts()


def test_every_chart_has_a_golden_file(made: dict[str, JsonObject]) -> None:
    assert sorted(made) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_specification(made: dict[str, JsonObject], name: str) -> None:
    golden = (GOLDEN / f"{name}.json").read_text(encoding="utf-8")
    assert text(made[name]) == golden, "look at the diff of: python -m tests.report.html.charts"
    json.dumps(made[name], allow_nan=False)


def point(file: str, size: int, score: float, ms: float | None = None, **changed: object) -> Point:
    latency = None if ms is None else Interval(ms, 0.9 * ms, 1.1 * ms)
    found = Point(file, "r", "desktop", 1, size, Interval(score, score - 0.01, score + 0.01), latency)
    return replace(found, **changed)  # type: ignore[arg-type]


def states(group: Group, **kept: object) -> dict[str, str]:
    spec = tradeoff(group, group.points, SIZE, {p.file: p.file for p in group.points})
    return {row["file"]: row["state"] for row in spec["data"]["values"]}


def test_the_front_is_of_what_nothing_beats() -> None:
    points = (point("a", 100, 0.9), point("b", 50, 0.8), point("c", 60, 0.7), point("d", 200, 0.9))
    assert states(Group("t", "accuracy", points)) == {"a": ON, "b": ON, "c": BEATEN, "d": BEATEN}
    errors = Group("t", "mae", points)  # less is better
    assert states(errors) == {"a": BEATEN, "b": ON, "c": BEATEN, "d": BEATEN} | {"c": ON}
    spec = tradeoff(errors, points, SIZE, {p.file: p.file for p in points})
    assert spec["layer"][-1]["encoding"]["y"]["scale"]["reverse"] is True


def test_a_suspect_latency_is_hollow_and_its_size_is_not() -> None:
    points = (point("a", 100, 0.9, 1.0, verdict="suspect"), point("b", 50, 0.8, 0.5, verdict="invalid"))
    group = Group("t", "accuracy", points)
    for cost, hollow in ((SIZE, [False, True]), (LATENCY, [True, True])):
        spec = tradeoff(group, points, cost, {"a": "a", "b": "b"})
        assert [row["doubt"] for row in spec["data"]["values"]] == hollow


def test_a_chart_of_too_many_files_keeps_the_front() -> None:
    beaten = [point(f"b{n}", 5000 + n, 0.5) for n in range(3 * MOST_POINTS)]
    best = [point("best", 100_000, 0.9), point("small", 4000, 0.5)]
    size, *_ = figures_of(Group("t", "accuracy", (*beaten, *best)))
    rows = size.spec["data"]["values"]
    assert len(rows) == MOST_POINTS and {row["file"] for row in rows if row["front"]} == {"best", "small"}
    assert "802 more files" in size.note


def test_labels_in_a_chart_do_not_overlap() -> None:
    points = tuple(point(f"file-{n}.tflite", 1000 + n, 0.9 + n / 1e5) for n in range(40))
    spec = tradeoff(Group("t", "accuracy", points), points, SIZE, {p.file: p.file for p in points})
    assert 0 < sum("label" in row for row in spec["data"]["values"]) < 10


def test_scores_of_other_samples_are_no_points_of_the_same_chart() -> None:
    rows = golden_rows()
    other = replace(rows[1].record, evaluation=replace(rows[1].record.evaluation, sha256="1" * 64))  # type: ignore[type-var]
    groups = of_rows([rows[0], replace(rows[1], record=other)], frozenset())
    assert [len(group.points) for group in groups] == [1, 1]
    assert len({group.title for group in groups}) == 2


def golden_rows() -> list[Row]:
    return rows_of_several(collection().records)


def test_points_of_bundles_and_searches() -> None:
    found = collection()
    [(name, bundle)], [(searched, result)] = found.bundles.items(), found.searches.items()
    group = of_bundle(name, bundle.manifest, {(bundle.manifest.artifacts[-1].file, name)})
    assert group is not None and [p.chosen for p in group.points][-1]
    group = of_search(searched, result, frozenset())
    assert group is not None
    [first] = group.points
    assert first.latency_ms is not None
    assert (first.bytes, round(first.latency_ms.low, 3)) == (48532, round(1.92 * 0.59 / 0.61, 3))


def test_a_waterfall_goes_from_stage_to_stage() -> None:
    [bundle] = collection().bundles.values()
    source, *_ = bundle.manifest.ledger
    smaller = replace(source, stage="prune", bytes=source.bytes // 2, latency=[0.5, 0.4, 0.6])
    again = replace(smaller, bytes=source.bytes // 2 + 10)
    quantity, steps = bytes_steps([source, smaller, again])
    rows = waterfall(quantity, steps)["data"]["values"]
    assert [row["stage"] for row in rows] == ["source", "1. prune", "2. prune"]
    assert [row["effect"] for row in rows] == ["source", "better", "worse"]
    assert [row["before"] for row in rows[1:]] == [row["after"] for row in rows[:-1]]
    assert rows[0]["before"] == 0


def test_a_change_within_its_interval_has_no_colour() -> None:
    [bundle] = collection().bundles.values()
    source = bundle.manifest.ledger[0]
    worse = replace(source, stage="s", score=type(source.score).of_count(985, 1000))
    much = replace(source, stage="t", score=type(source.score).of_count(700, 1000))
    broken = replace(source, stage="u", score=replace(source.score, interval=Interval(math.nan, math.nan, math.nan)))
    other = replace(source, stage="v", score=type(source.score).of_count(5, 10, "top5"))
    rows = waterfall(*score_steps([source, worse, much, broken, other]))["data"]["values"]
    assert [(row["stage"], row["effect"]) for row in rows] == [
        ("source", "source"), ("s", "no change beyond the interval"), ("t", "worse"),
    ]  # fmt: skip


def test_lines_break_between_processes_and_keep_the_extremes(rng: np.random.Generator) -> None:
    processes = tuple(rng.lognormal(0, 0.1, 1000) for _ in range(3))
    course = Course("a", processes, tuple(float(np.median(p)) for p in processes))
    [row] = functions([course], 20)["data"]["values"]
    assert [row["ratio"].count(None), row["share"].count(None)] == [2, 2]
    lines = " ".join(map(str, row["ratio"])).split(" None ")
    for line, samples in zip(lines, processes, strict=True):
        first, *_, last = map(float, line.split())
        ends = [samples.min() / course.median_ms, samples.max() / course.median_ms]
        assert [first, last] == pytest.approx(ends, rel=1e-3)
    rows = course_of_time([course], 7)["data"]["values"]
    assert [(r["parity"], r["at"].count(None)) for r in rows] == [("odd", 1), ("even", 0)]
    drawn = [high for r in rows for high in r["high"] if high is not None]
    assert max(drawn) == pytest.approx(max(p.max() for p in processes) / course.median_ms, rel=1e-3)
    assert all(0 <= at <= 100 for r in rows for at in r["at"] if at is not None)


def test_panels_end_where_samples_are_dense() -> None:
    steady = np.linspace(0.99, 1.01, 1000)
    interrupted = np.append(steady, 500.0)
    course = Course("a", (interrupted,), (1.0,))
    low, high = functions([course], 8)["spec"]["encoding"]["x"]["scale"]["domain"]
    assert 0.98 < low < 0.99 < 1.0 < high < 1.02


def test_a_machine_that_stays_the_same_is_not_drawn() -> None:
    [record] = collection().records.values()
    assert changing(moments(record)) == []
    hot = moments(busy(record))
    assert [quantity.name for quantity in changing(hot)] == ["temperature", "CPU frequency"]
    limited = [row["order"] for row in health(hot)["data"]["values"] if row["limited"] == "yes"]
    assert set(map(int, limited)) == {4}
    assert [m.order for m in hot] == list(range(1, len(hot) + 1))


def test_a_limited_cpu_is_shown_at_the_file_that_ran_then() -> None:
    """Rounds have orders of their own, so a process tells its place."""
    [record] = collection().records.values()
    record = busy(record)
    places = iter(reversed(range(1, len(moments(record)) + 1)))
    turned = [
        replace(m, latency=tuple(replace(run, place=next(places)) for run in m.latency)) for m in record.measurements
    ]
    last = record.subjects[[m.subject for m in turned if m.latency][-1]].name
    found = moments(replace(record, measurements=tuple(turned)))
    assert [m.order for m in found] == list(range(1, len(found) + 1))
    assert found[0].file == last
    assert [m.order for m in found if m.throttled] == [4]
    assert found[3].run.place == 4


@pytest.mark.parametrize(
    ("ends", "ticks"),
    [
        ((9_000, 1_100_000), [10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000]),
        ((230_000, 950_000), [300_000, 500_000, 700_000]),
        ((48_000, 100_000), [50_000, 60_000, 70_000, 80_000, 90_000, 100_000]),
        ((0.001, 1000.0), [0.001, 0.01, 0.1, 1, 10, 100, 1000]),
    ],
)
def test_ticks_of_logarithmic_axes(ends: tuple[float, float], ticks: list[float]) -> None:
    assert theme.log_ticks(*ends) == pytest.approx(ticks)


def test_axes_of_hopeless_numbers() -> None:
    for values in ([], [0.0], [math.nan], [5.0], [1e-300, 1e300]):
        low, high = theme.log_domain(values)
        assert 0 < low < high and math.isfinite(high)
        assert theme.log_ticks(low, high) == sorted(theme.log_ticks(low, high))
        low, high = theme.linear_domain(values)
        assert low < high


def test_rows_have_labels_of_their_own() -> None:
    rows = golden_rows()
    assert labels(rows) == ["m-float32.tflite", "m-int8.tflite", "m-broken.tflite"]
    twice = [*rows, *rows]
    assert len(set(labels(twice))) == len(twice)
    assert clipped("x" * 50, 28) == "x" * 9 + "…" + "x" * 18
