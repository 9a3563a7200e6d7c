"""One trial: known before training, trained by rungs, measured; whatever happens, there is a record of it."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.bundle.budget import OPTIONS
from edgekit.bundle.recipe import Recipe, load_recipe
from edgekit.bundle.trials import COMPLETE, FAILED, PRUNED, Known, Measured, Rung, Trial
from edgekit.devices.device import Device
from edgekit.errors import ConversionError, EdgekitError, InputError, OutputError
from edgekit.errors.printable import visible
from edgekit.export.sources import export_source
from edgekit.files.explained import explained
from edgekit.files.temporary import temporary_folder
from edgekit.files.whole import gzip_bytes, sha256
from edgekit.formats.info import FileInfo
from edgekit.formats.reading import inspect_file
from edgekit.pipeline.escalation.escalate import escalate
from edgekit.pipeline.finished import Finished
from edgekit.pipeline.job import Job
from edgekit.pipeline.meter import FileMeter
from edgekit.pipeline.searching.deadline import Expired
from edgekit.pipeline.searching.front import Goals
from edgekit.pipeline.searching.halving import goes_on, shares
from edgekit.pipeline.searching.known import MARGIN, Outlines, memory_of, outline
from edgekit.pipeline.searching.latency import Stopwatch
from edgekit.pipeline.searching.loop import Proposal
from edgekit.pipeline.searching.space import Space
from edgekit.pipeline.searching.subject import Subject, preflight
from edgekit.pipeline.stages import run_stages
from edgekit.progress import SILENT, Progress
from edgekit.tasks.scores import brief_text

Keep = Callable[[Trial, Recipe, Path | None], None]
"""Keeps the record of a trial, its recipe, and its file if there is one, before that goes."""


@dataclass(frozen=True)
class Tools:
    """What trials are run with.

    Attributes:
        subject: model and data.
        space: from choices to recipes.
        goals: what is better.
        stages: finished stages that trials share.
        device: the machine that runs files.
        meter: scores them on validation samples.
        outlines: untrained files; None for a source that has no layers.
        stopwatch: latency on the target; None: MACs stand in.
        keep: puts what there is of a trial in its place.
        timed: returns a progress that raises `Expired` when the time of a trial, or of the search, is over.
    """

    subject: Subject
    space: Space
    goals: Goals
    stages: Finished
    device: Device
    meter: FileMeter
    outlines: Outlines | None
    stopwatch: Stopwatch | None
    keep: Keep
    timed: Callable[[], Progress]


class _Stopped(Exception):
    """A trial that cannot get anywhere."""

    def __init__(self, reason: str, code: str) -> None:
        super().__init__(reason)
        self.reason, self.code = reason, code


class Attempt:
    """Runs trials."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def __call__(self, proposal: Proposal) -> Trial:
        """Run one.

        Raises:
            OutputError: a disk is full, or a folder cannot be written: no trial would fare better.
            Expired: the time of the search is over.
        """
        started = time.monotonic()
        recipe = self._recipe(proposal, 1.0)
        trial = Trial(
            proposal.number, FAILED, recipe.name, visible(recipe.description), digest(recipe),
            worker=f"{socket.gethostname()} {os.getpid()}",
        )  # fmt: skip
        with temporary_folder("trial") as folder:
            run = _Run(self._tools, proposal, trial, folder, self._tools.timed())
            ended = run.repeated() or self._ended(run, recipe)
            ended = replace(ended, seconds=round(time.monotonic() - started, 3))
            self._tools.keep(ended, recipe, run.file)
        return ended

    def _recipe(self, proposal: Proposal, share: float) -> Recipe:
        return recipe_of(self._tools.space, self._tools.subject, proposal, share)

    def _ended(self, run: _Run, recipe: Recipe) -> Trial:
        try:
            return run.complete([self._recipe(run.proposal, share) for share in shares(recipe, run.proposal.named)])
        except _Stopped as stop:
            return run.ended(PRUNED, stop.reason, stop.code)
        except Expired as error:
            if error.whose == "search":
                raise
            return run.ended(FAILED, "it took longer than a trial may", "trial-timeout")
        except OutputError:
            raise
        except Exception as error:  # of whatever library: the next trial may fare better
            known = explained(error)
            if isinstance(known, OutputError):
                raise known from error
            if isinstance(known, EdgekitError):
                return run.ended(FAILED, known.message, known.code)
            first = str(error).strip().partition("\n")[0]
            return run.ended(FAILED, f"{type(error).__name__}: {first[:300]}", "trial-crashed")


def recipe_of(space: Space, subject: Subject, proposal: Proposal, share: float = 1.0) -> Recipe:
    """Return the recipe of a trial, by a share of its epochs."""
    if proposal.named:
        return space.named(load_recipe(proposal.named), subject.base, share)
    return space.recipe(proposal.choice, subject.base, f"trial-{proposal.number}", share)


def digest(recipe: Recipe) -> str:
    """Return the SHA-256 of what a recipe does."""
    return hashlib.sha256(replace(recipe, name="", description="").to_toml().encode()).hexdigest()


class _Run:
    """A trial under way.

    Attributes:
        file: that it made last, in `folder`.
    """

    def __init__(self, tools: Tools, proposal: Proposal, trial: Trial, folder: Path, progress: Progress) -> None:
        self.proposal = proposal
        self.file: Path | None = None
        self._tools, self._trial, self._folder, self._progress = tools, trial, folder, progress
        self._known: Known | None = None
        self._rungs: list[Rung] = []
        self._trained = 0.0

    def ended(self, state: str, reason: str, code: str) -> Trial:
        """Return the record of a trial that is not complete."""
        return replace(
            self._trial, state=state, reason=visible(reason), code=code, known=self._known, rungs=tuple(self._rungs),
            trained_seconds=round(self._trained, 3),
        )  # fmt: skip

    def repeated(self) -> Trial | None:
        """Return the record of a trial whose recipe an earlier one had."""
        for other in self.proposal.others:
            if other.recipe_sha256 == self._trial.recipe_sha256 and other.state != FAILED:
                first = other.number if other.same_as is None else other.same_as
                return replace(
                    self._trial, state=other.state, measured=other.measured, known=other.known, reason=other.reason,
                    code=other.code, same_as=first,
                )  # fmt: skip
        return None

    def complete(self, recipes: list[Recipe]) -> Trial:
        """Train by rungs, measure, and return the record.

        Args:
            recipes: by shares of the epochs, the last in full.
        """
        try:
            job = self._tools.subject.run(recipes[-1], self._folder, SILENT)
            preflight(job)
            outline(job)
        except (InputError, ConversionError) as error:
            raise _Stopped(f"before training: {error.message}", error.code) from error
        self._look_ahead(job)
        for share, recipe in zip(shares(recipes[-1], self.proposal.named), recipes, strict=True):
            measured = self._made(recipe)
            if share < 1:
                self._reach(Rung(share, measured.score, self._tools.goals.size(measured), float(measured.macs or 0)))
        assert self.file is not None
        return replace(
            self._trial, state=COMPLETE, measured=self._with_latency(measured, self.file), known=self._known,
            rungs=tuple(self._rungs), trained_seconds=round(self._trained, 3),
        )  # fmt: skip

    def _look_ahead(self, job: Job) -> None:
        """Stop a trial whose file could never keep to the budget, before it is trained."""
        tools, budget = self._tools, self._tools.goals.budget
        bounds = (budget.max_bytes, budget.max_macs, budget.max_memory_bytes, budget.max_latency_ms)
        if tools.outlines is None or not any(bounds):
            return
        self._known, untrained = tools.outlines.of(job)
        for name, miss in budget.known_misses(self._known, gzip=tools.goals.gzip).items():
            if miss > MARGIN - 1:
                raise _Stopped(f"before training: {1 + miss:.2f} times what `{OPTIONS[name]}` allows", "trial-hopeless")
        if budget.max_latency_ms is not None and tools.stopwatch is not None:
            timing = tools.stopwatch.time(untrained)
            if timing.ratio.low * tools.stopwatch.reference_ms > budget.max_latency_ms:
                raise _Stopped(
                    f"before training: {timing.ms:.3g} ms, and `--max-latency` allows {budget.max_latency_ms:g} ms",
                    "trial-hopeless",
                )

    def _reach(self, rung: Rung) -> None:
        """Note a rung; stop a trial that is far from the front there."""
        self._rungs.append(rung)
        self.proposal.reached(rung)
        if not goes_on(rung, self.proposal.rungs(rung.share), more=self._tools.goals.more):
            raise _Stopped(
                f"after {rung.share:.0%} of its epochs: {brief_text(rung.scored)} in {rung.bytes:,} bytes, and another "
                "trial that is no larger was better by more than chance there",
                "trial-behind",
            )

    def _made(self, recipe: Recipe) -> Measured:
        """Run the stages, export, and measure all but latency."""
        tools = self._tools
        job = tools.subject.run(recipe, self._folder, self._progress)
        outcome, chosen = run_stages(job, None, tools.stages), None
        self._trained += outcome.trained_seconds
        if recipe.max_drop is not None:
            escalated = escalate(job, tools.device, outcome, tools.stages)
            outcome, chosen = escalated.outcome, escalated.chosen
        format_ = job.source.model.format
        wanted = replace(recipe, formats=("tflite" if format_ == "keras" else format_,))
        calibration = job.preprocessing.apply(job.splits.x_calibration)
        [made, *_] = export_source(
            format_, outcome.model, outcome.float_model, wanted, calibration, self._folder, job.source.name,
            self._progress, chosen,
        )  # fmt: skip
        self.file = made.path
        info = inspect_file(made.path)
        return _measured(made.path, info, tools.meter)

    def _with_latency(self, measured: Measured, path: Path) -> Measured:
        if self._tools.stopwatch is None:
            return measured
        timing = self._tools.stopwatch.time(path)
        ratio = timing.ratio
        return replace(measured, latency=(ratio.value, ratio.low, ratio.high), latency_ms=timing.ms)


def _measured(path: Path, info: FileInfo, meter: FileMeter) -> Measured:
    return Measured(
        sha256(path), meter.score(path, info).to_dict(), info.bytes, gzip_bytes(path), info.parameters, info.macs,
        memory_of(path, info),
    )  # fmt: skip
