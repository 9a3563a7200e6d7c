"""A device: a name, the way to it, its files, and a Python interpreter on it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edgekit.devices.interpreter import MODULES
from edgekit.devices.target import DESKTOP, Target
from edgekit.devices.targets import host_variable
from edgekit.devices.transports.adb import AdbTransport
from edgekit.devices.transports.base import Transport
from edgekit.devices.transports.local import LocalTransport
from edgekit.devices.transports.ssh import SshTransport
from edgekit.devices.work import LocalWork, RemoteWork, Work
from edgekit.errors import InputError
from edgekit.files.opening import expanded
from edgekit.processes.python import folders_with
from edgekit.progress import SILENT, Progress


@dataclass(frozen=True)
class Device:
    """Where runner jobs go.

    Attributes:
        target: its description.
        transport: how programs get there.
        work: how files get there.
        python: the interpreter on the device that has numpy and a runtime.
        folders: where it finds these besides its own site-packages, and before them.
        prefix: a program, with arguments, that starts it.
    """

    target: Target
    transport: Transport
    work: Work
    python: str
    folders: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The target's name, as in `--target`."""
        return self.target.name


@contextmanager
def connected(target: Target, progress: Progress = SILENT) -> Iterator[Transport]:
    """Reach a device and let go of it afterwards.

    Args:
        target: which.
        progress: told when its connection breaks.

    Raises:
        InputError: the target has no address.
        TargetError: it cannot be reached.
    """
    transport = _transport(target, progress)
    try:
        yield transport
    finally:
        transport.close()


@contextmanager
def open_device(target: Target = DESKTOP, python: str | None = None, progress: Progress = SILENT) -> Iterator[Device]:
    """Open a target for one session and close it afterwards.

    Args:
        target: which.
        python: another interpreter on it.
        progress: told when its connection breaks.

    Raises:
        InputError: the target has no address.
        TargetError: it cannot be reached, or another edgekit is measuring there.
    """
    with connected(target, progress) as transport:
        work: Work = LocalWork() if target.transport == "local" else RemoteWork(transport, target.work)
        usual = sys.executable if target.transport == "local" else target.python
        try:
            ours = target.transport == "local" and python in (None, sys.executable)
            folders = folders_with(("numpy", *MODULES.values())) if ours else ()
            yield Device(target, transport, work, python or usual, folders)
        finally:
            work.close()


def _transport(target: Target, progress: Progress) -> Transport:
    if target.transport == "local":
        return LocalTransport()
    if target.transport == "emulated":
        return _emulated(progress)
    if target.transport == "adb":
        return AdbTransport(target.serial)
    if target.host is None:
        raise InputError(
            f"target `{target.name}` has no address", f"give --host user@address, or set {host_variable(target.name)}"
        )
    identity = expanded(target.identity) if target.identity else None
    return SshTransport(target.host, target.port, identity, target.options, progress.warn)


def _emulated(progress: Progress) -> Transport:
    from edgekit.devices.emulated import board

    running = board.status()
    if running is None:
        raise InputError("the emulated board is not running", "start it with: edgekit targets emulate up")
    return SshTransport(running.destination, running.port, running.identity, running.options, progress.warn)
