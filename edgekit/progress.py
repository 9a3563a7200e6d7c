"""How library code reports what it is doing, without printing: as calls of a `Progress`, or as typed events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol


class ProgressTask(Protocol):
    """One piece of counted work."""

    def advance(self, note: str = "", units: int = 1) -> None:
        """Report that more units are done; `note` is a short state such as `val accuracy 98.2 %`."""


class Progress(Protocol):
    """Receives what a library function is doing."""

    def notify(self, message: str) -> None:
        """Report one finished or starting step, a sentence."""

    def warn(self, message: str, code: str = "") -> None:
        """Report something the user should know, but that does not stop the work; `code`: of `edgekit explain`."""

    def task(self, label: str, total: int) -> AbstractContextManager[ProgressTask]:
        """Start counted work of `total` units."""


class Silent:
    """A `Progress` that shows nothing; the default for library calls."""

    def notify(self, message: str) -> None:
        """Ignore."""

    def warn(self, message: str, code: str = "") -> None:
        """Ignore."""

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[ProgressTask]:
        """Ignore."""
        yield self

    def advance(self, note: str = "", units: int = 1) -> None:
        """Ignore."""


SILENT = Silent()


@dataclass(frozen=True)
class Notice:
    """One finished or starting step."""

    message: str


@dataclass(frozen=True)
class Warned:
    """Something the user should know, but that does not stop the work."""

    message: str
    code: str = ""


@dataclass(frozen=True)
class Counted:
    """Counted work, at its start (0 done), after each step, and at its end (`ended`).

    Attributes:
        label: what is done, such as `training`.
        done, total: units.
        note: a short state, such as `val accuracy 98.2 %`.
        ended: nothing of it follows, whether all units were done or not.
    """

    label: str
    done: int
    total: int
    note: str = ""
    ended: bool = False


Event = Notice | Warned | Counted


class Reporter:
    """A `Progress` that hands typed events to a function.

    Args:
        receive: takes every event, in order; what it raises ends the work.
    """

    def __init__(self, receive: Callable[[Event], object]) -> None:
        self._receive = receive

    def notify(self, message: str) -> None:
        """Hand on a step."""
        self._receive(Notice(message))

    def warn(self, message: str, code: str = "") -> None:
        """Hand on a warning."""
        self._receive(Warned(message, code))

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[ProgressTask]:
        """Hand on counted work."""
        work = _Counting(label, total, self._receive)
        try:
            yield work
        finally:
            work.end()


class _Counting:
    def __init__(self, label: str, total: int, receive: Callable[[Event], object]) -> None:
        self._label, self._total, self._receive = label, total, receive
        self._done, self._note = 0, ""
        receive(Counted(label, 0, total))

    def advance(self, note: str = "", units: int = 1) -> None:
        self._done, self._note = self._done + units, note
        self._receive(Counted(self._label, self._done, self._total, note))

    def end(self) -> None:
        self._receive(Counted(self._label, self._done, self._total, self._note, ended=True))


class Replay:
    """Turns events back into calls of a `Progress`; what is still open ends with the `with` block."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._open = progress, dict[str, tuple[ProgressTask, ExitStack, int]]()

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, *_: object) -> None:
        for label in [*self._open]:
            self._end(label)

    def __call__(self, event: Event) -> None:
        """Report one event."""
        if isinstance(event, Notice):
            self._progress.notify(event.message)
        elif isinstance(event, Warned):
            self._progress.warn(event.message, event.code)
        elif event.ended:
            self._end(event.label)
        else:
            self._count(event)

    def _count(self, event: Counted) -> None:
        if event.label not in self._open:
            stack = ExitStack()
            self._open[event.label] = stack.enter_context(self._progress.task(event.label, event.total)), stack, 0
        task, stack, before = self._open[event.label]
        self._open[event.label] = task, stack, event.done
        if event.done > before:
            task.advance(event.note, event.done - before)

    def _end(self, label: str) -> None:
        if label in self._open:
            self._open.pop(label)[1].close()
