"""Signals that ask for the end, and what they do to work under way."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
IMPATIENT_SECONDS = 5.0
"""After an interruption, when another one does not wait for the tidying up any longer."""
AGAIN_SECONDS = 1.0
"""After which an interruption that some library swallowed comes again."""


class Interrupted(BaseException):
    """A signal asked for the end; no library catches this as an error, nor as a key of the user's."""


class Interruptions:
    """Turns signals into `Interrupted`, for a `with` block in the main thread.

    Attributes:
        first: the first signal that came.
    """

    def __init__(self) -> None:
        self.first: signal.Signals | None = None
        self._since, self._over = 0.0, False
        self._before: dict[int, object] = {}
        self._hook = sys.unraisablehook

    def __enter__(self) -> Interruptions:
        for number in SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:  # nohup
                continue
            self._before[number] = signal.signal(number, self._come)
        # Where a weak reference's callback or a destructor swallows it, Python would print that.
        self._hook, sys.unraisablehook = sys.unraisablehook, self._swallowed
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._over = True
        sys.unraisablehook = self._hook
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

    def _swallowed(self, what: sys.UnraisableHookArgs) -> None:
        if not isinstance(what.exc_value, Interrupted):
            self._hook(what)

    def _again(self, number: int, frame: FrameType | None) -> None:
        error = sys.exception()
        while error is not None and not isinstance(error, Interrupted):
            error = error.__context__
        if error is None:  # else it is on its way
            raise Interrupted
