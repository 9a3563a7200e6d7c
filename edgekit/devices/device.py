"""A device: a name, a transport and a Python interpreter on it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edgekit.errors import InputError
from edgekit.transports.base import Transport
from edgekit.transports.local import LocalTransport


@dataclass(frozen=True)
class Device:
    """Where runner jobs go.

    Attributes:
        name: the target's name, as in `--target`.
        transport: how programs and files get there.
        python: the interpreter on the device that has numpy and a runtime.
    """

    name: str
    transport: Transport
    python: str


@contextmanager
def open_device(target: str = "desktop", python: str | None = None) -> Iterator[Device]:
    """Open a target and close it afterwards.

    Args:
        target: `desktop`, this machine.
        python: another interpreter on it, by default the one that runs edgekit.

    Raises:
        InputError: unknown target.
    """
    if target != "desktop":
        raise InputError(f"unknown target `{target}`", "known targets: desktop")
    device = Device(target, LocalTransport(), python or sys.executable)
    try:
        yield device
    finally:
        device.transport.close()
