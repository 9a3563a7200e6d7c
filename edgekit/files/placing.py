"""Giving finished files and folders their names, in one step each: in place of another, or only where nothing is."""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path

_AT_FDCWD = -100
_EXCHANGE = 2


def replace_folder(new: Path, path: Path, aside: Path) -> None:
    """Give a folder its final name; what has it now comes to lie at `new` or `aside`, both in the same file system.

    Where the file system can exchange names (Linux: ext4, XFS, Btrfs, tmpfs), there is no moment without a folder at
    `path`. Elsewhere there is a short one, after which a killed process leaves the old folder at `aside`.

    Raises:
        OSError: it cannot be renamed; then `path` is as it was.
    """
    if not path.exists():
        new.rename(path)
        return
    if _exchanged(new, path):
        return
    path.rename(aside)
    try:
        new.rename(path)
    except BaseException:
        if not path.exists():
            aside.rename(path)
        raise


def place_file(new: Path, path: Path) -> bool:
    """Give a file its final name if nothing has it; return whether it has it now.

    Raises:
        OSError: it cannot be renamed.
    """
    try:
        path.hardlink_to(new)
    except FileExistsError:
        return False
    except OSError:  # a file system without links, such as a stick's
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        new.replace(path)
    return True


def _exchanged(first: Path, second: Path) -> bool:
    """Exchange two names in one step (renameat2(2)); return False where that is not known."""
    with contextlib.suppress(OSError, AttributeError):
        call = ctypes.CDLL(None, use_errno=True).renameat2
        names = os.fsencode(first), os.fsencode(second)
        return int(call(_AT_FDCWD, names[0], _AT_FDCWD, names[1], ctypes.c_uint(_EXCHANGE))) == 0
    return False
