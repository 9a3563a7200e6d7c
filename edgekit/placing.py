"""Putting a finished folder in place of another, so that there is always one of them."""

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


def _exchanged(first: Path, second: Path) -> bool:
    """Exchange two names in one step (renameat2(2)); return False where that is not known."""
    with contextlib.suppress(OSError, AttributeError):
        call = ctypes.CDLL(None, use_errno=True).renameat2
        names = os.fsencode(first), os.fsencode(second)
        return int(call(_AT_FDCWD, names[0], _AT_FDCWD, names[1], ctypes.c_uint(_EXCHANGE))) == 0
    return False
