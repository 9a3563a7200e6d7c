"""Shared fixtures, and the rule that CI turns skips into failures."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.cli import app
from edgekit.cli.entry import run
from edgekit.devices.jobs import BRIEF
from tests.support.pretended import board_home

pytest_plugins = ["tests.support.durations", "tests.support.quick"]
TIMEOUTS = {"e2e": 600, "board": 600, "tensorflow": 300}
"""Seconds a test with a marker may take where it does not say itself; the others have pyproject.toml's."""
ONE_THREAD = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""TensorFlow and NumPy read these when they are imported, in child processes, too. The models of tests are too small
for threads to help, and several workers share the CPUs: a fifth of the time would go into waiting for one another."""
os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
NO_SKIPS = os.environ.get("EDGEKIT_NO_SKIPS") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where EDGEKIT_NO_SKIPS=1 forbids it: {report.longrepr}"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test the time-out of its first marker."""
    for item in items:
        seconds = next((TIMEOUTS[marker] for marker in TIMEOUTS if item.get_closest_marker(marker)), None)
        if seconds is not None and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(seconds))


@pytest.fixture(autouse=True)
def work_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Unfinished jobs are kept here, not in the user's cache."""
    path = tmp_path_factory.mktemp("work")
    monkeypatch.setenv("EDGEKIT_WORK", str(path))
    return path


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator of the test's own: the same values whichever tests run before it."""
    return np.random.default_rng(list(request.node.nodeid.encode()))


def in_one_round(patch: pytest.MonkeyPatch) -> None:
    """Let latencies in ledgers be those of one short round; every round is two processes."""
    patch.setattr("edgekit.pipeline.meter.ROUNDS", 1)
    short = dataclasses.replace(BRIEF, min_samples=5, min_seconds=0.005, warmup_seconds=0.005)
    patch.setattr("edgekit.pipeline.meter.BRIEF", short)


@pytest.fixture
def one_latency_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that do not look at the latency in a ledger."""
    in_one_round(monkeypatch)


class Edgekit:
    """The command line in a process of its own, as a user runs it."""

    def __init__(self, cwd: Path, env: dict[str, str]) -> None:
        self.cwd = cwd
        self.env = {**os.environ, "PYTHONWARNINGS": "default", **env}

    def __call__(self, *args: object, check: int = 0, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "edgekit", *map(str, args)]
        done = subprocess.run(argv, cwd=self.cwd, env=self.env, capture_output=True, text=True, timeout=timeout)
        assert done.returncode == check, f"{argv} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def start(self, *args: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "edgekit", *map(str, args)],
            cwd=self.cwd,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def edgekit(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Edgekit:
    empty = str(tmp_path_factory.mktemp("empty"))
    return Edgekit(tmp_path, {"EDGEKIT_DATA": empty, "KERAS_HOME": empty})


class Inside:
    """The command line in this process, for what does not depend on its being a process: what it says and returns."""

    def __init__(self, cwd: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.cwd = cwd
        self._capsys = capsys

    def __call__(self, *args: object, check: int = 0) -> subprocess.CompletedProcess[str]:
        argv = [str(arg) for arg in args]
        self._capsys.readouterr()
        code = run(app, "edgekit", argv)
        out, err = self._capsys.readouterr()
        assert code == check, f"{argv} ended with {code}\n{out}\n{err}"
        return subprocess.CompletedProcess(argv, code, out, err)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    monkeypatch.chdir(tmp_path)
    for name in ("EDGEKIT_DATA", "KERAS_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    return Inside(tmp_path, capsys)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a board that is this machine, reached by a pretended `ssh`."""
    return board_home(tmp_path, monkeypatch)


def learnable_rows() -> dict[str, np.ndarray]:
    """Return a small learnable data set: class c is bright in row c of a 6x6 image."""
    rng = np.random.default_rng(7)

    def part(n: int) -> tuple[np.ndarray, np.ndarray]:
        y = np.arange(n) % 3
        x = rng.integers(0, 60, (n, 6, 6, 1))
        x[np.arange(n), y * 2] += 180
        return x.astype(np.uint8), y.astype(np.int64)

    (x_train, y_train), (x_test, y_test) = part(150), part(60)
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """The data set above."""
    return learnable_rows()


@pytest.fixture
def npz(tmp_path: Path, arrays: dict[str, np.ndarray]) -> Path:
    path = tmp_path / "rows.npz"
    np.savez(path, **arrays)
    return path
