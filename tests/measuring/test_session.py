"""Sessions with real runner processes on tiny models."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edgekit.bundle.facts import HostFacts, Unavailable
from edgekit.bundle.records import Failure, Measurement, Record
from edgekit.bundle.runs import LATENCY
from edgekit.devices.device import Device, open_device
from edgekit.devices.jobs import Job
from edgekit.errors import InputError, RunnerCrashed, RunnerTimeout
from edgekit.measuring import passes as passes_module
from edgekit.measuring.candidates import candidates
from edgekit.measuring.passes import Further
from edgekit.measuring.plan import Plan
from edgekit.measuring.session import bench
from tests.support.raised import raised
from tests.support.runs import latency_run, memory_run
from tests.support.tiny_tflite import tiny_tflite
from tests.support.toy import toy

QUICK = Plan(processes=2, min_samples=20, min_seconds=0.01, warmup_seconds=0.01)
RUNS = {"latency": latency_run(), "memory": memory_run()}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [tiny_tflite(tmp_path / "a.tflite"), tiny_tflite(tmp_path / "b.tflite", int4=True)]


@pytest.mark.processes
def test_a_whole_session(files: list[Path]) -> None:
    with open_device() as device:
        record = bench(candidates(files), QUICK, device, data=toy(), preprocessing={"scale": 0.1})
    assert [s.name for s in record.subjects] == ["a.tflite", "b.tflite"]
    assert record.subjects[0].sha256 == hashlib.sha256(files[0].read_bytes()).hexdigest()
    for m in record.measurements:
        assert len(m.latency) == 2
        assert m.memory is not None
        assert m.accuracy is not None
        assert m.accuracy.samples == 40
        assert m.accuracy.score is not None and m.accuracy.right is not None
        assert m.accuracy.right.array().sum() == m.accuracy.score.correct
        assert m.failures == ()
    assert record.evaluation is not None
    assert record.evaluation.samples == 40
    again = Record.from_dict(json.loads(json.dumps(record.to_dict())), "x")
    assert again == record


def order_of(plan: Plan, files: list[Path], monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    seen = []

    def note(device: Device, job: Job, timeout: float, **_: object) -> dict[str, object]:
        seen.append((job.mode.name, job.model.name, job.threads))
        return RUNS[job.mode.name]

    monkeypatch.setattr(passes_module, "run_job", note)
    with open_device() as device:
        bench(candidates(files), plan, device)
    return seen


def test_latency_rounds_are_interleaved(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each round in an order of its own: always second, a file is slower by what the first one left behind."""
    rounds = 20
    seen = order_of(Plan(threads=(1, 2), processes=rounds, memory=False), files, monkeypatch)
    one_round = {("latency", n, t) for t in (1, 2) for n in ("a.tflite", "b.tflite")}
    orders = [tuple(seen[at : at + 4]) for at in range(0, len(seen), 4)]
    assert len(orders) == rounds
    assert all(set(order) == one_round for order in orders)
    assert len(set(orders)) > 1


def test_passes_are_separate_and_can_be_left_out(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    assert [m for m, _, _ in order_of(Plan(latency=False), files, monkeypatch)] == ["memory"] * 2
    seen = order_of(Plan(processes=3), files, monkeypatch)
    assert [m for m, _, _ in seen] == ["memory"] * 2 + ["latency"] * 6


@pytest.mark.processes
def test_a_crash_is_recorded_and_the_rest_goes_on(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    real = passes_module.run_job

    def crash(device: Device, job: Job, timeout: float, **_: object) -> dict[str, object]:
        if job.model.name == "a.tflite" and job.mode == LATENCY:
            raise RunnerCrashed("a.tflite: killed by SIGILL", code="runner-killed")
        return real(device, job, timeout=timeout)

    monkeypatch.setattr(passes_module, "run_job", crash)
    with open_device() as device:
        record = bench(candidates(files), QUICK, device)
    first, second = record.measurements
    assert first.failures == (Failure("a.tflite: killed by SIGILL", "runner-killed", ("latency",)),)
    assert Record.from_dict(json.loads(json.dumps(record.to_dict())), "x") == record
    assert first.latency == ()
    assert first.memory is not None
    assert len(second.latency) == 2


@pytest.mark.processes
def test_a_file_that_does_not_end_is_not_tried_again(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str]] = []

    def late(device: Device, job: Job, timeout: float, **_: object) -> dict[str, object]:
        seen.append((job.mode.name, job.model.name))
        if job.model.name == "a.tflite":
            raise RunnerTimeout("a.tflite: was stopped", code="runner-timeout")
        return RUNS[job.mode.name]

    monkeypatch.setattr(passes_module, "run_job", late)
    with open_device() as device:
        record = bench(candidates(files), Plan(threads=(1, 2), processes=3), device)
    assert [mode for mode, name in seen if name == "a.tflite"] == ["memory"]
    assert len(seen) == 1 + 2 + 6
    assert list(map(str, record.measurements[0].failures)) == ["memory: a.tflite: was stopped"]


def test_duplicate_names_are_told_apart(tmp_path: Path, files: list[Path]) -> None:
    (tmp_path / "other").mkdir()
    twin = tiny_tflite(tmp_path / "other" / "a.tflite")
    names = [c.subject.name for c in candidates([files[0], twin])]
    assert names == [str(files[0]), str(twin)]
    with raised("given-twice", "a.tflite", kind=InputError):
        candidates([files[0], files[0]])


@pytest.mark.parametrize(
    "fields",
    [
        {"threads": (0,)}, {"threads": (1, 1)}, {"threads": (5000,)}, {"processes": 0},
        {"min_samples": 0}, {"min_seconds": -1.0}, {"min_seconds": float("nan")}, {"timeout": 0.0},
        {"latency": False, "memory": False, "accuracy": False},
    ],
)  # fmt: skip
def test_impossible_plans(fields: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Plan(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(("cores", "threads"), [(4, (1, 4)), (1, (1,)), (10**17, (1,)), (Unavailable("x"), (1,))])
def test_threads_of_a_device_by_its_cores(cores: Any, threads: tuple[int, ...]) -> None:
    facts = HostFacts(cores=cores, emulated=False)
    assert Plan(threads=()).settled((), facts).threads == threads
    assert Plan(threads=()).settled((3,), facts).threads == (3,)
    assert Plan(threads=(2,)).settled((3,), facts).threads == (2,)


def test_further_rounds_for_as_long_as_they_are_needed(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def enough(measurements: Sequence[Measurement]) -> bool:
        asked.append([len(m.latency) for m in measurements])
        return len(asked) == 3

    monkeypatch.setattr(passes_module, "run_job", lambda device, job, **_: RUNS[job.mode.name])
    with open_device() as device:
        for most, rounds in ((9, 7), (6, 6), (3, 3)):
            asked.clear()
            record = bench(candidates(files), Plan(threads=(1,), processes=3), device, further=Further(most, 2, enough))
            assert [len(m.latency) for m in record.measurements] == [rounds] * 2
            assert record.plan.processes == rounds
    assert asked == []  # nothing more is allowed


def test_default_processes_are_not_recorded() -> None:
    plan = Plan(default_processes=9).settled((), HostFacts(cores=2))
    assert plan.processes == 9
    assert "default_processes" not in vars(plan.recorded())
    assert Plan(default_processes=9).settled((), HostFacts(emulated="QEMU")).processes == 1
