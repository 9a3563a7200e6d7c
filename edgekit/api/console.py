"""What a command shows while it works: one line a step and progress bars on stderr."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from edgekit.errors.printable import visible, with_code
from edgekit.progress import SILENT, Event, ProgressTask, Replay

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


class Console:
    """A `Progress` on stderr: bars on a terminal, a plain line now and then elsewhere.

    It writes to a copy of file descriptor 2, so that it still shows while `edgekit.frameworks` silences native code.

    Args:
        quiet: show warnings only.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        try:
            self._out: TextIO = os.fdopen(os.dup(sys.stderr.fileno()), "w", buffering=1)
            self._own = True
            atexit.register(self._close)
        except (OSError, ValueError, AttributeError):  # stderr is not a file, as under a test runner
            self._out, self._own = sys.stderr, False
        self._bar: RichProgress | None = None

    def __enter__(self) -> Console:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the copy."""
        if self._own:
            atexit.unregister(self._close)
            self._close()

    @contextmanager
    def events(self) -> Iterator[Callable[[Event], object]]:
        """Return a function that shows typed events here; what is still open ends with the block."""
        with Replay(self) as replay:
            yield replay

    def notify(self, message: str) -> None:
        """Print a line."""
        if not self._quiet:
            self._print(message)

    def warn(self, message: str, code: str = "") -> None:
        """Print a line that starts with `warning:`, and ends with its code."""
        self._print(f"warning: {with_code(message, code)}")

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[ProgressTask]:
        """Show counted work."""
        if self._quiet:
            yield SILENT
            return
        if not self._out.isatty():
            yield _Lines(label, total, self)
            return
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Progress(*columns, console=RichConsole(file=self._out), transient=False) as bar:
            self._bar = bar
            try:
                yield _Bar(bar, bar.add_task(visible(label), total=total, note=""))
            finally:
                self._bar = None

    def _print(self, text: str) -> None:
        """Print one line, whatever it quotes."""
        line = visible(text)
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            encoding = self._out.encoding or "utf-8"
            with contextlib.suppress(OSError):  # whoever read it is gone; the work goes on
                print(line.encode(encoding, "backslashreplace").decode(encoding), file=self._out, flush=True)

    def _close(self) -> None:
        with contextlib.suppress(OSError):  # as above
            self._out.close()


class _Bar:
    def __init__(self, bar: RichProgress, task: TaskID) -> None:
        self._bar, self._task = bar, task

    def advance(self, note: str = "", units: int = 1) -> None:
        self._bar.update(self._task, advance=units, note=visible(note))


class _Lines:
    """For logs: at most one line every five seconds, and the last."""

    def __init__(self, label: str, total: int, console: Console) -> None:
        self._label, self._total, self._console = label, total, console
        self._done, self._last = 0, time.monotonic()

    def advance(self, note: str = "", units: int = 1) -> None:
        self._done += units
        if self._done == self._total or time.monotonic() - self._last >= 5:
            self._last = time.monotonic()
            self._console.notify(f"  {self._label} {self._done}/{self._total}{'  ' + note if note else ''}")
