"""What a device is: each fact is a command and a pure function on its output.

A fact that cannot be read is recorded as unavailable, with the reason; it is never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgekit.bundle.facts import FactValue, HostFacts, Unavailable
from edgekit.devices.transports.base import Transport
from edgekit.errors import EdgekitError

TIMEOUT = 10.0
CORES = {"0xd03": "Cortex-A53", "0xd08": "Cortex-A72", "0xd0b": "Cortex-A76"}
"""Of Raspberry Pis since the 3, by ARM's part number."""


@dataclass(frozen=True)
class Fact:
    """One thing to know about a device: a row of `FACTS`, named as the field of `HostFacts` that keeps it.

    Attributes:
        argv: the command that is run there.
        parse: turns its stdout into a value, or raises ValueError.
        means: what it is, for the documentation.
    """

    argv: tuple[str, ...]
    parse: Callable[[str], FactValue]
    means: str


def _stripped(text: str) -> str:
    if not text.strip():
        raise ValueError("the answer is empty")
    return text.strip()


def _cpu_model(text: str) -> str:
    """From /proc/cpuinfo: the board's `Model`, else `model name`, else ARM's part number."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, separator, value = line.partition(":")
        if separator:
            fields.setdefault(key.strip(), value.strip())
    for key in ("Model", "model name", "Hardware"):
        if fields.get(key):
            return fields[key]
    if "CPU part" in fields:
        return f"ARM implementer {fields.get('CPU implementer', '?')} part {fields['CPU part']}"
    raise ValueError("no model name in /proc/cpuinfo")


def _cpu_core(text: str) -> str:
    """Name the core by ARM's implementer and part number (ARM's manuals of the cores: MIDR_EL1)."""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    found = {key.strip(): value.strip() for key, value in fields.items()}
    if found.get("CPU implementer") != "0x41" or "CPU part" not in found:
        raise ValueError("not a core of ARM's")
    return CORES.get(found["CPU part"], f"part {found['CPU part']}")


def _natural(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text.strip()) or not int(text):
        raise ValueError(f"{text.strip()[:40]!r} is no number above zero")
    return int(text)


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
            return _natural(line.split()[1])
    raise ValueError("no MemTotal in /proc/meminfo")


def _os_name(text: str) -> str:
    for line in text.splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip().strip('"')
    raise ValueError("no PRETTY_NAME in /etc/os-release")


def _emulated(text: str) -> str | bool:
    """Tell QEMU by what it cannot hide: the command line of another process, the host's CPU, its virtual board.

    Newer versions show ARM programs an ARM /proc/cpuinfo; to others, their processes still are QEMU's.
    """
    machine, _, rest = text.partition("\n")
    arm = machine.strip().startswith(("aarch64", "arm"))
    fields = dict(line.split(":", 1) for line in rest.splitlines() if ":" in line)
    vendor = next((value.strip() for key, value in fields.items() if key.strip() == "vendor_id"), None)
    if arm and vendor:
        return f"QEMU translates {machine.strip()} programs for a CPU of {vendor}"
    parent = rest.partition("\nparent: ")[2].split(" ")[0]
    if arm and re.search(r"qemu-(aarch64|arm)|(aarch64|arm)-binfmt", parent):
        return f"QEMU translates {machine.strip()} programs"
    if "dummy-virt" in rest:
        return "QEMU's virtual machine"
    return False


def _glibc(text: str) -> str:
    words = text.split()
    if words[:1] != ["glibc"]:
        raise ValueError("no glibc")
    return words[1]


_CPUFREQ = "/sys/devices/system/cpu/cpu0/cpufreq"
FACTS: dict[str, Fact] = {
    "cpu_model": Fact(("cat", "/proc/cpuinfo"), _cpu_model, "the board or processor"),
    "cpu_core": Fact(("cat", "/proc/cpuinfo"), _cpu_core, "ARM's name of the core"),
    "cpu_flags": Fact(("cat", "/proc/cpuinfo"), _flags, "instruction sets that decide which int8 kernels run"),
    "architecture": Fact(("uname", "-m"), _stripped, "of the kernel"),
    "cores": Fact(
        ("env", "-u", "OMP_NUM_THREADS", "-u", "OMP_THREAD_LIMIT", "nproc"), _natural, "CPUs that a process may use"
    ),
    "governor": Fact(("cat", f"{_CPUFREQ}/scaling_governor"), _stripped, "what sets the CPU's frequency"),
    "max_frequency_khz": Fact(
        ("cat", f"{_CPUFREQ}/scaling_max_freq"), _natural, "the highest frequency that the governor may choose"
    ),
    "memory_kib": Fact(("cat", "/proc/meminfo"), _memory_kib, "memory of the whole machine"),
    "os": Fact(("cat", "/etc/os-release"), _os_name, "name and version of the system"),
    "kernel": Fact(("uname", "-sr"), _stripped, "name and version of the kernel"),
    "glibc": Fact(("getconf", "GNU_LIBC_VERSION"), _glibc, "version of the C library"),
    "user_bits": Fact(("getconf", "LONG_BIT"), _natural, "32 or 64, of programs"),
    "emulated": Fact(
        (
            "sh",
            "-c",
            "uname -m; cat /proc/cpuinfo; f=/proc/device-tree/compatible; [ -r $f ] && tr '\\0' ' ' <$f; "
            "printf '\\nparent: '; tr '\\0' ' ' </proc/$PPID/cmdline",
        ),
        _emulated,
        "by what the CPU is emulated, or false",
    ),
    "virtualization": Fact(("systemd-detect-virt",), _stripped, "the virtual machine or container, or `none`"),
}


def read_fact(transport: Transport, name: str) -> FactValue | Unavailable:
    """Return one fact of a device, by its name in `FACTS`."""
    fact = FACTS[name]
    try:
        done = transport.run(fact.argv, timeout=TIMEOUT)
        # systemd-detect-virt answers `none` with exit code 1
        if done.returncode != 0 and not done.stdout.strip():
            raise ValueError(done.stderr.strip() or f"{fact.argv[0]} ended with exit code {done.returncode}")
        return fact.parse(done.stdout)
    except (ValueError, LookupError, TimeoutError, EdgekitError) as error:
        return Unavailable(str(error))


def read_facts(transport: Transport) -> HostFacts:
    """Return all facts of a device."""
    values: dict[str, Any] = {name: read_fact(transport, name) for name in FACTS}
    return HostFacts(**values)


def facts_table() -> str:
    """Return the facts as rows of a Markdown table: name, meaning and command."""
    return "\n".join(f"| `{name}` | {fact.means} | `{fact.argv[0]}` |" for name, fact in FACTS.items())
