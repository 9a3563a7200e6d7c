"""The Python interpreter of a device: which it is, and which modules it has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from edgekit.devices.transports.base import Transport, retried
from edgekit.errors import InputError, TargetError
from edgekit.errors.printable import LONGEST, quoted
from edgekit.processes.python import isolated
from edgekit.schema.document import parse_json
from edgekit.schema.gate import read
from edgekit.schema.rules import Count, Natural, Sized

TIMEOUT = 60.0
OLDEST = (3, 7)
"""The runner's syntax needs this."""
MODULES = {"ai-edge-litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime", "onnxruntime": "onnxruntime"}
"""The module of each runtime."""
# Runs on any Python 3; imports none of the modules it looks for.
PROBE = """
import json, os, platform, struct, sys
found = {}
for name in sys.argv[1:]:
    version = None
    try:
        from importlib.util import find_spec
        if find_spec(name.replace("-", "_")) is not None:
            version = "unknown"
            from importlib.metadata import version as installed
            version = installed(name)
    except Exception:
        pass
    found[name] = version
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION")
except Exception:
    libc = None
print(json.dumps({
    "version": list(sys.version_info[:3]), "implementation": platform.python_implementation(),
    "machine": platform.machine(), "bits": 8 * struct.calcsize("P"), "libc": libc, "modules": found,
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python on a device.

    Attributes:
        version: major, minor, micro.
        implementation: `CPython` or another.
        machine: of the programs it runs, as wheels name it: `aarch64`, `armv7l`, `x86_64`.
        bits: 32 or 64, of this program; the kernel may have more.
        glibc: major, minor; None on a system without it.
        modules: installed version by distribution (`numpy` and the runtimes), None where it is not there.
    """

    version: tuple[int, int, int]
    implementation: str
    machine: str
    bits: int
    glibc: tuple[int, int] | None
    modules: Mapping[str, str | None]

    def __str__(self) -> str:
        """Describe it in half a sentence."""
        libc = "glibc " + ".".join(map(str, self.glibc)) if self.glibc else "no glibc"
        return f"Python {'.'.join(map(str, self.version))}, {self.machine}, {self.bits}-bit, {libc}"


class _Answer(TypedDict):
    """What `PROBE` prints."""

    version: Annotated[list[Count], Sized(3, 3)]
    implementation: str
    machine: str
    bits: Natural
    libc: str | None
    modules: dict[str, str | None]


def probe(transport: Transport, python: str) -> Interpreter:
    """Ask a device's Python what it is.

    Raises:
        TargetError: there is none, it is too old, or it does not answer.
    """
    argv = isolated(python, "-c", PROBE, "numpy", *MODULES)
    done = retried(lambda: transport.run(argv, timeout=TIMEOUT))
    where = transport.address
    if done.returncode in (126, 127):
        raise TargetError(
            f"{where}: there is no `{python}`",
            "install it there (sudo apt install python3), or name another with --python",
            code="python-missing",
        )
    if done.returncode != 0:
        raise TargetError(
            f"{where}: `{python}` does not run: {' '.join(done.stderr.split())[-300:]}",
            "name another with --python",
            code="python-broken",
        )
    return parse(done.stdout, where)


def parse(text: str, where: str) -> Interpreter:
    """Read what `PROBE` printed; `where` names the device in messages.

    Raises:
        TargetError: it is too old, or no answer.
    """
    try:
        last = text.strip().splitlines()[-1]
        answer: dict[str, Any] = read(_Answer, parse_json(last, where, "answer of Python"), where, "answer of Python")
        major, minor, micro = answer["version"]
        machine, bits = answer["machine"], answer["bits"]
        libc = (answer["libc"] or "").split()
        glibc = _pair(libc[1]) if libc[:1] == ["glibc"] else None
        found = Interpreter(
            (major, minor, micro),
            answer["implementation"],
            _userland(machine, bits),
            bits,
            glibc,
            answer["modules"],
        )
    except (InputError, ValueError, IndexError) as error:
        raise TargetError(
            f"{where}: `python` printed something else than its version: {quoted(text[-LONGEST:])}",
            "does a wrapper or sitecustomize print there? name another with --python",
            code="device-answer-invalid",
        ) from error
    if found.version[:2] < OLDEST:
        raise TargetError(
            f"{where}: {found} is too old, expected Python {'.'.join(map(str, OLDEST))} or newer",
            "name a newer one with --python, or as `python` in the target's file",
            code="python-too-old",
        )
    return found


def _pair(version: str) -> tuple[int, int]:
    if not (found := re.match(r"([0-9]{1,2})\.([0-9]{1,3})(?![0-9])", version)):
        raise ValueError(f"{version!r} is no version of glibc")
    return int(found[1]), int(found[2])


def _userland(machine: str, bits: int) -> str:
    """Return what programs are built for; a 64-bit kernel may run a 32-bit system."""
    if bits == 32 and machine in ("aarch64", "armv8l", "armv7l"):
        return "armv7l"
    return {"arm64": "aarch64", "AMD64": "x86_64"}.get(machine, machine)
