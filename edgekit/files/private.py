"""A folder that is believed without another look, such as a cache: this user's own, whoever may write around it."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from edgekit.errors import OutputError
from edgekit.files.whole import explained_write_errors

OWN_FOLDER = "set EDGEKIT_WORK to a folder of your own"
_ROOT = 0


def check_own(place: Path, entry: Path | None = None) -> None:
    """Raise unless a folder, which is made if it is missing, and an entry of it belong to this user.

    What others could write there would be taken for what edgekit made.

    Args:
        place: the folder.
        entry: a folder in it, which may be missing.

    Raises:
        OutputError: one of them is another user's, or the entry is no folder.
    """
    with explained_write_errors(place):
        place.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=place) as probe:  # disks of other machines may call this user another
            own = os.fstat(probe.fileno()).st_uid
    except OSError:
        own = os.geteuid()
    if own != _ROOT and place.stat().st_uid not in (own, _ROOT):  # root works in folders of other users
        raise OutputError(f"{place}: belongs to another user", OWN_FOLDER, code="cache-not-own")
    if entry is None:
        return
    try:
        status = entry.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        raise OutputError(f"{entry}: is not a folder, and edgekit did not make it", "remove it", code="cache-not-own")
    if status.st_uid not in (own, _ROOT):
        raise OutputError(f"{entry}: belongs to another user", OWN_FOLDER, code="cache-not-own")
