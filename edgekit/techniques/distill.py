"""`distill`: a small model learns from a large one, directly or through teacher assistants."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from edgekit.errors import InputError
from edgekit.frameworks.types import KerasModel
from edgekit.models.keras.outputs import is_integer
from edgekit.models.reference.reference import REFERENCE
from edgekit.models.training.targets import check_soft
from edgekit.models.training.training import History
from edgekit.progress import Progress
from edgekit.schema.types import JsonObject
from edgekit.techniques.masks import keep_zeros
from edgekit.techniques.stage import SPARSE, ModelState, StageContext, Trained, refuse_after_clustering
from edgekit.techniques.teacher import scaled_task, soft_targets
from edgekit.techniques.training import train_stage

SCALED, SLICED, CURRENT = "scaled", "sliced", "current"
STUDENTS = (SCALED, SLICED, CURRENT, *REFERENCE)
WIDTH = 0.5
STEEPEST = 10.0
"""Largest `taper`, and one over the smallest."""
MOST_BLOCKS = 100


@dataclass(frozen=True)
class Distill(Trained):
    """Knowledge distillation (Hinton et al. 2015), with teacher assistants (Mirzadeh et al. 2020, arXiv 1902.03393).

    Attributes:
        student: `scaled`, a fresh model of the same architecture with its channels times `width`; `sliced`, the same
            with the weights of the model's most important channels; the name of a reference model, times `width`; a
            model file; or `current`, the model as it is, with its weights kept, which then learns from the original
            model.
        width: factor on the channels of a fresh or sliced student.
        taper: of a scaled or sliced student the last layers' factor over the first ones', those between on a log scale
            around `width`: above 1 the first layers are the narrow ones, below 1 the last.
        shallower: of a scaled or sliced student how many blocks are left out, the last first: those that give back the
            shape that they take, such as a residual block with a plain shortcut.
        assistants: how many models between teacher and student, their widths spaced evenly on a log scale.
        assistant_widths: their widths, largest first, in place of `assistants`.
        teacher: a model file; by default the model as it comes into this stage, or, for the student `current`, the
            original model. A teacher takes the same inputs, preprocessed in the same way, as the model.
        temperature: T of the soft targets.
        alpha: share of the soft loss.
        epochs: for every model of the chain.
    """

    student: str = SCALED
    width: float = WIDTH
    taper: float = 1.0
    shallower: int = 0
    assistants: int = 0
    assistant_widths: tuple[float, ...] = ()
    teacher: str = ""
    temperature: float = 4.0
    alpha: float = 0.7
    epochs: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.width <= 1:
            raise InputError(
                f"`width` is {self.width}, expected a factor above 0 and at most 1", code="value-out-of-range"
            )
        if not 1 / STEEPEST <= self.taper <= STEEPEST:
            raise InputError(
                f"`taper` is {self.taper}, expected {1 / STEEPEST:g} to {STEEPEST:g}", code="value-out-of-range"
            )
        check_soft(self.temperature, self.alpha)
        if not 0 <= self.assistants <= 8:
            raise InputError(f"`assistants` is {self.assistants}, expected 0 to 8", code="value-out-of-range")
        if self.assistants and self.assistant_widths:
            raise InputError(
                "`assistants` has no effect with `assistant_widths`", "give one of them", code="option-without-effect"
            )
        widths = self.assistant_widths
        if any(not 0 < w <= 1 for w in widths) or list(widths) != sorted(set(widths), reverse=True):
            raise InputError(
                f"`assistant_widths` is {list(widths)}, expected factors from 1 down to 0, each below the last",
                code="value-out-of-range",
            )
        for role, name, known in (("student", self.student, STUDENTS), ("teacher", self.teacher, ("",))):
            if name not in known and not Path(name).expanduser().exists():
                hint = (
                    f"give a model file, or one of: {', '.join(known)}" if any(known) else "give a .keras or .h5 file"
                )
                raise InputError(f"{role} `{name}`: no such file", hint, code="file-missing")
        if not 0 <= self.shallower <= MOST_BLOCKS:
            raise InputError(f"`shallower` is {self.shallower}, expected 0 to {MOST_BLOCKS}", code="value-out-of-range")
        for name, given in (("taper", self.taper != 1), ("shallower", bool(self.shallower))):
            if self.student not in (SCALED, SLICED) and given:
                raise InputError(
                    f"`{name}` has no effect on student `{self.student}`: it is for `{SCALED}` and `{SLICED}`",
                    f"leave `{name}` out",
                    code="option-without-effect",
                )
        if self.student not in (SCALED, SLICED, *REFERENCE) and self.width != WIDTH:
            raise InputError(
                f"`width` has no effect: student `{self.student}` has a fixed size",
                "leave `width` out",
                code="option-without-effect",
            )
        if self.student == CURRENT and (self.assistants or widths):
            raise InputError(
                "`assistants` has no effect: student `current` has a fixed size",
                "leave the assistants out",
                code="option-without-effect",
            )

    @property
    def expectation(self) -> str:
        """See `Stage`."""
        if self.student == CURRENT:
            return "distillation into the model as it is: accuracy may rise, size and speed stay"
        chain = len(self.assistant_widths) or self.assistants
        through = f" through {chain} assistant{'s' * (chain != 1)}" if chain else ""
        cost = "" if self.augment == "none" else "; the teacher runs along, because augmented samples cannot be cached"
        return f"distillation{through}: a smaller, faster model of other shape, some accuracy lost{cost}"

    def follow(self, traits: frozenset[str]) -> frozenset[str]:
        """See `Stage`."""
        if self.student == CURRENT:
            refuse_after_clustering("distill", traits)
            return traits
        if traits:
            raise InputError(
                f"`distill` to a fresh student throws away what made the model {' and '.join(sorted(traits))}",
                'put `distill` first, or use student = "current" to teach the compressed model itself',
                code="stage-order",
            )
        return traits

    def preflight(self, model: KerasModel, progress: Progress, *, allow_unsafe: bool) -> None:
        """See `Stage`: the model files that this stage names must be able to teach or be taught what the model does."""
        for role, name, known in (("student", self.student, STUDENTS), ("teacher", self.teacher, ("",))):
            if name not in known:
                _check_shapes(_load(name, progress, allow_unsafe=allow_unsafe), f"{role} {name}", model)

    def outline(self, model: KerasModel, progress: Progress, *, allow_unsafe: bool) -> KerasModel:
        """See `Stage`."""
        if self.student == CURRENT:
            return model
        if self.student in (SCALED, SLICED):
            from edgekit.techniques.channels.prune import scale_channels, slice_channels
            from edgekit.techniques.depth import shallower

            whole = shallower(model, self.shallower)
            if self.student == SLICED:
                return slice_channels(whole, self.width, self.taper)
            return scale_channels(whole, self.width, taper=self.taper)
        if self.student in REFERENCE:
            from edgekit.models.reference import reference

            return reference.build(self.student, model.input_shape[1:], model.output_shape[-1], self.width)
        return _load(self.student, progress, allow_unsafe=allow_unsafe)

    def run(self, state: ModelState, context: StageContext) -> tuple[ModelState, JsonObject]:
        """See `Stage`."""
        if self.student == CURRENT:
            teacher = self._teacher(context.original, context)
            history = self._teach(teacher, state.model, context, "current", state.traits)
            return state, {"chain": [_note("current", state.model, history)]}
        student = self._student(state.model, context)
        # All are built before any is trained, so that their first weights do not depend on what was resumed.
        pupils = [*self._assistants(state.model, student), ("student", student)]
        teacher, chain = self._teacher(state.model, context), []
        for name, pupil in pupils:
            chain.append(_note(name, pupil, self._teach(teacher, pupil, context, name)))
            teacher = pupil
        return ModelState(student), {"chain": chain}

    def _teacher(self, default: KerasModel, context: StageContext) -> KerasModel:
        """Return the model from the `teacher` file if there is one, else `default`."""
        if not self.teacher:
            return default
        teacher = _from_file(self.teacher, context)
        _check_shapes(teacher, f"teacher {self.teacher}", default)
        return teacher

    def _student(self, teacher: KerasModel, context: StageContext) -> KerasModel:
        unlike = context.task.main.kind != "classification" or context.task.main.logits
        if self.student in REFERENCE and unlike:
            raise InputError(
                f"student `{self.student}`: reference models are classifiers that end in a softmax",
                'use student = "scaled", or a model file',
                code="student-unfit",
            )
        student = self.outline(teacher, context.progress, allow_unsafe=context.allow_unsafe)
        _check_shapes(student, f"student {self.student}", teacher)
        _check_scale(student, f"student {self.student}", context)
        if student.count_params() >= teacher.count_params():
            context.progress.warn(
                f"the student has {student.count_params():,} parameters, its teacher {teacher.count_params():,}",
                "student-not-smaller",
            )
        return student

    def _assistants(self, teacher: KerasModel, student: KerasModel) -> list[tuple[str, KerasModel]]:
        widths = self.assistant_widths or spaced(
            (student.count_params() / teacher.count_params()) ** 0.5, self.assistants
        )
        return [(f"assistant-{n}-{width:.3g}", _scaled(teacher, width)) for n, width in enumerate(widths, 1)]

    def _teach(
        self,
        teacher: KerasModel,
        student: KerasModel,
        context: StageContext,
        name: str,
        traits: frozenset[str] = frozenset(),
    ) -> History:
        targets = soft_targets(
            teacher, context, name, augment=self.augment, temperature=self.temperature, alpha=self.alpha
        )
        callbacks = keep_zeros(student) if SPARSE in traits else []
        return train_stage(
            student,
            context,
            self.config(context.seed),
            targets=targets,
            callbacks=callbacks,
            checkpoint=f"{name}/training.npz",
        )


def spaced(width: float, count: int) -> tuple[float, ...]:
    """Return `count` widths between 1 and `width`, evenly on a log scale: each a like step smaller."""
    width = min(width, 1.0)
    return tuple(width ** (step / (count + 1)) for step in range(1, count + 1))


def _scaled(model: KerasModel, width: float) -> KerasModel:
    from edgekit.techniques.channels.prune import scale_channels

    return scale_channels(model, width)


def _check_shapes(model: KerasModel, what: str, other: KerasModel) -> None:
    for name in ("input_shape", "output_shape"):
        if getattr(model, name) != getattr(other, name):
            raise InputError(
                f"{what}: its {name.replace('_', ' ')} is {getattr(model, name)}, expected {getattr(other, name)}",
                code="student-unfit",
            )


def _check_scale(model: KerasModel, what: str, context: StageContext) -> None:
    """Raise unless a student ends in probabilities where the model does, in logits where that does."""
    if scaled_task(model, context) != context.task:
        ends = "logits" if context.task.main.logits else "probabilities"
        raise InputError(
            f"{what}: the model that it replaces ends in {ends}, the student does not",
            "save the student with the same last activation",
            code="student-unfit",
        )


def _from_file(name: str, context: StageContext) -> KerasModel:
    return _load(name, context.progress, allow_unsafe=context.allow_unsafe)


def _load(name: str, progress: Progress, *, allow_unsafe: bool) -> KerasModel:
    from edgekit.models.files.loader import load_model

    loaded = load_model(Path(name).expanduser(), allow_unsafe=allow_unsafe, progress=progress)
    if any(is_integer(tensor) for tensor in loaded.model.outputs):
        raise InputError(
            f"`{name}` cannot be teacher or student: its outputs are class numbers, as of ArgMax",
            "give the model without its last operation",
            code="student-unfit",
        )
    if not loaded.trainable:
        raise InputError(
            f"`{name}` cannot be teacher or student: {loaded.untrainable}",
            "give a model of Keras layers",
            code="student-unfit",
        )
    return loaded.model


def _note(name: str, model: KerasModel, history: History) -> JsonObject:
    summary = {"kept_epoch": history.best_epoch, **history.best}
    return {"name": name, "parameters": model.count_params(), **summary, "config": asdict(history.config)}
