"""Finished stages that several trials share: each is trained once, by whichever worker of this user comes first.

They lie in the user's cache folder, by all that their models depend on (`edgekit.pipeline.finished.stage_names`), up to
a number of bytes; what was not used for longest goes first. The folder must be the user's own: models there are loaded
as what edgekit wrote.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection
from pathlib import Path

from edgekit.files.private import check_own
from edgekit.files.turns import is_taken
from edgekit.files.whole import work_base
from edgekit.pipeline.finished import LOCK, NOTE, Finished, Note
from edgekit.schema.types import JsonObject
from edgekit.techniques.stage import ModelState


class StageCache(Finished):
    """The cache.

    Args:
        limit_bytes: that are kept, besides what is pinned.

    Raises:
        OutputError: the folder is another user's, or cannot be written to.
    """

    def __init__(self, limit_bytes: int) -> None:
        folder = work_base() / "stages"
        check_own(folder)
        folder.chmod(0o700)
        super().__init__(folder)
        self._limit, self._pinned = limit_bytes, frozenset[str]()

    def pin(self, names: Collection[str]) -> None:
        """Keep these stages, and only these, whatever the limit: those of the front."""
        self._pinned = frozenset(names)

    def note(self, name: str) -> Note | None:
        """As `Finished.note`; what is asked for is used."""
        found = super().note(name)
        if found is not None:
            os.utime(self.folder / f"{name}{NOTE}")
        return found

    def save(self, name: str, state: ModelState, lineage: JsonObject, seconds: float) -> None:
        """As `Finished.save`; others may go for it."""
        super().save(name, state, lineage, seconds)
        self.evict(name)

    def evict(self, *kept: str) -> list[str]:
        """Remove what was not used for longest until the rest is within the limit; return the names.

        Args:
            kept: stages to keep besides those that are pinned or under way.
        """
        entries: dict[str, list[Path]] = {}
        for path in self.folder.iterdir():
            entries.setdefault(path.name.partition(".")[0], []).append(path)
        sizes = {name: sum(map(_size, paths)) for name, paths in entries.items()}
        total, removed = sum(sizes.values()), []
        for name in sorted(entries, key=lambda name: max(map(_used, entries[name]))):
            if total <= self._limit:
                break
            if name in self._pinned or name in kept or is_taken(self.folder / f"{name}{LOCK}"):
                continue
            with self.turn(name):
                for path in sorted(entries[name], key=lambda path: path.suffix != NOTE):
                    _remove(path)
                _remove(self.folder / f"{name}{LOCK}")
            total -= sizes[name]
            removed.append(name)
        return removed


def _size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):  # another worker is quicker
        if path.is_dir() and not path.is_symlink():
            return sum(_size(inside) for inside in path.iterdir())
        return path.lstat().st_size
    return 0


def _used(path: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return path.lstat().st_mtime
    return 0.0


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
