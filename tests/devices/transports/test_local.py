"""Programs of this machine: how they end is told, and they end with us, however we end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgekit.devices.transports import shell
from edgekit.devices.transports.local import LocalTransport
from edgekit.devices.transports.process import run_process
from edgekit.errors import TargetError, TargetTimeout
from edgekit.files.whole import sha256
from tests.support.raised import raised

PARENT = """
import sys
from edgekit.devices.transports.local import LocalTransport
LocalTransport().run(["sh", "-c", sys.argv[1]], timeout=300)
"""


def gone(pid: int, seconds: float = 10) -> bool:
    """Wait for a process to end; one that nobody has waited for is gone, too."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("number", "trap"),
    [(signal.SIGKILL, ""), (signal.SIGTERM, ""), (signal.SIGHUP, ""), (signal.SIGKILL, "trap '' TERM; ")],
)
def test_a_program_ends_with_its_parent(tmp_path: Path, number: signal.Signals, trap: str) -> None:
    script = f"{trap}echo $$ > {tmp_path}/pid.part; mv {tmp_path}/pid.part {tmp_path}/pid; exec sleep 300"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, script])
    while not (tmp_path / "pid").exists():
        assert parent.poll() is None
        time.sleep(0.02)
    parent.send_signal(number)
    parent.wait()
    assert gone(int((tmp_path / "pid").read_text()))


def test_how_a_program_ended_is_told() -> None:
    run = LocalTransport().run
    lines: list[str] = []
    done = run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=60, on_line=lines.append)
    assert (done.returncode, done.stdout, done.stderr, lines) == (3, "out\n", "err\n", ["err"])
    for name in ("KILL", "SEGV", "TERM"):
        done = run(["sh", "-c", f"kill -{name} $$; sleep 9"], timeout=60)
        assert (done.returncode, done.stderr) == (-getattr(signal, f"SIG{name}"), "")
    assert run(["sh", "-c", 'printf "%s" "$A"'], timeout=60, env={"A": "b c"}).stdout == "b c"
    assert run(["cat"], timeout=60).stdout == ""
    with raised("program-missing", "`no-such-program`"):
        run(["no-such-program"], timeout=60)


def test_a_program_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with raised("device-timeout", "0.3", kind=TargetTimeout):
        LocalTransport().run(["sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 300"], timeout=0.3)
    assert gone(int((tmp_path / "pid").read_text()), 0.5), "before anything else is measured"


def test_a_shell_that_watches_a_program_is_let_finish(tmp_path: Path) -> None:
    """Killed before it watches its stdin, it would leave the program running."""
    ends = ["sh", "-c", "read -r _; sleep 0.3; echo ended > $0", str(tmp_path / "said")]
    with raised("device-timeout", kind=TargetTimeout):
        run_process(ends, timeout=0.3, stdin=subprocess.PIPE)
    assert (tmp_path / "said").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_the_terminals_signals_do_not_end_the_shell_that_watches_a_program(number: signal.Signals) -> None:
    child = subprocess.Popen(shell.script(shell.LIFELINE, "sh", "-c", "echo $$; exec sleep 300"), stdin=-1, stdout=-1)
    assert child.stdin and child.stdout
    program = int(child.stdout.readline())
    child.send_signal(number)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.3)
    child.stdin.close()
    assert gone(program)
    child.wait(10)
    child.stdout.close()


@pytest.mark.parametrize("link", ["a", "a/b", "a/b/m", "a/b/m that leads nowhere"])
def test_no_link_below_the_folder_is_followed(tmp_path: Path, link: str) -> None:
    local, secret = tmp_path / "m", tmp_path / "secret"
    local.write_bytes(b"model")
    secret.mkdir()
    (secret / "m").write_text("stays")
    place = tmp_path / "there" / link.removesuffix(" that leads nowhere")
    place.parent.mkdir(parents=True)
    place.symlink_to(secret if link[-1] != "m" else secret / "m" if " " not in link else secret / "new")
    with raised("device-path-refused", place.name, kind=TargetError):
        LocalTransport().put(local, str(tmp_path / "there"), "a/b/m", sha256(local), timeout=9)
    assert [p.name for p in secret.iterdir()] == ["m"]
    assert (secret / "m").read_text() == "stays"
    with raised("path-invalid"):
        LocalTransport().put(local, str(tmp_path / "there"), "../secret/m", sha256(local), timeout=9)


def test_what_a_program_of_this_machine_left_is_a_file_and_bounded(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(2000))
    (tmp_path / "link").symlink_to("big")
    os.mkfifo(tmp_path / "pipe")
    transport = LocalTransport()
    transport.get(str(tmp_path / "big"), tmp_path / "got", timeout=9, limit=2000)
    assert (tmp_path / "got").stat().st_size == 2000
    for name, message in (("big", "device-answer-invalid"), ("link", "file-unreadable"), ("pipe", "file-unreadable")):
        with raised(*message.split(), kind=TargetError):
            transport.get(str(tmp_path / name), tmp_path / "got", timeout=9, limit=1999)
    with pytest.raises(FileNotFoundError):
        transport.get(str(tmp_path / "none"), tmp_path / "got", timeout=9)
