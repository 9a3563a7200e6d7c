"""What is known of a candidate before it is trained: an untrained file of the same shapes is made, and looked at."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path

from edgekit.bundle.budget import OPTIONS, Budget
from edgekit.bundle.recipe import Recipe
from edgekit.bundle.trials import Known
from edgekit.errors import InputError
from edgekit.export.exporter import export
from edgekit.formats.info import FileInfo
from edgekit.formats.memory import activation_bytes
from edgekit.formats.reading import inspect_file
from edgekit.frameworks.types import KerasModel
from edgekit.pipeline.job import Job
from edgekit.pipeline.searching.choice import NONE, OWN_SHAPES, Choice
from edgekit.pipeline.searching.space import AMOUNTS, WIDTHS, Space
from edgekit.pipeline.searching.subject import Subject
from edgekit.progress import SILENT
from edgekit.tasks.samples import part

SAMPLES = 8
"""Calibration samples of a file whose values mean nothing."""
MARGIN = 1.03
"""How many times as large as a bound the untrained file must be, for the trained one may be a little smaller."""


class Outlines:
    """Untrained files, one for all candidates of the same shapes.

    Args:
        folder: for the files, temporary.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._made = folder, dict[Hashable, tuple[Known, Path]]()

    def of(self, job: Job) -> tuple[Known, Path]:
        """Return what is known of what a run will make, and the untrained file.

        Args:
            job: of a Keras model.

        Raises:
            InputError, ConversionError: a stage cannot work on the model, or no file can be made of the result.
        """
        model, scheme = outline(job), job.recipe.schemes[-1]
        key = (scheme, *((layer.name, tuple(w.shape for w in layer.get_weights())) for layer in model.layers))
        if key not in self._made:
            self._made[key] = self._look(job, model, scheme, len(self._made))
        return self._made[key]

    def _look(self, job: Job, model: KerasModel, scheme: str, number: int) -> tuple[Known, Path]:
        recipe = replace(job.recipe, schemes=(scheme,), formats=("tflite",))
        samples = part(job.preprocessing.apply(job.splits.x_calibration[:SAMPLES]), slice(SAMPLES))
        folder = self._folder / str(number)
        folder.mkdir()
        [made] = export(model, recipe, samples, folder, "untrained", SILENT)
        info = inspect_file(made.path)
        return Known(info.bytes, info.parameters, info.macs, memory_of(made.path, info)), made.path


def outline(job: Job) -> KerasModel:
    """Return a model of the shapes that a run will make.

    Raises:
        InputError, ConversionError: a stage cannot work on the model, or on what an earlier one leaves of it.
    """
    model = job.source.model.model
    for stage in job.request.stages:
        model = stage.outline(model, SILENT, allow_unsafe=job.request.allow_unsafe)
    return model


def check_reachable(budget: Budget, subject: Subject, space: Space, outlines: Outlines, *, gzip: bool) -> None:
    """Raise `InputError` for a budget that no file of a search can keep to: the smallest one is named.

    Args:
        budget: its bounds on size, MACs and memory are looked at.
        subject: the model.
        space: what may vary.
        outlines: untrained files.
        gzip: whether sizes count after gzip; a size after gzip is not known before training.
    """
    if not any((budget.max_bytes and not gzip, budget.max_macs, budget.max_memory_bytes)):
        return
    known, recipe = _smallest(subject, space, outlines)
    shown = {"max_bytes": known.bytes, "max_macs": known.macs, "max_memory_bytes": known.memory_bytes}
    for name, miss in budget.known_misses(known, gzip=gzip).items():
        if miss > MARGIN - 1 and set(space.students) <= {NONE, *OWN_SHAPES}:
            raise InputError(
                f"`{OPTIONS[name]}` is {getattr(budget, name):,}: the smallest file of `{subject.name}` that a search "
                f"tries ({recipe.description}) has {shown[name]:,}",
                "allow more, or give a smaller architecture with `--student`",
                code="budget-unreachable",
            )


def _smallest(subject: Subject, space: Space, outlines: Outlines) -> tuple[Known, Recipe]:
    """Return the smallest file that a search tries: of a narrow student not always are there channels to prune."""
    narrow = Choice(student=OWN_SHAPES[0], width=WIDTHS[0]) if OWN_SHAPES[0] in space.students else Choice()
    pruned = replace(narrow, amount=AMOUNTS[1]) if space.channels else narrow
    for choice in (pruned, narrow):
        recipe = space.recipe(choice, subject.base, "smallest")
        try:
            return outlines.of(subject.run(recipe, Path(), SILENT))[0], recipe
        except InputError:
            continue
    recipe = space.recipe(Choice(), subject.base, "smallest")
    return outlines.of(subject.run(recipe, Path(), SILENT))[0], recipe


def memory_of(path: Path, info: FileInfo) -> int | None:
    """Return the bytes of activations that a file needs at the same time; None where it does not tell."""
    return activation_bytes(path) if info.format == "tflite" else None
