"""Turns: of several processes one at a time, the others wait. A dead process has no turn: the kernel ends it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgekit.files.whole import explained_write_errors


@contextmanager
def turn(path: Path, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Wait until no other process has the turn, and have it for a `with` block.

    Args:
        path: the lock file, which stays; its folder is made if it is missing.
        waiting: called once if another process has the turn.

    Raises:
        OutputError: it cannot be made there.
    """
    handle = _opened(path)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def is_taken(path: Path) -> bool:
    """Return whether a process has the turn."""
    handle = _opened(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _opened(path: Path) -> int:
    with explained_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
