"""Run the stages of a recipe one after the other, measure each, and pick up where a killed run stopped.

The work folder holds, per finished stage, the model and then a JSON file that says so: what is named there is whole.
For the stage under way it holds the stage's own folder: teachers' outputs, and the trainings' checkpoints.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from edgekit.bundle.ledger import Entry, ledger_line
from edgekit.bundle.recipe import Recipe
from edgekit.data.split import Splits
from edgekit.export.calibration import Ranging
from edgekit.files.whole import atomic_file, locked, sha256, work_base, write_json
from edgekit.frameworks.tensorflow import seed_everything, tf_keras
from edgekit.models.files.saving import bare
from edgekit.pipeline.effect import EffectMeter
from edgekit.progress import Progress
from edgekit.schema.gate import read, read_json
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.task import Task
from edgekit.techniques.qat_finish import for_converter, load_quantized, save_quantized, strip_quantization
from edgekit.techniques.stage import QUANTIZED, ModelState, Stage, StageContext
from edgekit.version import __version__


@dataclass(frozen=True)
class Outcome:
    """What the stages made.

    Attributes:
        model: the last tf_keras model, ready for the converter.
        float_model: the same weights without fake quantization; None unless the model was trained with it.
        lineage: one step a stage, JSON values.
        ledger: one entry for the source and one a stage; empty for recipes without stages.
    """

    model: Any
    float_model: Any
    lineage: list[dict[str, Any]]
    ledger: list[Entry]


def untrained(model: Any, quantized: Any) -> Outcome:
    """Return what no stage makes of a model: itself; for int8, the form it was trained in with fake quantization.

    Args:
        model: the source model.
        quantized: the same with TFMOT's wrappers, or None.
    """
    return Outcome(model, None, [], []) if quantized is None else Outcome(for_converter(quantized), model, [], [])


@contextmanager
def work_folder(recipe: Recipe, inputs: Sequence[str], *, fresh: bool) -> Iterator[Path]:
    """Lend the folder of a job; it goes when the job is done, and stays when it is interrupted.

    The same job has the same stages with the same files, seed, calibration samples and measured scheme, the same inputs
    and edgekit. What a recipe says besides that may change between an interrupted run and the next.

    Args:
        recipe: what to do.
        inputs: what tells models, data and preprocessing apart.
        fresh: start over.

    Raises:
        InputError: another process is at this very job.
        OutputError: $EDGEKIT_WORK cannot be written to.
    """
    named = [Path(value).expanduser() for spec in recipe.stages for value in spec.options.values() if _is_text(value)]
    files = [sha256(path) for path in named if path.is_file()]
    what = replace(
        recipe, name="", description="", schemes=recipe.schemes[-1:], formats=("tflite",), eval_samples=0
    ).to_toml()
    key = hashlib.sha256("\0".join((__version__, what, *inputs, *files)).encode()).hexdigest()[:16]
    path = work_base() / "work" / key
    with locked(path.with_suffix(".lock"), f"another edgekit is at this very job, in {path}"):
        if fresh:
            shutil.rmtree(path, ignore_errors=True)
        yield path
        shutil.rmtree(path, ignore_errors=True)


def check_order(stages: Sequence[Stage]) -> None:
    """Raise `InputError` if a stage would destroy what an earlier one did."""
    traits: frozenset[str] = frozenset()
    for stage in stages:
        traits = stage.follow(traits)


def run_stages(
    model: Any,
    stages: Sequence[Stage],
    recipe: Recipe,
    splits: Splits,
    preprocessing: Preprocessing,
    task: Task,
    meter: EffectMeter,
    work: Path,
    progress: Progress,
    *,
    allow_unsafe: bool = False,
) -> Outcome:
    """Run all stages, or those that an earlier, interrupted run has not finished.

    Args:
        model: the tf_keras source model.
        stages: resolved, in the recipe's order.
        recipe: their options and the seed.
        splits: stored samples.
        preprocessing: from stored samples to model inputs.
        task: what the model's outputs are for.
        meter: measures the exported file after each stage.
        work: this job's folder (`work_folder`), kept until the job is done.
        progress: told of every stage.
        allow_unsafe: model files that a stage names may hold Lambda layers, which run code.
    """
    for stage in stages:
        progress.notify(f"expect: {stage.expectation}")
    # Stages train in place; the original stays as it came.
    state, lineage, entries = ModelState(bare(model)), list[dict[str, Any]](), list[Entry]()
    done = _Finished(work)
    first = done.read("source")
    entries.append(meter.source() if first is None else first["entry"])
    done.write("source", {"entry": entries[0].to_dict()})
    progress.notify(ledger_line(entries[0], entries[0]))
    for index, (spec, stage) in enumerate(zip(recipe.stages, stages, strict=True)):
        name = f"{index}-{spec.use}"
        note = done.read(name)
        if note is not None:
            progress.notify(f"{spec.use}: finished by an earlier run, taken from {work}")
            state = done.model(name, frozenset(note.get("traits", ())))
            entry, step = note["entry"], note.get("lineage", {})
        else:
            seed_everything((recipe.seed + 1000003 * (index + 1)) % 2**32)
            scratch = done.scratch(name)
            context = StageContext(
                splits, preprocessing, recipe.seed, progress, scratch, model, allow_unsafe, task, Ranging.of(recipe)
            )
            started = time.monotonic()
            state, told = stage.run(state, context)
            seconds = time.monotonic() - started
            entry = meter.measure(spec.use, _for_converter(state), seconds, _float(state))
            step = {"step": spec.use, "options": dict(spec.options), "seed": recipe.seed, **told}
            done.save(name, state, {"traits": sorted(state.traits), "entry": entry.to_dict(), "lineage": step})
        lineage.append(step)
        entries.append(entry)
        progress.notify(ledger_line(entries[-1], entries[0]))
    return Outcome(_for_converter(state), _float(state), lineage, entries)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _for_converter(state: ModelState) -> Any:
    return for_converter(state.model) if QUANTIZED in state.traits else state.model


def _float(state: ModelState) -> Any:
    return strip_quantization(state.model) if QUANTIZED in state.traits else None


class _Note(TypedDict):
    """What is known of a finished stage; of the source its entry only."""

    entry: Entry
    traits: NotRequired[list[str]]
    lineage: NotRequired[dict[str, Any]]


class _Finished:
    """What is done, on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def read(self, name: str) -> _Note | None:
        path = self._folder / f"{name}.json"
        if not path.exists():
            return None
        what = "note of a finished stage"
        note: _Note = read(_Note, read_json(path, what), str(path), what, "add --fresh to start over")
        return note

    def write(self, name: str, note: dict[str, Any]) -> None:
        write_json(self._folder / f"{name}.json", note)

    def save(self, name: str, state: ModelState, note: dict[str, Any]) -> None:
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
        if QUANTIZED in traits:
            return ModelState(load_quantized(self._folder / f"{name}.h5"), traits)
        path = str(self._folder / f"{name}.keras")
        return ModelState(tf_keras().models.load_model(path, compile=False, safe_mode=False), traits)

    def scratch(self, name: str) -> Path:
        """Return the stage's folder for caches and checkpoints; what an interrupted run left there is used."""
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        return folder
