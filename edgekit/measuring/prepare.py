"""Before a session on a device: which runtime each file gets there, and how it came."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.bundle.facts import HostFacts, known
from edgekit.bundle.records import DeviceRuntime, DeviceSession
from edgekit.devices import benchmark_model
from edgekit.devices.device import Device
from edgekit.devices.interpreter import Interpreter
from edgekit.devices.provision import probe_device, provision, with_runtime
from edgekit.devices.target import differences
from edgekit.devices.work import RemoteWork
from edgekit.errors import InputError, TargetError
from edgekit.files.whole import sha256
from edgekit.measuring.candidates import Candidate
from edgekit.progress import SILENT, Progress

TIMEOUT = 30.0
ONNX = "onnxruntime"


@dataclass(frozen=True)
class Prepared:
    """A device that is ready to measure.

    Attributes:
        candidates: each with the runtime that it gets.
        devices: by runtime.
        refusals: by runtime, why there is none.
        device: what the record keeps of it; None for this machine.
        machine: architecture and bits of the device's programs, where they are known.
    """

    candidates: list[Candidate]
    devices: Mapping[str, Device]
    refusals: Mapping[str, str]
    device: DeviceSession | None = None
    machine: Mapping[str, str | int] = field(default_factory=dict)


def prepare(
    device: Device,
    candidates: Sequence[Candidate],
    *,
    forced: bool = False,
    wheels: Path | None = None,
    native: Path | None = None,
    progress: Progress = SILENT,
) -> Prepared:
    """Find or bring the runtimes that files need on a device.

    Args:
        device: where. On this machine the modules are taken as they are.
        candidates: the files; `.tflite` files name the runtime that was asked for.
        forced: that runtime and no other.
        wheels: a folder of wheels, in place of the package index.
        native: TFLite's `benchmark_model` for the device, used in place of Python.
        progress: notified of what is copied.

    Raises:
        TargetError: no Python there.
    """
    if native is not None:
        return _native(device, candidates, native)
    if device.target.kind.is_host:
        return Prepared(list(candidates), {c.subject.runtime: device for c in candidates}, {})
    machine = probe_device(device.target, device.transport, device.python)
    candidates = _possible(device, candidates, machine, progress)
    runtimes = list(dict.fromkeys(c.subject.runtime for c in candidates))
    devices: dict[str, Device] = {}
    refusals: dict[str, str] = {}
    chosen: dict[str, str] = {}
    brought, errors = [], []
    for runtime in runtimes:
        tflite = runtime != ONNX
        wanted = device.target.runtimes if tflite and not forced else (runtime,)
        try:
            found = provision(device, machine, wanted, wheels=wheels, progress=progress)
        except TargetError as error:
            if error.transient or len(runtimes) == 1:
                raise
            refusals[runtime] = f"no {' or '.join(wanted)} works on {device.transport.address}"
            errors.append(error)
            continue
        chosen[runtime] = found.runtime
        devices[found.runtime] = with_runtime(device, found)
        brought.append(found.recorded())
    renamed = [_under(c, chosen.get(c.subject.runtime, c.subject.runtime)) for c in candidates]
    if not devices:
        raise TargetError(
            f"{device.name}: {'; '.join(error.message for error in errors)}",
            next((error.hint for error in errors if error.hint), "see: edgekit targets check"),
            code="runtime-missing",
        )
    for lacking in errors:
        progress.warn(lacking.message + (f" ({lacking.hint})" if lacking.hint else ""), "runtime-missing")
    reached = DeviceSession(address=device.transport.address, python=str(machine), runtimes=tuple(brought))
    return Prepared(renamed, devices, refusals, reached, {"architecture": machine.machine, "bits": machine.bits})


def _possible(
    device: Device, candidates: Sequence[Candidate], machine: Interpreter, progress: Progress
) -> list[Candidate]:
    """Leave out what no runtime is made for on this kind of machine, and say so once.

    Raises:
        TargetError: nothing is left.
    """
    own = machine.modules.get(ONNX) is not None
    skipped = [c.subject.name for c in candidates if c.subject.runtime == ONNX and machine.bits == 32 and not own]
    if not skipped:
        return list(candidates)
    why = f"{device.name}: {ONNX} is not made for 32-bit systems"
    if len(skipped) == len(candidates):
        raise TargetError(
            f"{why}: {', '.join(skipped)}", "measure a .tflite file, or use a 64-bit system", code="runtime-missing"
        )
    progress.warn(f"{why}; skipped: {', '.join(skipped)}", "runtime-missing")
    return [c for c in candidates if c.subject.name not in skipped]


def warn_of_differences(device: Device, facts: HostFacts, prepared: Prepared, progress: Progress) -> None:
    """Warn where a device is not what its target says."""
    machine = {"cpu": known(facts.cpu_core), "cores": known(facts.cores), **prepared.machine}
    for difference in differences(device.target.expect, machine):
        progress.warn(f"{device.name}: {difference}", "device-differs")


def set_governor(device: Device, governor: str, progress: Progress) -> None:
    """Set the governor of a device for the session, or warn why not."""
    if not isinstance(device.work, RemoteWork):
        how = "set it here with: sudo cpupower frequency-set -g performance"
        progress.warn(f"--governor is for other devices; {how}", "governor-not-set")
        return
    answer = device.work.set_governor(governor, device.target.health.governor)
    if answer == "none":
        progress.warn(f"{device.name}: has no governor to set", "governor-not-set")
    elif answer != "ok":
        needs = "it takes root, or sudo without a password"
        progress.warn(f"{device.name}: may not set the governor ({needs}); left as it is", "governor-not-set")


def _native(device: Device, candidates: Sequence[Candidate], program: Path) -> Prepared:
    """Bring `benchmark_model`; it runs `.tflite` files only."""
    if not program.is_file():
        raise InputError(f"--benchmark-model {program}: no such file", code="file-missing")
    if device.target.kind.is_host:
        raise InputError(
            "--benchmark-model is for other devices",
            "give --target android, or another",
            code="not-with-benchmark-model",
        )
    path = device.work.push(program)
    device.transport.run(["chmod", "700", path], timeout=TIMEOUT)
    runtime = benchmark_model.RUNTIME
    renamed = [_under(c, runtime) if c.subject.format == "tflite" else c for c in candidates]
    brought = DeviceRuntime(runtime, "the program given", sha256=sha256(program))
    reached = DeviceSession(address=device.transport.address, python="none", runtimes=(brought,))
    refusals = {ONNX: f"{runtime} runs .tflite files only"}
    return Prepared(renamed, {runtime: dataclasses.replace(device, python=path)}, refusals, reached)


def _under(candidate: Candidate, runtime: str) -> Candidate:
    return dataclasses.replace(candidate, subject=dataclasses.replace(candidate.subject, runtime=runtime))
