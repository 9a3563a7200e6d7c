"""An embedded storage: a journal file, by default in the search's folder, and lock files beside it.

Beside the journal lies a lock file a trial, which the kernel frees when its process ends, however that comes about, and
on other machines of a network file system, too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from edgekit.errors import InputError
from edgekit.errors.printable import quoted, visible
from edgekit.files.opening import brief, check_readable
from edgekit.files.turns import is_taken, turn
from edgekit.files.whole import explained_write_errors
from edgekit.pipeline.searching.shared import Shared, requeue
from edgekit.schema.types import JsonObject

if TYPE_CHECKING:
    import optuna

LONGEST_LINE = 1 << 20
_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, AssertionError, IndexError)
"""What Optuna raises for a file that is no journal, or lost a part."""


class Journal(Shared):
    """A journal file.

    Args:
        path: of the file, made if it is missing.

    Raises:
        InputError: there is something that is no journal, or is damaged.
        OutputError: it cannot be written there.
    """

    def __init__(self, path: Path) -> None:
        from optuna.storages import JournalStorage

        self.where, self._locks = brief(path), path.with_name(f"{path.name}.locks")
        check_readable(path)
        if path.is_dir():
            raise InputError(
                f"{self.where}: is a folder, expected a file", "name one with `--storage`", code="not-a-file"
            )
        with self.turn(), self.explained():
            self.storage = JournalStorage(_backend(path, self._locks / "writing"))

    @contextmanager
    def explained(self) -> Iterator[None]:
        """See `Shared`; a file that is no journal shows while it is read."""
        try:
            with super().explained():
                yield
        except _DAMAGE as error:
            raise InputError(
                f"{self.where}: not the journal of a search, or damaged: {visible(str(error))[:200]}",
                "name another with `--storage`, or start over with `--fresh`",
                code="storage-damaged",
            ) from error

    def turn(self) -> AbstractContextManager[None]:
        """See `Shared`."""
        return turn(self._locks / "turn")

    def lease(self, number: int) -> AbstractContextManager[None]:
        """See `Shared`."""
        return turn(self._locks / f"trial-{number}")

    def reap(self, study: optuna.Study) -> None:
        """See `Shared`; trials are taken and leased in turns, so one without a lease has no worker."""
        from optuna.trial import TrialState

        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if not is_taken(self._locks / f"trial-{trial.number}"):
                study.tell(trial.number, state=TrialState.FAIL)
                requeue(study, trial)


def _backend(path: Path, lock: Path) -> optuna.storages.journal.BaseJournalBackend:
    """Return how Optuna reads and writes the journal.

    Optuna's own files are locked by links, which outlive a killed process for 30 s, and a line that a full disk cut off
    joins the next one.
    """
    from optuna.storages.journal import BaseJournalBackend

    with explained_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with path.open("rb") as stream:
        first = stream.readline(LONGEST_LINE)
        if first and not first.endswith(b"\n"):  # what is no journal must not be cut off
            raise ValueError("it does not begin with a line")

    class Backend(BaseJournalBackend):
        """A line of JSON an operation."""

        def __init__(self) -> None:
            self._offsets = [0]

        def read_logs(self, log_number_from: int) -> Iterator[JsonObject]:
            """Yield the operations from a number on; a line without an end is not there yet."""
            with path.open("rb") as stream:
                stream.seek(self._offsets[min(log_number_from, len(self._offsets) - 1)])
                for number, line in enumerate(stream, min(log_number_from, len(self._offsets) - 1)):
                    if not line.endswith(b"\n"):
                        return
                    if number + 1 == len(self._offsets):
                        self._offsets.append(self._offsets[-1] + len(line))
                    if number >= log_number_from:
                        yield _operation(line)

        def append_logs(self, logs: list[JsonObject]) -> None:
            """Write operations behind the last whole one."""
            text = "".join(f"{json.dumps(log, separators=(',', ':'))}\n" for log in logs)
            with turn(lock), explained_write_errors(path), path.open("r+b") as stream:
                _whole(stream)
                stream.write(text.encode())
                stream.flush()
                os.fsync(stream.fileno())

    return Backend()


def _operation(line: bytes) -> JsonObject:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError(f"a line holds {quoted(value)}")
    return value


def _whole(stream: BinaryIO) -> None:
    """Go behind the last whole line, and cut off what a full disk or a lost network left behind it."""
    end = stream.seek(0, os.SEEK_END)
    start = max(0, end - LONGEST_LINE)
    stream.seek(start)
    tail = stream.read()
    stream.seek(start + tail.rfind(b"\n") + 1)
    stream.truncate()
