"""A runtime on a device: its own where that works, else wheels from here."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.bundle.records import DeviceRuntime
from edgekit.bundle.runs import ACCURACY
from edgekit.devices import benchmark_model
from edgekit.devices.device import Device
from edgekit.devices.facts import read_fact
from edgekit.devices.interpreter import Interpreter, probe
from edgekit.devices.jobs import RUNTIMES, Job, load_outputs, run_job
from edgekit.devices.target import Target
from edgekit.devices.transports.base import Transport, retried
from edgekit.devices.transports.shell import FULL, refused
from edgekit.devices.wheels import OWN_NUMPY, NoWheels, WheelSet, wheel_set
from edgekit.devices.work import RemoteWork
from edgekit.errors import InputError, RunnerError, TargetError
from edgekit.files.temporary import temporary_folder
from edgekit.processes.python import isolated
from edgekit.processes.telemetry import confined
from edgekit.progress import SILENT, Progress

SMOKE = {name: Path(__file__).with_name(f"smoke.{name}") for name in RUNTIMES}
"""A convolution and a dense layer in int8, by format; `tests/devices/test_provision.py` builds them."""
KNOWN = {"tflite": (-128, 120, 27), "onnx": (30, 76, 26)}
"""What they answer to a runner's seeded random values."""
ROUNDING = 4
"""Steps by which an answer may differ: tflite-runtime rounds the convolution otherwise than ai-edge-litert."""
NEWER_ARM = ("atomics", "asimddp", "asimdhp", "i8mm", "sve")
NEWER_X86 = ("avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")
"""Instruction sets that builds for newer CPUs use, as /proc/cpuinfo names them."""
NEWEST_32_BIT = (3, 11)
"""The newest Python that tflite-runtime has wheels for."""
SMOKE_SECONDS = 120.0
UNPACK_SECONDS = 600.0
IMPORTS = {
    "ai-edge-litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter",
    "onnxruntime": "onnxruntime",
}  # fmt: skip
"""What a runner imports of each runtime, besides NumPy."""
# The archive is ours and came whole; its folder appears whole, too. What a runner imports of it is compiled once: no
# process may write bytecode later, and importing takes several times as long without. In a fork, since importing may
# crash; and as bytecode that is not checked against its source (PEP 552), which does not change.
UNPACK = """
import os, py_compile, shutil, sys, tarfile
archive, folder = sys.argv[1:3]
def compile_imported():
    sys.path[:0] = [part]
    for name in sys.argv[3:]:
        __import__(name)
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None) or ""
        if path.startswith(part + "/") and path.endswith(".py"):
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            py_compile.compile(path, dfile=folder + path[len(part):], doraise=True, invalidation_mode=mode)
part = folder + ".part-%d" % os.getpid()
try:
    os.mkdir(part)
    with tarfile.open(archive) as tar:
        for member in tar:
            if not member.isreg() or member.name.startswith("/") or ".." in member.name.split("/"):
                raise SystemExit("the archive holds more than files: " + repr(member.name))
            tar.extract(member, part)
    os.remove(archive)
    child = os.fork()
    if not child:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            compile_imported()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.rename(part, folder)
finally:
    shutil.rmtree(part, ignore_errors=True)
    if os.path.exists(archive):
        os.remove(archive)
"""


@dataclass(frozen=True)
class Provision:
    """The runtime that a device uses for a format of files.

    Attributes:
        runtime: its name.
        source: `the device's own`, or `wheels from here`.
        folders: where the device's Python finds it.
        wheels: name, version and SHA-256 of every wheel that was copied; empty for the device's own.
        fresh: whether it was unpacked just now.
    """

    runtime: str
    source: str
    folders: tuple[str, ...] = ()
    wheels: tuple[dict[str, str], ...] = ()
    fresh: bool = field(default=False, compare=False)

    def recorded(self) -> DeviceRuntime:
        """Return what a record keeps of it."""
        return DeviceRuntime(self.runtime, self.source, self.wheels)


def probe_device(target: Target, transport: Transport, python: str) -> Interpreter:
    """Ask a device's Python what it is (see `probe`); of a phone without one the error names what to do instead."""
    try:
        return probe(transport, python)
    except TargetError as error:
        if not target.kind.may_lack_python or error.transient:
            raise
        raise TargetError(
            f"{transport.address}: has no Python; TFLite's own benchmark_model can measure without",
            f"give it with --benchmark-model FILE; for 64-bit phones it is at {benchmark_model.PUBLISHED}",
            code="python-missing",
        ) from error


def provision(
    device: Device,
    machine: Interpreter,
    wanted: Sequence[str],
    *,
    wheels: Path | None = None,
    progress: Progress = SILENT,
) -> Provision:
    """Return the first runtime that works on a device, and make it work there.

    The device's own modules come first, for each runtime in turn; then wheels from here.

    Args:
        device: where.
        machine: its Python.
        wanted: runtimes, the best first.
        wheels: a folder of wheels, for machines without internet.
        progress: notified of what is copied.

    Raises:
        TargetError: none works; said with what each of them lacks.
    """
    reasons = []
    for runtime in wanted:
        own = _own(machine, runtime)
        if own:
            reasons.append(f"the device's own {runtime}: {own}")
            continue
        found = Provision(runtime, "the device's own")
        trouble = smoke(device, found)
        if not trouble:
            return found
        reasons.append(f"the device's own {runtime}: {trouble}")
    for runtime in wanted:
        try:
            chosen = wheel_set(runtime, machine, wheels)
            found = install(device, machine, chosen, progress)
            trouble = smoke(device, found)
            if trouble and not found.fresh:  # the power may have gone while it was written
                found = install(device, machine, chosen, progress, again=True)
                trouble = smoke(device, found)
        except NoWheels as error:
            reasons.append(f"{runtime} from wheels: {error.why}")
            continue
        if not trouble:
            return found
        reasons.append(f"{runtime} from wheels: {trouble}")
    if any("SIGILL" in reason for reason in reasons):
        reasons.append(_lacking(device))
    raise TargetError(
        f"{device.transport.address}: no runtime works with {machine}: {'; '.join(reasons)}",
        _advice(machine, reasons),
        code="runtime-missing",
    )


def _lacking(device: Device) -> str:
    """Name the instruction sets that newer CPUs have and this one has not."""
    flags = read_fact(device.transport, "cpu_flags")
    if not isinstance(flags, list):
        return "which instructions this CPU lacks cannot be read"
    newer = NEWER_X86 if device.target.kind.is_host or "fma" in flags else NEWER_ARM
    return f"this CPU has none of {', '.join(name for name in newer if name not in flags)}"


def _own(machine: Interpreter, runtime: str) -> str:
    """Return why the modules on the device do not serve, or an empty string."""
    if machine.modules.get(runtime) is None:
        return "is not installed"
    numpy = machine.modules.get("numpy")
    if numpy is None:
        return "NumPy is not installed"
    if runtime == "tflite-runtime" and not _is_numpy_1(numpy, machine):
        return f"it crashes with NumPy {numpy}; it needs NumPy 1"
    return ""


def _is_numpy_1(version: str, machine: Interpreter) -> bool:
    """Whether tflite-runtime works with it; Python 3.7 cannot tell versions, and has no NumPy 2."""
    return version.startswith(("0.", "1.")) or machine.version < (3, 9)


def install(
    device: Device, machine: Interpreter, wheels: WheelSet, progress: Progress = SILENT, *, again: bool = False
) -> Provision:
    """Put a set of wheels on a device unless it is there, and return how it is used.

    Args:
        device: where.
        machine: its Python.
        wheels: what.
        progress: notified of what is copied.
        again: replace what is there.

    Raises:
        TargetError: it cannot be written there, or the device's own NumPy is needed and missing.
    """
    if machine.machine in OWN_NUMPY and wheels.runtime == "tflite-runtime":
        numpy = machine.modules.get("numpy")
        if numpy is None or not _is_numpy_1(numpy, machine):
            why = "is missing" if numpy is None else f"is {numpy}"
            raise NoWheels(wheels.runtime, machine, f"the device's own NumPy is needed below version 2, and it {why}")
    if not isinstance(device.work, RemoteWork):
        raise InputError(
            f"`{wheels.runtime}` is not installed on this machine",
            f"install it: pip install {wheels.runtime}",
            code="runtime-missing",
        )
    work, transport = device.work, device.transport
    folder = f"{work.base}/runtimes/{wheels.runtime}-{_digest(wheels)}"
    if again:
        retried(lambda: transport.run(["rm", "-rf", folder], timeout=UNPACK_SECONDS))

    def unpack() -> bool:
        """Return whether that was needed; may be repeated after a broken connection."""
        if transport.run(["ls", "-d", folder], timeout=SMOKE_SECONDS).returncode == 0:
            return False
        work.renew()
        modules = ("numpy", "numpy.random", IMPORTS[wheels.runtime])
        argv = isolated(device.python, "-c", UNPACK, work.push(wheels.archive), folder, *modules)
        done = transport.run(argv, timeout=UNPACK_SECONDS, env=confined(work.folder))
        work.forget(wheels.archive)
        if done.returncode != 0:
            if FULL.search(done.stderr):
                raise refused(transport.address, folder, done.stderr)
            said = done.stderr.strip().rpartition("\n")[2][-300:] or f"exit code {done.returncode}"
            raise TargetError(
                f"{transport.address}: the wheels cannot be unpacked: {said}",
                "look at the device with: edgekit targets check",
                code="runtime-missing",
            )
        return True

    if retried(lambda: transport.run(["ls", "-d", folder], timeout=SMOKE_SECONDS)).returncode != 0:
        names = ", ".join(f"{w['name']} {w['version']}" for w in wheels.wheels)
        size = wheels.archive.stat().st_size / 1e6
        progress.notify(f"{device.name}: copying {wheels.runtime} there, {size:.0f} MB: {names}")
    fresh = retried(unpack)
    return Provision(wheels.runtime, "wheels from here", (folder,), wheels.wheels, fresh)


def smoke(device: Device, found: Provision) -> str:
    """Run a tiny model in a process of its own on the device; return what went wrong, or an empty string.

    Its outputs are known: a runtime that computes something else is not used.
    """
    format_ = "onnx" if found.runtime == "onnxruntime" else "tflite"
    job = Job(ACCURACY, found.runtime, SMOKE[format_])
    with temporary_folder("smoke") as folder:
        path = folder / "outputs.npz"
        try:
            retried(lambda: run_job(with_runtime(device, found), job, timeout=SMOKE_SECONDS, outputs=path))
            outputs = load_outputs(path)["0"].reshape(-1)
        except RunnerError as error:
            return f"{error.message} ({error.hint})" if error.hint else error.message
        except (InputError, KeyError):
            return f"{job.model.name}: its outputs cannot be read"
    known = KNOWN[format_]
    if len(outputs) != len(known) or not all(
        abs(float(a) - b) <= ROUNDING for a, b in zip(outputs, known, strict=True)
    ):
        got = ", ".join(map(str, outputs[:8]))
        return f"{job.model.name}: computes {got} where {', '.join(map(str, known))} is right"
    return ""


def with_runtime(device: Device, found: Provision) -> Device:
    """Return the device with the folders of a runtime."""
    return dataclasses.replace(device, folders=found.folders)


def _digest(wheels: WheelSet) -> str:
    return hashlib.sha256(json.dumps(wheels.wheels, sort_keys=True).encode()).hexdigest()[:12]


def _advice(machine: Interpreter, reasons: Sequence[str]) -> str:
    if any("SIGILL" in reason for reason in reasons):
        return "put an older version's wheels into a folder for --runtime-wheels, or try --runtime tflite-runtime"
    if machine.machine in OWN_NUMPY:
        if machine.version[:2] > NEWEST_32_BIT:
            newest = ".".join(map(str, NEWEST_32_BIT))
            return (
                f"for 32-bit ARM there are wheels up to Python {newest}: name one with --python, or use a 64-bit system"
            )
        if machine.modules.get("numpy") is None:
            return "on the board: sudo apt install python3-numpy"
        return "on 32-bit ARM: Python 3.7 to 3.11 with NumPy 1 (sudo apt install python3-numpy), or a 64-bit system"
    return (
        "wheels exist for CPython on 64-bit systems: ai-edge-litert for 3.10 to 3.14 with glibc 2.27, "
        "tflite-runtime up to 3.11, onnxruntime from 3.11"
    )
