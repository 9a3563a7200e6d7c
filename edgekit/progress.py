"""How library code reports what it is doing, without printing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Task(Protocol):
    """One piece of counted work."""

    def advance(self, note: str = "", units: int = 1) -> None:
        """Say that more units are done; `note` is a short state such as `val accuracy 98.2 %`."""


class Progress(Protocol):
    """Receives what a library function is doing."""

    def notify(self, message: str) -> None:
        """Report one finished or starting step, a sentence."""

    def warn(self, message: str, code: str = "") -> None:
        """Report something the user should know, but that does not stop the work; `code` is of `edgekit.codes`."""

    def task(self, label: str, total: int) -> AbstractContextManager[Task]:
        """Start counted work of `total` units."""


class Silent:
    """A `Progress` that shows nothing; the default for library calls."""

    def notify(self, message: str) -> None:
        """Ignore."""

    def warn(self, message: str, code: str = "") -> None:
        """Ignore."""

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Task]:
        """Ignore."""
        yield self

    def advance(self, note: str = "", units: int = 1) -> None:
        """Ignore."""


SILENT = Silent()
