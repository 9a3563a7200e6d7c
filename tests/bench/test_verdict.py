from __future__ import annotations

from typing import Any

import pytest

from edgekit.bench.verdict import Verdict, judge
from edgekit.bundle.records import Measurement, Record, Subject

CALM = {"load_1min": 0.5, "frequencies_khz": None, "temperatures_c": None, "swap_pages": 7, "steal_ticks": 100}


def run(level: int = 1000, before: dict[str, Any] | None = None, after: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "samples_ns": [level] * 100,
        "warmup_ns": [level] * 10,
        "calls_per_sample": 1,
        "plateau": True,
        "state_before": {**CALM, **(before or {})},
        "state_after": {**CALM, **(after or {})},
    }


def verdict(runs: list[dict[str, Any]], host: dict[str, Any] | None = None, threads: int = 1, **fields: Any) -> Verdict:
    measurement = Measurement(0, threads, latency=runs, **fields)
    host = {"cores": 4, "governor": "performance", **(host or {})}
    subject = Subject("a", "a", "tflite", "ai-edge-litert", "0" * 64, 10, 10)
    record = Record("now", "0", [], "desktop", host, {"latency": True}, None, (subject,), (measurement,))
    return judge(measurement, record)


GOOD = [run(), run(), run()]


def test_a_calm_measurement_is_valid() -> None:
    assert verdict(GOOD) == Verdict("valid")


@pytest.mark.parametrize(
    ("runs", "host", "threads", "reason"),
    [
        (GOOD[:2], {}, 1, "2 processes, 3 are needed"),
        ([run(), run(), run(1150), run(1150)], {}, 1, "the processes disagree: .* spans 14%"),
        ([*GOOD, {**run(), "samples_ns": [1000] * 20}], {}, 1, "only 20 samples"),
        ([*GOOD, {**run(), "plateau": False}], {}, 1, "did not become level"),
        (GOOD, {"governor": "ondemand"}, 1, "governor is ondemand"),
        (GOOD, {"cores": 2}, 4, "4 threads on 2 cores"),
        ([run(before={"load_1min": 3.5})] * 3, {}, 1, r"other load on the machine \(3.5 on 4 cores\)"),
        ([run(after={"swap_pages": 9})] * 3, {}, 1, "swapped"),
        (
            [run(before={"frequencies_khz": [1500000]}, after={"frequencies_khz": [600000]})] * 3,
            {}, 1, "CPU frequency moved by 60%",
        ),
        ([run(after={"steal_ticks": 150})] * 3, {}, 1, "waited .* for a CPU"),
    ],
)  # fmt: skip
def test_doubts(runs: list[dict[str, Any]], host: dict[str, Any], threads: int, reason: str) -> None:
    found = verdict(runs, host, threads)
    assert found.word == "suspect"
    assert len(found.reasons) == 1
    import re

    assert re.search(reason, found.reasons[0])


def test_one_slow_process_among_many_does_not_move_the_median() -> None:
    assert verdict([*[run()] * 8, run(1500)]) == Verdict("valid")


def test_facts_that_cannot_be_read_raise_no_doubts() -> None:
    blind = dict.fromkeys(CALM)
    runs = [run(before=blind, after=blind)] * 3
    assert verdict(runs, {"governor": {"unavailable": "x"}, "cores": {"unavailable": "x"}}) == Verdict("valid")


def test_failures_make_it_invalid() -> None:
    assert verdict(GOOD, failures=["memory: a: died"]) == Verdict("invalid", ("memory: a: died",))
    assert verdict([]).word == "invalid"
