"""What stands between a device and a good measurement: findings, each with what to do. A check is one function."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundle.facts import HostFacts, fact_text, known
from edgekit.devices.device import Device, connected, default_python
from edgekit.devices.facts import read_facts
from edgekit.devices.health import SINCE_BOOT, governors, temperature_c, throttled, troubles
from edgekit.devices.interpreter import Interpreter
from edgekit.devices.provision import Provision, probe_device, provision
from edgekit.devices.target import Target, differences
from edgekit.devices.transports import shell
from edgekit.devices.transports.base import Transport
from edgekit.devices.work import FIND, RemoteWork
from edgekit.errors import EdgekitError, TargetError
from edgekit.errors.printable import whole
from edgekit.progress import SILENT, Progress

TIMEOUT = 20.0
NEEDED_KIB = 400 * 1024
"""Of disk: a runtime's archive and its unpacked files."""
LITTLE_MEMORY_KIB = 150 * 1024
HOT_C = 70.0
CLOCK_SECONDS = 120.0


@dataclass(frozen=True)
class Result:
    """One thing that was looked at.

    Attributes:
        what: its name.
        state: `ok`; `warning`: measurements may suffer; `error`: nothing can be measured; `unknown`.
        text: what was found.
        fix: what to do, empty where nothing is.
    """

    what: str
    state: str
    text: str
    fix: str = ""


@dataclass(frozen=True)
class DeviceCheck:
    """A check of a device: a row of `CHECKS`.

    Attributes:
        name: of its finding.
        looks_at: what it compares, as half a sentence.
        look: returns the finding.
    """

    name: str
    looks_at: str
    look: Callable[[Target, HostFacts, Transport], Result]


def examine(
    target: Target, *, python: str | None = None, wheels: Path | None = None, progress: Progress = SILENT
) -> Iterator[Result]:
    """Look at a device; findings come as they are made, and after an `error` that stops the rest there are no more.

    Args:
        target: which.
        python: another interpreter on it.
        wheels: a folder of wheels, in place of the package index.
        progress: notified of what is copied.
    """
    python = python or default_python(target)
    try:
        with connected(target, progress) as transport:
            started = time.monotonic()
            transport.run(["true"], timeout=TIMEOUT)
            seconds = time.monotonic() - started
            known = "; its host key is known" if target.kind.checks_host_key else ""
            yield Result("connection", "ok", f"{transport.address} answers after {seconds:.1f} s{known}")
            yield from _system(target, transport)
            machine = probe_device(target, transport, python)
            yield _interpreter(target, machine)
            yield from _runtime(target, transport, machine, python, wheels, progress)
    except (EdgekitError, TimeoutError) as error:
        hint = error.hint if isinstance(error, EdgekitError) else "is it very busy? run the command again"
        yield Result("connection" if "host key" in str(error) else "device", "error", str(error), hint)


def _system(target: Target, transport: Transport) -> Iterator[Result]:
    facts = read_facts(transport)
    for check in CHECKS:
        yield check.look(target, facts, transport)


def _machine(target: Target, facts: HostFacts, transport: Transport) -> Result:
    named = {"cpu_model": facts.cpu_model, "architecture": facts.architecture, "os": facts.os, "kernel": facts.kernel}
    text = ", ".join(fact_text(fact, f"{name} unknown") for name, fact in named.items())
    if isinstance(facts.emulated, str):
        return Result("machine", "warning", f"{text}; {facts.emulated}", "latency on it tells nothing about a board")
    wrong = differences(target.expect, {"cpu": known(facts.cpu_core), "cores": known(facts.cores)})
    if wrong:
        return Result("machine", "warning", f"{text}; {', '.join(wrong)}", f"is this {target.name}?")
    return Result("machine", "ok", text)


def _memory(target: Target, facts: HostFacts, transport: Transport) -> Result:
    done = transport.run(["cat", "/proc/meminfo"], timeout=TIMEOUT)
    fields = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)
    try:
        free, total = (whole(fields[key].split()[0]) for key in ("MemAvailable", "MemTotal"))
    except (KeyError, ValueError, IndexError):
        return Result("memory", "unknown", "/proc/meminfo does not tell")
    text = f"{free // 1024:,} MiB available of {total // 1024:,}"
    if free < LITTLE_MEMORY_KIB:
        return Result("memory", "warning", text, "end other programs; the kernel may kill the runner")
    return Result("memory", "ok", text)


def _disk(target: Target, facts: HostFacts, transport: Transport) -> Result:
    base = transport.run(shell.script(FIND, target.work), timeout=TIMEOUT).stdout.strip()
    done = transport.run(
        shell.script('d=$1; while [ ! -d "$d" ]; do d=$(dirname "$d"); done; df -Pk "$d"', base), timeout=TIMEOUT
    )
    try:
        free = whole(done.stdout.splitlines()[-1].split()[3])
    except (IndexError, ValueError):
        return Result("disk", "unknown", f"df does not tell how much is free for {base}")
    text = f"{free // 1024:,} MiB free for {base}"
    if free < NEEDED_KIB:
        return Result("disk", "warning", text, f"a runtime needs up to {NEEDED_KIB // 1024} MiB once")
    return Result("disk", "ok", text)


def _clock(target: Target, facts: HostFacts, transport: Transport) -> Result:
    text = transport.run(["date", "+%s"], timeout=TIMEOUT).stdout.strip()
    try:
        off = whole(text) - time.time()
    except ValueError:
        return Result("clock", "unknown", "date does not tell")
    if abs(off) > CLOCK_SECONDS:
        how = f"{abs(off) / 86400:.1f} days {'ahead' if off > 0 else 'behind'}"
        return Result(
            "clock", "warning", how, "records carry this machine's time; set its clock: sudo timedatectl set-ntp true"
        )
    return Result("clock", "ok", "agrees with this machine's")


def _governor(target: Target, facts: HostFacts, transport: Transport) -> Result:
    found = governors(transport, target.health)
    if not found:
        return Result("governor", "unknown", "cannot be read")
    if found != ["performance"]:
        fix = "sudo cpupower frequency-set -g performance"
        if not target.kind.is_host:
            fix = "measure with --governor performance, which puts it back"
        return Result("governor", "warning", ", ".join(found), fix)
    return Result("governor", "ok", "performance")


def _throttling(target: Target, facts: HostFacts, transport: Transport) -> Result:
    bits = throttled(transport, target.health)
    if bits is None:
        return Result("throttling", "unknown", "neither vcgencmd nor sysfs tells")
    now, before = troubles(bits), troubles(bits, SINCE_BOOT)
    if now:
        return Result("throttling", "warning", f"now: {', '.join(now)} (0x{bits:x})", _POWER)
    if before:
        return Result("throttling", "warning", f"since boot: {', '.join(before)} (0x{bits:x})", _POWER)
    return Result("throttling", "ok", "none since boot")


_POWER = "under-voltage: a better power supply or cable; heat: a heat sink or fan, and --cool-below 60C"


def _temperature(target: Target, facts: HostFacts, transport: Transport) -> Result:
    found = temperature_c(transport, target.health)
    if found is None:
        return Result("temperature", "unknown", "cannot be read")
    if found > HOT_C:
        return Result("temperature", "warning", f"{found:.1f} C", "let it cool, and measure with --cool-below 60C")
    return Result("temperature", "ok", f"{found:.1f} C")


def _load(target: Target, facts: HostFacts, transport: Transport) -> Result:
    text = transport.run(["cat", "/proc/loadavg"], timeout=TIMEOUT).stdout.split()
    if not text or not re.fullmatch(r"[0-9]{1,6}([.][0-9]{1,6})?", text[0]):
        return Result("other load", "unknown", "cannot be read")
    load = float(text[0])
    if load > 0.5:
        return Result("other load", "warning", f"{load:.1f} in the last minute", "end other programs: top")
    return Result("other load", "ok", f"{load:.1f} in the last minute")


CHECKS: list[DeviceCheck] = [
    DeviceCheck("machine", "what it is, against what the target expects", _machine),
    DeviceCheck("memory", "memory that is available", _memory),
    DeviceCheck("disk", "space for a runtime", _disk),
    DeviceCheck("clock", "its time against the host's", _clock),
    DeviceCheck("governor", "whether the CPU's frequency is free to change", _governor),
    DeviceCheck("throttling", "under-voltage and heat, now and since boot", _throttling),
    DeviceCheck("temperature", "of the CPU", _temperature),
    DeviceCheck("other load", "what else runs there", _load),
]
"""Of `edgekit targets check`, in order. A further check is one function and one row."""


def checks_table() -> str:
    """Return the checks as rows of a Markdown table."""
    return "\n".join(f"| {check.name} | {check.looks_at} |" for check in CHECKS)


def _interpreter(target: Target, machine: Interpreter) -> Result:
    wrong = differences(target.expect, {"architecture": machine.machine, "bits": machine.bits})
    if wrong:
        return Result("python", "warning", f"{machine}; {', '.join(wrong)}", f"is this the system of {target.name}?")
    return Result("python", "ok", str(machine))


def _runtime(
    target: Target, transport: Transport, machine: Interpreter, python: str, wheels: Path | None, progress: Progress
) -> Iterator[Result]:
    modules = ", ".join(f"{name} {version}" for name, version in machine.modules.items() if version)
    yield Result("modules", "ok", f"there: {modules or 'neither NumPy nor a runtime'}")
    if target.kind.is_host:
        return
    work = RemoteWork(transport, target.work)
    started = time.monotonic()
    try:
        found = provision(
            Device(target, transport, work, python), machine, target.runtimes, wheels=wheels, progress=progress
        )
    except TargetError as error:
        yield Result("runtime", "error", error.message, error.hint)
    else:
        took = f"{work.sent_bytes:,} bytes copied, {time.monotonic() - started:.1f} s"
        yield Result("runtime", "ok", f"{_named(found, machine)}; a tiny model ran in a process of its own ({took})")
    finally:
        work.close()


def _named(found: Provision, machine: Interpreter) -> str:
    versions = {w["name"]: w["version"] for w in found.wheels} or machine.modules
    return f"{found.runtime} {versions.get(found.runtime)}, {found.source}"
