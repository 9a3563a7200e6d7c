"""From an application to an exit code; also for the command lines of the benchmarks."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence

from edgekit.cli.interruptions import Interruptions
from edgekit.cli.output import Output, ask, asked, show_json
from edgekit.cli.printed import Printed
from edgekit.cli.terminal import guarded, message
from edgekit.errors import EdgekitError, InputError
from edgekit.files.temporary import of_temporaries, own_process
from edgekit.text.printable import with_code

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
    ask(Output())
    with Interruptions() as interruptions, Printed() as printed:
        try:
            with own_process(), guarded():
                _check_arguments(sys.argv[1:] if arguments is None else arguments)
                app(arguments)
            printed.flush()
        except SystemExit as stop:
            code = int(stop.code or 0)
        except Exception as error:
            # Native code may have made an error of its own out of an interruption.
            if not interruptions.first and error is not printed.error:
                code = _failed(error, name)
    if interruptions.first:
        _print(f"{name}: interrupted by {interruptions.first.name}; nothing was left half-written")
        return 128 + interruptions.first
    if printed.error is None:
        return code
    if printed.error.errno == errno.EPIPE:
        return PIPE_CLOSED
    _print(f"{name}: stdout: the output cannot be written: {printed.error.strerror}")
    return code or 1


def _failed(error: Exception, name: str) -> int:
    """Print an explained failure and return its exit code; raise any other."""
    explained = _explained(error)
    if explained is None:
        raise error
    if asked().as_json:
        show_json(failure(explained.code, explained.message, explained.hint))
    hint = [f"  hint: {explained.hint}"] if explained.hint else []
    _print(f"{name}: {with_code(explained.message, explained.code)}", *hint)
    return 1


def failure(code: str, message: str, hint: str = "") -> dict[str, dict[str, str]]:
    """Return what `--json` prints in place of a result."""
    return {"error": {"code": code, "message": message, "hint": hint}}


def _print(*lines: str) -> None:
    """Print to stderr, if somebody still reads it."""
    for line in lines:
        with contextlib.suppress(OSError, ValueError):
            message(line)


def _check_arguments(arguments: Sequence[str]) -> None:
    if any("\0" in argument for argument in arguments):
        raise InputError("an argument holds a NUL character, which no path and no option has")


def _explained(error: Exception) -> EdgekitError | None:
    """Return the explained failure that an exception is: also what the system says of a path, wherever it came from."""
    if isinstance(error, EdgekitError):
        return error
    if isinstance(error, OSError) and (full := of_temporaries(error)) is not None:
        return full
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        named = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else str(error.filename)
        return EdgekitError(f"{named if len(named) < 200 else named[:200] + '…'}: {error.strerror}")
    if isinstance(error, ValueError) and "embedded null" in str(error):
        return EdgekitError("a path holds a NUL character")
    return None
