"""Wheels for another machine: found by this machine's pip, unpacked here, packed into one file to copy there.

The device needs no pip, no internet and no rights: the unpacked folder on `sys.path` is enough. pip resolves for a
foreign platform with `--platform`, `--python-version` and `--only-binary` (pip's documentation of `pip download`).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import stat
import sys
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from edgekit.devices.interpreter import Interpreter
from edgekit.devices.transports.local import LocalTransport
from edgekit.devices.transports.shell import FULL
from edgekit.errors import InputError, OutputError, TargetError
from edgekit.errors.printable import clipped, visible
from edgekit.files.temporary import temporary_folder
from edgekit.files.whole import atomic_folder, sha256, work_base, write_json
from edgekit.processes.python import module_argv
from edgekit.schema.gate import read, read_json

REQUIREMENTS = {
    "ai-edge-litert": ("ai-edge-litert",),
    "tflite-runtime": ("tflite-runtime", "numpy<2"),  # built against NumPy 1: with NumPy 2 it crashes
    "onnxruntime": ("onnxruntime",),
}
OWN_NUMPY = ("armv7l",)
"""Machines for which the index has no wheels of NumPy: the device's own is used."""
OLDEST_GLIBC = 17
PIP_SECONDS = 900
UNPACKED_BYTES = 1 << 30
"""Of a set of wheels; ai-edge-litert with all it needs has a tenth of that."""
_DAMAGED = "take it from the package index again"
ARCHIVE, LIST = "set.tar.gz", "wheels.json"
_ONE_AT_A_TIME = threading.Lock()
"""Several boards of one kind, side by side, need the same wheels."""
# What no inference needs: half of the bytes.
_LEFT_OUT = re.compile(r"(^|/)tests/|\.pyi$|/libLiteRtWebGpuAccelerator\.so$|(^|/)include/|\.(a|h|lib)$")


@dataclass(frozen=True)
class WheelSet:
    """A runtime with all it needs, for one kind of machine.

    Attributes:
        runtime: its name.
        archive: a `.tar.gz` of the unpacked wheels.
        wheels: name, version and SHA-256 of every wheel.
    """

    runtime: str
    archive: Path
    wheels: tuple[dict[str, str], ...]


def wheel_set(runtime: str, machine: Interpreter, wheels: Path | None = None) -> WheelSet:
    """Return the wheels of a runtime for a machine, from the cache or from the package index.

    Args:
        runtime: a key of `REQUIREMENTS`.
        machine: the device's Python.
        wheels: a folder of wheels to take in place of the index.

    Raises:
        NoWheels: there are none for this machine.
        TargetError: the index cannot be reached.
        InputError: the folder of wheels is none.
    """
    if wheels is not None and not wheels.is_dir():
        raise InputError(f"--runtime-wheels {wheels}: no such folder", code="file-missing")
    if machine.implementation != "CPython" or machine.glibc is None:
        raise NoWheels(runtime, machine, "there are no wheels for this kind of Python")
    given = sorted((p.name, p.stat().st_size) for p in wheels.glob("*.whl")) if wheels else []
    text = json.dumps([REQUIREMENTS[runtime], machine.version[:2], machine.machine, machine.glibc, given])
    folder = work_base() / "wheels" / f"{runtime}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    with _ONE_AT_A_TIME:
        if not (folder / LIST).exists():
            _make(folder, runtime, machine, wheels)
    listed = {"wheels": read_json(folder / LIST, "list of wheels")}
    found: _Listed = read(_Listed, listed, str(folder / LIST), "list of wheels", f"delete {folder}")
    return WheelSet(runtime, folder / ARCHIVE, tuple(found["wheels"]))


class _Listed(TypedDict):
    wheels: list[dict[str, str]]


def _make(folder: Path, runtime: str, machine: Interpreter, wheels: Path | None) -> None:
    with temporary_folder("wheels") as downloads:
        _download(runtime, machine, wheels, downloads)
        with atomic_folder(folder, force=True, marker=LIST) as temporary:
            found = sorted(downloads.glob("*.whl"))
            _pack(found, temporary / ARCHIVE)
            write_json(temporary / LIST, [_describe(path) for path in found])


class NoWheels(TargetError):
    """No wheels of a runtime fit a machine.

    Attributes:
        why: they do not.
    """

    def __init__(self, runtime: str, machine: Interpreter, why: str) -> None:
        self.why = why
        super().__init__(f"{runtime} has no wheels for {machine}: {why}", code="wheels-unavailable")


def platforms(machine: Interpreter) -> list[str]:
    """Return the platform tags that a machine accepts (PEP 600), the newest glibc first."""
    assert machine.glibc is not None
    major, minor = machine.glibc
    newer = [f"manylinux_{major}_{n}_{machine.machine}" for n in range(minor, OLDEST_GLIBC - 1, -1)]
    return [*newer, f"manylinux2014_{machine.machine}", f"linux_{machine.machine}"]


def _download(runtime: str, machine: Interpreter, wheels: Path | None, into: Path) -> None:
    requirements = REQUIREMENTS[runtime]
    argv = module_argv("pip", "download", "--quiet", "--disable-pip-version-check", "--dest", str(into))
    argv += ["--only-binary=:all:", "--implementation", "cp"]
    argv += ["--python-version", ".".join(map(str, machine.version[:2]))]
    for platform in platforms(machine):
        argv += ["--platform", platform]
    if machine.machine in OWN_NUMPY:
        argv.append("--no-deps")
        requirements = tuple(r for r in requirements if not r.startswith("numpy"))
    if wheels is not None:
        argv += ["--no-index", "--find-links", str(wheels)]
    try:
        done = LocalTransport().run([*argv, *requirements], timeout=PIP_SECONDS)
    except TimeoutError as error:
        raise TargetError(
            f"the wheels of {runtime} were not downloaded within {PIP_SECONDS} s", _OFFLINE, code="wheels-unavailable"
        ) from error
    if done.returncode == 0:
        return
    if "No module named pip" in done.stderr:
        raise InputError(
            f"this Python has no pip, which downloads the wheels of {runtime}",
            f"{sys.executable} -m ensurepip; or put the wheels on the board yourself",
            code="program-missing",
        )
    if re.search(r"connection|Name or service|name resolution|Max retries|timed out", done.stderr, re.IGNORECASE):
        raise TargetError(
            f"the package index cannot be reached for the wheels of {runtime}", _OFFLINE, code="wheels-unavailable"
        )
    if FULL.search(done.stderr):
        raise OutputError(
            f"no space left on this machine for the wheels of {runtime}",
            "free some space, or set TMPDIR",
            code="disk-full",
        )
    where = f"{wheels} holds" if wheels is not None else "the package index has"
    if found := re.search(r"No matching distribution found for ([A-Za-z0-9_.-]+)", done.stderr):
        raise NoWheels(runtime, machine, f"{where} no wheel of {found[1]} that fits")
    if "ResolutionImpossible" in done.stderr:
        raise NoWheels(runtime, machine, f"{where} no wheels of what it requires that fit each other")
    raise NoWheels(runtime, machine, f"pip cannot get them (exit code {done.returncode})")


_OFFLINE = "with internet once; or put the wheels into a folder and give it with --runtime-wheels"


def _describe(wheel: Path) -> dict[str, str]:
    name, version = wheel.name.split("-")[:2]
    return {"name": name.replace("_", "-"), "version": version, "sha256": sha256(wheel)}


@contextmanager
def _opened(wheel: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(wheel) as source:
            yield source
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(
            f"{wheel}: cannot be unpacked: {clipped(str(error))}", _DAMAGED, code="wheel-damaged"
        ) from error


def _pack(wheels: list[Path], archive: Path) -> None:
    """Unpack wheels into one tree (PEP 427: the archive's root and `*.data/{purelib,platlib}`) and pack that."""
    members: dict[str, tuple[bytes, int]] = {}
    left = UNPACKED_BYTES
    for wheel in wheels:
        with _opened(wheel) as source:
            for info in source.infolist():
                name = re.sub(r"^[^/]+\.data/(purelib|platlib)/", "", info.filename)
                if info.is_dir() or _LEFT_OUT.search(name) or ".data/" in name.partition("/")[0] + "/":
                    continue
                if name.startswith("/") or ".." in name.split("/") or visible(name) != name:
                    raise InputError(
                        f"{wheel}: holds a file outside its folder: {clipped(name)}", _DAMAGED, code="wheel-damaged"
                    )
                if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
                    raise InputError(
                        f"{wheel}: holds something that is not a file: {clipped(name)}", _DAMAGED, code="wheel-damaged"
                    )
                left -= info.file_size
                if left < 0:
                    raise InputError(
                        f"{wheel}: unpacks to more than {UNPACKED_BYTES >> 20:,} MiB", _DAMAGED, code="wheel-damaged"
                    )
                members[name] = (source.read(info), 0o755 if info.external_attr >> 16 & 0o100 else 0o644)
    # Without times and owners: the same wheels give the same bytes.
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        tarfile.open(mode="w", fileobj=packed, format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted(members):
            data, mode = members[name]
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            tar.addfile(entry, io.BytesIO(data))
