"""From an application to an exit code; also for the command lines of the benchmarks."""

from __future__ import annotations

import contextlib
import errno
import signal
import sys
from collections.abc import Callable, Sequence

from edgekit.cli.output import Output, ask, asked, show_json
from edgekit.cli.printed import Printed
from edgekit.cli.terminal import guarded, message
from edgekit.errors import InputError
from edgekit.errors.printable import with_code
from edgekit.files.explained import explained
from edgekit.files.temporary import own_process
from edgekit.processes.interruptions import Interruptions

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
    known = explained(error)
    if known is None:
        raise error
    if asked().as_json:
        show_json(failure(known.code, known.message, known.hint))
    hint = [f"  hint: {known.hint}"] if known.hint else []
    _print(f"{name}: {with_code(known.message, known.code)}", *hint)
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
        raise InputError("an argument holds a NUL character, which no path and no option has", code="path-invalid")
