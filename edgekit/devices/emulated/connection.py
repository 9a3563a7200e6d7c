"""The way to the emulated board: ssh to a port of this machine, with the board's own key."""

from __future__ import annotations

from edgekit.devices.emulated import board
from edgekit.devices.transports.address import Address
from edgekit.devices.transports.base import Transport
from edgekit.devices.transports.ssh import SshTransport
from edgekit.errors import InputError
from edgekit.progress import Progress


def connect(address: Address, progress: Progress) -> Transport:
    """Reach the board that is up; its address is where it listens (see `registry.Connector`)."""
    running = board.status()
    if running is None:
        raise InputError(
            "the emulated board is not running", "start it with: edgekit targets emulate up", code="board-not-running"
        )
    return SshTransport(running.destination, running.port, running.identity, running.options, progress.warn)
