from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from edgekit.bundle.facts import HostFacts, Unavailable
from edgekit.bundle.reason import Reason
from edgekit.bundle.records import DeviceSession, Failure, Measurement, Record, Settings, Subject, Throttled
from edgekit.bundle.runs import LatencyRun
from edgekit.measuring.verdict import Verdict, judge, throttling
from tests.support.runs import CALM, latency_run


def verdict(runs: Sequence[LatencyRun], host: dict[str, Any] | None = None, threads: int = 1, **fields: Any) -> Verdict:
    measurement = Measurement(0, threads, latency=tuple(runs), **fields)
    facts = HostFacts(**{"cores": 4, "governor": "performance", **(host or {})})
    subject = Subject("a", "a", "tflite", "ai-edge-litert", "0" * 64, 10, 10)
    plan = Settings(processes=3, min_samples=50, min_seconds=0.5)
    record = Record("now", "0", [], "desktop", facts, plan, None, (subject,), (measurement,))
    return judge(measurement, record)


GOOD = [latency_run(), latency_run(), latency_run()]


def test_a_calm_measurement_is_valid() -> None:
    assert verdict(GOOD) == Verdict("valid")


@pytest.mark.parametrize(
    ("runs", "host", "threads", "code", "numbers"),
    [
        (GOOD[:2], {}, 1, "too-few-processes", "2 processes"),
        ([*GOOD[:2], *[latency_run(1150)] * 2], {}, 1, "run-to-run-variation", "26 %"),
        ([*GOOD, latency_run(samples_ns=(1000,) * 20)], {}, 1, "too-few-samples", "20 samples"),
        ([*GOOD, latency_run(plateau=False)], {}, 1, "no-steady-state", ""),
        (GOOD, {"governor": "ondemand"}, 1, "governor-not-performance", "ondemand"),
        (GOOD, {"cores": 2}, 4, "too-many-threads", "4 threads on 2 cores"),
        ([latency_run(before={"load_1min": 3.5})] * 3, {}, 1, "other-load", "3.5 on 4 cores"),
        ([latency_run(after={"swap_pages": 9})] * 3, {}, 1, "swapped", ""),
        (
            [latency_run(before={"frequencies_khz": (1500000,)}, after={"frequencies_khz": (600000,)})] * 3,
            {}, 1, "frequency-drift", "60 %",
        ),
        ([latency_run(after={"steal_ticks": 150})] * 3, {}, 1, "steal-time", "%"),
    ],
)  # fmt: skip
def test_what_makes_it_suspect(
    runs: list[LatencyRun], host: dict[str, Any], threads: int, code: str, numbers: str
) -> None:
    judged = verdict(runs, host, threads)
    assert judged.word == "suspect"
    [reason] = judged.reasons
    assert reason.code == code
    assert numbers in reason.sentence
    assert str(reason) == f"{reason.sentence} [{code}]"


def test_one_slow_process_among_many_does_not_move_the_median() -> None:
    assert verdict([*[latency_run()] * 8, latency_run(1500)]) == Verdict("valid")


def test_facts_that_cannot_be_read_raise_no_doubts() -> None:
    blind = dict.fromkeys(vars(CALM))
    runs = [latency_run(before=blind, after=blind)] * 3
    assert verdict(runs, {"governor": Unavailable("x"), "cores": Unavailable("x")}) == Verdict("valid")


def test_failures_make_it_invalid() -> None:
    killed = Failure("a: killed by SIGSEGV", "runner-killed", ("memory",))
    assert verdict(GOOD, failures=(killed,)).reasons == (Reason("runner-killed", "memory: a: killed by SIGSEGV"),)
    older = Failure("memory: a: died")
    assert verdict(GOOD, failures=(older,)) == Verdict("invalid", (Reason("pass-failed", "memory: a: died"),))
    assert [reason.code for reason in verdict([]).reasons] == ["no-latency"]


def test_what_limited_the_cpu_is_known_process_by_process() -> None:
    """A bit since boot counts for the process after which it is set first; one that is on counts for each."""
    subject = Subject("a", "a", "tflite", "ai-edge-litert", "0" * 64, 10, 10)
    plan = Settings(processes=3, min_samples=50, min_seconds=0.5)
    record = Record("now", "0", [], "desktop", HostFacts(), plan, None, (subject,), ())
    assert throttling(record) == []
    bits = Throttled(0x20000, (0x20000, 0x60000, 0x60000, 0x60005))
    limited = replace(record, device=DeviceSession(throttled=bits))
    assert throttling(limited) == [[], ["throttled"], [], ["under-voltage", "throttled"]]
