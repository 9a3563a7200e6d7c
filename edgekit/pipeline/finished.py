"""What is done of stages, on disk: an interrupted run is taken up where it stopped, and a search trains nothing twice.

A folder holds, per finished stage, the model and then a JSON file about it: what is named there is whole. For the stage
under way it holds the stage's own folder: teachers' outputs, and the trainings' checkpoints. A stage is called by all
that its model depends on (`stage_names`), so that a folder may serve several runs.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

from edgekit.bundle.ledger import Entry
from edgekit.bundle.recipe import Recipe
from edgekit.files.turns import turn
from edgekit.files.whole import atomic_file, locked, sha256, work_base, write_json
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.models.files.saving import bare
from edgekit.pipeline.job import Job
from edgekit.schema.gate import read, read_json
from edgekit.schema.rules import Digest, Seconds
from edgekit.schema.types import JsonObject
from edgekit.schema.versions import WRITER
from edgekit.techniques.qat_finish import load_quantized, save_quantized
from edgekit.techniques.stage import QUANTIZED, ModelState

CALIBRATED = "quantize"
"""The stage that looks at how ranges are chosen; the others' models do not depend on it."""
NOTE, ENTRY = ".json", ".entry.json"
LOCK = ".lock"


@contextmanager
def work_folder(job: Job) -> Iterator[Path]:
    """Lend the folder of a job; it goes when the job is done, and stays when it is interrupted.

    The same job has the same stages with the same files, seed, calibration samples and measured scheme, the same inputs
    and edgekit. What a recipe says besides that may change between an interrupted run and the next.

    Args:
        job: the run; one that trains nothing has no folder, and gets the current one, which is not written to.

    Raises:
        InputError: another process is running this job.
        OutputError: $EDGEKIT_WORK cannot be written to.
    """
    if not job.request.stages and job.recipe.max_drop is None:
        yield Path()
        return
    path = work_base() / "work" / _key(job, _trained_by(job.recipe), *_measured_by(job.recipe))[:16]
    with locked(path.with_suffix(LOCK), f"another edgekit process is running this job, in {path}"):
        if job.request.fresh:
            shutil.rmtree(path, ignore_errors=True)
        yield path
        shutil.rmtree(path, ignore_errors=True)


def stage_names(job: Job) -> list[str]:
    """Return a name for the result of every stage, of all that it depends on: the stages up to it, data and model."""
    recipe, names = _trained_by(job.recipe), list[str]()
    for count, spec in enumerate(recipe.stages, 1):
        upto = replace(recipe, stages=recipe.stages[:count])
        if not any(stage.use == CALIBRATED for stage in upto.stages):
            upto = replace(upto, calibration_method="minmax")
        names.append(f"{spec.use}-{_key(job, upto)[:32]}")
    return names


def entry_name(job: Job, name: str) -> str:
    """Return under what the ledger entry of a stage, or of the source, is kept: also by how it was measured."""
    how = "\0".join((*job.key, *_measured_by(job.recipe), job.recipe.calibration_method))
    return f"{name}-{hashlib.sha256(how.encode()).hexdigest()[:8]}"


def _measured_by(recipe: Recipe) -> tuple[str, ...]:
    """Return what a ledger entry depends on besides the model."""
    return recipe.schemes[-1], str(recipe.check_samples)


def _trained_by(recipe: Recipe) -> Recipe:
    """Return a recipe without what has no influence on the models that its stages make."""
    return replace(
        recipe, name="", description="", schemes=("float32",), formats=("tflite",), eval_samples=0, check_samples=1,
        max_drop=None,
    )  # fmt: skip


def _key(job: Job, recipe: Recipe, *more: str) -> str:
    named = [Path(value).expanduser() for spec in recipe.stages for value in spec.options.values() if _is_text(value)]
    files = [sha256(path) for path in named if path.is_file()]
    return hashlib.sha256("\0".join((WRITER, recipe.to_toml(), *job.key, *files, *more)).encode()).hexdigest()


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


class Note(TypedDict):
    """What is known of a finished stage.

    `seconds` is what it took, without measuring; `sha256` of the model's file.
    """

    traits: list[str]
    lineage: JsonObject
    seconds: Seconds
    sha256: Digest


class EntryNote(TypedDict):
    """What a stage's model was measured to be like as a file."""

    entry: Entry


class Finished:
    """What is done, on disk.

    Args:
        folder: of one run, or of all runs of a search.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Have a stage to this process: another that wants it too waits, and finds it finished."""
        with turn(self.folder / f"{name}{LOCK}"):
            yield

    def note(self, name: str) -> Note | None:
        """Return what is noted of a stage; None if it is not finished, or its model is damaged or gone."""
        path = self.folder / f"{name}{NOTE}"
        if not path.exists():
            return None
        what = "note of a finished stage"
        note: Note = read(Note, read_json(path, what), str(path), what, "add --fresh to start over")
        model = self._model(name, note["traits"])
        return note if model.is_file() and sha256(model) == note["sha256"] else None

    def entry(self, name: str) -> Entry | None:
        """Return the ledger entry that is kept under a name, or None."""
        path = self.folder / f"{name}{ENTRY}"
        if not path.exists():
            return None
        what = "ledger entry of a finished stage"
        kept: EntryNote = read(EntryNote, read_json(path, what), str(path), what, "add --fresh to start over")
        return kept["entry"]

    def keep_entry(self, name: str, entry: Entry) -> None:
        """Keep a ledger entry."""
        write_json(self.folder / f"{name}{ENTRY}", {"entry": entry.to_dict()})

    def save(self, name: str, state: ModelState, lineage: JsonObject, seconds: float) -> None:
        """Write the model, then the note that makes it count; the stage's scratch files go."""
        path = self._model(name, state.traits)
        with atomic_file(path) as temporary:
            if QUANTIZED in state.traits:
                save_quantized(state.model, temporary)
            else:
                bare(state.model).save(temporary, save_format="keras")
        note = Note(traits=sorted(state.traits), lineage=lineage, seconds=round(seconds, 3), sha256=sha256(path))
        write_json(self.folder / f"{name}{NOTE}", note)
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def model(self, name: str, note: Note) -> ModelState:
        """Return the model after a finished stage, with the traits that were noted."""
        traits = frozenset(note["traits"])
        path = self._model(name, traits)
        if QUANTIZED in traits:
            return ModelState(load_quantized(path), traits)
        return ModelState(tf_keras().models.load_model(str(path), compile=False, safe_mode=False), traits)

    def scratch(self, name: str) -> Path:
        """Return the stage's folder for caches and checkpoints; what an interrupted run left there is used."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def _model(self, name: str, traits: Collection[str]) -> Path:
        """Return the file of a model; Keras cannot load TFMOT's wrappers from its own format."""
        return self.folder / f"{name}{'.h5' if QUANTIZED in traits else '.keras'}"
