"""What a model is for: the kind of each of its outputs, found from the labels and the outputs' shapes.

kind            labels                                  outputs             usual metric
classification  int (n,), or one-hot (n, classes)       (classes,)          accuracy
binary          0 or 1 (n,)                             (1,)                accuracy
multilabel      0 or 1 (n, labels)                      (labels,)           accuracy
segmentation    int (n, ...), a class a position        (..., classes)      miou
mask            0 or 1 (n, ...)                         (..., 1)            miou
regression      float (n, ...)                          the same            mae
reconstruction  none: the input                         the input's shape   mse
unlabelled      none: the float model's outputs         any                 agreement or sqnr
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, TypedDict

import numpy as np

from edgekit.columns import Array
from edgekit.errors import InputError
from edgekit.rules import Sized, Through, one_of
from edgekit.schema import read

SOFTMAX = frozenset({"classification", "segmentation"})
"""Kinds whose outputs compete along the last axis."""
SIGMOID = frozenset({"binary", "multilabel", "mask"})
"""Kinds whose outputs are probabilities of their own."""
DENSE = frozenset({"segmentation", "mask"})
VALUES = frozenset({"regression", "reconstruction"})
USUAL = {
    **dict.fromkeys(("classification", "binary", "multilabel"), "accuracy"),
    **dict.fromkeys(("segmentation", "mask"), "miou"),
    "regression": "mae",
    "reconstruction": "mse",
    "unlabelled": "agreement",
}
SUM_TOLERANCE = 0.01
"""By how much the probabilities of a sample may miss 1."""


@dataclass(frozen=True)
class Head:
    """One output of a model.

    Attributes:
        name: of the output, as the model calls it.
        kind: a key of `USUAL`.
        metric: how it is judged.
        logits: its values have not been through a softmax or sigmoid.
        loss: of values: what the model was compiled with, a name that Keras knows; empty for the squared error.
    """

    name: str = "output"
    kind: Annotated[str, one_of(*USUAL)] = "classification"
    metric: str = "accuracy"
    logits: bool = False
    loss: str = ""


class TaskForm(TypedDict):
    """A task as JSON."""

    heads: Annotated[tuple[Head, ...], Sized(1)]


@dataclass(frozen=True)
class Task:
    """All outputs of a model, in its order; the first is the one that tables show."""

    heads: tuple[Head, ...] = (Head(),)

    @property
    def main(self) -> Head:
        """The first output."""
        return self.heads[0]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"heads": [asdict(head) for head in self.heads]}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], source: str = "task") -> Task:
        """Read the JSON form; `source` names it in messages.

        Raises:
            InputError: it is of another form, or names a kind that is not known.
        """
        return read(cls, value, source, "task")

    @classmethod
    def declared(cls) -> Any:
        """Return the declaration of the JSON form."""
        return Annotated[TaskForm, Through(lambda form: cls(form["heads"]))]

    def with_metric(self, metric: str) -> Task:
        """Return the task with its first output judged in another way."""
        return replace(self, heads=(replace(self.main, metric=metric), *self.heads[1:]))

    def with_loss(self, loss: str) -> Task:
        """Return the task with a loss of the user's for its only output, if that is of values."""
        if len(self.heads) > 1 or self.main.kind not in VALUES:
            return self
        return replace(self, heads=(replace(self.main, loss=loss),))


CLASSIFICATION = Task()


def find_head(name: str, y: Array | None, shape: Sequence[int | None], inputs: Sequence[Sequence[int | None]]) -> Head:
    """Return what an output is for.

    Args:
        name: of the output.
        y: labels as `data.dataset` stores them, samples first, or None.
        shape: of the output, without the batch.
        inputs: shapes of the model's inputs, without the batch.

    Raises:
        InputError: the labels do not fit such an output; said with both shapes.
    """
    kind = _kind(name, y, tuple(shape), [tuple(i) for i in inputs])
    metric = USUAL[kind]
    if kind == "unlabelled" and (len(shape) != 1 or shape[-1] in (1, None)):
        metric = "sqnr"  # no classes whose largest could agree
    return Head(name, kind, metric)


def _kind(name: str, y: Array | None, shape: tuple[int | None, ...], inputs: list[tuple[int | None, ...]]) -> str:
    if y is None:
        return "reconstruction" if len(inputs) == 1 and inputs[0] == shape and len(shape) else "unlabelled"
    whole, labels = np.dtype(y.dtype).kind in "iu", y.shape[1:]
    width = shape[-1] if shape else None
    if whole and labels == () and len(shape) == 1:
        if width != 1:
            _check_classes(name, y, width)
            return "classification"
        return "binary" if _zero_one(y) else "regression"
    if whole and len(labels) == len(shape) - 1 and _fits(labels, shape[:-1]) and len(shape) > 1:
        _check_classes(name, y, max(2, width or 2))
        return "mask" if width == 1 else "segmentation"
    if _fits(labels, shape) or (labels == () and shape == (1,)):
        return "multilabel" if whole and len(shape) == 1 and _zero_one(y) else "regression"
    raise InputError(
        f"the labels of a sample have shape {labels} and dtype {y.dtype}, output {name} has shape {shape}",
        "classes are integers (n,) or one-hot (n, classes); masks integers (n, height, width); values have the shape "
        "of the output",
    )


def _fits(labels: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    return len(labels) == len(shape) and all(b in (None, a) for a, b in zip(labels, shape, strict=True))


def _zero_one(y: Array) -> bool:
    return bool(y.min() >= 0 and y.max() <= 1)


def _check_classes(name: str, y: Array, classes: int | None) -> None:
    low, high = int(y.min()), int(y.max())
    if low < 0 or (classes is not None and high >= classes):
        raise InputError(
            f"the labels run from {low} to {high}, output {name} has {classes} classes", "number the classes from 0"
        )


def with_scale(head: Head, outputs: Array) -> Head:
    """Return the head with `logits` as the outputs of some samples show: whether they are probabilities."""
    if head.kind in SOFTMAX:
        sums = outputs.sum(axis=-1)
        probable = outputs.min() >= 0 and np.abs(sums - 1).max() < SUM_TOLERANCE
    elif head.kind in SIGMOID:
        probable = outputs.min() >= 0 and outputs.max() <= 1
    else:
        return head
    return replace(head, logits=not probable)
