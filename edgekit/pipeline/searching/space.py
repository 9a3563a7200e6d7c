"""What a search may vary: a `Choice` is a point of the space, and becomes a recipe.

Which parameters there are depends on others: a width is chosen for a student only. The sampler draws from groups of
parameters that occur together (Optuna's `group`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from edgekit.bundle.recipe import Recipe, StageSpec
from edgekit.pipeline.searching.choice import CALIBRATE, NONE, OWN_SHAPES, TAUGHT, TRAIN, Choice
from edgekit.pipeline.searching.suggesting import Fixed
from edgekit.schema.types import JsonObject, JsonValue

EPOCHS = {"distill": 40, "prune": 20, "weights": 10, "cluster": 5}
"""Of each stage, where `effort` is 1; those of quantization-aware training are searched."""
WIDTHS, WIDTH_STEP = (0.1, 1.0), 0.05
TAPERS = (0.25, 4.0)
TEMPERATURES = (1.0, 10.0)
ALPHAS = (0.3, 1.0)
RATES = (5e-4, 5e-3)
AMOUNTS, AMOUNT_STEP = (0.1, 0.7), 0.02
ZEROS, ZEROS_STEP = (0.3, 0.9), 0.1
CLUSTERS = (8, 16, 32, 64)
QAT_EPOCHS = (2, 10)
INT4_RATE = 5e-4
"""Learning rate of quantization-aware training of weights in 4 bits, which have further to go than those in 8."""
MAX_DROPS = (0.0, 0.5)
"""Of the model itself in int8: anything, or half a point, as `--max-drop` takes it."""


class Suggests(Protocol):
    """What proposes values: a trial of Optuna."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a number from `low` to `high`."""

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Return an integer from `low` to `high`."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of the choices."""


@dataclass(frozen=True)
class Space:
    """What may vary for a model.

    Attributes:
        students: `none`, `scaled`, `sliced`, names of reference models, and keys of `files`.
        files: student models: a name that is the same for all workers, to the path here.
        blocks: how many blocks of the model's architecture a student can do without.
        trains: whether stages can be run at all.
        channels: whether channels can be removed.
        criteria: by which.
        schemes: of files.
        calibrations: how ranges may be chosen.
        augments: of images while anything learns.
        teacher: a model file that teaches students, or empty: the model itself.
        gzip: whether sizes count after gzip, so that zeros and clusters save something.
        effort: factor on all epochs.
    """

    students: tuple[str, ...] = (NONE,)
    files: Mapping[str, str] = field(default_factory=dict)
    blocks: int = 0
    trains: bool = True
    channels: bool = True
    criteria: tuple[str, ...] = ("l1", "l2")
    schemes: tuple[str, ...] = ("int8",)
    calibrations: tuple[str, ...] = ("minmax", "percentile", "mse")
    augments: tuple[str, ...] = (NONE,)
    teacher: str = ""
    gzip: bool = False
    effort: float = 1.0

    def suggest(self, trial: Suggests) -> Choice:
        """Let a sampler choose a point."""
        chosen = _Suggested(self, trial)
        if self.trains:
            chosen.student()
            chosen.pruning()
            chosen.compression()
        chosen.quantization()
        if chosen.made.learns:
            chosen.one("augment", self.augments)
        elif chosen.made.scheme == "int8":
            chosen.one("max_drop", MAX_DROPS)
        return Choice(**chosen.values)

    def params(self, choice: Choice) -> dict[str, JsonValue]:
        """Return the parameters that a sampler would have chosen for a point: the nearest that the space holds."""
        fixed = Fixed(choice)
        self.suggest(fixed)
        return fixed.params

    def recipe(self, choice: Choice, base: Recipe, name: str, share: float = 1.0) -> Recipe:
        """Return the recipe that a point is.

        Args:
            choice: the point.
            base: seed, preprocessing and all else that does not vary.
            name: of the recipe.
            share: of the epochs.
        """
        stages = tuple(self._stages(choice, share))
        method = choice.calibration if choice.quantize == CALIBRATE else base.calibration_method
        words = ", ".join(self._words(choice)) or "as it is"
        return replace(
            base, name=name, description=f"{words}; {choice.scheme}", stages=stages, schemes=(choice.scheme,),
            calibration_method=method, max_drop=choice.max_drop or None,
        )  # fmt: skip

    def named(self, recipe: Recipe, base: Recipe, share: float = 1.0) -> Recipe:
        """Return a recipe of the package as this search runs it: with its epochs times effort and share."""
        stages = tuple(
            replace(spec, options={**spec.options, "epochs": self._epochs(spec.options.get("epochs", 5), share)})
            for spec in recipe.stages
        )
        return replace(
            base, name=recipe.name, description=recipe.description, stages=stages, schemes=recipe.schemes[-1:]
        )

    def _epochs(self, epochs: int, share: float) -> int:
        return max(1, round(epochs * self.effort * share))

    def _stages(self, choice: Choice, share: float) -> Iterator[StageSpec]:
        if choice.student != NONE:
            yield StageSpec("distill", self._distill(choice, share))
        learning = {} if choice.augment == NONE else {"augment": choice.augment}
        if choice.amount:
            options = {"amount": choice.amount, "criterion": choice.criterion, "multiple_of": 4}
            yield StageSpec("prune", {**options, **learning, "epochs": self._epochs(EPOCHS["prune"], share)})
        if choice.zeros:
            options = {"granularity": "weight", "scope": "global", "amount": choice.zeros}
            yield StageSpec("prune", {**options, **learning, "epochs": self._epochs(EPOCHS["weights"], share)})
        if choice.clusters:
            options = {"clusters": choice.clusters}
            yield StageSpec("cluster", {**options, **learning, "epochs": self._epochs(EPOCHS["cluster"], share)})
        if choice.quantize != CALIBRATE:
            options = {"alpha": 0.7, "teacher": "original"} if choice.quantize == TAUGHT else {}
            if choice.scheme != "int8" and not choice.zeros and not choice.clusters:
                options |= {"weight_bits": 4, "learning_rate": INT4_RATE}
            yield StageSpec("quantize", {**options, **learning, "epochs": self._epochs(choice.qat_epochs, share)})

    def _distill(self, choice: Choice, share: float) -> JsonObject:
        options: JsonObject = {"student": self.files.get(choice.student, choice.student)}
        if choice.student not in self.files:
            options["width"] = choice.width
        if choice.student in OWN_SHAPES:
            options |= {"taper": choice.taper, "shallower": choice.shallower}
        if self.teacher:
            options["teacher"] = self.teacher
        return {
            **options, "temperature": choice.temperature, "alpha": choice.alpha, "learning_rate": choice.rate,
            "augment": choice.augment, "epochs": self._epochs(EPOCHS["distill"], share),
        }  # fmt: skip

    def _words(self, choice: Choice) -> list[str]:
        words = []
        if choice.student != NONE:
            size = "" if choice.student in self.files else f" x{choice.width:g}"
            own = choice.student in OWN_SHAPES
            taper = f" taper {choice.taper:g}" if own and choice.taper != 1 else ""
            blocks = f" without {choice.shallower} blocks" if own and choice.shallower else ""
            words.append(f"student {choice.student}{size}{taper}{blocks}")
        if choice.amount:
            words.append(f"channels -{choice.amount:.0%} by {choice.criterion}")
        if choice.zeros:
            words.append(f"zeros {choice.zeros:.0%}")
        if choice.clusters:
            words.append(f"{choice.clusters} clusters")
        if choice.quantize != CALIBRATE:
            words.append(f"QAT {choice.qat_epochs}{' taught' * (choice.quantize == TAUGHT)}")
        elif choice.calibration != "minmax":
            words.append(f"calibrated by {choice.calibration}")
        if choice.max_drop:
            words.append(f"mixed precision, drop {choice.max_drop:g}")
        return words


class _Suggested:
    """A choice while it is made, parameter by parameter."""

    def __init__(self, space: Space, trial: Suggests) -> None:
        self._space, self._trial = space, trial
        self.values: dict[str, Any] = {}

    def student(self) -> None:
        """Choose who learns, of what size, and how."""
        student = self.one("student", self._space.students)
        if student == NONE:
            return
        if student not in self._space.files:
            self._number("width", WIDTHS, step=WIDTH_STEP)
        if student in OWN_SHAPES:
            self._number("taper", TAPERS, log=True)
            self.one("shallower", range(self._space.blocks + 1))
        self._number("temperature", TEMPERATURES, log=True)
        self._number("alpha", ALPHAS)
        self._number("rate", RATES, log=True)

    def pruning(self) -> None:
        """Choose how many channels go."""
        if self._space.channels and self._asked("pruned"):
            self._number("amount", AMOUNTS, step=AMOUNT_STEP)
            self.one("criterion", self._space.criteria)

    def compression(self) -> None:
        """Choose what saves bytes after gzip only."""
        if self._space.gzip and self._asked("sparse"):
            self._number("zeros", ZEROS, step=ZEROS_STEP)
        if self._space.gzip and self._asked("clustered"):
            self.one("clusters", CLUSTERS)

    def quantization(self) -> None:
        """Choose how the file comes to few bits."""
        how = self.one("quantize", (CALIBRATE, TRAIN, TAUGHT)) if self._space.trains else CALIBRATE
        if how == CALIBRATE:
            self.one("calibration", self._space.calibrations)
        else:
            self.values["qat_epochs"] = self._trial.suggest_int("qat_epochs", *QAT_EPOCHS)
        self.one("scheme", self._space.schemes)

    @property
    def made(self) -> Choice:
        """What is chosen by now."""
        return Choice(**self.values)

    def one(self, name: str, choices: Sequence[Any]) -> Any:
        """Choose one of several; where there is one only, no sampler is asked."""
        self.values[name] = choices[0] if len(choices) == 1 else self._trial.suggest_categorical(name, tuple(choices))
        return self.values[name]

    def _asked(self, name: str) -> bool:
        return bool(self._trial.suggest_categorical(name, (False, True)))

    def _number(self, name: str, bounds: tuple[float, float], *, step: float | None = None, log: bool = False) -> None:
        value = self._trial.suggest_float(name, *bounds, step=step, log=log)
        self.values[name] = float(f"{value:.3g}")
