"""Every bound is decided on the interval, and what was not measured is not passed."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.collection import Collection
from edgekit.bundle.facts import HostFacts
from edgekit.bundle.flags import Flags
from edgekit.bundle.manifest import Bundle, Manifest
from edgekit.bundle.records import EvaluatedOn
from edgekit.bundle.runs import ResidentRun, ResidentSet
from edgekit.reporting.checking.bounds import BOUNDS
from edgekit.reporting.checking.checks import CANNOT_TELL, FAIL, PASS, Check, Checks, check, decide
from edgekit.reporting.checking.files import Baselines, files_of
from edgekit.reporting.checking.readings import Reading
from edgekit.stats import Interval
from edgekit.tasks.metrics import Score
from tests.report.checking.made import (
    BROKEN,
    FLOAT,
    INT8,
    changed,
    files,
    near,
    of,
    one,
    scored,
    session,
    timed,
)
from tests.support.raised import raised

GOLDEN = Path(__file__).parents[2] / "golden"
BY_NAME = {bound.name: bound for bound in BOUNDS}
STEADY = [[ms] * 60 for ms in (10.0, 10.1, 10.1, 10.1, 10.2)]


@pytest.mark.parametrize(
    ("bound", "interval", "limit", "word"),
    [
        ("max_latency", (10, 9, 11), 11, PASS), ("max_latency", (10, 9, 11), 10.5, CANNOT_TELL),
        ("max_latency", (10, 9, 11), 9, CANNOT_TELL), ("max_latency", (10, 9, 11), 8.9, FAIL),
        ("min_accuracy", (0.9, 0.88, 0.92), 0.88, PASS), ("min_accuracy", (0.9, 0.88, 0.92), 0.9, CANNOT_TELL),
        ("min_accuracy", (0.9, 0.88, 0.92), 0.93, FAIL), ("max_size", (100, 100, 100), 100, PASS),
        ("max_size", (101, 101, 101), 100, FAIL), ("max_drop", (0.5, 0.3, 0.1 + 0.2 + 0.2), 0.5, PASS),
        ("max_error", (math.inf, math.inf, math.inf), 3, FAIL), ("min_accuracy", (math.inf,) * 3, 30, PASS),
        ("max_error", (math.nan,) * 3, 3, FAIL), ("max_error", (2, math.nan, math.nan), 3, CANNOT_TELL),
    ],
)  # fmt: skip
def test_the_interval_decides(bound: str, interval: tuple[float, float, float], limit: float, word: str) -> None:
    found, reason = decide(Reading(Interval(*interval), ""), BY_NAME[bound], limit)
    assert found == word
    assert bool(reason.code) == bool(reason.sentence) == (word != PASS)


def test_size() -> None:
    size = session().subjects[0].bytes
    assert one(FLOAT, "max_size", size, session()).word == PASS
    found = one(FLOAT, "max_size", size - 1, session())
    assert (found.word, found.code, found.margin) == (FAIL, "size-above-limit", -1)


def test_latency_between_processes() -> None:
    record = timed(session(), INT8, *([ms] * 50 for ms in (10.0, 11.0, 11.0, 11.0, 12.0)))
    assert [one(INT8, "max_latency", limit, record).word for limit in (12, 11.5, 9.5)] == [PASS, CANNOT_TELL, FAIL]
    found = one(INT8, "max_latency", 12, record)
    assert found.reading is not None
    assert (found.reading.interval, found.reading.unit) == (Interval(11.0, 10.0, 12.0), "ms")


def test_the_p90_is_that_of_a_typical_process() -> None:
    spread = [float(ms) for ms in range(1, 101)]
    record = timed(session(), INT8, *([factor * ms for ms in spread] for factor in (1, 2, 2, 2, 3)))
    found = one(INT8, "max_latency_p90", 200, record)
    assert found.reading is not None
    assert found.reading.interval == Interval(*(pytest.approx(factor * 90.1) for factor in (2, 1, 3)))
    assert found.word == CANNOT_TELL
    assert one(INT8, "max_latency_p90", 271, record).word == PASS
    assert one(INT8, "max_latency_p90", 90, record).code == "latency-p90-above-limit"


def test_memory_is_read_once() -> None:
    used = of(session(), FLOAT).memory
    assert used is not None and used.used_kib is not None
    exact = used.used_kib * 1024
    words = [one(FLOAT, "max_memory", exact + margin, session()).word for margin in (1 << 19, 1 << 10, -(1 << 19))]
    assert words == [PASS, CANNOT_TELL, FAIL]


def test_accuracy_of_samples() -> None:
    record = scored(session(), INT8, Score.of_count(985, 1000))
    assert [one(INT8, "min_accuracy", limit, record).word for limit in (0.97, 0.985, 0.995)] == [
        PASS, CANNOT_TELL, FAIL,
    ]  # fmt: skip
    with raised("budget-out-of-range", "98.5"):
        one(INT8, "min_accuracy", 98.5, record)


def test_an_error_is_bounded_from_above() -> None:
    record = scored(session(), INT8, near(2.0, 1.9, 2.1))
    assert [one(INT8, "max_error", limit, record).word for limit in (2.2, 2.0, 1.8)] == [PASS, CANNOT_TELL, FAIL]
    found = one(INT8, "min_accuracy", 0.9, record)
    assert (found.word, found.code) == (CANNOT_TELL, "budget-wrong-direction")


@pytest.mark.parametrize("bound", [b.name for b in BOUNDS if b.of])
def test_what_was_not_measured_cannot_be_told(bound: str) -> None:
    record = changed(session(), INT8, latency=(), memory=None, accuracy=None)
    record = dataclasses.replace(record, plan=dataclasses.replace(record.plan, latency=False))
    found = one(INT8, bound, 1, record)
    assert (found.word, found.code, found.reading) == (CANNOT_TELL, "not-measured", None)


@pytest.mark.parametrize("bound", [b.name for b in BOUNDS if b.of])
def test_what_failed_cannot_be_told_and_its_size_can(bound: str) -> None:
    found = one(BROKEN, bound, 1, session())
    assert (found.word, found.code) == (CANNOT_TELL, "measurement-invalid")
    assert "SIGSEGV" in found.sentence
    assert one(BROKEN, "max_size", 1e9, session()).word == PASS


def test_an_emulated_cpu_has_no_latency_and_at_most_this_memory() -> None:
    record = dataclasses.replace(session(), host=HostFacts(emulated="QEMU"))
    for bound in ("max_latency", "max_latency_p90", "max_slowdown"):
        found = one(INT8, bound, 1e6, record)
        assert (found.word, found.code) == (CANNOT_TELL, "emulated-cpu")
        assert "QEMU" in found.sentence
    assert one(INT8, "max_memory", 1e9, record).word == PASS
    assert one(INT8, "max_memory", 1, record).code == "interval-holds-limit"
    assert one(INT8, "max_size", 1, record).word == FAIL
    assert one(INT8, "min_accuracy", 0.01, record).word == PASS


def test_four_processes_have_no_interval_to_decide_on() -> None:
    record = timed(session(), INT8, *([10.0] * 60 for _ in range(4)))
    found = one(INT8, "max_latency", 1000, record)
    assert (found.word, found.code) == (CANNOT_TELL, "too-few-processes")


def test_the_first_file_of_a_record_is_the_baseline_where_none_is_named() -> None:
    record = timed(timed(session(), FLOAT, *STEADY), INT8, *[[2 * ms for ms in run] for run in STEADY])
    record = dataclasses.replace(record, plan=dataclasses.replace(record.plan, processes=5))
    assert [one(INT8, "max_slowdown", limit, record).word for limit in (1.001, 0.9)] == [PASS, FAIL]
    found = one(INT8, "max_growth", 0, record)
    assert found.word == PASS and found.against == "a"
    checked = files(record)
    assert not check(checked[:1], lambda _: {"max_growth": 0.0}, Baselines([], checked))


def test_against_a_named_baseline() -> None:
    before = timed(session(), INT8, *STEADY)
    slower = timed(session(), INT8, *[[1.2 * ms for ms in run] for run in STEADY])
    assert [one(INT8, "max_slowdown", limit, slower, before).word for limit in (0.3, 0.2, 0.1)] == [
        PASS, CANNOT_TELL, FAIL,
    ]  # fmt: skip
    renamed = dataclasses.replace(before.subjects[1], name="other.tflite")
    other = dataclasses.replace(before, subjects=(before.subjects[0], renamed, before.subjects[2]))
    found = one(INT8, "max_slowdown", 1, slower, other)
    assert (found.word, found.code) == (CANNOT_TELL, "not-in-baseline")
    assert "other.tflite" in found.sentence
    with raised("baseline-ambiguous", FLOAT):
        one(INT8, "max_slowdown", 1, slower, before, before)


def test_a_drop_is_in_points_and_equal_predictions_lost_nothing() -> None:
    before = scored(session(), INT8, Score.of_count(9900, 10_000), "a" * 64)
    worse = scored(session(), INT8, Score.of_count(9700, 10_000), "b" * 64)
    assert [one(INT8, "max_drop", limit, worse, before).word for limit in (2.6, 2.0, 1.4)] == [
        PASS, CANNOT_TELL, FAIL,
    ]  # fmt: skip
    same = one(INT8, "max_drop", 0, before, before)
    assert same.reading is not None
    assert (same.word, same.reading.interval) == (PASS, Interval(0, 0, 0))
    other = scored(session(), INT8, near(3.0, 2.9, 3.1))
    assert one(INT8, "max_drop", 1, other, before).code == "metric-differs"


def test_a_drop_of_an_error_is_in_percent() -> None:
    before, after = (scored(session(), INT8, near(v, v - 0.01, v + 0.01)) for v in (2.0, 2.2))
    found = one(INT8, "max_drop", 12, after, before)
    assert found.reading is not None
    assert found.reading.interval.value == pytest.approx(10)
    assert (found.word, found.reading.unit) == (PASS, "% of the error")
    assert one(INT8, "max_drop", 5, after, before).word == FAIL


def test_unlike_conditions_are_listed_and_refused() -> None:
    before = timed(session(), INT8, *STEADY)
    elsewhere = dataclasses.replace(before, target="rpi4", host=HostFacts(cpu_model="Cortex-A72"))
    found = one(INT8, "max_slowdown", 1, before, elsewhere)
    assert (found.word, found.code) == (CANNOT_TELL, "unlike-conditions")
    assert "rpi4" in found.sentence and "Cortex-A72" in found.sentence
    forced = one(INT8, "max_slowdown", 1, before, elsewhere, force=True)
    assert forced.word == PASS
    assert {difference.what for difference in forced.unlike} >= {"device", "cpu"}
    assert one(INT8, "max_growth", 0, before, elsewhere).word == PASS  # bytes are bytes anywhere
    others = dataclasses.replace(before, evaluation=EvaluatedOn("other.npz", 50, "0" * 64))
    assert one(INT8, "max_drop", 1, before, others).code == "unlike-conditions"


def test_the_summary_is_as_bad_as_the_worst() -> None:
    size = session().subjects[0].bytes
    kept, missed = (one(FLOAT, "max_size", limit, session()) for limit in (size, 1))
    unsure = one(FLOAT, "max_memory", 1, changed(session(), FLOAT, memory=None))
    assert Checks((kept,)).word == PASS
    assert Checks((kept, unsure)).word == CANNOT_TELL
    assert Checks((kept, missed, unsure)).word == FAIL
    assert Checks((kept, missed, unsure)).summary == "fail: 3 checks: 1 pass, 1 fail, 1 cannot tell"


def test_memory_of_a_process_that_took_nothing() -> None:
    run: Any = of(session(), FLOAT).memory
    nothing = dataclasses.replace(run, rss_kib=ResidentSet(after_imports=1000, peak=1000))
    assert isinstance(nothing, ResidentRun)
    found: Check = one(FLOAT, "max_memory", 1 << 20, changed(session(), FLOAT, memory=nothing))
    assert found.word == PASS


def test_samples_that_are_known_to_be_right_are_paired(rng: np.random.Generator) -> None:
    before = rng.random(10_000) < 0.9
    after = before.copy()
    after[:20] = False
    records = [
        scored(session(), INT8, Score.of_count(int(right.sum()), 10_000), digest * 64, Flags.of(right))
        for right, digest in ((before, "a"), (after, "b"))
    ]
    found = one(INT8, "max_drop", 0.5, records[1], records[0])
    assert found.reading is not None and found.reading.how == "paired"
    assert found.word == PASS  # unpaired, the interval is wider than a point
    lost = 100 * (before.mean() - after.mean())
    assert found.reading.interval.value == pytest.approx(lost)
    assert found.reading.interval.low < lost < found.reading.interval.high < 0.5


def test_a_size_is_checked_once_whatever_the_threads() -> None:
    record = session()
    two = tuple(dataclasses.replace(m, threads=2) for m in record.measurements[:2])
    everything = files(dataclasses.replace(record, measurements=(*record.measurements, *two)))
    found = check(everything, lambda _: {"max_size": 1e9, "min_accuracy": 0.1}, Baselines([], everything))
    assert [one.bound.name for one in found].count("max_size") == 3
    assert [one.file.threads for one in found if one.bound.name == "min_accuracy"] == [1, 1, 1, 2, 2]


def test_files_of_a_bundle_have_sizes_and_scores_and_no_measurements() -> None:
    manifest = Manifest.from_dict(json.loads((GOLDEN / "bundle-manifest.1.json").read_text()), "manifest.json")
    everything = files_of(Collection(bundles={"b": Bundle(Path("b"), manifest)}))
    assert {file.name for file in everything} == {a.file for a in manifest.artifacts if a.format != "c"}
    bounds = {"max_size": 1e9, "max_latency": 1e9, "max_memory": 1e12, "min_accuracy": 1e-6}
    found = check(everything, lambda _: bounds, Baselines([], everything))
    words = {(one.bound.name, one.word, one.code) for one in found}
    assert words == {
        ("max_size", PASS, ""), ("min_accuracy", PASS, ""),
        ("max_latency", CANNOT_TELL, "not-measured"), ("max_memory", CANNOT_TELL, "not-measured"),
    }  # fmt: skip
    assert all(one.file.target is None and one.file.threads is None for one in found)


def test_a_bundle_and_a_record_need_not_have_the_same_samples() -> None:
    manifest = Manifest.from_dict(json.loads((GOLDEN / "bundle-manifest.1.json").read_text()), "manifest.json")
    [named, *_] = files_of(Collection(bundles={"b": Bundle(Path("b"), manifest)}))
    mine = dataclasses.replace(files(session())[0], name=named.name)
    [found] = check([mine], lambda _: {"max_drop": 1.0}, Baselines([named], [mine]))
    assert (found.word, found.code) == (CANNOT_TELL, "unlike-conditions")
    assert "evaluation samples" in found.sentence


def test_the_same_file_on_the_same_samples_loses_nothing() -> None:
    found = one(INT8, "max_drop", 0.01, session(), session())
    assert found.reading is not None and found.reading.how == "the same file"
    assert (found.word, found.reading.interval.high) == (PASS, 0.0)
