"""Turns between processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.errors import OutputError
from edgekit.files.turns import is_taken, turn
from tests.support.raised import raised

HOLD = """
import sys, time
from pathlib import Path
from edgekit.files.turns import turn
with turn(Path(sys.argv[1])):
    print("mine", flush=True)
    time.sleep(60)
"""


@pytest.mark.processes
def test_a_turn_ends_with_its_process(tmp_path: Path) -> None:
    lock = tmp_path / "new" / "a.lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, lock], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        assert is_taken(lock)
        waited = []

        def waiting() -> None:
            waited.append(True)
            other.send_signal(signal.SIGKILL)

        with turn(lock, waiting):
            assert waited == [True]
            assert is_taken(lock)
    assert not is_taken(lock)


def test_nobody_waits_for_a_free_turn(tmp_path: Path) -> None:
    with turn(tmp_path / "a.lock", lambda: pytest.fail("waited")):
        pass
    with turn(tmp_path / "a.lock", lambda: pytest.fail("waited")):
        pass


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.lock").symlink_to(tmp_path / "elsewhere")
    with raised("output-not-writable", kind=OutputError), turn(tmp_path / "a.lock"):
        pass
    assert not (tmp_path / "elsewhere").exists()
