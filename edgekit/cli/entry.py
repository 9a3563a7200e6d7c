"""From an application to an exit code; also for the command lines of the benchmarks."""

from __future__ import annotations

import contextlib
import errno
import signal
from collections.abc import Callable, Sequence

import typer

from edgekit.cli.interruptions import Interruptions
from edgekit.cli.printed import Printed
from edgekit.errors import EdgekitError
from edgekit.temporary import own_process

PIPE_CLOSED = 128 + signal.SIGPIPE


def run(app: Callable[[Sequence[str] | None], object], name: str, arguments: Sequence[str] | None = None) -> int:
    """Run an application and return its exit code; explained failures are printed.

    A signal of `interruptions.SIGNALS` unwinds what is under way, so that temporary folders, half-written outputs and
    child processes go, and gives 128 + its number. A reader of stdout that is gone (`| head -1`) gives `PIPE_CLOSED`,
    silently.

    Args:
        app: a Typer application.
        name: stands before error messages.
        arguments: without the program's name; None reads `sys.argv`.
    """
    code = 0
    with Interruptions() as interruptions, Printed() as printed:
        try:
            with own_process():
                app(arguments)
            printed.flush()
        except SystemExit as stop:
            code = int(stop.code or 0)
        except Exception as error:
            # Native code may have made an error of its own out of an interruption.
            if not interruptions.first and error is not printed.error:
                code = _failed(error, name)
    if interruptions.first:
        _say(f"{name}: interrupted by {interruptions.first.name}; nothing was left half-written")
        return 128 + interruptions.first
    if printed.error is None:
        return code
    if printed.error.errno == errno.EPIPE:
        return PIPE_CLOSED
    _say(f"{name}: stdout: the output cannot be written: {printed.error.strerror}")
    return code or 1


def _failed(error: Exception, name: str) -> int:
    """Print an explained failure and return its exit code; raise any other."""
    if not isinstance(error, EdgekitError):
        raise error
    _say(f"{name}: {error.message}", *([f"  hint: {error.hint}"] if error.hint else []))
    return 1


def _say(*lines: str) -> None:
    """Print to stderr, if somebody still reads it."""
    for line in lines:
        with contextlib.suppress(OSError, ValueError):
            typer.echo(line, err=True)
