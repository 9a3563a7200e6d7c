"""Throttling bits and temperatures, from what real boards printed (`boards.json` names each source)."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from edgekit.devices.device import Device
from edgekit.devices.facts import FACTS
from edgekit.devices.health import (
    READ_ALL,
    appeared,
    parse_temperatures,
    parse_throttled,
    temperature_c,
    throttled,
    troubles,
    wait_cool,
)
from edgekit.devices.target import Health
from edgekit.devices.targets import find_target
from edgekit.devices.transports import shell
from edgekit.devices.transports.base import Completed
from edgekit.devices.transports.fake import FakeTransport
from edgekit.devices.work import LocalWork
from edgekit.errors import RunnerTimeout, TargetError
from edgekit.progress import SILENT
from tests.support.raised import raised

BOARDS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("boards.json").read_text())
SYSFS = "/sys/devices/platform/soc/soc:firmware/get_throttled"


def outputs(command: str) -> list[str]:
    return [board["outputs"][command] for board in BOARDS if command in board["outputs"]]


def test_there_are_outputs_of_every_board() -> None:
    seen = " ".join(board["board"] for board in BOARDS)
    assert all(name in seen for name in ("Pi 3", "Pi 4", "Pi 5", "Zero 2 W"))
    assert all(board["source"] for board in BOARDS)


@pytest.mark.parametrize("text", outputs("vcgencmd get_throttled") + outputs(f"cat {SYSFS}"))
def test_bits(text: str) -> None:
    if "throttled=" in text:
        assert parse_throttled(text) == int(text.strip().split("=")[1], 16)
    elif text.strip().isalnum():
        assert parse_throttled(text) == int("0x" + text.strip(), 16)
    else:
        with pytest.raises(ValueError, match="no bits of get_throttled"):
            parse_throttled(text)


def test_what_the_bits_mean() -> None:
    assert troubles(0x50005) == ["under-voltage", "throttled"]
    assert troubles(0x50000) == []
    assert troubles(0x50000, 16) == ["under-voltage", "throttled"]
    assert troubles(0x20000, 16) == ["frequency capped"]
    assert troubles(0x80008) == ["soft temperature limit"]


@pytest.mark.parametrize(
    ("before", "during", "expected"),
    [
        (0, [0, 0], []),
        (0x50000, [0x50000, 0x50000], []),  # long ago, and not again
        (0, [0, 0x20000], ["frequency capped"]),  # between two looks
        (0x50000, [0xD0008], ["soft temperature limit"]),
        (0x50005, [0x50005], ["under-voltage", "throttled"]),  # now
        (0, [], []),
    ],
)
def test_what_appeared_while_measuring(before: int, during: list[int], expected: list[str]) -> None:
    assert appeared(before, during) == expected


def test_where_the_bits_come_from() -> None:
    health = Health()
    asked, file = "vcgencmd get_throttled", " ".join(shell.script(READ_ALL, SYSFS))
    assert throttled(FakeTransport({asked: "throttled=0x80008\n", file: "0\n"}), health) == 0x80008
    assert throttled(FakeTransport({file: "80008\n"}), health) == 0x80008
    for said in outputs("vcgencmd"):
        assert throttled(FakeTransport({asked: Completed((), 255, said, ""), file: "50000\n"}), health) == 0x50000
        assert throttled(FakeTransport({asked: Completed((), 0, said, "")}), health) is None
    assert throttled(FakeTransport(), health) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("42932\n", 42.932),
        ("42932\n81800\n", 81.8),
        ("25000 -40 309 313 322 31 32636 30", 32.636),  # a phone whose zones use several units
        ("", None),
        ("cat: no such file", None),
        ("-40\n0\n", None),
    ],
)
def test_temperatures(text: str, expected: float | None) -> None:
    assert parse_temperatures(text) == expected


def test_the_shell_reads_all_zones(tmp_path: Path) -> None:
    from edgekit.devices.transports.local import LocalTransport

    for zone, value in enumerate(("41000", "55000")):
        (tmp_path / f"zone{zone}").write_text(f"{value}\n")
    health = Health(temperature=f"{tmp_path}/zone*")
    assert temperature_c(LocalTransport(), health) == 55.0
    assert temperature_c(LocalTransport(), Health(temperature=f"{tmp_path}/none*")) is None


def board(temperatures: list[str]) -> Device:
    target = find_target("rpi4")
    left = iter(temperatures)
    read = " ".join(shell.script(READ_ALL, target.health.temperature))
    return Device(target, FakeTransport({read: lambda _: next(left)}), LocalWork(), "python3")


def test_waiting_until_it_is_cool(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    assert wait_cool(board(["70000", "65000", "59900"]), 60, 300, SILENT) == 59.9
    assert len(waits) == 2
    with raised("device-hot", "70.0", "0.001", kind=RunnerTimeout) as caught:
        monkeypatch.setattr(time, "sleep", lambda _: None)
        wait_cool(board(["70000"] * 100_000), 60, 0.001, SILENT)
    assert "cool" in caught.value.hint
    with raised("temperature-unreadable", "`temperature`", kind=TargetError):
        wait_cool(board([""]), 60, 300, SILENT)


@pytest.mark.parametrize("text", outputs("cat /proc/cpuinfo"))
def test_boards_are_named_and_their_instructions_known(text: str) -> None:
    if "Model" in text:
        assert "Raspberry Pi" in FACTS["cpu_model"].parse(text)
    if "Features" in text:
        flags = FACTS["cpu_flags"].parse(text)
        assert flags
        assert ("asimddp" in flags) == ("Raspberry Pi 5" in text)  # only its Cortex-A76 has dot products
    assert FACTS["emulated"].parse(f"aarch64\n{text}") is False


def test_emulation_is_seen() -> None:
    x86 = "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\n"
    assert "AuthenticAMD" in FACTS["emulated"].parse(f"aarch64\n{x86}")
    assert "AuthenticAMD" in FACTS["emulated"].parse(f"armv7l\n{x86}")
    assert FACTS["emulated"].parse(f"x86_64\n{x86}") is False
    assert FACTS["emulated"].parse("aarch64\nCPU implementer\t: 0x41\nlinux,dummy-virt ")
    newer = "CPU implementer\t: 0x41\nCPU part\t: 0xd08\n\nparent: "
    assert FACTS["emulated"].parse(f"aarch64\n{newer}/usr/libexec/qemu-binfmt/aarch64-binfmt-P /bin/sh sh -c x ")
    asked = FACTS["emulated"].argv[-1]  # the command line of a shell over ssh holds what it was asked
    assert FACTS["emulated"].parse(f"aarch64\n{newer}/usr/libexec/qemu-binfmt/aarch64-binfmt-P /bin/sh sh -c {asked} ")
    assert FACTS["emulated"].parse(f"aarch64\n{newer}python3 -c {asked} ") is False
    assert FACTS["emulated"].parse(f"aarch64\n{newer}/usr/bin/qemu-aarch64-static /bin/sh ")
    assert FACTS["emulated"].parse(f"aarch64\n{newer}python3 bench /data/qemu-aarch64/m.tflite ") is False
