"""What every transport offers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from edgekit.errors import ConnectionFailed, TargetTimeout

ATTEMPTS = 3
PAUSE = 1.0
"""Seconds before a broken connection is tried again; twice as long each further time."""

LOST = 255
"""The exit code of ssh for its own troubles."""
ANSWER_BYTES = 64 << 20
"""What a device may answer to one question: of a file, or printed by a program."""
OnLine = Callable[[str], None]
Result = TypeVar("Result")


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


class Deadline:
    """One limit for a chain of waits.

    Args:
        seconds: from now.
        what: for the message when it has passed.
    """

    def __init__(self, seconds: float, what: str) -> None:
        self._seconds, self._what = seconds, what
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds left.

        Raises:
            TargetTimeout: none are.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TargetTimeout(f"{self._what} did not end within {self._seconds:.3g} s", code="device-timeout")
        return left


class Channel(Protocol):
    """A program that runs on the device while its stdin stays open; it sees the end of stdin when we are gone."""

    @property
    def alive(self) -> bool:
        """Whether it still runs."""

    def read_line(self, timeout: float) -> str | None:
        """Return the next line of its stdout, or None when it has ended.

        Raises:
            TargetTimeout: none came in time.
        """

    def write_line(self, line: str) -> None:
        """Send a line to its stdin.

        Raises:
            ConnectionFailed: it is gone.
        """

    def stderr_text(self) -> str:
        """Return what it printed to stderr so far."""

    def close(self, timeout: float) -> int:
        """Close its stdin, wait for its end, and return its exit code (255 where that is unknown)."""


class Transport(Protocol):
    """Runs programs and moves files. argv stays a list until the transport quotes it, once, where it must.

    Attributes:
        address: of the device, for messages: `pi@raspberrypi.local`.
    """

    @property
    def address(self) -> str:
        """The device, for messages."""

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        on_line: OnLine | None = None,
    ) -> Completed:
        """Run a program to its end.

        Args:
            argv: the program and its arguments.
            timeout: seconds after which it is killed.
            env: variables set in addition to the device's own.
            on_line: called with every line of stderr when it comes.

        Raises:
            TargetTimeout: it did not end in time; it has been killed.
            ConnectionFailed: the device was lost meanwhile; the program ends by itself there.
            EdgekitError: it could not be started.
        """

    def start(self, argv: Sequence[str]) -> Channel:
        """Start a program that lasts as long as its stdin is open.

        Raises:
            EdgekitError: it could not be started.
        """

    def put(self, local: Path, folder: str, name: str, digest: str, *, timeout: float) -> int:
        """Copy a file to the device; it appears there whole and verified, or not at all.

        What an interrupted copy of the same content left is continued. No link below the folder is followed.

        Args:
            local: the file here.
            folder: on the device, a path from /; it exists.
            name: a plain relative path below it (`edgekit.devices.transports.below.parts_below`); its folders are made.
            digest: its SHA-256, which the device checks.
            timeout: seconds.

        Returns:
            The number of bytes that were sent.

        Raises:
            InputError: the name is not plain.
            TargetError: the device has no space left, or does not allow it, or a link is in the way.
            ConnectionFailed: the device was lost meanwhile.
            TargetTimeout: it took too long.
        """

    def get(self, remote: str, local: Path, *, timeout: float, limit: int = ANSWER_BYTES) -> None:
        """Copy a file of the device to this machine.

        Args:
            remote: its path there.
            local: where to, in a folder of ours; what is there is replaced, and no link followed.
            timeout: seconds.
            limit: bytes; a device that sends more is not listened to any longer.

        Raises:
            FileNotFoundError: there is no such file on the device.
            TargetError: it is larger than the limit, or no file.
            ConnectionFailed: the device was lost meanwhile.
            TargetTimeout: it took too long.
        """

    def close(self) -> None:
        """Let go of the device."""


def retried(call: Callable[[], Result]) -> Result:
    """Call again after a broken connection; only for what may be done twice.

    Raises:
        ConnectionFailed: it broke every time.
    """
    for attempt in range(ATTEMPTS - 1):
        try:
            return call()
        except ConnectionFailed:
            time.sleep(PAUSE * 2**attempt)
    return call()
