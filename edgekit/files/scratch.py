"""Folders for work under way: locked as long as their process lives, removed by the next start when it died.

A folder's name ends in `DIGITS` random hex digits. It holds a file, `LOCK`, that its process keeps open and locked
(flock): the kernel lets go of it however the process ends. So a folder whose lock is free belongs to nobody, however
young it is, and one whose lock is held is at work, however old. Process numbers and ages are not looked at: the former
come again, the latter say nothing.

What is removed has the name, the owner and the lock file. No link is followed: every step goes through folders that are
open already, so nothing can be put in the way between the look and the removal. (That is why filelock does not serve
here: it opens its lock by path, follows links, and knows no folder that goes away under it.)
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = ".edgekit-lock"
DIGITS = 12
_LEFT = (OSError, RecursionError)
"""Troubles with which a folder is left to the next sweep; the latter of one that is very deep."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_FOUND = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK


class Scratch:
    """A new folder of this process, until it is closed or the process ends; to be used in a `with` block.

    Args:
        parent: a folder that exists.
        stem: how the name begins.
        mode: of the folder, before the umask.

    Attributes:
        path: the folder.

    Raises:
        OSError: it cannot be made there.
    """

    def __init__(self, parent: Path, stem: str, mode: int = 0o777) -> None:
        self._process, self._lock = os.getpid(), -1
        while self._lock < 0:
            self.path = parent / f"{stem}{os.urandom(DIGITS // 2).hex()}"
            self._lock = _made(self.path, mode)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder; in a fork of the process that made it nothing happens."""
        lock, self._lock = self._lock, -1
        if lock < 0:
            return
        try:
            if self._process == os.getpid():
                with contextlib.suppress(*_LEFT), _opened(self.path.parent) as parent:
                    _remove(parent, self.path.name)
        finally:
            os.close(lock)


def sweep(parent: Path, stem: str, rescue: Callable[[Path], None] | None = None) -> None:
    """Remove what dead processes of this user left in a folder. Troubles are left to the next sweep.

    Args:
        parent: the folder.
        stem: a regular expression for how the names begin.
        rescue: called with every folder that is about to be removed.
    """
    pattern = re.compile(rf"(?:{stem})[0-9a-f]{{{DIGITS}}}", re.DOTALL)
    names: list[str] = []
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        names += [entry.name for entry in entries if pattern.fullmatch(entry.name)]
    for name in names:
        with contextlib.suppress(*_LEFT), _opened(parent) as folder, _dead(folder, name):
            if rescue is not None:
                rescue(parent / name)
            _remove(folder, name)


def _made(path: Path, mode: int) -> int:
    """Make a folder and return its lock, open and held; -1 where the name was taken, or a sweep took the folder."""
    try:
        path.mkdir(mode)
    except FileExistsError:
        return -1
    try:
        lock = os.open(path / LOCK, _NEW, 0o600)
    except FileNotFoundError:  # it was empty, so a sweep took it for one that was left
        if path.parent.is_dir():
            return -1
        raise
    except OSError:
        path.rmdir()
        raise
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # a sweep saw it free
        os.close(lock)
        return -1
    except OSError:  # a file system without locks: nothing there is ever swept
        return lock
    with contextlib.suppress(OSError):
        if os.path.samestat(os.fstat(lock), (path / LOCK).lstat()):
            return lock
    os.close(lock)
    return -1


@contextmanager
def _dead(parent: int, name: str) -> Iterator[None]:
    """Hold the lock of a folder whose process is dead.

    Raises:
        OSError: it is at work, or is not ours; or it was empty, and is gone now.
    """
    with _opened(name, parent) as folder:
        if os.fstat(folder).st_uid != os.geteuid():
            raise PermissionError
        try:
            lock = os.open(LOCK, _FOUND, dir_fd=folder)
        except FileNotFoundError:
            os.rmdir(name, dir_fd=parent)  # empty: its process died between two steps of making or removing it
            raise
        try:
            known = os.fstat(lock)
            if not stat.S_ISREG(known.st_mode) or known.st_uid != os.geteuid() or known.st_size:
                raise PermissionError
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(known, os.stat(LOCK, dir_fd=folder, follow_symlinks=False)):
                raise FileNotFoundError
            yield
        finally:
            os.close(lock)


def _remove(parent: int, name: str) -> None:
    """Remove a folder, its lock last: what is left when this is interrupted is swept, too."""
    with _opened(name, parent) as folder:
        with os.scandir(folder) as entries:
            inside = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries if entry.name != LOCK]
        for entry, is_folder in inside:
            if is_folder:
                shutil.rmtree(entry, dir_fd=folder)
            else:
                os.unlink(entry, dir_fd=folder)
        os.unlink(LOCK, dir_fd=folder)
        os.rmdir(name, dir_fd=parent)


@contextmanager
def _opened(path: Path | str, parent: int | None = None) -> Iterator[int]:
    # What we were given may be reached through links; what is found in there may not.
    handle = os.open(path, _FOLDER if parent is not None else _FOLDER & ~os.O_NOFOLLOW, dir_fd=parent)
    try:
        yield handle
    finally:
        os.close(handle)
