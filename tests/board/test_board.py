"""On a board: Debian's ARM64 userland and sshd, under QEMU. `.ci/run` builds it and says where in $EDGEKIT_BOARD.

The user is `pi`, the board has no network and nothing but Python's standard library. Wheels come from
$EDGEKIT_BOARD_WHEELS, so that the tests need no internet either.
"""

from __future__ import annotations

import dataclasses
import fcntl
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.devices.device import connected
from edgekit.devices.doctor import examine
from edgekit.devices.emulated import board as emulated
from edgekit.devices.push import push
from edgekit.devices.target import Target
from edgekit.devices.targets import find_target
from edgekit.devices.work import RemoteWork
from edgekit.errors import ConnectionFailed, TargetError
from edgekit.measuring.candidates import candidates
from edgekit.measuring.plan import Plan
from edgekit.measuring.several import measure
from edgekit.measuring.verdict import judge
from edgekit.schema.toml import to_toml
from tests.conftest import Edgekit
from tests.support.hostile_home import lay, traces
from tests.support.raised import raised
from tests.support.tiny_tflite import tiny_tflite
from tests.support.toy import toy, toy_arrays

WORK, WHEELS = os.environ.get("EDGEKIT_BOARD"), os.environ.get("EDGEKIT_BOARD_WHEELS")
pytestmark = [
    pytest.mark.board,
    pytest.mark.skipif(
        not (WORK and WHEELS), reason="needs an emulated board: $EDGEKIT_BOARD and $EDGEKIT_BOARD_WHEELS"
    ),
]
QUICK = Plan(threads=(1,), processes=1, min_samples=5, min_seconds=0.0, warmup_seconds=0.0)


@pytest.fixture(autouse=True)
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[emulated.Running]:
    """The board, for one test at a time: tests run in several processes."""
    monkeypatch.setenv("EDGEKIT_WORK", str(WORK))
    with Path(str(WORK), "tests.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield emulated.up()


@pytest.fixture
def pi(running: emulated.Running) -> Target:
    """The packaged target of a Raspberry Pi 4, at the board's address, with its key."""
    at = find_target("rpi4").at(f"{running.destination}:{running.port}", str(running.identity))
    return dataclasses.replace(at, options=running.options)


@pytest.fixture
def home() -> Path:
    return emulated.folder() / "root" / "home" / "pi"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    np.savez(tmp_path / "toy.npz", **toy_arrays())
    return {"data": toy(), "preprocessing": {"scale": 0.1}, "wheels": Path(str(WHEELS))}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_tflite(tmp_path / "m.tflite")


def left(home: Path) -> list[str]:
    """Return what a session should not leave."""
    base = home / ".cache" / "edgekit"
    return [p.name for p in base.iterdir() if p.name not in ("files", "runtimes", ".edgekit")] if base.exists() else []


def settle(home: Path) -> None:
    """Wait for the board to tidy up after a connection that broke."""
    deadline = time.monotonic() + 20
    while left(home):
        assert time.monotonic() < deadline, left(home)
        time.sleep(0.1)


def cut(running: emulated.Running) -> None:
    """Break every connection: the board's sshd processes are killed."""
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    for child in children:
        if b"sshd\0-i" in Path(f"/proc/{child}/cmdline").read_bytes():
            os.kill(int(child), signal.SIGKILL)


def test_a_new_board_from_the_command_line(
    edgekit: Edgekit, running: emulated.Running, home: Path, tmp_path: Path, model: Path, settings: dict[str, Any]
) -> None:
    shutil.rmtree(home / ".cache", ignore_errors=True)
    edgekit.env["EDGEKIT_WORK"] = str(WORK)
    edgekit("targets", "init", "rpi4", "--host", f"{running.destination}:{running.port}")
    file = tmp_path / "targets" / "rpi4.toml"
    file.write_text(
        f"identity = {to_toml(str(running.identity))}\noptions = {to_toml(list(running.options))}\n" + file.read_text()
    )
    argv = ["bench", "m.tflite", "--target", "rpi4", "--data", "toy.npz", "--scale", "0.1", "--threads", "1"]
    argv += ["--processes", "1", "--min-samples", "5", "--min-seconds", "0", "--runtime-wheels", str(WHEELS)]
    assert "`options` has UserKnownHostsFile" in edgekit(*argv, check=1).stderr
    argv.append("--trust-target")
    first = edgekit(*argv).stdout
    assert "ai-edge-litert" in first
    assert "wheels from here" in first
    assert "(emulated)" in first
    assert "equal" in first or "100.00%" in first
    assert left(home) == []
    again = edgekit(*argv, "--clean").stdout
    sent = int(again.split(" bytes copied")[0].split()[-1].replace(",", ""))
    assert sent < 10_000  # jobs
    assert not (home / ".cache" / "edgekit").exists()


def test_both_runtimes(pi: Target, model: Path, settings: dict[str, Any], home: Path) -> None:
    for runtime in ("tflite-runtime", "ai-edge-litert"):
        subjects = candidates([model], runtime=runtime)
        (record,) = measure([pi], subjects, QUICK, forced=True, **settings).records
        (m,) = record.measurements
        assert m.failures == ()
        assert m.accuracy is not None and m.memory is not None and m.agreement is not None
        assert m.accuracy.runtime.name == runtime
        if runtime == "ai-edge-litert":  # ARM's kernels, not the portable ones
            assert m.accuracy.runtime.delegate.startswith("XNNPACK")
        assert m.agreement.same_class == 40
        assert judge(m, record).word == "emulated"
        assert "aarch64" in record.device.python
        assert {w["name"] for w in record.device.runtimes[0].wheels} >= {runtime, "numpy"}
    assert left(home) == []


def test_the_board_has_no_network(pi: Target) -> None:
    with connected(pi) as transport:
        done = transport.run(["cat", "/proc/net/dev"], timeout=20)
        assert [line.split(":")[0].strip() for line in done.stdout.splitlines()[2:]] == ["lo"]
        assert transport.run(["id", "-un"], timeout=20).stdout == "pi\n"


def test_a_check(pi: Target, settings: dict[str, Any]) -> None:
    found = {finding.what: finding for finding in examine(pi, wheels=settings["wheels"])}
    assert found["runtime"].state == "ok"
    assert "QEMU" in found["machine"].text
    assert all(finding.state != "error" for finding in found.values())


def test_a_connection_cut_while_copying(pi: Target, running: emulated.Running, home: Path, tmp_path: Path) -> None:
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(60_000_000))
    threading.Timer(1.5, cut, [running]).start()
    sent = []
    try:
        sent.append(push(big, pi, "pushed")[0].sent)
    except ConnectionFailed as error:  # where every try was cut
        assert error.hint
    (found,) = push(big, pi, "pushed")
    assert found.sent < 60_000_000  # the rest, or nothing
    assert (home / "pushed" / "big.bin").read_bytes() == big.read_bytes()
    assert [p.name for p in (home / "pushed").iterdir()] == ["big.bin"]
    shutil.rmtree(home / "pushed")


def test_a_connection_cut_while_measuring(
    pi: Target, running: emulated.Running, home: Path, model: Path, settings: dict[str, Any]
) -> None:
    plan = dataclasses.replace(QUICK, min_seconds=3.0, accuracy=False, memory=False)
    threading.Timer(6.0, cut, [running]).start()
    (record,) = measure([pi], candidates([model]), plan, **settings).records
    assert len(record.measurements[0].latency) == 1
    settle(home)
    with connected(pi) as transport:
        assert "runner" not in transport.run(["ps", "-eo", "args"], timeout=20).stdout.replace("edgekit-runner", "")


def test_we_are_killed_while_measuring(
    edgekit: Edgekit, pi: Target, running: emulated.Running, home: Path, model: Path, settings: dict[str, Any]
) -> None:
    edgekit.env["EDGEKIT_WORK"] = str(WORK)
    edgekit.env["EDGEKIT_RPI4_EMULATED_HOST"] = ""
    argv = ["bench", str(model), "--target", "rpi4-emulated", "--min-seconds", "60", "--no-memory", "--threads", "1"]
    child = edgekit.start(*argv, "--runtime-wheels", str(WHEELS))
    deadline = time.monotonic() + 60
    while "busy" not in left(home):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(3)
    child.kill()
    child.communicate()
    settle(home)


def test_a_full_disk(pi: Target, running: emulated.Running, home: Path, model: Path, settings: dict[str, Any]) -> None:
    inside = ["nsenter", "--target", _first(running), "--mount", "--"]
    cache = home / ".cache"
    cache.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,uid=1000,gid=1000,mode=700", "tmpfs", str(cache)]
    subprocess.run([*inside, *mount], check=True)
    try:
        with pytest.raises(TargetError, match="no space left"):
            measure([pi], candidates([model]), QUICK, **settings)
    finally:
        subprocess.run([*inside, "umount", "-l", str(cache)], check=True)
    (record,) = measure([pi], candidates([model]), QUICK, **settings).records
    assert record.measurements[0].failures == ()


def _first(running: emulated.Running) -> str:
    """Return the process that is number 1 on the board."""
    for child in Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split():
        if b"unshare" in Path(f"/proc/{child}/cmdline").read_bytes():
            return Path(f"/proc/{child}/task/{child}/children").read_text().split()[0]
    raise AssertionError("the board is not up")


def script(home: Path, text: str) -> str:
    path = home / "pretended-python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return "/home/pi/pretended-python"


OLD = (
    'echo \'{"version": [3, 5, 3], "implementation": "CPython", "machine": "aarch64", "bits": 64, '
    '"libc": "glibc 2.24", "modules": {}}\''
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('case "$3" in *.py) kill -KILL $$;; esac; exec python3 "$@"', "SIGKILL"),  # as the kernel does without memory
        (OLD, r"Python 3\.5\.3.* is too old"),
        ("exit 127", "there is no"),
    ],
)
def test_pythons_that_do_not_serve(
    pi: Target, home: Path, model: Path, settings: dict[str, Any], text: str, message: str
) -> None:
    with pytest.raises(TargetError, match=message):
        measure([pi], candidates([model]), QUICK, python=script(home, text), **settings)
    assert left(home) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"host": "nobody@127.0.0.1"}, "refuses this user"),
        ({"identity": "/etc/hostname"}, r"ssh ignores the key|cannot be read"),
        ({"options": ("UserKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes")}, "host key is not known"),
        ({"port": 9}, "nothing listens on its port 9"),
    ],
)
def test_ways_that_do_not_lead_there(
    pi: Target, model: Path, settings: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(TargetError, match=message) as caught:
        measure([dataclasses.replace(pi, **change)], candidates([model]), QUICK, **settings)
    assert caught.value.hint


def test_another_host_key(pi: Target, running: emulated.Running, model: Path, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    key = (tmp_path / "key.pub").read_text().split()
    (tmp_path / "known").write_text(f"[127.0.0.1]:{running.port} {key[0]} {key[1]}\n")
    strange = dataclasses.replace(pi, options=(f"UserKnownHostsFile={tmp_path}/known",))
    with pytest.raises(TargetError, match="host key is not the one known here") as caught:
        measure([strange], candidates([model]), QUICK)
    assert "ssh-keygen -R" in caught.value.hint


def test_folders(pi: Target, home: Path, model: Path, settings: dict[str, Any]) -> None:
    odd = dataclasses.replace(pi, work='.cache/it\'s "edgekit" $HOME')
    (record,) = measure([odd], candidates([model]), QUICK, clean=True, **settings).records
    assert record.measurements[0].failures == ()
    taken = home / ".cache" / "taken"
    taken.mkdir(parents=True, exist_ok=True)
    os.chown(taken, 0, 0)
    with pytest.raises(TargetError, match=r"another user|not allowed"):
        measure([dataclasses.replace(pi, work=".cache/taken")], candidates([model]), QUICK, **settings)
    taken.rmdir()


def test_a_clock_that_is_wrong(pi: Target, home: Path, model: Path, settings: dict[str, Any]) -> None:
    """As a board without a battery: `date` there is in 1970. The kernel's clock is this machine's."""
    wrong = home / "wrong"
    wrong.mkdir()
    (wrong / "date").write_text("#!/bin/sh\necho 86400\n")
    (wrong / "date").chmod(0o755)
    (home / ".bashrc").write_text("export PATH=/home/pi/wrong:$PATH\n")
    try:
        found = {finding.what: finding for finding in examine(pi, wheels=settings["wheels"])}
        assert (found["clock"].state, found["runtime"].state) == ("warning", "ok")
        assert "days behind" in found["clock"].text
        (record,) = measure([pi], candidates([model]), QUICK, **settings).records
    finally:
        (home / ".bashrc").unlink()
        shutil.rmtree(wrong)
    assert record.measurements[0].failures == ()
    assert abs(datetime.fromisoformat(record.created).timestamp() - time.time()) < 600
    assert left(home) == []


def test_files_of_the_home_folder_are_not_imported(
    pi: Target, home: Path, model: Path, settings: dict[str, Any]
) -> None:
    """Also where a login script names them, and in the user's site-packages; the runtime is brought anew."""
    shutil.rmtree(home / ".cache", ignore_errors=True)
    before = {path.name for path in home.iterdir()}
    lay(home, "3.11")
    (home / ".bashrc").write_text("export PYTHONPATH=/home/pi PYTHONSTARTUP=/home/pi/platform.py\n")
    try:
        assert {f.state for f in examine(pi, wheels=settings["wheels"]) if f.what in ("python", "runtime")} == {"ok"}
        (record,) = measure([pi], candidates([model]), QUICK, **settings).records
        assert record.measurements[0].failures == ()
        assert record.measurements[0].memory is not None
        assert record.measurements[0].memory.import_ns > 0
        assert traces(home) == []
        assert list((home / ".cache" / "edgekit" / "runtimes").rglob("ai_edge_litert/__pycache__/*.pyc"))
        caches = list(home.rglob("__pycache__"))
        assert caches and all("runtimes" in path.parts for path in caches)
    finally:
        for path in list(home.iterdir()):
            if path.name not in before | {".cache"}:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_two_runs_at_once(pi: Target, model: Path, settings: dict[str, Any], home: Path) -> None:
    with connected(pi) as transport:
        work = RemoteWork(transport, pi.work)
        with pytest.raises(TargetError, match="another edgekit process measures"):
            measure([pi], candidates([model]), QUICK, **settings)
        work.close()
    assert left(home) == []


@pytest.mark.parametrize("link", ["models/x", "models/x/deep", "models/x/deep/w.bin", "models/x/v.onnx"])
def test_links_below_the_destination_are_not_followed(
    pi: Target, home: Path, tmp_path: Path, link: str, running: emulated.Running
) -> None:
    """Debian's own sh, mv and sha256sum; the folder given with --dest may be a link, what is in it may not."""
    from tests.support import vendor_onnx

    source = vendor_onnx.external(tmp_path / "v.onnx", "deep/w.bin")
    for name in ("models", "secret"):
        shutil.rmtree(home / name, ignore_errors=True)
    secret = home / "secret"
    secret.mkdir()
    (secret / "key").write_text("stays")
    there = home / link
    there.parent.mkdir(parents=True)
    there.symlink_to("/home/pi/secret" if "." not in there.name else "/home/pi/secret/key")
    for path in (home / "models", *(home / "models").rglob("*"), secret, secret / "key"):
        os.chown(path, emulated.UID, emulated.UID, follow_symlinks=False)
    if link == "models/x":
        assert [Path(c.path).name for c in push(source, pi, "models/x")] == ["w.bin", "v.onnx"]
        assert (secret / "deep" / "w.bin").is_file()
        return
    with pytest.raises(TargetError, match=f"{there.name} is a link"):
        push(source, pi, "models/x")
    assert [p.name for p in secret.iterdir()] == ["key"]
    assert (secret / "key").read_text() == "stays"


def test_a_work_folder_that_is_not_edgekits_is_left_alone(pi: Target, home: Path) -> None:
    shutil.rmtree(home / "Documents", ignore_errors=True)
    (home / "Documents" / "files").mkdir(parents=True)
    (home / "Documents" / "files" / "letter").write_text("stays")
    for path in (home / "Documents", *(home / "Documents").rglob("*")):
        os.chown(path, emulated.UID, emulated.UID)
    with connected(pi) as transport, raised("device-path-refused", "Documents", kind=TargetError):
        RemoteWork(transport, "Documents")
    assert (home / "Documents" / "files" / "letter").read_text() == "stays"
