"""Time limits for work that reports its progress: a training looks at the clock after every epoch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from edgekit.progress import Progress, ProgressTask


class Expired(BaseException):
    """The time is over; no library catches this as an error.

    Attributes:
        whose: `search` or `trial`.
    """

    def __init__(self, whose: str) -> None:
        super().__init__(whose)
        self.whose = whose


class Timed:
    """A `Progress` that raises `Expired` with the next report after a deadline.

    Args:
        progress: where reports go.
        deadlines: by whose they are, seconds of `time.monotonic`.
    """

    def __init__(self, progress: Progress, deadlines: dict[str, float]) -> None:
        self._progress, self._deadlines = progress, deadlines

    def notify(self, message: str) -> None:
        """Report a step."""
        self.check()
        self._progress.notify(message)

    def warn(self, message: str, code: str = "") -> None:
        """Report a warning."""
        self.check()
        self._progress.warn(message, code)

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[ProgressTask]:
        """Count work."""
        self.check()
        with self._progress.task(label, total) as task:
            yield _Counted(task, self)

    def check(self) -> None:
        """Raise `Expired` after a deadline."""
        now = time.monotonic()
        for whose, deadline in self._deadlines.items():
            if now > deadline:
                raise Expired(whose)


class _Counted:
    def __init__(self, task: ProgressTask, timed: Timed) -> None:
        self._task, self._timed = task, timed

    def advance(self, note: str = "", units: int = 1) -> None:
        self._task.advance(note, units)
        self._timed.check()
