"""Before a session on a device: which runtime each file gets there, and how it came."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.bench.subjects import Candidate
from edgekit.devices import benchmark_model
from edgekit.devices.device import Device
from edgekit.devices.interpreter import Interpreter
from edgekit.devices.provision import probe_device, provision, with_runtime
from edgekit.devices.target import differences
from edgekit.devices.work import RemoteWork
from edgekit.errors import InputError, TargetError
from edgekit.files.whole import sha256
from edgekit.progress import SILENT, Progress

TIMEOUT = 30.0
ONNX = "onnxruntime"


@dataclass(frozen=True)
class Prepared:
    """A device that is ready to measure.

    Attributes:
        subjects: each with the runtime that it gets.
        devices: by runtime.
        refusals: by runtime, why there is none.
        record: what the record keeps of it.
        machine: architecture and bits of the device's programs, where they are known.
    """

    subjects: list[Candidate]
    devices: Mapping[str, Device]
    refusals: Mapping[str, str]
    record: dict[str, Any]
    machine: Mapping[str, Any] = field(default_factory=dict)


def prepare(
    device: Device,
    subjects: Sequence[Candidate],
    *,
    forced: bool = False,
    wheels: Path | None = None,
    native: Path | None = None,
    progress: Progress = SILENT,
) -> Prepared:
    """Find or bring the runtimes that files need on a device.

    Args:
        device: where. On this machine the modules are taken as they are.
        subjects: the files; `.tflite` files name the runtime that was asked for.
        forced: that runtime and no other.
        wheels: a folder of wheels, in place of the package index.
        native: TFLite's `benchmark_model` for the device, used in place of Python.
        progress: told of what is copied.

    Raises:
        TargetError: no Python there.
    """
    if native is not None:
        return _native(device, subjects, native)
    runtimes = list(dict.fromkeys(c.subject.runtime for c in subjects))
    if device.target.kind.is_host:
        return Prepared(list(subjects), dict.fromkeys(runtimes, device), {}, {})
    machine = probe_device(device.target, device.transport, device.python)
    subjects = _possible(device, subjects, machine, progress)
    runtimes = list(dict.fromkeys(c.subject.runtime for c in subjects))
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
        brought.append(found.to_dict())
    renamed = [_under(c, chosen.get(c.subject.runtime, c.subject.runtime)) for c in subjects]
    if not devices:
        raise TargetError(
            f"{device.name}: {'; '.join(error.message for error in errors)}",
            next((error.hint for error in errors if error.hint), "see: edgekit targets check"),
        )
    for lacking in errors:
        progress.warn(lacking.message + (f" ({lacking.hint})" if lacking.hint else ""))
    record = {"address": device.transport.address, "python": str(machine), "runtimes": brought}
    kind = {"architecture": machine.machine, "bits": machine.bits}
    return Prepared(renamed, devices, refusals, record, kind)


def _possible(
    device: Device, subjects: Sequence[Candidate], machine: Interpreter, progress: Progress
) -> list[Candidate]:
    """Leave out what no runtime is made for on this kind of machine, and say so once.

    Raises:
        TargetError: nothing is left.
    """
    own = machine.modules.get(ONNX) is not None
    skipped = [c.subject.name for c in subjects if c.subject.runtime == ONNX and machine.bits == 32 and not own]
    if not skipped:
        return list(subjects)
    why = f"{device.name}: {ONNX} is not made for 32-bit systems"
    if len(skipped) == len(subjects):
        raise TargetError(f"{why}: {', '.join(skipped)}", "measure a .tflite file, or use a 64-bit system")
    progress.warn(f"{why}; skipped: {', '.join(skipped)}")
    return [c for c in subjects if c.subject.name not in skipped]


def tell_differences(device: Device, facts: Mapping[str, Any], prepared: Prepared, progress: Progress) -> None:
    """Warn where a device is not what its target says."""
    found = {name: value for name, value in facts.items() if not isinstance(value, dict)}
    known = {"cpu": found.get("cpu_core"), "cores": found.get("cores"), **prepared.machine}
    for difference in differences(device.target.expect, known):
        progress.warn(f"{device.name}: {difference}")


def set_governor(device: Device, governor: str, progress: Progress) -> None:
    """Set the governor of a device for the session, or warn why not."""
    if not isinstance(device.work, RemoteWork):
        progress.warn("--governor is for other devices; set it here with: sudo cpupower frequency-set -g performance")
        return
    answer = device.work.set_governor(governor, device.target.health.governor)
    if answer == "none":
        progress.warn(f"{device.name}: has no governor to set")
    elif answer != "ok":
        progress.warn(
            f"{device.name}: may not set the governor (it takes root, or sudo without a password); left as it is"
        )


def _native(device: Device, subjects: Sequence[Candidate], program: Path) -> Prepared:
    """Bring `benchmark_model`; it runs `.tflite` files only."""
    if not program.is_file():
        raise InputError(f"--benchmark-model {program}: no such file")
    if device.target.kind.is_host:
        raise InputError("--benchmark-model is for other devices", "give --target android, or another")
    path = device.work.push(program)
    device.transport.run(["chmod", "700", path], timeout=TIMEOUT)
    runtime = benchmark_model.RUNTIME
    renamed = [_under(c, runtime) if c.subject.format == "tflite" else c for c in subjects]
    record = {
        "address": device.transport.address,
        "python": "none",
        "runtimes": [{"runtime": runtime, "source": "the program given", "wheels": [], "sha256": sha256(program)}],
    }
    refusals = {"onnxruntime": f"{runtime} runs .tflite files only"}
    return Prepared(renamed, {runtime: dataclasses.replace(device, python=path)}, refusals, record)


def _under(candidate: Candidate, runtime: str) -> Candidate:
    return dataclasses.replace(candidate, subject=dataclasses.replace(candidate.subject, runtime=runtime))
