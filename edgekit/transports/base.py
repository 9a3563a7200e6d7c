"""What every transport offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Completed:
    """A finished program.

    Attributes:
        argv: what was run.
        returncode: its exit code; minus the signal's number if a signal killed it.
        stdout, stderr: what it printed, decoded with replacement.
    """

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str


class Transport(Protocol):
    """Runs programs and moves files. argv stays a list until the transport quotes it, once, where it must."""

    def run(self, argv: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None) -> Completed:
        """Run a program to its end.

        Args:
            argv: the program and its arguments.
            timeout: seconds after which it is killed.
            env: variables set in addition to the device's own.

        Raises:
            TimeoutError: it did not end in time; it has been killed.
            EdgekitError: it could not be started.
        """

    def push(self, local: Path) -> str:
        """Make a file of this machine readable on the device and return its path there."""

    def pull(self, remote: str, local: Path) -> None:
        """Copy a file of the device to this machine.

        Raises:
            FileNotFoundError: there is no such file on the device.
        """

    def scratch(self, name: str) -> str:
        """Return a path on the device, in a private folder, where a program may write a file called `name`."""

    def close(self) -> None:
        """Remove the private folder."""
