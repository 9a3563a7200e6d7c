"""What a device is: each fact is a command and a pure function on its output.

A fact that cannot be read is recorded as unavailable, with the reason; it is never guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgekit.devices.device import Device
from edgekit.errors import EdgekitError

TIMEOUT = 10.0


@dataclass(frozen=True)
class Fact:
    """One thing to know: `parse` turns the command's stdout into a JSON value, or raises ValueError."""

    argv: tuple[str, ...]
    parse: Callable[[str], Any]


def _stripped(text: str) -> str:
    if not text.strip():
        raise ValueError("the answer is empty")
    return text.strip()


def _cpu_model(text: str) -> str:
    """From /proc/cpuinfo: x86's `model name`, else the board's `Model`, else ARM's part number."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, separator, value = line.partition(":")
        if separator:
            fields.setdefault(key.strip(), value.strip())
    for key in ("model name", "Model", "Hardware"):
        if fields.get(key):
            return fields[key]
    if "CPU part" in fields:
        return f"ARM implementer {fields.get('CPU implementer', '?')} part {fields['CPU part']}"
    raise ValueError("no model name in /proc/cpuinfo")


def _flags(text: str) -> list[str]:
    """Return the instruction sets that decide which int8 kernels run."""
    interesting = {
        "avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "fma", "f16c",
        "asimd", "asimddp", "fphp", "asimdhp", "i8mm", "sve", "neon", "atomics",
    }  # fmt: skip
    for line in text.splitlines():
        if line.startswith(("flags", "Features")):
            return sorted(interesting & set(line.partition(":")[2].split()))
    raise ValueError("no flags in /proc/cpuinfo")


def _memory_kib(text: str) -> int:
    for line in text.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1])
    raise ValueError("no MemTotal in /proc/meminfo")


def _os_name(text: str) -> str:
    for line in text.splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip().strip('"')
    raise ValueError("no PRETTY_NAME in /etc/os-release")


_CPUFREQ = "/sys/devices/system/cpu/cpu0/cpufreq"
FACTS: dict[str, Fact] = {
    "cpu_model": Fact(("cat", "/proc/cpuinfo"), _cpu_model),
    "cpu_flags": Fact(("cat", "/proc/cpuinfo"), _flags),
    "architecture": Fact(("uname", "-m"), _stripped),
    "cores": Fact(("env", "-u", "OMP_NUM_THREADS", "-u", "OMP_THREAD_LIMIT", "nproc"), lambda text: int(text)),
    "governor": Fact(("cat", f"{_CPUFREQ}/scaling_governor"), _stripped),
    "max_frequency_khz": Fact(("cat", f"{_CPUFREQ}/scaling_max_freq"), lambda text: int(text)),
    "memory_kib": Fact(("cat", "/proc/meminfo"), _memory_kib),
    "os": Fact(("cat", "/etc/os-release"), _os_name),
    "kernel": Fact(("uname", "-sr"), _stripped),
    "virtualization": Fact(("systemd-detect-virt",), _stripped),
}


def read_facts(device: Device) -> dict[str, Any]:
    """Return every fact: a JSON value, or `{"unavailable": why}`."""
    found: dict[str, Any] = {}
    for name, fact in FACTS.items():
        try:
            done = device.transport.run(fact.argv, timeout=TIMEOUT)
            # systemd-detect-virt answers `none` with exit code 1
            if done.returncode != 0 and not done.stdout.strip():
                raise ValueError(done.stderr.strip() or f"{fact.argv[0]} ended with exit code {done.returncode}")
            found[name] = fact.parse(done.stdout)
        except (ValueError, TimeoutError, EdgekitError) as error:
            found[name] = {"unavailable": str(error)}
    return found
