"""What is done of a job's stages, on disk: an interrupted run is taken up where it stopped.

The work folder holds, per finished stage, the model and then a JSON file about it: what is named there is whole.
For the stage under way it holds the stage's own folder: teachers' outputs, and the trainings' checkpoints.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NotRequired, TypedDict

from edgekit.bundle.ledger import Entry
from edgekit.files.whole import atomic_file, locked, sha256, work_base, write_json
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.models.files.saving import bare
from edgekit.pipeline.job import Job
from edgekit.schema.gate import read, read_json
from edgekit.schema.types import JsonObject
from edgekit.schema.versions import WRITER
from edgekit.techniques.qat_finish import load_quantized, save_quantized
from edgekit.techniques.stage import QUANTIZED, ModelState


@contextmanager
def work_folder(job: Job) -> Iterator[Path]:
    """Lend the folder of a job; it goes when the job is done, and stays when it is interrupted.

    The same job has the same stages with the same files, seed, calibration samples and measured scheme, the same inputs
    and edgekit. What a recipe says besides that may change between an interrupted run and the next.

    Args:
        job: the run; without stages it has no folder, and gets the current one, which is not written to.

    Raises:
        InputError: another process is running this job.
        OutputError: $EDGEKIT_WORK cannot be written to.
    """
    if not job.request.stages:
        yield Path()
        return
    recipe = job.recipe
    named = [Path(value).expanduser() for spec in recipe.stages for value in spec.options.values() if _is_text(value)]
    files = [sha256(path) for path in named if path.is_file()]
    what = replace(
        recipe, name="", description="", schemes=recipe.schemes[-1:], formats=("tflite",), eval_samples=0
    ).to_toml()
    key = hashlib.sha256("\0".join((WRITER, what, *job.key, *files)).encode()).hexdigest()[:16]
    path = work_base() / "work" / key
    with locked(path.with_suffix(".lock"), f"another edgekit process is running this job, in {path}"):
        if job.request.fresh:
            shutil.rmtree(path, ignore_errors=True)
        yield path
        shutil.rmtree(path, ignore_errors=True)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


class Note(TypedDict):
    """What is known of a finished stage; of the source its entry only."""

    entry: Entry
    traits: NotRequired[list[str]]
    lineage: NotRequired[JsonObject]


class Finished:
    """What is done, on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def read(self, name: str) -> Note | None:
        """Return what is noted of a stage, or of `source`; None if it is not finished."""
        path = self._folder / f"{name}.json"
        if not path.exists():
            return None
        what = "note of a finished stage"
        note: Note = read(Note, read_json(path, what), str(path), what, "add --fresh to start over")
        return note

    def write(self, name: str, note: JsonObject) -> None:
        """Note that something is finished."""
        write_json(self._folder / f"{name}.json", note)

    def save(self, name: str, state: ModelState, note: JsonObject) -> None:
        """Write the model, then the note that makes it count; the stage's scratch files go."""
        if QUANTIZED in state.traits:
            with atomic_file(self._folder / f"{name}.h5") as temporary:
                save_quantized(state.model, temporary)
        else:
            with atomic_file(self._folder / f"{name}.keras") as temporary:
                bare(state.model).save(temporary, save_format="keras")
        self.write(name, note)
        shutil.rmtree(self._folder / name, ignore_errors=True)

    def model(self, name: str, traits: frozenset[str]) -> ModelState:
        """Return the model after a finished stage, with the traits that were noted."""
        if QUANTIZED in traits:
            return ModelState(load_quantized(self._folder / f"{name}.h5"), traits)
        path = str(self._folder / f"{name}.keras")
        return ModelState(tf_keras().models.load_model(path, compile=False, safe_mode=False), traits)

    def scratch(self, name: str) -> Path:
        """Return the stage's folder for caches and checkpoints; what an interrupted run left there is used."""
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        return folder
