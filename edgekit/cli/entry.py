"""From an application to an exit code; also for the command lines of the benchmarks."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import typer
from typer.core import TyperCommand

from edgekit.cli.terminal import guarded, message
from edgekit.errors import EdgekitError, InputError

LONGEST_NAME, LONGEST_PATH = 255, 4095
"""Bytes that Linux takes."""


class Command(TyperCommand):
    """A command whose paths are such before it begins."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Raises:
            BadParameter: a path is one that no system call takes.
        """
        for name, value in ctx.params.items():
            for path in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(path, Path) and (fault := _fault(path)):
                    raise typer.BadParameter(fault, param_hint=name)
        return super().invoke(ctx)


def _fault(path: Path) -> str | None:
    whole = os.fsencode(path)
    if b"\0" in whole:
        return "a path holds no NUL"
    longest = max(map(len, map(os.fsencode, path.parts)), default=0)
    if longest > LONGEST_NAME or len(whole) > LONGEST_PATH:
        sizes = f"a name of {longest} bytes in a path of {len(whole)}"
        return f"{sizes}, at most {LONGEST_NAME} and {LONGEST_PATH} are possible"
    return None


def run(app: Callable[[Sequence[str] | None], object], name: str, arguments: Sequence[str] | None = None) -> int:
    """Run an application and return its exit code; explained failures are printed.

    Args:
        app: a Typer application.
        name: stands before error messages.
        arguments: without the program's name; None reads `sys.argv`.
    """
    interrupted: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        """Unwind, so that temporary folders go."""
        interrupted.append(number)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        with guarded():
            _check_arguments(sys.argv[1:] if arguments is None else arguments)
            app(arguments)
    except SystemExit as stop:
        return 128 + interrupted[0] if interrupted else int(stop.code or 0)
    except Exception as error:
        if interrupted:  # in the middle of native code, which made an error of its own out of it
            return 128 + interrupted[0]
        told = _told(error)
        if told is None:
            raise
        message(f"{name}: {told.message}")
        if told.hint:
            message(f"  hint: {told.hint}")
        return 1
    return 0


def _check_arguments(arguments: Sequence[str]) -> None:
    if any("\0" in argument for argument in arguments):
        raise InputError("an argument holds a NUL character, which no path and no option has")


def _told(error: Exception) -> EdgekitError | None:
    """Return the explained failure that an exception is: also what the system says of a path, wherever it came from."""
    if isinstance(error, EdgekitError):
        return error
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        named = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else str(error.filename)
        return EdgekitError(f"{named if len(named) < 200 else named[:200] + '…'}: {error.strerror}")
    if isinstance(error, ValueError) and "embedded null" in str(error):
        return EdgekitError("a path holds a NUL character")
    return None
