"""The `progress` argument of the Python functions: where notices, warnings and counted work go.

Nothing is printed unasked. Notices and warnings always go to the logger `edgekit`, too, at INFO and WARNING; a log
record of a warning has its code as `code`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edgekit.api.console import Console
from edgekit.progress import SILENT, Event, Notice, Progress, Replay, Warned

LOGGER = logging.getLogger("edgekit")
LOGGER.addHandler(logging.NullHandler())

ProgressOption = bool | Callable[[Event], object]
"""False: nothing is shown; True: lines and bars on stderr; a function: called with every event."""


class Receiver:
    """Takes every event of one call: logs it, shows it as asked, and keeps the warnings.

    Attributes:
        warnings: of this call, in order.
    """

    def __init__(self, show: Callable[[Event], object]) -> None:
        self.warnings: list[Warned] = []
        self._show = show

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Warned):
            self.warnings.append(event)
            LOGGER.warning("%s", event.message, extra={"code": event.code})
        elif isinstance(event, Notice):
            LOGGER.info("%s", event.message)
        self._show(event)


@contextmanager
def receiving(progress: ProgressOption) -> Iterator[Receiver]:
    """Return what takes the events of one call; what it holds open is closed with the block."""
    if callable(progress):
        yield Receiver(progress)
        return
    with Console() if progress else _nothing() as shown, Replay(shown) as replay:
        yield Receiver(replay)


@contextmanager
def _nothing() -> Iterator[Progress]:
    yield SILENT
