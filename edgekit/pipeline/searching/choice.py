"""A point of what a search may vary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgekit.bundle.recipe import Recipe

NONE = "none"
OWN_SHAPES = ("scaled", "sliced")
"""Students of the model's own architecture, whose layers may be scaled unevenly."""
CALIBRATE, TRAIN, TAUGHT = "calibrate", "train", "taught"
"""How a file comes to int8: by calibration, by training with fake quantization, by the same with a teacher."""


@dataclass(frozen=True)
class Choice:
    """A point of the space.

    Attributes:
        student: `none`, or what `distill` takes as student.
        width, taper, shallower: of the student.
        temperature, alpha, rate: of distillation; the learning rate at its start.
        augment: of images while anything learns.
        amount: share of the channels that is pruned then, 0 for none; by `criterion`.
        zeros: share of the weights set to zero, 0 for none.
        clusters: distinct weights a layer, 0 for as many as there are.
        quantize: `calibrate`, `train` or `taught`.
        qat_epochs: of the latter two.
        scheme: of the file.
        calibration: how ranges are chosen.
        max_drop: how much an int8 file of the model itself may lose, 0 for any: the fewest operators compute in float.
    """

    student: str = NONE
    width: float = 1.0
    taper: float = 1.0
    shallower: int = 0
    temperature: float = 4.0
    alpha: float = 0.7
    rate: float = 2e-3
    augment: str = NONE
    amount: float = 0.0
    criterion: str = "l1"
    zeros: float = 0.0
    clusters: int = 0
    quantize: str = CALIBRATE
    qat_epochs: int = 5
    scheme: str = "int8"
    calibration: str = "minmax"
    max_drop: float = 0.0

    @property
    def learns(self) -> bool:
        """Whether any stage trains."""
        return self.student != NONE or bool(self.amount or self.zeros or self.clusters) or self.quantize != CALIBRATE


def choice_of(recipe: Recipe) -> Choice:
    """Return the point that is nearest to a recipe of the package."""
    values: dict[str, Any] = {"scheme": recipe.schemes[-1]}
    for spec in recipe.stages:
        options = spec.options
        if spec.use == "distill":
            values |= {"student": options.get("student", "scaled"), "width": options.get("width", 0.5)}
            values["rate"] = options.get("learning_rate", 1e-3)
        elif spec.use == "prune" and options.get("granularity", "channel") == "channel":
            values["amount"] = options.get("amount", 0.5)
        elif spec.use == "prune":
            values["zeros"] = options.get("amount", 0.5)
        elif spec.use == "cluster":
            values["clusters"] = options.get("clusters", 16)
        elif spec.use == "quantize":
            taught = TAUGHT if options.get("alpha") else TRAIN
            values |= {"quantize": taught, "qat_epochs": options.get("epochs", 5)}
    return Choice(**values)
