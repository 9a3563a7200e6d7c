"""What changes on a device while it works: throttling, temperature, governor.

The bits of `vcgencmd get_throttled` (Raspberry Pi documentation, "vcgencmd"): 0 under-voltage, 1 frequency capped,
2 throttled, 3 soft temperature limit; 16 to 19 the same at any time since boot.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from edgekit.devices.device import Device
from edgekit.devices.target import Health
from edgekit.devices.transports import shell
from edgekit.devices.transports.base import Transport, retried
from edgekit.errors import EdgekitError, RunnerTimeout, TargetError, TargetTimeout
from edgekit.progress import ProgressTask

BITS = {
    0: "under-voltage",
    1: "frequency capped",
    2: "throttled",
    3: "soft temperature limit",
}
SINCE_BOOT = 16
TIMEOUT = 20.0
POLL_SECONDS = 5.0
# The pattern is left without quotes, so that the shell there expands it.
READ_ALL = 'for f in $1; do [ -r "$f" ] && cat "$f"; done; :'


def throttled(transport: Transport, health: Health) -> int | None:
    """Return the bits of `get_throttled`, None where they cannot be read.

    The kernel's file comes second: it was seen to say 0 while vcgencmd said 0x80008 (raspberrypi/linux#2367).
    """
    for argv in (list(health.throttled), shell.script(READ_ALL, health.throttled_file)):
        try:
            return parse_throttled(_said(transport, argv))
        except ValueError:
            continue
    return None


def parse_throttled(text: str) -> int:
    """Read `throttled=0x50000` (vcgencmd) or `50000` (sysfs: hexadecimal without 0x).

    Raises:
        ValueError: it is neither.
    """
    found = re.fullmatch(r"(?:0x)?([0-9A-Fa-f]{1,8})", text.strip().removeprefix("throttled="))
    if not found:
        raise ValueError("no bits of get_throttled")
    return int(found[1], 16)


def troubles(bits: int, shift: int = 0) -> list[str]:
    """Return the names of the bits that are set; `shift` 16 looks at those since boot."""
    return [name for bit, name in BITS.items() if bits >> (bit + shift) & 1]


def appeared(before: int, during: Sequence[int]) -> list[str]:
    """Return what happened while measuring: bits that were on, and bits since boot that were not set before."""
    seen = 0
    for bits in during:
        seen |= bits | (bits & ~before) >> SINCE_BOOT
    return troubles(seen)


def temperature_c(transport: Transport, health: Health) -> float | None:
    """Return the highest temperature of a device in degrees Celsius, None where it cannot be read."""
    return parse_temperatures(_said(transport, shell.script(READ_ALL, health.temperature)))


def governors(transport: Transport, health: Health) -> list[str]:
    """Return the governors in use, sorted; none where they cannot be read."""
    return sorted(set(_said(transport, shell.script(READ_ALL, health.governor)).split()))


def _said(transport: Transport, argv: list[str]) -> str:
    """Return what a program prints; nothing if it fails or takes too long."""
    if not argv:
        return ""
    try:
        done = retried(lambda: transport.run(argv, timeout=TIMEOUT))
    except TargetTimeout:
        return ""
    except TargetError:
        raise
    except EdgekitError:  # this machine has no such program
        return ""
    return done.stdout if done.returncode == 0 else ""


def parse_temperatures(text: str) -> float | None:
    """Return the highest of what thermal zones say, millidegrees or (on some phones) degrees, in degrees Celsius."""
    found = []
    for word in text.split():
        if re.fullmatch(r"-?[0-9]{1,9}", word):
            value = int(word)
            found.append(value / 1000 if abs(value) > 1000 else float(value))
    plausible = [value for value in found if 0 < value < 150]
    return max(plausible, default=None)


def unseen(before: int) -> list[str]:
    """Return what cannot be told from the bits: what happened since boot sets no new bit when it happens again."""
    return troubles(before, SINCE_BOOT)


def wait_cool(device: Device, below_c: float, timeout: float, task: ProgressTask) -> float:
    """Wait until a device is cooler than `below_c`; return its temperature in degrees Celsius.

    Raises:
        TargetError: its temperature cannot be read.
        RunnerTimeout: it stays hotter for `timeout` seconds.
    """
    end = time.monotonic() + timeout
    while True:
        now = temperature_c(device.transport, device.target.health)
        if now is None:
            raise TargetError(
                f"{device.name}: the temperature cannot be read from `{device.target.health.temperature}`",
                "omit --cool-below, or set `temperature` in the target's file",
                code="temperature-unreadable",
            )
        if now < below_c:
            return now
        if time.monotonic() >= end:
            raise RunnerTimeout(
                f"{device.name}: still {now:.1f} C after {timeout:g} s, --cool-below {below_c:g}",
                "cool it, or raise --cool-below or --cool-timeout",
                code="device-hot",
            )
        task.advance(f"cooling, {now:.1f} C", units=0)
        time.sleep(POLL_SECONDS)
