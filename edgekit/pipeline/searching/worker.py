"""A worker of a search, from what it is asked for to the front: `edgekit.api.search` starts it."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

from edgekit.bundle.recipe import Recipe, load_recipe
from edgekit.bundle.search_result import Point, SearchResult
from edgekit.bundle.trials import Trial
from edgekit.devices.device import open_device
from edgekit.devices.targets import find_target
from edgekit.errors import InputError, MissingExtraError
from edgekit.export.sources import export_source
from edgekit.files.temporary import claim, temporary_folder
from edgekit.pipeline.finished import stage_names
from edgekit.pipeline.meter import FileMeter
from edgekit.pipeline.searching.attempt import Attempt, Tools, digest, recipe_of
from edgekit.pipeline.searching.cache import StageCache
from edgekit.pipeline.searching.choice import Choice, choice_of
from edgekit.pipeline.searching.deadline import Timed
from edgekit.pipeline.searching.folder import Folder
from edgekit.pipeline.searching.front import Goals
from edgekit.pipeline.searching.known import Outlines, check_reachable
from edgekit.pipeline.searching.latency import Emulated, Stopwatch
from edgekit.pipeline.searching.loop import Loop, Proposal
from edgekit.pipeline.searching.options import Options, options_of
from edgekit.pipeline.searching.publish import Publisher, on_front, result_of
from edgekit.pipeline.searching.settings import Settings
from edgekit.pipeline.searching.shared import RECIPE, Shared
from edgekit.pipeline.searching.space import MAX_DROPS
from edgekit.pipeline.searching.study import Identity, Standing, agreed, check_same, known_identity, open_study
from edgekit.pipeline.searching.subject import Subject, is_share, open_subject, space_of
from edgekit.pipeline.searching.suggesting import Replayed
from edgekit.pipeline.stages import untrained
from edgekit.progress import SILENT, Progress
from edgekit.reporting.search_table import clock, trial_line
from edgekit.schema.types import JsonMapping, JsonObject
from edgekit.schema.versions import WRITER
from edgekit.tasks.register import METRICS

NAMED = ("int8", "qat", "channels-qat", "distill-channels-qat", "fastest", "smallest")
"""Recipes of the package that come first: a front that does not beat them is none."""
NAMED_GZIP = ("prune-qat", "cluster-qat")
"""Those that save bytes after gzip only."""
NAMED_INT4 = ("int4-qat",)
"""Those whose files hold weights in 4 bits."""
GRACE_SECONDS = 900.0
"""Beyond the time of a trial, after which a process is ended whose native code looks at no clock."""
TIMED_OUT = 75
"""Exit code of such a process; another takes its place."""


def search(request: JsonMapping, progress: Progress) -> JsonObject:
    """Search as a request says (see `edgekit.api.search`); return what it came to, as `front.json` has it.

    Raises:
        EdgekitError: something cannot be used as given, no trial can be run, or a disk is full.
    """
    options = options_of(request)
    _need_optuna()
    claim()
    folder = Folder(options.out)
    folder.prove([options.model, options.data])
    if options.fresh:
        folder.clear()
    shared = _shared(options, folder)
    known = known_identity(shared, options.study)
    settings = agreed(known, options.settings, join=options.join, where=shared.where, name=options.study)
    subject = open_subject(options, settings, progress)
    here = Identity(
        edgekit=WRITER, model=subject.job.source.key, data=subject.job.dataset.fingerprint, settings=settings
    )
    if known is not None:
        check_same(known, here, shared.where)
        here = replace(here, reference_ms=known.reference_ms)
    folder.begin({"schema": 1, "edgekit": WRITER, "study": options.study, "storage": shared.where})
    return _Worker(options, folder, shared, subject, here, progress, new=known is None).search().to_dict()


def _need_optuna() -> None:
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("edgekit search", "search", str(error)) from error


def _shared(options: Options, folder: Folder) -> Shared:
    """Open the storage: a database, a journal file, or the one in the search's folder."""
    if options.storage is not None and "://" in options.storage:
        from edgekit.pipeline.searching.database import Database

        return Database(options.storage)
    from edgekit.pipeline.searching.journal import Journal

    return Journal(folder.journal if options.storage is None else Path(options.storage))


class _Worker:
    """A search whose model, data and storage are open."""

    def __init__(
        self, options: Options, folder: Folder, shared: Shared, subject: Subject, here: Identity, progress: Progress,
        *, new: bool,
    ) -> None:  # fmt: skip
        self._options, self._folder, self._shared, self._subject = options, folder, shared, subject
        self._here, self._progress, self._new = here, progress, new
        self._metric = subject.job.task.main.metric
        self._space = space_of(subject, options, here.settings)
        self._stages = StageCache(options.cache_bytes)
        self._watchdog = _Watchdog()

    def search(self) -> SearchResult:
        """Run trials, and write the front."""
        job = self._subject.job
        more = self._metric not in METRICS or METRICS[self._metric].higher_is_better
        budget = self._settings.budget.for_metric(
            self._metric, lower_is_better=not more, is_share=is_share(self._metric)
        )
        with temporary_folder("search") as scratch, open_device() as device:
            outlines = Outlines(scratch) if self._subject.trains else None
            if outlines is not None:
                check_reachable(budget, self._subject, self._space, outlines, gzip=self._settings.gzip)
            stopwatch = self._stopwatch(scratch)
            here = replace(self._here, reference_ms=None if stopwatch is None else stopwatch.reference_ms)
            self._study, known = open_study(self._shared, self._name, here, self._first(), more=more)
            if stopwatch is not None and known.reference_ms is not None:
                stopwatch.reference_ms = known.reference_ms
            self._goals = Goals(more, known.reference_ms is not None, self._settings.gzip, budget)
            model = job.source.model.model
            meter = FileMeter(device, model, job.splits, job.preprocessing, job.task, job.recipe.check_samples, scratch)
            tools = Tools(
                self._subject, self._space, self._goals, self._stages, device, meter, outlines, stopwatch,
                self._folder.keep, self._timed,
            )  # fmt: skip
            self._loop = Loop(
                self._study, self._shared, self._space, self._goals, self._options.limits, Attempt(tools), self._kept,
                self._progress,
            )  # fmt: skip
            standing = self._loop.run()
            return self._published(standing)

    @property
    def _settings(self) -> Settings:
        return self._here.settings

    @property
    def _name(self) -> str:
        return self._options.study

    def _stopwatch(self, scratch: Path) -> Stopwatch | None:
        """Return how latency is measured; None without a target, and where its CPU is emulated."""
        asked = self._settings.budget.max_latency_ms is not None
        if not self._settings.target and not asked:
            return None
        options = self._options
        target = find_target(options.target or self._settings.target or "desktop", trust=options.trust_target)
        target = target.at(options.host, options.identity)
        self._progress.notify(f"measuring the reference file on {target.name}")
        try:
            return Stopwatch(target, self._reference(scratch), self._here.reference_ms, self._progress)
        except Emulated as error:
            if asked:
                raise
            self._progress.warn(f"{error.message}; MACs stand in for it", "latency-by-macs")
            return None

    def _reference(self, scratch: Path) -> Path:
        """Write the file that latencies are compared with: the model in int8, by calibration alone."""
        job, folder = self._subject.job, scratch / "reference"
        folder.mkdir()
        outcome = untrained(job.source.model)
        format_ = job.source.model.format
        recipe = replace(job.recipe, schemes=("int8",), formats=("tflite" if format_ == "keras" else format_,))
        calibration = job.preprocessing.apply(job.splits.x_calibration)
        [made, *_] = export_source(
            format_, outcome.model, outcome.float_model, recipe, calibration, folder, "reference", SILENT
        )
        return made.path

    def _first(self) -> list[tuple[str, JsonObject]]:
        """Return the parameters of the trials that come first: of recipes of the package, and of mixed precision."""
        further = (NAMED_GZIP if self._space.gzip else ()) + (NAMED_INT4 if "int4" in self._space.schemes else ())
        names = NAMED + further if self._subject.trains else ("int8",)
        recipes = [(name, load_recipe(name)) for name in names]
        first = [
            (name, self._space.params(choice_of(recipe)))
            for name, recipe in recipes
            if self._space.channels or not any(spec.use in ("distill", "prune") for spec in recipe.stages)
        ]
        return [*first, ("", self._space.params(Choice(max_drop=MAX_DROPS[-1])))]

    def _timed(self) -> Progress:
        """Return the progress of a trial, which ends with its time, or with that of the search."""
        seconds = self._options.limits.trial_seconds
        self._watchdog.arm(seconds + GRACE_SECONDS)
        deadlines = {"trial": time.monotonic() + seconds}
        left = self._loop.seconds_left()
        if left is not None:
            deadlines["search"] = time.monotonic() + left
        return Timed(self._progress, deadlines)

    def _kept(self, trial: Trial, standing: Standing) -> None:
        """Report a trial, and what is known by now."""
        self._watchdog.disarm()
        trials = on_front(standing, self._goals)
        self._progress.notify(trial_line(trial, trials, self._left(standing)))
        self._stages.pin(
            [name for t in trials for name in stage_names(self._subject.run(self._recipe(t), Path(), SILENT))]
        )
        with self._folder.turn("front"):
            self._show(standing, [self._point(t) for t in trials])

    def _left(self, standing: Standing) -> str:
        limits, done = self._options.limits, len(standing.trials)
        words = []
        if limits.trials is not None:
            words.append(f"{done} of {limits.trials} trials")
        left = self._loop.seconds_left()
        if left is not None:
            words.append(f"{clock(left)} left")
        elif limits.trials is not None and done:
            words.append(f"about {clock(standing.seconds / done * (limits.trials - done))} left")
        return ", ".join(words)

    def _point(self, trial: Trial) -> Point:
        place = self._folder.bundle(trial)
        recipe = self._folder.of_trial(trial.number) / "recipe.toml"
        inside = [str(path.relative_to(self._folder.path)) if path.exists() else "" for path in (place, recipe)]
        return Point(trial, bundle=inside[0], recipe=inside[1])

    def _show(self, standing: Standing, points: list[Point]) -> SearchResult:
        result = result_of(standing, self._goals, self._settings, self._metric, points)
        self._folder.show(result)
        return result

    def _published(self, standing: Standing) -> SearchResult:
        """Write the front, and what the search came to."""
        for trial in standing.trials:
            self._folder.keep(trial, None, None)
        publisher = Publisher(self._subject, self._folder, self._stages, self._recipe, self._progress)
        points = publisher.points(on_front(standing, self._goals))
        for finding in self._subject.findings:
            self._progress.warn(f"repeated, because the files may be worthless: {finding.message}", finding.code)
        with self._folder.turn("front"):
            return self._show(standing, points)

    def _recipe(self, trial: Trial) -> Recipe:
        """Return the recipe of a trial of this search, from the parameters in the storage.

        Raises:
            InputError: they are none of this search, or not those of the record.
        """
        source = f"{self._shared.where}: trial {trial.number}"
        with self._shared.explained():
            [frozen] = [t for t in self._study.get_trials(deepcopy=False) if t.number == trial.number]
        named = str(frozen.user_attrs.get(RECIPE, ""))
        choice = Choice() if named else self._space.suggest(Replayed(frozen.params, source))
        if named and named not in NAMED + NAMED_GZIP + NAMED_INT4:
            raise InputError(f"{source}: recipe `{named}` is none that a search begins with", code="storage-foreign")
        recipe = recipe_of(self._space, self._subject, _proposal(trial, choice, named))
        if digest(recipe) != trial.recipe_sha256 and not self._space.files and not self._space.teacher:
            raise InputError(f"{source}: its parameters are not those of its record", code="storage-foreign")
        return recipe


def _proposal(trial: Trial, choice: Choice, named: str) -> Proposal:
    return Proposal(trial.number, choice, named, (), lambda share: [], lambda rung: None)


class _Watchdog:
    """Ends the process when a trial takes far too long: what holds it looks at no clock."""

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def arm(self, seconds: float) -> None:
        """End the process in so many seconds."""
        self.disarm()
        self._timer = threading.Timer(seconds, os._exit, (TIMED_OUT,))
        self._timer.daemon = True
        self._timer.start()

    def disarm(self) -> None:
        """Let it live."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
