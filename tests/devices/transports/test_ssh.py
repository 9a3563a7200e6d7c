"""The ssh transport: quoting, exit codes, copies, faults; the far end is a shell of this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.devices.transports import process, shell
from edgekit.devices.transports.base import retried
from edgekit.devices.transports.ssh import SshTransport
from edgekit.errors import ConnectionFailed, TargetError
from edgekit.files.whole import sha256
from tests.support.heard import Heard
from tests.support.pretended import pretend
from tests.support.raised import raised

HOSTILE = ["", " ", "a b", "it's", '"', "$HOME", "`id`", "$(id)", "\\", "a\nb", ";", "&& false", "*", "ü", "-n", "--"]


@pytest.fixture
def board(home: Path) -> Iterator[SshTransport]:
    transport = SshTransport("pi@board")
    yield transport
    transport.close()


def test_arguments_arrive_as_they_are(board: SshTransport) -> None:
    done = board.run(["printf", "%s\\0", *HOSTILE], timeout=10)
    assert done.stdout.split("\0")[:-1] == HOSTILE
    done = board.run(["sh", "-c", 'printf "%s" "$V"'], timeout=10, env={"V": "a 'b' $HOME"})
    assert done.stdout == "a 'b' $HOME"


@pytest.mark.parametrize("name", ["sh", "bash", "dash", "tcsh", "csh", "fish", "zsh", "ksh", "mksh"])
def test_any_login_shell(name: str) -> None:
    """What csh and fish read otherwise than a POSIX shell never reaches them; those that this machine has are tried."""
    wild = [*HOSTILE, "!x", "a!b", "\n", "end\n\n", "%s", "a\\nb", "\\0041", "~", "{a,b}", "#", "^a^b"]
    line = shell.for_any_shell(["printf", "%s\\0", *wild])
    assert not {"!", "\n", "$(", '"'} & set(line.replace(shell._DECODE, ""))
    if (path := shutil.which(name)) is None:
        return
    done = subprocess.run([path, "-c", line], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == wild


@pytest.mark.parametrize("script", ["exit 0", "exit 7", "exit 255", "kill -SEGV $$", "kill -KILL $$"])
def test_programs_end_as_they_do_here(board: SshTransport, script: str) -> None:
    here = subprocess.run(["sh", "-c", script], check=False).returncode
    assert board.run(["sh", "-c", f"echo out; echo err >&2; {script}"], timeout=10).returncode == here


def test_both_outputs_come_apart_and_lines_come_at_once(board: SshTransport) -> None:
    lines: list[tuple[str, float]] = []
    started = time.monotonic()
    done = board.run(
        ["sh", "-c", "echo first >&2; sleep 0.6; echo second >&2; echo out"],
        timeout=10,
        on_line=lambda line: lines.append((line, time.monotonic() - started)),
    )
    assert (done.stdout, done.stderr) == ("out\n", "first\nsecond\n")
    done = board.run(["sh", "-c", "printf out; printf err >&2; exit 3"], timeout=10)
    assert (done.returncode, done.stdout, done.stderr) == (3, "out", "err")
    assert [line for line, _ in lines][:2] == ["first", "second"]
    assert lines[1][1] - lines[0][1] > 0.3


def test_a_program_that_takes_too_long_is_ended_there(board: SshTransport, home: Path) -> None:
    with raised("device-timeout", "0.5", kind=TimeoutError):
        board.run(["sh", "-c", 'echo $$ >"$HOME/pid"; exec sleep 60'], timeout=0.5)
    pid = int((home / "pid").read_text())
    assert _ends(pid)


def test_a_program_ends_when_we_are_gone(home: Path, tmp_path: Path) -> None:
    script = (
        "from edgekit.devices.transports.ssh import SshTransport; SshTransport('pi@board')"
        """.run(["sh", "-c", 'echo $$ >"$HOME/pid"; exec sleep 60'], timeout=60)"""
    )
    child = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    deadline = time.monotonic() + 20
    while not (home / "pid").exists() or not (home / "pid").read_text().strip():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.kill()
    child.wait()
    assert _ends(int((home / "pid").read_text()))


def _ends(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        with contextlib.suppress(OSError):  # it ended just now
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_copy_is_whole(board: SshTransport, home: Path, tmp_path: Path, size: int) -> None:
    local = tmp_path / "local file"
    local.write_bytes(os.urandom(size))
    remote = f"{home}/a 'b' $c.bin"
    assert board.put(local, str(home), "a 'b' $c.bin", sha256(local), timeout=30) == size
    assert Path(remote).read_bytes() == local.read_bytes()
    assert [p.name for p in home.iterdir()] == ["a 'b' $c.bin"]
    board.get(remote, tmp_path / "back", timeout=30)
    assert (tmp_path / "back").read_bytes() == local.read_bytes()


def test_a_copy_goes_on_where_it_broke(board: SshTransport, home: Path, tmp_path: Path) -> None:
    local = tmp_path / "model"
    local.write_bytes(os.urandom(100_000))
    digest = sha256(local)
    part = home / f"model.{digest[:16]}.part"
    part.write_bytes(local.read_bytes()[:60_000])
    assert board.put(local, str(home), "model", digest, timeout=30) == 40_000
    assert (home / "model").read_bytes() == local.read_bytes()
    assert not part.exists()


def test_a_damaged_copy_is_removed_and_made_again(board: SshTransport, home: Path, tmp_path: Path) -> None:
    local = tmp_path / "model"
    local.write_bytes(os.urandom(1000))
    digest = sha256(local)
    (home / "model").write_bytes(b"old")
    part = home / f"model.{digest[:16]}.part"
    part.write_bytes(b"x" * 500)  # of the right length to go on, and not what the file begins with
    with raised("copy-damaged", kind=ConnectionFailed):
        board.put(local, str(home), "model", digest, timeout=30)
    assert (home / "model").read_bytes() == b"old"
    assert retried(lambda: board.put(local, str(home), "model", digest, timeout=30)) == 1000
    assert (home / "model").read_bytes() == local.read_bytes()


def test_what_cannot_be_written_says_why(board: SshTransport, home: Path, tmp_path: Path) -> None:
    local = tmp_path / "model"
    local.write_bytes(b"x")
    with raised("device-path-refused", "no/such/folder", kind=TargetError):
        board.put(local, f"{home}/no/such/folder", "model", sha256(local), timeout=30)
    with raised("device-disk-full", kind=TargetError):
        raise shell.refused("pi@board", "m", "cat: write error: No space left on device")
    with pytest.raises(FileNotFoundError):
        board.get(f"{home}/nothing", tmp_path / "x", timeout=30)


SAID = [
    ("@@@@@@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n@@@@@@", TargetError, "host-key-unknown one"),
    ("No ED25519 host key is known for board and you have requested strict checking.\nHost key verification failed.",
     TargetError, "host-key-unknown known"),
    ("pi@board: Permission denied (publickey,password).", TargetError, "login-refused user"),
    ("ssh: Could not resolve hostname board: Name or service not known", TargetError, "device-unreachable name"),
    ("Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures", TargetError, "login-refused"),
    ("Unable to negotiate with 10.0.0.1 port 22: no matching host key type found.", TargetError, "ssh-unusable ssh"),
    ("ssh: connect to host board port 22: Connection refused", ConnectionFailed, "device-unreachable 22"),
    ("ssh: connect to host board port 22: Connection timed out", ConnectionFailed, "device-unreachable reached"),
    ("Connection timed out during banner exchange", ConnectionFailed, "device-unreachable reached"),
    ("kex_exchange_identification: Connection closed by remote host", ConnectionFailed, "device-unreachable broke"),
    ("kex_exchange_identification: banner line contains invalid characters", TargetError, "ssh-unusable port"),
    ("Load key \"/k\": bad permissions\nPermissions 0644 for '/k' are too open.\npi@b: Permission denied (publickey).",
     TargetError, "key-unusable \"/k\" chmod"),
    ('Load key "/k 1": error in libcrypto\npi@b: Permission denied (publickey).', TargetError, "key-unusable damaged"),
    ("debug1: Server accepts key: /k 1 ED25519 SHA256:a explicit\npi@board: Permission denied (publickey).",
     TargetError, "key-unusable \"/k passphrase ssh-add"),
    ("debug1: Server accepts key: /k.pub RSA SHA256:a explicit\npi@board: Permission denied (publickey).",
     TargetError, "key-unusable /k.pub public"),
    ("debug1: Offering public key: /k RSA SHA256:a\npi@board: Permission denied (publickey).",
     TargetError, "login-refused offered \"/k\""),
    ("pi@board: Permission denied (password,keyboard-interactive).", TargetError, "login-refused password"),
    ("", ConnectionFailed, "connection-lost 255"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "kind", "message"), SAID, ids=[s[2] for s in SAID])
def test_ssh_s_own_troubles(home: Path, tmp_path: Path, said: str, kind: type[TargetError], message: str) -> None:
    (tmp_path / "said").write_text(said)
    pretend(tmp_path / "bin", "ssh", f"#!/bin/sh\ncat '{tmp_path}/said' >&2\nexit 255\n")
    transport = SshTransport("pi@board", 2222)
    with raised(*message.split(), kind=kind) as caught:
        transport.run(["true"], timeout=10)
    transport.close()
    assert caught.value.transient == (kind is ConnectionFailed)
    assert caught.value.message.startswith("pi@board:2222: ")
    assert caught.value.hint


def test_what_a_program_said_is_not_taken_for_ssh_s_words(board: SshTransport, home: Path, tmp_path: Path) -> None:
    board.run(["true"], timeout=10)
    pretend(tmp_path / "bin", "ssh", "#!/bin/sh\necho 'open(/sys/x): Permission denied' >&2\nexit 255\n")
    with raised("connection-lost", kind=ConnectionFailed):
        board.run(["true"], timeout=10)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo Welcome to pi; echo edgekit-connected; cat", "login-shell"),
        ("echo This account is currently not available.; exit 1", "login-shell (nologin)"),
        ("exit 0", "login-shell 0"),
        ("echo Authenticated to board. >&2; exec sleep 20", "login-shell"),
        ("echo no shell here >&2; exit 1", "login-shell 1"),
    ],
)
def test_accounts_that_do_not_serve(
    home: Path, tmp_path: Path, script: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.devices.transports.ssh.CONNECT_SECONDS", -4)
    pretend(tmp_path / "bin", "ssh", f"#!/bin/sh\n{script}\n")
    transport = SshTransport("pi@board")
    with raised(*message.split(), kind=TargetError) as caught:
        transport.run(["true"], timeout=10)
    assert not caught.value.transient
    transport.close()


def test_stable_troubles_are_not_tried_again_and_others_are(board: SshTransport, home: Path) -> None:
    unplugged = home.parent / "unplugged"
    unplugged.touch()
    threading.Timer(0.3, unplugged.unlink).start()
    tries: list[float] = []

    def attempt() -> str:
        tries.append(time.monotonic())
        time.sleep(0.2)
        return board.run(["echo", "hello"], timeout=10).stdout

    assert retried(attempt) == "hello\n"
    assert len(tries) in (2, 3)
    tries.clear()

    def refused() -> None:
        tries.append(0)
        raise TargetError("stable")

    with pytest.raises(TargetError, match="stable"):
        retried(refused)
    assert len(tries) == 1


def test_a_connection_that_breaks_is_told_and_given_up_once_for_all(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.devices.transports.ssh.RECONNECT_SECONDS", 1)
    heard = Heard()
    board = SshTransport("pi@board", notice=heard.warn)
    unplugged = home.parent / "unplugged"

    def breaks() -> None:
        assert board._master is not None
        board._master.close(0)

    board.run(["true"], timeout=10)
    assert heard.codes == []
    breaks()
    board.run(["true"], timeout=10)
    assert heard.codes == ["connection-lost", "connection-lost"]
    assert "connected again after" in heard.warned[1]
    heard.codes.clear()
    breaks()
    unplugged.touch()
    tries = 0

    def attempt() -> None:
        nonlocal tries
        tries += 1
        time.sleep(0.4)
        board.run(["true"], timeout=10)

    with raised("connection-lost", "1", kind=TargetError) as caught:
        retried(lambda: retried(lambda: retried(attempt)))
    assert not caught.value.transient
    assert tries <= 4
    assert heard.codes == ["connection-lost"]
    with raised("connection-lost", kind=TargetError):
        board.run(["true"], timeout=10)
    board.close()


@pytest.mark.parametrize("host", ["", "-oProxyCommand=touch /tmp/x", "a b", "pi@\nboard"])
def test_what_is_no_host(home: Path, host: str) -> None:
    with raised("address-invalid"):
        SshTransport(host)


def test_a_key_that_is_not_there(home: Path, tmp_path: Path) -> None:
    with raised("file-missing"):
        SshTransport("pi@board", identity=tmp_path / "none")


def test_without_ssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with raised("program-missing", "`ssh`") as caught:
        SshTransport("pi@board")
    assert "apt install" in caught.value.hint


@pytest.mark.parametrize("script", ["yes", "head -c 9000000 /dev/zero", "head -c 9000000 /dev/zero >&2"])
def test_a_device_that_never_stops_talking(
    board: SshTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr(process, "ANSWER_BYTES", 1 << 20)
    monkeypatch.setattr(process.run_process, "__kwdefaults__", {**process.run_process.__kwdefaults__, "limit": 1 << 20})
    with raised("device-answer-invalid", "1", kind=TargetError):
        board.run(["sh", "-c", script], timeout=60)


def test_files_of_a_device_are_bounded(board: SshTransport, home: Path, tmp_path: Path) -> None:
    with (home / "endless").open("wb") as stream:
        stream.truncate(10 << 30)
    with raised("device-answer-invalid", "2", kind=TargetError):
        board.get(f"{home}/endless", tmp_path / "x", timeout=60, limit=2 << 20)
    with raised("device-answer-invalid", "2", kind=TargetError):
        board.get("/dev/zero", tmp_path / "x", timeout=60, limit=2 << 20)
    assert not (tmp_path / "x").exists()
    (tmp_path / "mine").write_text("stays")
    (tmp_path / "x").symlink_to(tmp_path / "mine")
    (home / "short").write_text("short")
    board.get(f"{home}/short", tmp_path / "x", timeout=60)
    assert (tmp_path / "x").read_text() == "short" and not (tmp_path / "x").is_symlink()
    assert (tmp_path / "mine").read_text() == "stays"


def test_a_lasting_program_that_never_stops_talking(board: SshTransport) -> None:
    for script in ("yes", "exec yes >&2"):
        channel = board.start(["sh", "-c", script])
        deadline = time.monotonic() + 30
        while channel.alive:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        channel.close(5)
