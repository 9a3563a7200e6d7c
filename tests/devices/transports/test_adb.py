"""The adb transport: Debian's adb client against a device's side written for these tests (`tests/support/adbd.py`)."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgekit.devices.push import push
from edgekit.devices.targets import find_target
from edgekit.devices.transports import adb
from edgekit.devices.transports.adb import AdbTransport, parse_devices
from edgekit.devices.work import RemoteWork
from edgekit.errors import ConnectionFailed, TargetError
from edgekit.files.whole import sha256
from edgekit.measuring.candidates import candidates
from edgekit.measuring.plan import Plan
from edgekit.measuring.several import measure
from tests.devices.transports.test_ssh import HOSTILE
from tests.support.adbd import Adbd
from tests.support.pretended import pretend
from tests.support.raised import raised
from tests.support.tiny_tflite import tiny_tflite

RECORDED: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "android.json").read_text())["adb"]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An adb server of our own, which knows no other device."""
    if shutil.which("adb") is None:
        pytest.skip("needs adb: apt install adb")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(port))
    monkeypatch.setenv("HOME", str(tmp_path))
    subprocess.run(["adb", "start-server"], check=True, capture_output=True)
    yield
    subprocess.run(["adb", "kill-server"], check=False, capture_output=True)


@pytest.fixture(params=["shell_v2", "old"])
def phone(
    request: pytest.FixtureRequest, server: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Adbd]:
    device = Adbd(old=request.param == "old")
    subprocess.run(["adb", "connect", device.serial], check=True, capture_output=True)
    home = tmp_path / "data local tmp"
    home.mkdir()
    monkeypatch.setattr(adb, "HOME", str(home))
    yield device
    device.close()


@pytest.fixture
def home(phone: Adbd) -> Path:
    return Path(adb.HOME)


def test_arguments_and_exit_codes(phone: Adbd) -> None:
    transport = AdbTransport()
    assert transport.address == phone.serial
    done = transport.run(["printf", "%s\\0", *HOSTILE], timeout=20)
    assert done.stdout.split("\0")[:-1] == HOSTILE
    for script, code in (("exit 0", 0), ("exit 7", 7), ("kill -SEGV $$", -11)):
        assert transport.run(["sh", "-c", script], timeout=20).returncode == code
    assert transport.run(["sh", "-c", 'echo "$V"'], timeout=20, env={"V": "a b"}).stdout.strip() == "a b"


def test_a_program_that_takes_too_long_is_ended_there(phone: Adbd, home: Path) -> None:
    with pytest.raises(TimeoutError):
        AdbTransport().run(["sh", "-c", 'echo $$ >"$HOME/pid"; exec sleep 60'], timeout=1)
    pid, deadline = int((home / "pid").read_text()), time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_copies(phone: Adbd, home: Path, tmp_path: Path) -> None:
    transport = AdbTransport()
    local = tmp_path / "a model"
    local.write_bytes(os.urandom(300_000))
    assert transport.put(local, str(home), "m 'x'", sha256(local), timeout=30) == 300_000
    assert (home / "m 'x'").read_bytes() == local.read_bytes()
    transport.get(f"{home}/m 'x'", tmp_path / "back", timeout=30)
    assert (tmp_path / "back").read_bytes() == local.read_bytes()
    with pytest.raises(FileNotFoundError):
        transport.get(f"{home}/none", tmp_path / "x", timeout=30)
    with raised("device-path-refused", kind=TargetError):
        transport.put(local, f"{home}/no/such/folder", "m", sha256(local), timeout=30)
    with raised("copy-damaged", kind=ConnectionFailed):
        transport.put(local, str(home), "m", "0" * 64, timeout=30)
    assert [p.name for p in home.iterdir()] == ["m 'x'"]


def test_links_and_endless_files_of_a_phone(phone: Adbd, home: Path, tmp_path: Path) -> None:
    transport = AdbTransport()
    local = tmp_path / "m"
    local.write_bytes(b"model")
    (home / "secret").mkdir()
    (home / "link").symlink_to("secret")
    for name in ("link", "link/m"):
        with raised("device-path-refused", kind=TargetError):
            transport.put(local, str(home), name, sha256(local), timeout=30)
    assert transport.put(local, str(home), "deep/er/m", sha256(local), timeout=30) == 5
    assert list((home / "secret").iterdir()) == []
    with (home / "endless").open("wb") as stream:
        stream.truncate(8 << 20)
    with raised("device-answer-invalid", "1", kind=TargetError):
        transport.get(f"{home}/endless", tmp_path / "x", timeout=60, limit=1 << 20)
    for name in ("secret", "link"):
        with raised("device-path-refused", kind=TargetError):
            transport.get(f"{home}/{name}", tmp_path / "x", timeout=30)
    assert not (tmp_path / "x").exists()


def test_a_session(phone: Adbd, home: Path, tmp_path: Path) -> None:
    work = RemoteWork(AdbTransport(), "edgekit")
    assert Path(work.base) == home / "edgekit"
    assert (home / "edgekit" / "busy").is_symlink()
    with raised("device-busy", kind=TargetError):
        RemoteWork(AdbTransport(), "edgekit")
    work.close()
    assert sorted(p.name for p in (home / "edgekit").iterdir()) == [".edgekit", "files", "runtimes"]


def test_unplugged(phone: Adbd, home: Path) -> None:
    transport = AdbTransport()
    threading.Timer(0.5, phone.unplug).start()
    with raised("connection-lost", kind=ConnectionFailed):
        transport.run(["sleep", "20"], timeout=30)


def test_measuring_and_pushing(phone: Adbd, home: Path, tmp_path: Path) -> None:
    target = find_target("android").at(phone.serial)
    model = tiny_tflite(tmp_path / "m.tflite")
    assert push(model, target, "models")[0].path == f"{home}/models/m.tflite"
    log = "count=9 first=9 curr=9 min=1 max=9 avg=5 std=1\\ncount=50 first=2 curr=2 min=2 max=4 avg=3 std=1\\n"
    log += "Inference timings in us: Init: 8, First inference: 9, Warmup (avg): 5, Inference (avg): 3\\n"
    native = pretend(tmp_path / "given", "benchmark_model", f"#!/bin/sh\nprintf '{log}'\n")
    plan = Plan(threads=(1,), processes=3)
    (record,) = measure([target], candidates([model]), plan, native=native).records
    assert [run.summary_ns.avg for run in record.measurements[0].latency] == [3000.0] * 3
    bare = dataclasses.replace(target, python="no-such-python")
    with raised("python-missing", kind=TargetError) as caught:
        measure([bare], candidates([model]), plan)
    assert "--benchmark-model" in caught.value.hint


def test_without_a_phone(server: None) -> None:
    with raised("phone-not-found", kind=TargetError):
        AdbTransport()
    with raised("phone-not-found"):
        AdbTransport("R58M123")


def test_two_phones(server: None) -> None:
    one, two = Adbd(), Adbd()
    for device in (one, two):
        subprocess.run(["adb", "connect", device.serial], check=True, capture_output=True)
    with raised("phone-not-found") as caught:
        AdbTransport()
    assert "--host" in caught.value.hint
    assert AdbTransport(two.serial).address == two.serial
    with raised("phone-not-found", "`R58M123`"):
        AdbTransport("R58M123")
    one.close()
    two.close()


@pytest.mark.parametrize("recorded", [r for r in RECORDED if r["argv"][:2] == ["adb", "devices"]])
def test_recorded_lists(recorded: dict[str, Any]) -> None:
    """What adb 29.0.6 printed."""
    found = parse_devices(recorded["stdout"])
    lines = [line for line in recorded["stdout"].partition("attached")[2].splitlines() if line.strip()]
    assert len(found) == len(lines)
    assert set(found.values()) <= {"device", "offline", "unauthorized", "no permissions"}


def test_states_that_do_not_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    for state in ("unauthorized", "offline", "no permissions", "bootloader"):
        text = f"List of devices attached\nR58M\t{state}\tusb:1-1\n\n"
        with raised("phone-not-ready", f"`{state}`", kind=TargetError) as caught:
            adb._choose(parse_devices(text), None)
        assert caught.value.hint


def test_without_adb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with raised("program-missing", "`adb`"):
        AdbTransport()
