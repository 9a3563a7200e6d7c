"""`edgekit.compare` and the command of that name, without runner processes: what they return is made up."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit.api.compared import MOST_ROUNDS, ROUNDS
from edgekit.bundle.facts import HostFacts
from edgekit.bundle.records import Record, read_record, write_record
from edgekit.bundle.runs import SampledRun
from edgekit.cli import app
from edgekit.cli.entry import run
from edgekit.devices.device import Device
from edgekit.devices.jobs import Job
from edgekit.measuring import passes
from edgekit.stats.ratios import Ratio
from tests.support.raised import raised
from tests.support.runs import latency_run, memory_run
from tests.support.tiny_tflite import tiny_tflite

SESSION = Path(__file__).parents[1] / "report" / "session.json"
ONLY_LATENCY = {"memory": False, "accuracy": False}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [tiny_tflite(tmp_path / "a.tflite"), tiny_tflite(tmp_path / "b.tflite", int4=True)]


Timed = Callable[[float, float], list[str]]


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Timed:
    """Return a function that lets `b.tflite` take a factor of the time of all others, with noise; and what was run.

    The order of the files within a round is by chance; so that the times are not, each file has noise of its own.
    """

    def let(factor: float, noise: float) -> list[str]:
        seen = []
        noises = {name: np.random.default_rng(list(name.encode())) for name in ("a.tflite", "b.tflite")}

        def answer(device: Device, job: Job[SampledRun], timeout: float, **_: object) -> object:
            seen.append(f"{job.mode.name} {job.model.name}")
            name = job.model.name
            level = 1e6 * np.exp(noises[name].normal(scale=noise)) * (factor if name == "b.tflite" else 1)
            return memory_run() if job.mode.name == "memory" else latency_run(round(level))

        monkeypatch.setattr(passes, "run_job", answer)
        return seen

    return let


def rounds_of(seen: list[str]) -> int:
    """Return how many rounds there were, of each of which both files are part."""
    for both in zip(seen[::2], seen[1::2], strict=True):
        assert set(both) == {"latency a.tflite", "latency b.tflite"}
    return len(seen) // 2


def test_files_are_measured_in_rounds_and_compared(files: list[Path], timed: Timed, tmp_path: Path) -> None:
    seen = timed(2.0, 0.01)
    found = edgekit.compare(*files, out=tmp_path / "records")
    assert seen[:2] == ["memory a.tflite", "memory b.tflite"]
    assert rounds_of(seen[2:]) == ROUNDS
    [changes] = found.changes
    assert isinstance(changes.latency, Ratio)
    assert changes.latency.paired and changes.latency.shown
    assert changes.latency.interval.value == pytest.approx(2, rel=0.02)
    assert changes.operators is not None
    assert found.sentences[0].startswith("B is 2.0")
    assert "x slower than A [" in repr(found)
    assert found.path is not None
    kept = read_record(found.path)
    assert kept.plan.processes == ROUNDS
    assert edgekit.compare(kept).changes[0].latency == changes.latency
    assert edgekit.compare(kept, found.path, only=["a.tflite"]).changes[0].latency.interval.value == 1  # type: ignore[union-attr]


def test_rounds_go_on_until_a_small_change_would_be_seen(files: list[Path], timed: Timed) -> None:
    calm = timed(1.0, 0.01)
    found = edgekit.compare(*files, **ONLY_LATENCY)
    assert rounds_of(calm) == ROUNDS
    assert "latency: no difference shown" in repr(found)
    loud = timed(1.0, 0.3)
    found = edgekit.compare(*files, **ONLY_LATENCY)
    assert rounds_of(loud) == MOST_ROUNDS
    assert len(set(loud[::2])) == 2  # which is first changes; that it does not is as likely as 2 / 2^100
    assert found.changes[0].pair.here.record.plan.processes == MOST_ROUNDS
    given = timed(1.0, 0.3)
    edgekit.compare(*files, processes=9, **ONLY_LATENCY)
    assert rounds_of(given) == 9


def test_one_file_alone_is_nothing_to_compare(files: list[Path], timed: Timed) -> None:
    timed(1.0, 0.01)
    with raised("compare-one-file"):
        edgekit.compare(files[0])
    with raised("given-twice"):
        edgekit.compare(files[0], files[0])


@pytest.fixture
def stored(tmp_path: Path) -> Callable[[Record, str], Path]:
    def store(record: Record, name: str) -> Path:
        write_record(tmp_path / name, record)
        return tmp_path / name

    return store


RECORD = read_record(SESSION)
OTHER = dataclasses.replace(RECORD, created="2026-12-01T00:00:00+00:00")
ELSEWHERE = dataclasses.replace(OTHER, host=HostFacts(cpu_model="\x1b[31m<b>\u202e", cores=4))


def test_unlike_records_are_refused_and_listed() -> None:
    with raised("unlike-conditions", "CPU: AMD EPYC", "number of cores: 2 and 4", "force=True") as error:
        edgekit.compare(RECORD, ELSEWHERE, only=["int8"])
    assert "\x1b" not in str(error.value)
    found = edgekit.compare(RECORD, ELSEWHERE, only=["int8"], force=True)
    assert [difference.what for difference in found.unlike] == ["cpu", "cores"]
    assert "latency and memory: not of the same CPU: A: AMD EPYC; B: " in repr(found)
    assert "\x1b" not in repr(found)


def test_what_does_not_fit_is_refused(files: list[Path]) -> None:
    with raised("compare-mixed"):
        edgekit.compare(RECORD, files[0])
    for options in ({"data": "digits"}, {"input_shapes": {"a": [1, 2]}}, {"scale": 2.0}, {"pin": "0"}):
        with raised("compare-option-unused", next(iter(options)).removesuffix("s")):
            edgekit.compare(RECORD, OTHER, **options)  # type: ignore[arg-type]
    with raised("nothing-selected", "int4"):
        edgekit.compare(RECORD, OTHER, only=["int4"])


def test_the_command_says_the_same(stored: Callable[[Record, str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    here, there = stored(RECORD, "a.json"), stored(OTHER, "b.json")
    assert run(app, "edgekit", ["compare", str(here), str(there)]) == 3  # a pass of m-broken.tflite failed
    assert capsys.readouterr().out.rstrip() == edgekit.compare(here, there).table()
    assert run(app, "edgekit", ["compare", str(here), str(there), "--only", "float32,int8", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == edgekit.compare(here, there, only=["float32", "int8"]).to_dict()
    elsewhere = stored(ELSEWHERE, "c.json")
    assert run(app, "edgekit", ["compare", str(here), str(elsewhere), "--only", "int8"]) == 1
    assert "[unlike-conditions]" in capsys.readouterr().err
    assert run(app, "edgekit", ["compare", str(here), str(elsewhere), "--only", "int8", "--force"]) == 0
    assert "not of the same number of cores" in capsys.readouterr().out


def test_what_a_record_says_of_paths_is_not_opened(stored: Callable[[Record, str], Path], tmp_path: Path) -> None:
    secret = tiny_tflite(tmp_path / "secret.tflite")
    subjects = tuple(
        dataclasses.replace(s, path=str(secret), name=f"{index}-{secret}")
        for index, s in zip(itertools.count(), RECORD.subjects, strict=False)
    )
    found = edgekit.compare(stored(dataclasses.replace(RECORD, subjects=subjects), "x.json"))
    assert all(changes.operators is None for changes in found.changes)
    assert "records do not hold them" in repr(found)
