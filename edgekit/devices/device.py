"""A device: a name, the way to it, its files, and a Python interpreter on it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edgekit.devices.interpreter import MODULES
from edgekit.devices.target import DESKTOP, Target
from edgekit.devices.targets import host_variable
from edgekit.devices.transports.base import Transport
from edgekit.devices.work import LocalWork, RemoteWork, Work
from edgekit.errors import InputError
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
        progress: notified when its connection breaks.

    Raises:
        InputError: the target has no address.
        TargetError: it cannot be reached.
    """
    if target.kind.needs_address and target.host is None:
        raise InputError(
            f"target `{target.name}` has no address",
            f"give --host user@address, or set {host_variable(target.name)}",
            code="address-missing",
        )
    transport = target.kind.connect(target.address, progress)
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
        progress: notified when its connection breaks.

    Raises:
        InputError: the target has no address.
        TargetError: it cannot be reached, or another edgekit is measuring there.
    """
    with connected(target, progress) as transport:
        is_host = target.kind.is_host
        work: Work = LocalWork() if is_host else RemoteWork(transport, target.work)
        try:
            ours = is_host and python in (None, sys.executable)
            folders = folders_with(("numpy", *MODULES.values())) if ours else ()
            yield Device(target, transport, work, python or default_python(target), folders)
        finally:
            work.close()


def default_python(target: Target) -> str:
    """Return the interpreter that is used on a target unless another is named: on this machine the running one."""
    return sys.executable if target.kind.is_host else target.python
