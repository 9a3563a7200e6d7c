"""Which Python a board has."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from edgekit.devices.interpreter import MODULES, PROBE, parse, probe
from edgekit.devices.transports.base import Completed
from edgekit.devices.transports.fake import FakeTransport
from edgekit.devices.transports.local import LocalTransport
from edgekit.errors import TargetError
from tests.support.raised import raised


def answer(**changes: object) -> str:
    usual = {
        "version": [3, 11, 2],
        "implementation": "CPython",
        "machine": "aarch64",
        "bits": 64,
        "libc": "glibc 2.36",
        "modules": {"numpy": None},
    }
    return json.dumps(usual | changes)


def test_this_python() -> None:
    found = probe(LocalTransport(), sys.executable)
    assert found.version == sys.version_info[:3]
    assert found.modules["numpy"]
    assert set(found.modules) == {"numpy", *MODULES}
    assert found.bits == 64


def test_the_probe_runs_on_old_pythons() -> None:
    """By its syntax; nothing in it is newer than Python 3.5."""
    import ast

    ast.parse(PROBE, feature_version=(3, 5))
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROBE, "numpy", "nothing"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["modules"]["nothing"] is None


@pytest.mark.parametrize(
    ("machine", "bits", "expected"),
    [
        ("aarch64", 64, "aarch64"),
        ("aarch64", 32, "armv7l"),  # 32-bit Raspberry Pi OS on its 64-bit kernel
        ("armv7l", 32, "armv7l"),
        ("armv8l", 32, "armv7l"),
        ("armv6l", 32, "armv6l"),  # a Zero of the first kind: no wheels for it
        ("x86_64", 64, "x86_64"),
    ],
)
def test_what_programs_are_built_for(machine: str, bits: int, expected: str) -> None:
    found = parse(answer(machine=machine, bits=bits), "board")
    assert (found.machine, found.bits, found.glibc) == (expected, bits, (2, 36))


@pytest.mark.parametrize("libc", ["glibc 2.99999999999", "glibc 9999.1", "glibc 2", "glibc -2.36", "glibc x.y"])
def test_versions_that_no_glibc_has(libc: str) -> None:
    """Every version from here to there becomes a platform to ask for."""
    with raised("device-answer-invalid", kind=TargetError):
        parse(answer(libc=libc), "board")


def test_other_systems() -> None:
    assert parse(answer(libc=None), "board").glibc is None
    assert "no glibc" in str(parse(answer(libc=None), "board"))
    assert parse("a login script says hello\n" + answer(), "board").version == (3, 11, 2)


@pytest.mark.parametrize(
    ("done", "message"),
    [
        (Completed((), 127, "", "sh: python3: not found"), "python-missing `python3`"),
        (Completed((), 1, "", "Fatal Python error"), "python-broken `python3`"),
        (Completed((), 0, "", ""), "device-answer-invalid"),
        (Completed((), 0, "{}", ""), "device-answer-invalid"),
        (Completed((), 0, "[1]", ""), "device-answer-invalid"),
        (Completed((), 0, answer(version="x"), ""), "device-answer-invalid"),
        (Completed((), 0, answer(version=[3, 5, 3]), ""), "python-too-old 3.5.3 aarch64 64-bit 2.36"),
    ],
)
def test_pythons_that_do_not_serve(done: Completed, message: str) -> None:
    transport = FakeTransport()
    transport.answers[" ".join(["python3", "-I", "-B", "-c", PROBE, "numpy", *MODULES])] = done
    with raised(*message.split(), kind=TargetError):
        probe(transport, "python3")
