"""Folders of files, such as SavedModels, without anything that is read from elsewhere."""

from __future__ import annotations

import os
import stat
from pathlib import Path

MAX_FILES = 100_000


class Leaves(Exception):
    """Something in a folder is elsewhere, or is no file; the text says what."""


def check_folder(folder: Path) -> None:
    """Refuse links that leave a folder, and what is neither a file nor a folder, at any depth.

    Raises:
        Leaves: with the first of them.
    """
    root, count = folder.resolve(), 0
    for place, names, files in os.walk(folder):
        count += len(names) + len(files)
        if count > MAX_FILES:
            raise Leaves(f"holds more than {MAX_FILES:,} files")
        for name in (*names, *files):
            path = Path(place, name)
            shown = path.relative_to(folder)
            try:
                target = path.resolve(strict=True)
                mode = target.stat().st_mode
            except (OSError, RuntimeError) as error:
                raise Leaves(f"`{shown}` cannot be read: {error}") from error
            if not target.is_relative_to(root):
                raise Leaves(f"`{shown}` is a link to {target}, outside the folder")
            if path.is_symlink() and stat.S_ISDIR(mode):
                raise Leaves(f"`{shown}` is a link to a folder")
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise Leaves(f"`{shown}` is neither a file nor a folder")
