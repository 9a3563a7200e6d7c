"""The `progress` argument of the Python functions: where notices, warnings and counted work go.

Nothing is printed unasked. Notices and warnings always go to the logger `edgekit`, too, at INFO and WARNING; a log
record of a warning has its code as `code`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from edgekit.api.console import Console
from edgekit.errors import EdgekitError
from edgekit.files.temporary import temporary_folder
from edgekit.progress import SILENT, Counted, Event, Notice, Progress, Replay, Warned

LOGGER = logging.getLogger("edgekit")
LOGGER.addHandler(logging.NullHandler())

ProgressOption = bool | Callable[[Event], object]
"""False: nothing is shown; True: lines and bars on stderr; a function: called with every event."""


class Receiver:
    """Takes every event of one call: logs it, shows it as asked, and keeps the warnings.

    Attributes:
        warnings: of this call, in order.
    """

    def __init__(self, show: Callable[[Event], object], folder: Path | None = None) -> None:
        self.warnings: list[Warned] = []
        self._show, self._folder = show, folder

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if self._folder is not None and not isinstance(event, Counted):
            event = replace(event, message=without(self._folder, event.message))
        if isinstance(event, Warned):
            self.warnings.append(event)
            LOGGER.warning("%s", event.message, extra={"code": event.code})
        elif isinstance(event, Notice):
            LOGGER.info("%s", event.message)
        self._show(event)


@contextmanager
def receiving(progress: ProgressOption, folder: Path | None = None) -> Iterator[Receiver]:
    """Return what takes the events of one call; what it holds open is closed with the block.

    Args:
        progress: as the user gave it.
        folder: a temporary one, which no message names.
    """
    if callable(progress):
        yield Receiver(progress, folder)
        return
    with Console() if progress else _nothing() as shown, Replay(shown) as replay:
        yield Receiver(replay, folder)


@contextmanager
def working(progress: ProgressOption) -> Iterator[tuple[Path, Receiver]]:
    """Lend a folder for what a call hands to its worker, and what takes its events; no message names the folder."""
    with temporary_folder("api") as folder, receiving(progress, folder) as receiver:
        try:
            yield folder, receiver
        except EdgekitError as error:
            error.message, error.hint = without(folder, error.message), without(folder, error.hint)
            raise


def without(folder: Path, text: str) -> str:
    """Return a message that names files of a temporary folder by their names alone: `data.npz`, `recipe.toml`."""
    return text.replace(f"{folder}/", "")


@contextmanager
def _nothing() -> Iterator[Progress]:
    yield SILENT
