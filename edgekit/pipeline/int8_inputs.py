"""What int8 inputs do to a model, measured before anything is trained or exported, and what mends it.

The lint finds values that the 256 steps of an int8 input hardly tell apart. Whether that matters only the model knows:
the float model is given its inputs rounded to those steps, and its outputs are compared. The same is done with every
remedy, so that a hint names one that works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from edgekit.bundle.recipe import Recipe
from edgekit.data.lint.finding import Finding
from edgekit.data.lint.int8 import INT8
from edgekit.data.lint.steps import FINE_LEVELS, LEVELS, Steps
from edgekit.errors import InputError
from edgekit.export.calibration import MINMAX, Ranging
from edgekit.export.sources import takes_scheme
from edgekit.measuring.agreement import decided
from edgekit.models.sources.source import SourceModel
from edgekit.pipeline.outside import may_move
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import Array, ModelInputs, Samples
from edgekit.tasks.task import Head, Task

SPOILED = "int8-inputs"
"""Code of a finding whose measured effect spoils the int8 files."""
WORTHLESS, GRAVE, HARMLESS = 0.5, 0.9, 0.98
"""Of what the outputs hold: below the first nothing is exported, below the second the warning is repeated at the end,
from the third on there is none."""


_APART = 16
"""Values of an output that are compared one by one."""


@dataclass(frozen=True)
class Effect:
    """What rounded inputs leave of a model's outputs.

    Attributes:
        kept: share of their information, 1 for the same outputs, 0 for none of it: of classes the agreement beyond
            chance (Cohen 1960), of values the share of their variance.
        text: the same in numbers that a person knows.
    """

    kept: float
    text: str


@dataclass(frozen=True)
class Subject:
    """A model with what is needed to run it.

    Attributes:
        model: the float model.
        preprocessing: from stored samples to its inputs.
        samples: stored ones, on which its outputs are compared.
        calibration: stored ones, which set the ranges.
        task: what the outputs are for.
    """

    model: SourceModel
    preprocessing: Preprocessing
    samples: Samples
    calibration: Samples
    task: Task

    def effect(self, ranging: Ranging = MINMAX, levels: int = LEVELS) -> Effect:
        """Measure what rounding the inputs to the steps of an integer does to the outputs.

        Args:
            ranging: how calibration chooses what the steps span.
            levels: of the integer.
        """
        inputs, calibration = self._inputs
        rounded = [
            array if port.numbers else _steps(seen, ranging, levels).rounded(array)
            for array, seen, port in zip(inputs, calibration, self.model.inputs, strict=True)
        ]
        after = self._predicted(rounded)
        effects = [_effect(*pair) for pair in zip(self._before, after, self.task.heads, strict=True)]
        return min(effects, key=lambda effect: effect.kept)

    @cached_property
    def _inputs(self) -> tuple[list[Array], list[Array]]:
        """Samples and calibration samples as the model takes them."""
        samples, calibration = (_arrays(self.preprocessing.apply(x)) for x in (self.samples, self.calibration))
        return samples, calibration

    @cached_property
    def _before(self) -> tuple[Array, ...]:
        """The predictions for its samples as they are: the same for every remedy."""
        return self._predicted(self._inputs[0])

    def _predicted(self, inputs: list[Array]) -> tuple[Array, ...]:
        outputs = self.model.predict(tuple(inputs) if len(inputs) > 1 else inputs[0])
        return tuple(np.asarray(output, np.float64) for output in outputs)

    def outside(self) -> Subject | None:
        """Return it with its normalization done by the preprocessing, if that can be."""
        try:
            moved = self.model.normalized_outside(self.preprocessing)
        except InputError:
            return None
        return replace(self, model=moved.source, preprocessing=moved.preprocessing)


def judge(findings: Sequence[Finding], subject: Subject, recipe: Recipe, *, anyway: bool) -> list[Finding]:
    """Measure the findings of the lint about int8 inputs; return what matters, with numbers and a remedy.

    Args:
        findings: of the lint, also those that only a measurement can make sure of.
        subject: the model and its samples.
        recipe: what is to be done.
        anyway: go on although nothing is left of the model.

    Returns:
        At most one finding; its code is `SPOILED` where it spoils the int8 files.

    Raises:
        InputError: int8 inputs leave too little of the model for a file to be worth anything.
    """
    own = [finding for finding in findings if finding.code in INT8]
    if not own:
        return []
    effect = subject.effect(Ranging.of(recipe))
    if effect.kept >= HARMLESS:
        return []
    sentence = f"{'; '.join(finding.sentence for finding in own)}. With inputs rounded like that {effect.text}"
    own_hint = next((finding.hint for finding in own if finding.code == "token-steps"), "")
    hint = _remedy(subject, recipe, effect) or own_hint or _advice(subject)
    if effect.kept < WORTHLESS and not anyway:
        raise InputError(
            f"an int8 file of this model would be worthless: {sentence}",
            f"{hint}; --anyway makes the files all the same",
            code="int8-worthless",
        )
    return [Finding(SPOILED if effect.kept < GRAVE else own[0].code, sentence, hint)]


def _remedy(subject: Subject, recipe: Recipe, effect: Effect) -> str:
    """Return the first of the remedies that mends it, as typed; empty if none does."""
    goal = max(GRAVE, 1 - (1 - effect.kept) / 2)
    for text, measure in _remedies(subject, recipe):
        mended = measure()
        if mended.kept >= goal:
            return f"{text}: then {mended.text} (measured)"
    return ""


def _remedies(subject: Subject, recipe: Recipe) -> Iterator[tuple[str, Callable[[], Effect]]]:
    moved = subject.outside() if not recipe.normalize_outside and may_move(recipe, subject.task) else None
    used = Ranging.of(recipe)
    if moved is not None:
        yield "add --normalize-outside", partial(moved.effect, used)
    for method in ("percentile", "mse"):
        if method != used.method:
            other = replace(used, method=method)
            yield f"add --calibration-method {method}", partial(subject.effect, other)
            if moved is not None:
                yield f"add --normalize-outside --calibration-method {method}", partial(moved.effect, other)
    if takes_scheme(subject.model.format, "int16x8"):
        yield (
            f"{_advice(subject)}; or, of this model, choose --recipe int16x8, whose inputs have {FINE_LEVELS:,} steps",
            partial(subject.effect, levels=FINE_LEVELS),
        )


def _advice(subject: Subject) -> str:
    """Return what to change about a model that no option mends."""
    if subject.model.format != "keras":
        return (
            "give the Keras model that the file was made of, with --normalize-outside; or train on standardised values"
        )
    return "train on standardised values, or with a Normalization layer first and --normalize-outside"


def _arrays(inputs: ModelInputs) -> list[Array]:
    return list(inputs) if isinstance(inputs, tuple) else [inputs]


def _steps(values: Array, ranging: Ranging, levels: int) -> Steps:
    observer = ranging.observer()
    observer.update(values)
    low, high = ranging.ends(observer, levels) or (0.0, 0.0)
    return Steps.of(low, high, levels)


def _effect(before: Array, after: Array, head: Head) -> Effect:
    count = len(before)
    classes, rounded = decided(before, head), decided(after, head)
    if classes is None or rounded is None:
        # Values side by side have ranges of their own; many of them are one thing, such as an image.
        apart = before.ndim == 2 and before.shape[1] <= _APART
        pairs = list(zip(before.T, after.T, strict=True)) if apart else [(before, after)]
        worst = max(_error(*pair) for pair in pairs)
        return Effect(1 - worst**2, f"outputs of {count} validation samples are off by {worst:.1%} of their spread")
    same = float((classes == rounded).mean())
    chance = np.unique(classes, return_counts=True)[1].max() / classes.size
    kept = float((same - chance) / (1 - chance) if chance < 1 else same)
    if classes.size == count:
        return Effect(kept, f"{same:.1%} of {count} validation samples keep their class")
    return Effect(kept, f"{same:.1%} of the decisions on {count} validation samples stay as they are")


def _error(before: Array, after: Array) -> float:
    """Return the root mean square of a difference, as a share of the spread."""
    spread, error = float(before.std()), float(np.sqrt(np.mean((after - before) ** 2)))
    return error / spread if spread else float(error > 0)
