"""The ways to reach a device. A new one is one module and one row here.

What a target's `transport` may be, what `--host` and `--identity` mean for it, and how sessions treat the device all
follow from these rows; nothing else asks for a transport by name.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from edgekit.devices.transports.address import adb_address, ssh_address

if TYPE_CHECKING:
    from edgekit.devices.transports.address import Address
    from edgekit.devices.transports.base import Transport
    from edgekit.progress import Progress


class Connector(Protocol):
    """What the module of a transport offers."""

    def connect(self, address: Address, progress: Progress) -> Transport:
        """Reach a device; `progress` is notified when the connection breaks.

        Raises:
            InputError: there is no such address, or a program for it is not installed here.
            TargetError: the device cannot be reached.
        """


@dataclass(frozen=True)
class TransportKind:
    """A way to reach devices.

    Attributes:
        name: of it in target files: `transport = "ssh"`.
        reaches: what is reached, as half a sentence.
        module: a `Connector`, imported when a device is reached.
        read_host: turns what `--host` gives into fields of a target; None: it has no address.
        needs_address: whether nothing is reached without one.
        takes_identity: whether a private key can be given, with `identity` or `--identity`.
        checks_host_key: whether an answer proves which device it is.
        is_host: whether it is this machine: files are used where they are, with this Python and its packages.
        shares_cpu: whether programs run on this machine's CPU: such devices are measured one after another.
        may_lack_python: whether devices are common that have no Python.
    """

    name: str
    reaches: str
    module: str
    read_host: Callable[[str], Mapping[str, str | int | None]] | None = None
    needs_address: bool = False
    takes_identity: bool = False
    checks_host_key: bool = False
    is_host: bool = False
    shares_cpu: bool = False
    may_lack_python: bool = False

    @property
    def options(self) -> list[str]:
        """Which options of commands it takes."""
        takes = {"--host": self.read_host is not None, "--identity": self.takes_identity}
        return [option for option, taken in takes.items() if taken]

    def connect(self, address: Address, progress: Progress) -> Transport:
        """Reach a device (see `Connector.connect`)."""
        return cast(Connector, importlib.import_module(self.module)).connect(address, progress)


TRANSPORTS: list[TransportKind] = [
    TransportKind(
        "local", "this machine", "edgekit.devices.transports.local", is_host=True, shares_cpu=True
    ),
    TransportKind(
        "ssh", "a board or another machine", "edgekit.devices.transports.ssh",
        read_host=ssh_address, needs_address=True, takes_identity=True, checks_host_key=True,
    ),
    TransportKind(
        "adb", "an Android phone", "edgekit.devices.transports.adb", read_host=adb_address, may_lack_python=True
    ),
    TransportKind(
        "emulated", "an ARM64 board that QEMU emulates on this machine", "edgekit.devices.emulated.connection",
        checks_host_key=True, shares_cpu=True,
    ),
]  # fmt: skip


def transport_names() -> list[str]:
    """Return what `transport` may be in a target's file."""
    return [kind.name for kind in TRANSPORTS]


def transport_kind(name: str) -> TransportKind:
    """Return the row of a transport, by a name of `transport_names`."""
    return next(kind for kind in TRANSPORTS if kind.name == name)


def with_option(option: str) -> str:
    """Return the names of transports that take `--host` or `--identity`, for hints."""
    return " and ".join(kind.name for kind in TRANSPORTS if option in kind.options)


def transports_table() -> str:
    """Return the transports as rows of a Markdown table: name, what is reached, and which options it takes."""
    return "\n".join(
        f"| `{kind.name}` | {kind.reaches} | {', '.join(f'`{option}`' for option in kind.options)} |"
        for kind in TRANSPORTS
    )
