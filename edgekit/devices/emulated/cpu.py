"""What programs on the emulated board read of its CPU.

QEMU translates the instructions only: /proc/cpuinfo is the host's, and there is no /sys. A runtime that finds no ARM
CPU there gives up its ARM kernels (XNNPACK's `cpuinfo` does), and its results are then not those of a board.
"""

from __future__ import annotations

import os
from pathlib import Path

CPU = "cortex-a72"
"""QEMU's name of the CPU."""
SYSFS = Path("sys", "devices", "system", "cpu")
CPUINFO = Path("etc", "emulated-cpuinfo")
"""On the board; the server mounts it over /proc/cpuinfo."""
CORE = (
    "processor\t: {}\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\n"
    "CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n\n"
)
"""Linux's description of a core of a Raspberry Pi 4."""
BOARD = "Model\t\t: QEMU, Cortex-A72 as in a Raspberry Pi 4\n"


def describe(root: Path) -> None:
    """Write what the board says of its CPU: a Cortex-A72 with as many cores as this machine.

    Args:
        root: of the board's files.
    """
    cores = os.cpu_count() or 1
    (root / CPUINFO).write_text("".join(CORE.format(n) for n in range(cores)) + BOARD)
    (root / SYSFS).mkdir(parents=True, exist_ok=True)
    for name in ("possible", "present", "online"):
        (root / SYSFS / name).write_text(f"0-{cores - 1}\n" if cores > 1 else "0\n")
    (root / SYSFS / "kernel_max").write_text("255\n")
