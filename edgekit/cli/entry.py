"""From an application to an exit code; also for the command lines of the benchmarks."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

import typer

from edgekit.errors import EdgekitError
from edgekit.temporary import own_process

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
IMPATIENT_SECONDS = 5.0
"""After an interruption, when another one does not wait for the tidying up any longer."""
AGAIN_SECONDS = 1.0
"""After which an interruption that some library swallowed comes again."""
PIPE_CLOSED = 128 + signal.SIGPIPE


def run(app: Callable[[Sequence[str] | None], object], name: str, arguments: Sequence[str] | None = None) -> int:
    """Run an application and return its exit code; explained failures are printed.

    A signal of `SIGNALS` unwinds what is under way, so that temporary folders, half-written outputs and child processes
    go, and gives 128 + its number. A reader of stdout that is gone (`| head -1`) gives `PIPE_CLOSED`, silently.

    Args:
        app: a Typer application.
        name: stands before error messages.
        arguments: without the program's name; None reads `sys.argv`.
    """
    code = 0
    with _Interruptions() as interruptions, _Printed() as printed:
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


class Interrupted(BaseException):
    """A signal asked for the end; no library catches this as an error, nor as a key of the user's."""


class _Interruptions:
    """Turns signals into `Interrupted`, for a `with` block in the main thread.

    Attributes:
        first: the first signal that came.
    """

    def __init__(self) -> None:
        self.first: signal.Signals | None = None
        self._since, self._over = 0.0, False
        self._before: dict[int, object] = {}

    def __enter__(self) -> _Interruptions:
        for number in SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:  # nohup
                continue
            self._before[number] = signal.signal(number, self._come)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._over = True
        if self.first:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        return isinstance(error, Interrupted)

    def _come(self, number: int, frame: FrameType | None) -> None:
        if self.first is None:
            self.first, self._since = signal.Signals(number), time.monotonic()
            if self._over:
                return
            # A bare `except`, of which imports of large packages are full, and destructors swallow what is raised here.
            self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._again)
            signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS, AGAIN_SECONDS)
            raise Interrupted
        if time.monotonic() - self._since > IMPATIENT_SECONDS:
            os._exit(128 + self.first)  # children end by themselves, the next start sweeps

    def _again(self, number: int, frame: FrameType | None) -> None:
        error = sys.exception()
        while error is not None and not isinstance(error, Interrupted):
            error = error.__context__
        if error is None:  # else it is on its way
            raise Interrupted


class _Printed:
    """Stands in for stdout and remembers how writing to it failed, for a `with` block.

    Attributes:
        error: the last; None: it did not fail.
    """

    def __init__(self) -> None:
        self.error: OSError | None = None
        self._stream = sys.stdout

    def __enter__(self) -> _Printed:
        sys.stdout = self
        return self

    def __exit__(self, *raised: object) -> None:
        sys.stdout = self._stream
        with contextlib.suppress(OSError):
            self.flush()
        if self.error is not None:
            # So that the end of Python does not try again, and complain.
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write to stdout."""
        with self._noted():
            return self._stream.write(text)

    def flush(self) -> None:
        """Write what is still to be written."""
        with self._noted():
            self._stream.flush()

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = error
            raise


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
