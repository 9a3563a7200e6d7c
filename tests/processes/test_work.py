"""A long piece of work in a process of its own: events, results, errors and ends."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edgekit import errors
from edgekit.errors import EdgekitError, InputError, MissingExtraError, OutputError, QualityError, RunnerCrashed
from edgekit.processes.carried import packed, unpacked
from edgekit.processes.work import run
from edgekit.progress import Counted, Event, Notice, Warned
from tests.support.raised import raised

WORK = "tests.processes.long_work"
KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, EdgekitError)]


def nothing(event: Event) -> None:
    pass


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def gone(process: int) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(process, 0)
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


def test_events_come_in_order_and_the_result_at_the_end() -> None:
    events: list[Event] = []
    before = open_files()
    result = run(f"{WORK}:count", {"to": 2}, events.append, "counting")
    assert isinstance(result, dict)
    assert result["counted"] == 2
    assert result["process"] != os.getpid()
    assert events == [
        Notice("begins"),
        Counted("counting", 0, 2),
        Counted("counting", 1, 2, "at 0"),
        Counted("counting", 2, 2, "at 1"),
        Counted("counting", 2, 2, "at 1", ended=True),
        Warned("was slow", "too-slow"),
    ]
    assert open_files() == before


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not MissingExtraError])
def test_every_error_is_carried_whole(kind: type[EdgekitError]) -> None:
    error = unpacked(dict(packed(kind("what", "do this", code="a-code"))))
    assert type(error) is kind
    assert (error.message, error.hint, error.code, str(error)) == ("what", "do this", "a-code", "what")


def test_an_extra_is_carried() -> None:
    error = unpacked(dict(packed(MissingExtraError("compress", "compress"))))
    assert isinstance(error, MissingExtraError)
    assert (error.extra, error.code) == ("compress", "extra-not-installed")
    quality = unpacked(dict(packed(QualityError("lost", code="quality-lost"))))
    assert isinstance(quality, QualityError)
    assert quality.bundle is None


@pytest.mark.parametrize(
    "value",
    [
        {"kind": "SystemExit", "message": "x"},
        {"kind": "annotations", "message": "x"},
        {"kind": "__builtins__"},
        {},
        {"kind": "InputError", "message": 5},
    ],
)
def test_nothing_but_errors_of_edgekit_is_unpacked(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no error of edgekit"):
        unpacked(value)


def test_errors_of_the_work_are_raised_here() -> None:
    arguments = {"kind": "InputError", "words": ["`x`: is wrong", "mend it"], "more": {"code": "x-wrong"}}
    with raised("x-wrong", "`x`", "mend it", kind=InputError):
        run(f"{WORK}:fail", arguments, nothing, "failing")
    with pytest.raises(EdgekitError, match="No such file"):
        run(f"{WORK}:system", "/no/such/file", nothing, "reading")


def test_what_nobody_explained_ends_the_worker() -> None:
    with raised("worker-died", "exit code 1", "ZeroDivisionError: of a library", kind=RunnerCrashed):
        run(f"{WORK}:unexplained", None, nothing, "dividing")
    with raised("worker-died", "SIGKILL", "memory", kind=RunnerCrashed):
        run(f"{WORK}:killed", None, nothing, "dying")


def test_an_interruption_here_lets_the_worker_unwind(tmp_path: Path) -> None:
    marker, told = tmp_path / "marker", list[str]()

    def interrupt(event: Event) -> None:
        assert isinstance(event, Notice)
        told.extend(event.message.split(" "))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(f"{WORK}:unwinds", str(marker), interrupt, "waiting")
    assert marker.read_text() == "unwound"
    assert gone(int(told[0]))
    assert not Path(told[1]).exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_worker_ends_when_we_do(tmp_path: Path, number: int) -> None:
    marker = tmp_path / "marker"
    program = (
        "import sys; from edgekit.processes.work import run\n"
        f"run({f'{WORK}:unwinds'!r}, {str(marker)!r}, lambda event: print(event.message, flush=True), 'waiting')"
    )
    root = str(Path(__file__).parents[2])
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root}
    )
    assert parent.stdout is not None
    worker, folder = parent.stdout.readline().split()
    parent.send_signal(number)
    parent.wait(20)
    parent.stdout.close()
    assert gone(int(worker))
    assert marker.read_text() == "unwound"
    assert not Path(folder).exists()


def test_a_full_disk_is_said_as_such() -> None:
    assert isinstance(unpacked(dict(packed(OutputError("full")))), OutputError)
