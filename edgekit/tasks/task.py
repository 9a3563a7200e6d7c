"""What a model is for: the kind of each of its outputs, and how it is scored. `edgekit.tasks.heads` chooses it.

kind            labels                                  outputs             default metric
classification  whole (n,), or one-hot (n, classes)     (classes,)          accuracy
binary          0 or 1 (n,)                             (1,)                accuracy
multilabel      0 or 1 (n, labels)                      (labels,)           accuracy
segmentation    whole (n, ...), a class a position      (..., classes)      miou
mask            0 or 1 (n, ...)                         (..., 1)            miou
regression      numbers (n, ...)                        the same            mae
reconstruction  none, or left out: the input            the input's shape   mse
detection       boxes (n, most, 6)                      any, described      map
unlabelled      none: the float model's outputs         any                 agreement or sqnr

Class numbers, as ArgMax gives them, are outputs of a classification or segmentation, too (`Head.indices`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Annotated, NotRequired, TypedDict

from edgekit.schema.gate import read
from edgekit.schema.rules import Range, Sized, Through, one_of
from edgekit.schema.types import Declaration, JsonMapping, JsonObject
from edgekit.tasks.detection.description import Detection
from edgekit.tasks.labels import Coding
from edgekit.tasks.nature import is_probable
from edgekit.tasks.samples import Array

SOFTMAX = frozenset({"classification", "segmentation"})
"""Kinds whose outputs compete along the last axis."""
SIGMOID = frozenset({"binary", "multilabel", "mask"})
"""Kinds whose outputs are probabilities of their own."""
DENSE = frozenset({"segmentation", "mask"})
VALUES = frozenset({"regression", "reconstruction"})
FOLLOWED = frozenset({"unlabelled", "detection"})
"""Kinds that are trained towards the outputs of the model they come from: edgekit has no loss for their labels."""
DEFAULT_METRICS = {
    **dict.fromkeys(("classification", "binary", "multilabel"), "accuracy"),
    **dict.fromkeys(("segmentation", "mask"), "miou"),
    "regression": "mae",
    "reconstruction": "mse",
    "detection": "map",
    "unlabelled": "agreement",
}


@dataclass(frozen=True)
class Head:
    """One output of a model.

    Attributes:
        name: of the output, as the model calls it.
        kind: a key of `DEFAULT_METRICS`.
        metric: how it is scored.
        logits: its values have not been through a softmax or sigmoid.
        loss: of values: what the model was compiled with, a name that Keras knows; empty for the squared error.
        indices: its values are class numbers, not scores of classes.
        first, step: the label of class 0, and how far the next one's is: labels were mapped if they are not 0 and 1.
        note: what a reader should know of how the labels were taken; may be empty.
    """

    name: str = "output"
    kind: Annotated[str, one_of(*DEFAULT_METRICS)] = "classification"
    metric: str = "accuracy"
    logits: bool = False
    loss: str = ""
    indices: bool = False
    first: Annotated[int, Range(-1, 1)] = 0
    step: Annotated[int, Range(1, 255)] = 1
    note: str = ""

    @property
    def coding(self) -> Coding:
        """How labels become classes."""
        return Coding(self.first, self.step)

    @property
    def competes(self) -> bool:
        """Whether the largest value along the last axis is what counts."""
        return not self.indices and (self.kind in SOFTMAX or (self.kind, self.metric) == ("unlabelled", "agreement"))

    def to_dict(self) -> JsonObject:
        """Return the JSON form, without the note; defaults are left out, so that older edgekits read it."""
        return {k: v for k, v in asdict(self).items() if k != "note" and (k not in LATER or v != LATER[k])}


LATER = {"indices": False, "first": 0, "step": 1}
"""Fields of `Head` that older edgekits do not know, with the values they assume."""


class TaskForm(TypedDict):
    """A task as JSON."""

    heads: Annotated[tuple[Head, ...], Sized(1)]
    detection: NotRequired[Detection]


@dataclass(frozen=True)
class Task:
    """All outputs of a model, in its order; the first is the one that tables show.

    Attributes:
        heads: one an output.
        detection: of a detector how its outputs together become boxes; they have one score, that of the first.
    """

    heads: tuple[Head, ...] = (Head(),)
    detection: Detection | None = None

    @property
    def main(self) -> Head:
        """The first output."""
        return self.heads[0]

    def to_dict(self) -> JsonObject:
        """Return the JSON form."""
        described = {} if self.detection is None else {"detection": self.detection.to_dict()}
        return {"heads": [head.to_dict() for head in self.heads], **described}

    @classmethod
    def from_dict(cls, value: JsonMapping, source: str = "task") -> Task:
        """Read the JSON form; `source` names it in messages.

        Raises:
            InputError: it is of another form, or names an unknown kind.
        """
        return read(cls, value, source, "task")

    @classmethod
    def declared(cls) -> Declaration:
        """Return the declaration of the JSON form."""
        return Annotated[TaskForm, Through(lambda form: cls(form["heads"], form.get("detection")))]

    @property
    def scored(self) -> tuple[Head, ...]:
        """The outputs that have a score of their own."""
        return self.heads if self.detection is None else self.heads[:1]

    def with_metric(self, metric: str) -> Task:
        """Return the task with another metric for its first output."""
        return replace(self, heads=(replace(self.main, metric=metric), *self.heads[1:]))

    def with_loss(self, loss: str) -> Task:
        """Return the task with a loss of the user's for its only output, if that is of values."""
        if len(self.heads) > 1 or self.main.kind not in VALUES:
            return self
        return replace(self, heads=(replace(self.main, loss=loss),))


CLASSIFICATION = Task()


def with_scale(head: Head, outputs: Array) -> Head:
    """Return the head with `logits` as the outputs of some samples show: whether they are probabilities."""
    if head.indices:
        return head
    if head.kind in SOFTMAX:
        probable = is_probable(outputs)
    elif head.kind in SIGMOID:
        probable = outputs.min() >= 0 and outputs.max() <= 1
    else:
        return head
    return replace(head, logits=not probable)
