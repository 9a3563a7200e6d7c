"""Everything temporary of a process lies in one folder, which goes with the process (see `edgekit.files.scratch`)."""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.errors import OutputError
from edgekit.files.scratch import Scratch, sweep

STEM = "edgekit-"
FULL_BYTES = 4 << 20
"""Free bytes below which a disk is full."""
UNUSABLE = "temporary-folder-unusable"
_ELSEWHERE = "free some space there, or set TMPDIR to a writable folder on a disk with space"


@dataclass
class _Process:
    """Of this process: its folder, how many need it, and what was in its place before."""

    guard: threading.RLock = field(default_factory=threading.RLock)
    folder: Scratch | None = None
    users: int = 0
    number: int = 0
    ours: bool = False
    before: tuple[str | None, str | None] | None = None


_process = _Process()


def _forked() -> None:
    global _process
    _process = _Process()


os.register_at_fork(after_in_child=_forked)
atexit.register(lambda: _end())


class Temporary:
    """A folder for something temporary, of this user alone.

    Args:
        purpose: stands in its name.

    Attributes:
        path: the folder.

    Raises:
        OutputError: it cannot be made.
    """

    def __init__(self, purpose: str) -> None:
        self._owner: _Process | None = _process
        with _process.guard:
            base = _base()
            _process.number += 1
            self.path = base / f"{purpose}{_process.number}"
            with _explained(base):
                self.path.mkdir(0o700)
            _process.users += 1

    def close(self) -> None:
        """Remove it."""
        owner, self._owner = self._owner, None
        if owner is None or owner is not _process:  # closed already, or in a fork of the process that made it
            return
        shutil.rmtree(self.path, ignore_errors=True)
        with owner.guard:
            owner.users -= 1
            if not owner.users and not owner.ours:
                _end()


@contextmanager
def temporary_folder(purpose: str) -> Iterator[Path]:
    """Lend a folder for something temporary.

    Args:
        purpose: stands in its name.

    Raises:
        OutputError: it cannot be made, or the disk was full during the block.
    """
    lent = Temporary(purpose)
    try:
        with _explained(lent.path):
            yield lent.path
    finally:
        lent.close()


@contextmanager
def own_process() -> Iterator[None]:
    """Make this process edgekit's own for the block: `claim` works in it, and all temporaries end with it."""
    if _process.ours:
        yield
        return
    _process.ours = True
    try:
        yield
    finally:
        with _process.guard:
            _process.ours = False
            _end()


def claim() -> None:
    """Let libraries and child processes put their temporaries into ours, if the process is edgekit's own.

    TensorFlow's converter and Keras leave theirs behind when they are interrupted, tf2onnx always.

    Raises:
        OutputError: there is no place for temporaries.
    """
    with _process.guard:
        if _process.ours:
            _base()


def _base() -> Path:
    """Return the folder of the process, made if there is none; what dead processes left goes before."""
    if _process.folder is None:
        parent = _parent()
        sweep(parent, STEM)
        with _explained(parent):
            _process.folder = Scratch(parent, STEM, 0o700)
        if _process.ours:
            _process.before = (tempfile.tempdir, os.environ.get("TMPDIR"))
            tempfile.tempdir = os.environ["TMPDIR"] = str(_process.folder.path)
    return _process.folder.path


def _parent() -> Path:
    """Return the folder for temporary files, the one that the user names.

    Python would silently take another where that one is not writable.

    Raises:
        OutputError: it cannot be used.
    """
    chosen = tempfile.tempdir is not None
    try:
        parent = Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        raise OutputError(
            f"no folder for temporary files is writable ({error.strerror})", _ELSEWHERE, code=UNUSABLE
        ) from error
    name = next((name for name in ("TMPDIR", "TEMP", "TMP") if os.environ.get(name)), None)
    if _full(parent):
        tempfile.tempdir = tempfile.tempdir if chosen else None
        raise _no_space(parent, f"less than {FULL_BYTES >> 20} MiB")
    if chosen or name is None:
        return parent
    wanted = Path(os.environ[name]).absolute()
    try:
        same = parent.samefile(wanted)
        why = "no space left for temporary files" if not same and _full(wanted) else "not writable"
    except OSError as error:
        same, why = False, f"unusable as the folder for temporary files ({error.strerror})"
    if not same:
        tempfile.tempdir = None
        raise OutputError(f"{wanted}: {why}; `{name}` names this folder", _ELSEWHERE, code=UNUSABLE)
    return parent


def of_temporaries(error: OSError) -> OutputError | None:
    """Return the `OutputError` for an error which means that the disk of temporary files is full, else None.

    Args:
        error: of a library or of ours; it need not name a file.
    """
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    place = _process.folder.path.parent if _process.folder is not None else Path(tempfile.gettempdir())
    named = error.filename if isinstance(error.filename, str) else ""
    with contextlib.suppress(OSError):
        ours = not named or os.path.realpath(named).startswith(os.path.realpath(place))
        if ours and _full(place):
            return _no_space(place, str(error.strerror))
    return None


def _no_space(place: Path, why: str) -> OutputError:
    return OutputError(f"{place}: no space left for temporary files ({why})", _ELSEWHERE, code="disk-full")


def _end() -> None:
    """Remove the folder of the process."""
    if _process.before is not None:
        tempfile.tempdir, variable = _process.before
        _process.before = None
        if variable is None:
            os.environ.pop("TMPDIR", None)
        else:
            os.environ["TMPDIR"] = variable
    if _process.folder is not None:
        _process.folder.close()
    _process.folder, _process.users = None, 0


@contextmanager
def _explained(place: Path) -> Iterator[None]:
    """Name the temporary folder where it is what is full, or cannot be written."""
    try:
        yield
    except OSError as error:
        where = place.parent if place.parent.name.startswith(STEM) else place
        where = where.parent if where.name.startswith(STEM) else where
        if error.errno in (errno.ENOSPC, errno.EDQUOT) and _full(place):
            raise _no_space(where, str(error.strerror)) from error
        if error.errno in (errno.EACCES, errno.EROFS) and error.filename and Path(error.filename).parent == place:
            raise OutputError(
                f"{where}: not writable for temporary files ({error.strerror})", _ELSEWHERE, code=UNUSABLE
            ) from error
        raise


def _full(place: Path) -> bool:
    disk = os.statvfs(place)
    if not disk.f_blocks:  # no disk, as /proc
        return False
    return disk.f_bavail * disk.f_frsize < FULL_BYTES or (disk.f_files > 0 and disk.f_favail == 0)
