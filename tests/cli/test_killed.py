"""A command that is killed while its runner measures: nothing goes on, and the next start leaves nothing behind."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.conftest import Edgekit
from tests.support.tiny_tflite import tiny_tflite

pytestmark = pytest.mark.e2e


def processes(mark: Path) -> list[bytes]:
    """Return the command lines of all processes that use this temporary folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"TMPDIR={mark}".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes())
        except OSError:
            continue
    return [line for line in found if line]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_bench(edgekit: Edgekit, tmp_path: Path, number: signal.Signals) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    edgekit.env["TMPDIR"] = str(place)
    model = tiny_tflite(tmp_path / "tiny.tflite")
    bench = ("bench", model, "--threads", "1", "--processes", "1", "--no-memory")
    command = edgekit.start(*bench, "--min-seconds", "300")
    deadline = time.monotonic() + 60
    while not any(b"runner.py" in line for line in processes(place)):
        assert time.monotonic() < deadline
        assert command.poll() is None
        time.sleep(0.02)
    command.send_signal(number)
    _, said = command.communicate(timeout=30)
    deadline = time.monotonic() + 5
    while left := processes(place):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)
    assert not (tmp_path / "edgekit-records").exists()
    if number == signal.SIGKILL:
        assert command.returncode == -number
        assert [path.name[:8] for path in place.iterdir()] == ["edgekit-"]
    else:
        assert command.returncode == 128 + number
        assert f"interrupted by {number.name}" in said
        assert not list(place.iterdir())
    edgekit(*bench, "--min-seconds", "0.01")
    assert not list(place.iterdir())
