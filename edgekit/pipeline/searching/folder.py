"""The folder of a search: every trial, the front as bundles, and what is known so far. Others may work in it, too.

search.json          what the search is: by it the folder is recognised
study.journal        the trials, unless a database has them; study.journal.locks/ says who is alive
reference.tflite     the source in int8: what latencies are compared with
trials/0007/         trial.json, recipe.toml and the file of a trial
front/0007-48532B/   the bundle of a trial on the front
front.json           the front so far
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from contextlib import AbstractContextManager
from pathlib import Path

from edgekit.bundle.manifest import MANIFEST
from edgekit.bundle.recipe import Recipe
from edgekit.bundle.search_result import FRONT, SearchResult
from edgekit.bundle.trials import Trial
from edgekit.errors import OutputError
from edgekit.files.destinations import check_apart, prove
from edgekit.files.opening import brief
from edgekit.files.turns import turn
from edgekit.files.whole import atomic_folder, explained_write_errors, write_json
from edgekit.schema.types import JsonObject

MARKER, TRIAL, RECIPE = "search.json", "trial.json", "recipe.toml"
JOURNAL = "study.journal"
TRIALS, BUNDLES = "trials", "front"
_OWN = (MARKER, JOURNAL, f"{JOURNAL}.locks", TRIALS, BUNDLES, FRONT, "locks")
_BEGUN = (JOURNAL, f"{JOURNAL}.locks", "locks")
"""What a search that ended before its model was opened leaves behind."""
_BUNDLE = re.compile(r"[0-9]{4,}-[0-9]+B")


class Folder:
    """The folder.

    Args:
        path: where it is, or will be.

    Attributes:
        path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def journal(self) -> Path:
        """The default storage."""
        return self.path / JOURNAL

    def prove(self, inputs: Collection[Path | str | None]) -> None:
        """Prove, before any work, that the search can be written here.

        Args:
            inputs: files and folders that are read.

        Raises:
            OutputError: it cannot, or there is something that is no search.
        """
        check_apart(self.path, inputs, replaced=False)
        prove(self.path, into=True)
        with explained_write_errors(self.path):
            there = self.path.is_dir() and any(entry.name not in _BEGUN for entry in self.path.iterdir())
        if there and not (self.path / MARKER).is_file():
            raise OutputError(
                f"{brief(self.path)}: is not the folder of a search (no `{MARKER}` in it)",
                "choose another place with `-o`",
                code="output-not-ours",
            )

    def clear(self) -> None:
        """Throw away the search, and nothing that is not of one."""
        for name in (name for name in _OWN if name != MARKER):
            place = self.path / name
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink(missing_ok=True)

    def begin(self, what: JsonObject) -> None:
        """Note what the search is."""
        write_json(self.path / MARKER, what)

    def keep(self, trial: Trial, recipe: Recipe | None, file: Path | None) -> None:
        """Keep a trial; one that is there already stays.

        Args:
            trial: its record.
            recipe: what it is, where that is known here.
            file: that it made, if it is here.
        """
        place = self.of_trial(trial.number)
        if (place / TRIAL).is_file():
            return
        with atomic_folder(place, marker=TRIAL) as made:
            write_json(made / TRIAL, trial.to_dict())
            if recipe is not None:
                (made / RECIPE).write_text(recipe.to_toml(), encoding="utf-8")
            if file is not None:
                shutil.copyfile(file, made / file.name)

    def of_trial(self, number: int) -> Path:
        """Return the folder of a trial."""
        return self.path / TRIALS / f"{number:04d}"

    def made_here(self, number: int) -> bool:
        """Return whether the file of a trial is here, so that a worker of this folder ran it."""
        place = self.of_trial(number)
        return any(path.suffix in (".tflite", ".onnx") for path in place.iterdir()) if place.is_dir() else False

    def bundle(self, trial: Trial) -> Path:
        """Return where the bundle of a trial is, or will be."""
        size = trial.measured.bytes if trial.measured is not None else 0
        return self.path / BUNDLES / f"{trial.number:04d}-{size}B"

    def only_bundles(self, kept: Collection[Path]) -> None:
        """Remove bundles of trials that are no longer on the front."""
        place = self.path / BUNDLES
        if not place.is_dir():
            return
        for path in place.iterdir():
            ours = _BUNDLE.fullmatch(path.name) and (path / MANIFEST).is_file() and not path.is_symlink()
            if ours and path not in kept:
                shutil.rmtree(path)

    def turn(self, what: str) -> AbstractContextManager[None]:
        """Return the turn to write something, of which the workers of a folder have one at a time."""
        return turn(self.path / "locks" / what)

    def show(self, result: SearchResult) -> None:
        """Write what is known so far."""
        write_json(self.path / FRONT, result.to_dict())
