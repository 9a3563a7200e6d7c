"""From an application to an exit code; also for the command lines of the benchmarks."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from types import FrameType

import typer

from edgekit.errors import EdgekitError


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
        app(arguments)
    except SystemExit as stop:
        return 128 + interrupted[0] if interrupted else int(stop.code or 0)
    except Exception as error:
        if interrupted:  # in the middle of native code, which made an error of its own out of it
            return 128 + interrupted[0]
        if not isinstance(error, EdgekitError):
            raise
        typer.echo(f"{name}: {error.message}", err=True)
        if error.hint:
            typer.echo(f"  hint: {error.hint}", err=True)
        return 1
    return 0
