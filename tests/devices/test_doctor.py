"""What a check of a device says."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from edgekit.devices import doctor
from edgekit.devices.doctor import Result, examine
from edgekit.devices.facts import FACTS, read_facts
from edgekit.devices.health import READ_ALL
from edgekit.devices.target import DESKTOP, Health, Target, parse
from edgekit.devices.targets import find_target
from edgekit.devices.transports import shell
from edgekit.devices.transports.fake import FakeTransport
from edgekit.devices.work import FIND


def found(target: Target, python: str | None = None) -> dict[str, Result]:
    return {finding.what: finding for finding in examine(target, python=python)}


def test_a_board_that_serves(home: Path) -> None:
    target = parse('schema = 1\ntransport = "ssh"\nhost = "pi@board"\n', "pi", "test")
    findings = found(target, sys.executable)
    for what in ("connection", "memory", "disk", "clock", "python", "modules", "runtime"):
        assert findings[what].state in ("ok", "warning"), findings[what]
    assert "a tiny model ran" in findings["runtime"].text
    assert "numpy" in findings["modules"].text
    assert not list((home / ".cache" / "edgekit").glob("run-*"))


def test_this_machine() -> None:
    assert "runtime" not in found(DESKTOP, sys.executable)


def test_what_ends_a_check(home: Path) -> None:
    target = parse('schema = 1\ntransport = "ssh"\nhost = "pi@board"\n', "pi", "test")
    findings = found(target, "no-such-python")
    assert list(findings)[-1] == "device"
    assert findings["device"].state == "error"
    assert "no-such-python" in findings["device"].text
    assert findings["device"].fix
    (home.parent / "unplugged").touch()
    assert found(target)["device"].state == "error"
    assert "--host" in found(find_target("ssh"))["device"].fix


ANSWERS = {
    "cat /proc/meminfo": "MemTotal:  426068 kB\nMemFree: 1 kB\nMemAvailable: 100000 kB\n",
    "cat /proc/loadavg": "1.50 0.2 0.1 1/100 1\n",
    "date +%s": "0\n",
    "vcgencmd get_throttled": "throttled=0x50000\n",
    " ".join(shell.script(READ_ALL, Health().governor)): "ondemand\nondemand\n",
    " ".join(FACTS["cores"].argv): "2\n",
}


@pytest.fixture
def pi() -> Target:
    return find_target("rpi4")


def look(pi: Target, answers: dict[str, str], what: str) -> Result:
    transport = FakeTransport({**ANSWERS, **answers})
    facts = read_facts(transport)
    return {f.what: f for f in (check.look(pi, facts, transport) for check in doctor.CHECKS)}[what]


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("memory", "97 MiB available of 416"),
        ("other load", "1.5 in the last minute"),
        ("clock", "days behind"),
        ("throttling", "since boot: under-voltage, throttled (0x50000)"),
        ("governor", "ondemand"),
        ("machine", "cores should be 4, and is 2"),
    ],
)
def test_warnings_come_with_what_to_do(pi: Target, what: str, text: str) -> None:
    finding = look(pi, {}, what)
    assert (finding.state, bool(finding.fix)) == ("warning", True)
    assert text in finding.text


def test_better_answers(pi: Target) -> None:
    temperature = " ".join(shell.script(READ_ALL, pi.health.temperature))
    good = {
        "cat /proc/meminfo": "MemTotal: 3885396 kB\nMemAvailable: 3000000 kB\n",
        "cat /proc/loadavg": "0.01 0.2 0.1 1/100 1\n",
        "date +%s": f"{time.time():.0f}\n",
        "vcgencmd get_throttled": "throttled=0x0\n",
        " ".join(shell.script(READ_ALL, pi.health.governor)): "performance\n",
        " ".join(FACTS["cores"].argv): "4\n",
        temperature: "48000\n",
        " ".join(shell.script(FIND, pi.work)): "/home/pi/.cache/edgekit\n",
    }
    for what in ("memory", "other load", "clock", "throttling", "governor", "machine", "temperature"):
        assert look(pi, good, what).state == "ok", what
    assert look(pi, {temperature: "81000\n"}, "temperature").state == "warning"
    assert "now: throttled" in look(pi, {"vcgencmd get_throttled": "throttled=0x4\n"}, "throttling").text


@pytest.mark.parametrize("what", ["memory", "other load", "clock", "throttling", "governor", "temperature", "disk"])
def test_what_cannot_be_read_is_unknown(pi: Target, what: str) -> None:
    transport = FakeTransport()
    facts = read_facts(transport)
    findings = {f.what: f for f in (check.look(pi, facts, transport) for check in doctor.CHECKS)}
    assert findings[what].state == "unknown"
