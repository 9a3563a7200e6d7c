"""The model and the data of a search, opened once for all trials of a worker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.bundle.recipe import Recipe
from edgekit.data.lint.finding import Finding
from edgekit.errors import InputError
from edgekit.errors.printable import clipped
from edgekit.pipeline.input_sizes import InputOptions
from edgekit.pipeline.job import Job
from edgekit.pipeline.opening import opened
from edgekit.pipeline.request import Request
from edgekit.pipeline.searching.choice import NONE, OWN_SHAPES
from edgekit.pipeline.searching.options import Options
from edgekit.pipeline.searching.settings import Settings
from edgekit.pipeline.searching.space import Space
from edgekit.progress import Progress
from edgekit.schema.toml import nearest
from edgekit.tasks.preprocessing import checked_fields
from edgekit.tasks.register import METRICS
from edgekit.techniques.depth import blocks_of

MOST_BLOCKS = 4
"""That a student does without, at most: a sampler learns slowly what there is much of."""
MOST_SAMPLES = 5000
"""Validation samples that files are scored on: what is chosen by few is chosen by chance."""


@dataclass(frozen=True)
class Subject:
    """What is compressed.

    Attributes:
        job: a run without stages that is ready; every trial's is made of it.
        findings: about model and data, to repeat at the end.
        trains: whether stages can be run.
    """

    job: Job
    findings: tuple[Finding, ...]
    trains: bool

    @property
    def base(self) -> Recipe:
        """The recipe whose stages, schemes and calibration vary."""
        return self.job.recipe

    @property
    def name(self) -> str:
        """What files are called."""
        return self.job.source.name

    def run(self, recipe: Recipe, out: Path, progress: Progress) -> Job:
        """Return the run of a recipe.

        Args:
            recipe: of this subject.
            out: of its bundle.
            progress: notified of every step.

        Raises:
            InputError: its stages cannot follow each other.
        """
        request = replace(self.job.request, recipe=recipe, out=out, force=True, progress=progress).checked()
        return replace(self.job, request=request)


def preflight(job: Job) -> None:
    """Raise `InputError` for what would stop a stage of a run, before any trains."""
    for stage in job.request.stages:
        stage.preflight(job.source.model.model, job.progress, allow_unsafe=job.request.allow_unsafe)


def open_subject(options: Options, settings: Settings, progress: Progress) -> Subject:
    """Open model and data, and match them.

    Args:
        options: of this worker.
        settings: of the search.
        progress: notified of every step.

    Raises:
        EdgekitError: as for `compress`.
    """
    recipe = Recipe(
        "search", "what a search begins with", settings.seed, schemes=("float32", "int8"), check_samples=MOST_SAMPLES,
        normalize_outside=settings.normalize_outside, layout_out=settings.layout_out,
    )  # fmt: skip
    shapes = {name: tuple(sizes) for name, sizes in settings.input_shapes.items()}
    request = Request(
        options.model, options.data, recipe, options.out, checked_fields(settings.preprocessing), options.allow_unsafe,
        settings.metric or None, settings.task, options.custom, anyway=options.anyway,
        inputs=InputOptions(shapes, settings.input_values), progress=progress,
    )  # fmt: skip
    job, findings = opened(request)
    trains = not job.source.model.untrainable and not any(head.indices for head in job.task.heads)
    return Subject(job, tuple(findings), trains)


def space_of(subject: Subject, options: Options, settings: Settings) -> Space:
    """Return what may vary for a model.

    Raises:
        InputError: something is asked to vary that cannot, such as a student that does not fit.
    """
    plain = Space(schemes=settings.schemes, trains=subject.trains, gzip=settings.gzip, effort=settings.effort)
    asked = [*settings.students, *settings.files, *([settings.augment] if settings.augment else [])]
    if not subject.trains:
        if asked or settings.teacher:
            why = subject.job.source.model.untrainable or "its outputs are class numbers, which have no gradient"
            raise InputError(
                f"`{subject.name}` is not trainable, and so learns nothing: {why}",
                "leave `--student`, `--teacher` and `--augment` out, or give the Keras model",
                code="source-not-trainable",
            )
        return replace(plain, channels=False)
    files = {f"file-{d[:8]}": path for d, path in zip(settings.files, options.student_files, strict=True)}
    own = _groups(subject)
    students = (NONE, *(OWN_SHAPES if own else ()), *_references(subject, settings.students), *files)
    augments = (NONE, settings.augment) if settings.augment else (NONE,)
    return replace(
        plain, students=students, files=files, channels=own, criteria=_criteria(subject), augments=augments,
        teacher=options.teacher, blocks=min(MOST_BLOCKS, len(blocks_of(subject.job.source.model.model))) if own else 0,
    )  # fmt: skip


def is_share(metric: str) -> bool:
    """Return whether a metric is a share of 1."""
    return metric in METRICS and METRICS[metric].unit == "%"


def _groups(subject: Subject) -> bool:
    """Return whether the model has channels that can be removed."""
    from edgekit.techniques.channels.groups import analyse

    return bool(analyse(subject.job.source.model.model).groups)


def _references(subject: Subject, names: tuple[str, ...]) -> tuple[str, ...]:
    from edgekit.models.reference.reference import REFERENCE
    from edgekit.techniques.distill import Distill

    head = subject.job.task.main
    for name in names:
        if name not in REFERENCE:
            hint = nearest(name, [*REFERENCE])
            raise InputError(f"`--student {clipped(name)}`: no such reference model", hint, code="unknown-name")
    if names and (head.kind != "classification" or head.logits):
        raise InputError(
            f"`--student {names[0]}`: a reference model ends in a softmax over classes, `{subject.name}` does not",
            "leave `--student` out, or give a model file",
            code="student-unfit",
        )
    for name in names:
        model = subject.job.source.model.model
        Distill(student=name, width=1.0).outline(model, subject.job.progress, allow_unsafe=False)
    return names


def _criteria(subject: Subject) -> tuple[str, ...]:
    taylor = subject.job.task.main.kind in ("classification", "binary")
    gamma = any(name.startswith("BatchNormalization") for name in subject.job.source.model.layer_types)
    return ("l1", "l2", *(["bn-gamma"] if gamma else []), *(["taylor"] if taylor else []))
