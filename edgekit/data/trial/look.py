"""The preprocessing of a model, settled before any work: as given, by default, or by a trial on labelled samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgekit.data.lint.finding import Finding
from edgekit.data.lint.model_facts import ModelInput
from edgekit.data.split import Splits, sample
from edgekit.data.trial.candidates import candidates
from edgekit.data.trial.cost import afforded
from edgekit.data.trial.detector import SCANNED, look_at_detector
from edgekit.data.trial.evidence import FEWEST, GAIN, PART, USEFUL, beats_constant, clearly_better, clearly_less, tied
from edgekit.data.trial.looked import Looked
from edgekit.data.trial.losses import judged
from edgekit.data.trial.race import ROUNDS, Predict, Race, Result, as_rows
from edgekit.data.trial.words import OPTIONS, constant, first, formula, gave, tried, typed
from edgekit.errors import ChanceError, EdgekitError, InputError
from edgekit.schema.types import JsonObject
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import Array, ModelInputs, NamedArrays, Outputs, Stored, arrays_of, evenly
from edgekit.tasks.task import Task

LOOK = ROUNDS[-1]
"""Samples at most: of the validation part, and, where that has fewer, of the training part."""
PROVEN = 0.5
"""Share of a constant guess's loss that a model takes away which is fed as in its training, beyond doubt."""
_SEED = 20261129
_ALIKE = 1.5
"""Factor between scales within which cross-entropies compare: larger values make a model surer."""


def look(
    name: str,
    predict: Predict,
    macs: float,
    facts: Sequence[ModelInput | None],
    splits: Splits,
    task: Task,
    default: Preprocessing,
    *,
    given: bool,
    anyway: bool = False,
) -> Looked:
    """Run the float model on labelled samples before any work is put into it.

    Where nothing was given, and another preprocessing is clearly better than the default, it is taken; where something
    was given, the better one is named. Without labels the model is only run.

    Args:
        name: of the model, for sentences.
        predict: runs it.
        macs: its multiplications, about.
        facts: what its first layers tell, one an input.
        splits: the data; the test part is not looked at.
        task: what its outputs are for.
        default: the preprocessing if nothing speaks against it.
        given: whether the user gave that, or it came with the model.
        anyway: go on with a model that is no better than a constant guess.

    Raises:
        ChanceError: it is not, whatever the preprocessing.
        InputError: the model cannot be run on the samples.
    """
    checked = _checked(name, predict)
    if task.detection is not None:
        x, y = _samples(splits, SCANNED)
        ways = candidates(default, splits.x_train, facts)
        return look_at_detector(name, checked, macs, x, y, task, ways, given=given, anyway=anyway)
    x, y = _samples(splits, LOOK)
    if not any(judged(head, labelled=y is not None) for head in task.heads):
        checked(default.apply(x[: afforded(LOOK, macs, ROUNDS[0])]))
        return Looked(default, task, f"{name}: inputs are {formula(default)}")
    race = Race(checked, task, x, y, _mean(splits.x_train) if task.main.kind == "reconstruction" else None, macs)
    left, dropped = race.run(candidates(default, splits.x_train, facts))
    task = race.task()
    if left[0].relative is None:
        return Looked(default, task, f"{name}: inputs are {formula(default)}")
    settled = _Settled(name, task, left, dropped, [race.labels(i, len(x)) for i in range(len(task.heads))], given)
    return settled.looked(anyway=anyway)


class _Settled:
    """What a race means."""

    def __init__(
        self, name: str, task: Task, left: list[Result], dropped: list[Result], labels: list[Stored], given: bool
    ) -> None:
        self._name, self._task, self._labels, self._given = name, task, labels, given
        self._default, self._all = left[0], [*left, *dropped]
        self._best = self._better(left)

    def looked(self, *, anyway: bool) -> Looked:
        """Return what is used, with findings; raise `ChanceError` if nothing is any good."""
        name, default, best, task = self._name, self._default, self._best, self._task
        used = default if best is None or self._given else best
        findings = []
        if best is not None and self._given:
            findings.append(
                Finding(
                    "preprocessing-worse",
                    f"{name}: {gave(default, task)} on {default.samples} samples with inputs {formula(default.how)}, "
                    f"{gave(best, task)} with {formula(best.how)}",
                    typed(best.how),
                )
            )
        elif self._beats(used) is False:
            error = self._no_better(used)
            if not anyway:
                raise error
            findings.append(Finding(error.code, error.message, ""))
        elif self._beats(used) and 1 - used.mean < GAIN:
            findings.append(
                Finding(
                    "near-chance",
                    f"{name}: only {gave(used, task)} on {used.samples} samples with inputs {formula(used.how)}, "
                    f"{constant(used, task)}",
                    f"check that it was trained with this preprocessing ({OPTIONS})",
                )
            )
        proven = not findings and self._beats(used) is True and 1 - used.mean >= PROVEN
        return Looked(used.how, task, self._line(used), tuple(findings), self._record(used), proven)

    def _better(self, left: list[Result]) -> Result | None:
        """Return what is clearly better than the default; of several that are alike the likeliest."""
        default = self._default
        if default.samples < FEWEST:
            return None
        better = [r for r in left[1:] if clearly_better(_relative(r), _relative(default))]
        if not better:
            return None
        best = min(better, key=lambda result: result.mean)
        alike = [result for result in better if tied(_relative(best), _relative(result))]
        likeliest = alike[0]
        for other in alike[1:]:
            if self._surer(other, likeliest):
                likeliest = other
        return likeliest

    def _surer(self, a: Result, b: Result) -> bool:
        """Whether a's cross-entropy is clearly smaller, and not only because its values are larger."""
        mine, others = _entropy(a), _entropy(b)
        if mine is None or others is None or len(a.how.inputs):
            return False
        ratio = _gain(a.how) / _gain(b.how)
        return 1 / _ALIKE < ratio < _ALIKE and clearly_less(mine, others)

    def _beats(self, result: Result) -> bool | None:
        """Whether any output is better than a constant guess; None where none can tell."""
        verdicts = [
            beats_constant(losses, labels[: result.samples])
            for losses, labels in zip(result.losses, self._labels, strict=True)
            if losses is not None
        ]
        return True if True in verdicts else False if False in verdicts else None

    def _no_better(self, used: Result) -> ChanceError:
        task = self._task
        return ChanceError(
            f"{self._name}: no better than a constant guess on {used.samples} samples ({constant(used, task)}), "
            f"whatever the preprocessing; tried: {tried(self._all, task)}",
            f"give the preprocessing of its training ({OPTIONS}), and check the labels; --anyway goes on all the same",
            code="no-better-than-chance",
        )

    def _line(self, used: Result) -> str:
        name, task, default = self._name, self._task, self._default
        if used is not default:
            return (
                f"{name}: inputs are {formula(used.how)}, chosen by trial: {gave(used, task)} on {used.samples} "
                f"samples, {gave(default, task)} with {formula(default.how)}, which is {typed(default.how)}"
            )
        few = " (too few to judge by)" if used.samples < FEWEST else ""
        close = [] if few or self._best is not None else self._all
        better = [r for r in close if r.samples == used.samples and r.mean < min(USEFUL, PART * used.mean)]
        other = min(better, key=lambda result: result.mean, default=None)
        near = "" if other is None else f"; {gave(other, task)} with {formula(other.how)}: {typed(other.how)}"
        return f"{name}: {gave(used, task)} on {used.samples} samples{few}{near}; inputs are {formula(used.how)}"

    def _record(self, used: Result) -> JsonObject:
        results = sorted(self._all, key=lambda result: result.mean)
        return {
            "chosen": "as given" if self._given else "by default" if used is self._default else "by trial",
            "tried": [{"inputs": formula(r.how), "result": gave(r, self._task), "samples": r.samples} for r in results],
            "constant_guess": constant(used, self._task),
        }


def _relative(result: Result) -> Array:
    assert result.relative is not None
    return result.relative


def _entropy(result: Result) -> Array | None:
    return first(result)[1].entropy


def _gain(how: Preprocessing) -> float:
    return abs(how.scale) / float(np.median(np.abs(how.std)))


def _samples(splits: Splits, most: int) -> tuple[Stored, Stored]:
    """Return samples and labels, at most so many, in random order, of the validation part first."""
    rng = np.random.default_rng(_SEED)
    rows = rng.permutation(sample(splits.y_validation, len(splits.x_validation), most))
    x = as_rows(splits.x_validation, rows)
    y = None if splits.y_validation is None else as_rows(splits.y_validation, rows)
    missing = min(most - len(rows), len(splits.x_train))
    if missing <= 0:
        return x, y
    more = rng.permutation(sample(splits.y_train, len(splits.x_train), missing))
    x = _joined(x, as_rows(splits.x_train, more))
    return x, None if y is None else _joined(y, as_rows(splits.y_train, more))


def _joined(a: Stored, b: Stored) -> Stored:
    if isinstance(a, NamedArrays):
        return NamedArrays(
            {n: np.concatenate(p) for n, p in zip(a.names, zip(a.arrays, b.arrays, strict=True), strict=True)}
        )
    return np.concatenate([a, b])


def _mean(samples: Stored) -> Stored:
    """Return the mean stored sample, (1, ...)."""
    array = arrays_of(samples)[0]
    rows = evenly(len(array), 2000)
    return np.asarray(array[rows]).mean(axis=0, keepdims=True, dtype=np.float64)


def _checked(name: str, predict: Callable[[ModelInputs], Outputs]) -> Predict:
    def run(inputs: ModelInputs) -> Outputs:
        try:
            return predict(inputs)
        except EdgekitError:
            raise
        except Exception as error:  # TensorFlow raises what it likes, such as for tokens that an Embedding lacks
            lines = [line.strip() for line in str(error).splitlines() if line.strip() and "[[" not in line]
            why = lines[-1][:300] if lines else type(error).__name__
            raise InputError(
                f"{name}: the model fails on the samples of --data: {why}",
                "give it samples as in its training",
                code="model-fails-on-data",
            ) from error

    return run
