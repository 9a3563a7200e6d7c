"""How long everything is trained, for each data set: the one place to change it."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, replace
from typing import Any

from edgekit.errors import InputError


@dataclass(frozen=True)
class Budget:
    """What a study of one data set spends.

    Attributes:
        data: the data set's name.
        model: the reference model that is the baseline and the teacher.
        baseline: epochs of the baseline.
        prune: epochs of training after (channels) or while (weights) pruning, and of the control without pruning.
        quantize: epochs of quantization-aware training.
        distill: epochs of every model of a chain of distillation.
        order: epochs of each of the three stages whose order is compared.
        width: factor on the channels of the reference model.
        batch_size: samples a step.
        augment: in every training, of the baseline and of the stages, so that neither has an advantage.
        schedule: of the learning rate, in every training.
        levels: shares that pruning removes.
        widths: of the students.
        train_samples, validation_samples: a stratified part of each; 0: all.
    """

    data: str
    model: str
    baseline: int
    prune: int
    quantize: int
    distill: int
    order: int
    width: float = 1.0
    batch_size: int = 128
    augment: str = "none"
    schedule: str = "cosine"
    levels: tuple[float, ...] = (0.5, 0.8, 0.9)
    widths: tuple[float, ...] = (0.5, 0.25, 0.125)
    train_samples: int = 0
    validation_samples: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**asdict(self), "levels": list(self.levels), "widths": list(self.widths)}


BUDGETS = {
    "mnist": Budget("mnist", "mnist-cnn", baseline=10, prune=2, quantize=2, distill=10, order=3),
    "cifar10": Budget(
        "cifar10",
        "cifar10-cnn",
        baseline=20,
        prune=2,
        quantize=2,
        distill=20,
        order=3,
        width=0.5,
        batch_size=32,
        augment="flip",
        train_samples=20_000,
        validation_samples=2000,
    ),
}


def find(data: str, quick: bool) -> Budget:
    """Return the budget of a data set; `quick` takes 6,000 training samples, few epochs and two levels.

    Raises:
        InputError: the study does not know the data set.
    """
    if data not in BUDGETS:
        close = difflib.get_close_matches(data, BUDGETS, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"known: {', '.join(BUDGETS)}"
        raise InputError(f"the study has no data set `{data}`", hint)
    budget = BUDGETS[data]
    if not quick:
        return budget
    return replace(
        budget,
        baseline=6,
        prune=1,
        quantize=1,
        distill=8,
        order=2,
        levels=(0.5, 0.9),
        train_samples=6000,
        validation_samples=1000,
    )
