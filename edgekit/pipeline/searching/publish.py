"""The end of a search: the front as bundles, with scores on test samples, which are read here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from edgekit.bundle.manifest import Bundle, Manifest, read_bundle
from edgekit.bundle.recipe import Recipe
from edgekit.bundle.recipe_file import ExportTable
from edgekit.bundle.search_result import Point, SearchResult
from edgekit.bundle.trials import COMPLETE, FAILED, PRUNED, Trial
from edgekit.errors import ConversionError, EdgekitError
from edgekit.pipeline.finished import Finished
from edgekit.pipeline.run import bundle_of
from edgekit.pipeline.searching.folder import Folder
from edgekit.pipeline.searching.front import Goals, best_effort, front, nearest
from edgekit.pipeline.searching.settings import Settings
from edgekit.pipeline.searching.study import Standing
from edgekit.pipeline.searching.subject import Subject
from edgekit.progress import Progress, ProgressTask
from edgekit.schema.versions import WRITER
from edgekit.tasks.metrics import ScoreForm

FORMATS = ("tflite", "onnx", "c")


def result_of(
    standing: Standing, goals: Goals, settings: Settings, metric: str, points: Iterable[Point]
) -> SearchResult:
    """Return what a search came to.

    Args:
        standing: how far it is.
        goals: what is better.
        settings: of the search.
        metric: of the scores.
        points: the front.
    """
    near = None if front(standing.trials, goals) else nearest(standing.trials, goals)
    states = [trial.state for trial in standing.trials]
    return SearchResult(
        edgekit=WRITER, metric=metric, cost="latency" if goals.latency else "macs",
        target=settings.target if goals.latency else "", gzip=goals.gzip, budget=goals.budget, met=near is None,
        front=tuple(points), nearest=near and near[0].number, misses=near[1] if near else {},
        complete=states.count(COMPLETE), pruned=states.count(PRUNED), failed=states.count(FAILED),
        seconds=round(standing.seconds, 1),
    )  # fmt: skip


def on_front(standing: Standing, goals: Goals) -> list[Trial]:
    """Return the trials on the front, or, if no file keeps to the budget, on the one that there is without it."""
    return front(standing.trials, goals) or best_effort(standing.trials, goals)


class Publisher:
    """Writes bundles.

    Args:
        subject: model and data.
        folder: of the search.
        stages: finished ones.
        recipe: returns the recipe of a trial of this search, whoever ran it.
        progress: notified of every bundle.
    """

    def __init__(
        self, subject: Subject, folder: Folder, stages: Finished, recipe: Callable[[Trial], Recipe], progress: Progress
    ) -> None:
        self._subject, self._folder, self._stages = subject, folder, stages
        self._recipe, self._progress = recipe, progress

    def points(self, trials: Iterable[Trial]) -> list[Point]:
        """Write the bundles of the trials on the front that are missing, and remove those of others.

        Raises:
            EdgekitError: a bundle cannot be written.
        """
        with self._folder.turn("bundles"):
            points = [self._point(trial) for trial in trials]
            self._folder.only_bundles([self._folder.path / point.bundle for point in points if point.bundle])
        return points

    def _point(self, trial: Trial) -> Point:
        place, recipe = self._folder.bundle(trial), self._recipe(trial)
        self._folder.keep(trial, recipe, None)
        where = self._folder.of_trial(trial.number).relative_to(self._folder.path) / "recipe.toml"
        if not self._folder.made_here(trial.number):
            self._progress.notify(
                f"trial {trial.number} was run by {trial.worker}: its recipe is {where}, its file is there"
            )
            return Point(trial, recipe=str(where))
        bundle = self._there(place) or self._made(trial, recipe, place)
        manifest = bundle.manifest
        file = next(a.file for a in manifest.artifacts if a.scheme == recipe.schemes[-1] and a.format != "c")
        return Point(trial, _tested(manifest, file), str(place.relative_to(self._folder.path)), str(where))

    def _there(self, place: Path) -> Bundle | None:
        try:
            return read_bundle(place)
        except EdgekitError:
            return None

    def _made(self, trial: Trial, recipe: Recipe, place: Path) -> Bundle:
        self._progress.notify(f"front: the bundle of trial {trial.number}, {place}")
        format_ = self._subject.job.source.model.format
        schemes = ("float32", recipe.schemes[-1]) if format_ == "keras" else recipe.schemes
        whole = replace(recipe, schemes=schemes, formats=ExportTable.formats)
        try:
            bundle = self._bundle(whole, place)
        except ConversionError as error:
            if format_ != "keras":
                raise
            self._progress.warn(f"trial {trial.number}: no ONNX file: {error.message}", "onnx-left-out")
            bundle = self._bundle(replace(whole, formats=("tflite", "c")), place)
        file = next(a for a in bundle.manifest.artifacts if a.scheme == schemes[-1] and a.format != "c")
        if trial.measured is not None and file.sha256 != trial.measured.sha256:
            self._progress.warn(
                f"trial {trial.number}: the file of its bundle is not the one that was measured: another machine, or "
                "another version of TensorFlow",
                "file-not-reproduced",
            )
        return bundle

    def _bundle(self, recipe: Recipe, place: Path) -> Bundle:
        place.parent.mkdir(parents=True, exist_ok=True)
        return bundle_of(self._subject.run(recipe, place, _WarningsOnly(self._progress)), self._stages)


def _tested(manifest: Manifest, file: str) -> ScoreForm | None:
    """Return the score of a file on test samples."""
    test = manifest.data.get("test")
    if test is not None:
        return test["scores"].get(file)
    if manifest.data.get("check", {}).get("split") != "test":
        return None
    return next(a.validation for a in manifest.artifacts if a.file == file)


class _WarningsOnly:
    """A `Progress` without the steps of a run that all bundles of a front repeat."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def notify(self, message: str) -> None:
        """Ignore."""

    def warn(self, message: str, code: str = "") -> None:
        """Report a warning."""
        self._progress.warn(message, code)

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[ProgressTask]:
        """Count work."""
        with self._progress.task(label, total) as task:
            yield task
