"""What each output of a model is for: chosen by the labels' values and the output's dtype first, then by shapes."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.errors import InputError
from edgekit.tasks.detection.options import KIND, is_detection
from edgekit.tasks.labels import PLAIN, Coding, Values, of_many, of_two, values_of
from edgekit.tasks.nature import UNKNOWN, Nature, nature_of
from edgekit.tasks.samples import Array
from edgekit.tasks.task import DEFAULT_METRICS, DENSE, SIGMOID, SOFTMAX, Head

Shape = tuple[int | None, ...]
_UNFIT = "labels-do-not-fit"
CHOOSABLE = tuple(kind for kind in DEFAULT_METRICS if kind not in ("unlabelled", KIND))
"""What `--task` takes, beside a description of a detector (`edgekit.tasks.detection.options`)."""
FORMS = (
    "classes are integers (n,) or one-hot (n, classes); masks integers (n, height, width); values have the shape of "
    "the output"
)


def find_head(
    name: str,
    y: Array | None,
    shape: Sequence[int | None],
    inputs: Sequence[Sequence[int | None]],
    nature: Nature = UNKNOWN,
    kind: str = "",
) -> Head:
    """Return what an output is for.

    Args:
        name: of the output.
        y: labels as `data.dataset` stores them, samples first, or None.
        shape: of the output, without the batch.
        inputs: shapes of the model's inputs, without the batch.
        nature: of the output, as some predictions show it.
        kind: the user's choice; empty: chosen by labels and outputs.

    Raises:
        InputError: the labels do not fit such an output; the message names both.
    """
    port = _Output(name, tuple(shape), [tuple(i) for i in inputs], nature)
    if y is None:
        return port.unlabelled(kind)
    return port.chosen(kind, y) if kind else port.fitting(y)


def chosen_kinds(text: str, names: Sequence[str]) -> dict[str, str]:
    """Read `--task regression`, which is about the first output, or `--task "box=regression;kind=classification"`.

    Args:
        text: as typed; empty chooses nothing.
        names: of the outputs.

    Raises:
        InputError: there is no such task, or no such output.
    """
    kinds: dict[str, str] = {}
    for part in () if is_detection(text) else filter(None, (part.strip() for part in text.split(";"))):
        name, equals, kind = part.rpartition("=")
        if kind.strip() not in CHOOSABLE:
            raise InputError(
                f"`--task {part}`: unknown task `{kind.strip()}`",
                f"use one of: {', '.join(CHOOSABLE)}; of all outputs of a detector: {KIND}",
                code="task-unknown",
            )
        if equals and name.strip() not in names:
            raise InputError(
                f"`--task {part}`: the model has no output `{name.strip()}`",
                f"its outputs are: {', '.join(names)}",
                code="output-unknown",
            )
        kinds[name.strip() if equals else names[0]] = kind.strip()
    return kinds


def settled(head: Head, outputs: Array, y: Array) -> Head:
    """Return the head of a file whose outputs could not be looked at before, as they and the labels show it.

    Raises:
        InputError: the output is one probability, and the labels are several classes.
    """
    if head.kind != "regression" or (outputs.ndim > 1 and outputs.shape[1:] != (1,)):
        return head
    values, nature = values_of(y), nature_of(outputs)
    if not values.whole:
        return head
    _refuse_sigmoid(head.name, values, nature)
    if nature.numbers and values.low >= 0 and head.metric == DEFAULT_METRICS["regression"]:
        return Head(head.name, "classification", DEFAULT_METRICS["classification"], indices=True)
    return head


class _Output:
    """An output that is looked at."""

    def __init__(self, name: str, shape: Shape, inputs: list[Shape], nature: Nature) -> None:
        self.name, self.shape, self.inputs, self.nature = name, shape, inputs, nature
        self.width = shape[-1] if shape else 1
        self.single = shape in ((), (1,))
        self.mirrors = len(inputs) == 1 and inputs[0] == shape and len(shape) > 0

    def head(self, kind: str, coding: Coding = PLAIN, note: str = "") -> Head:
        """Return the head, with a note where labels are mapped."""
        indices = bool(self.nature.numbers) and kind in ("classification", "segmentation")
        if coding != PLAIN and not note:
            two = kind in SIGMOID or self.width == 2
            last = coding.name(1 if two else (self.width or 2) - 1)
            given = f"{coding.first} and {last}" if two else f"{coding.first} to {last}"
            taken = "0 and 1" if two else f"0 to {(self.width or 2) - 1}"
            note = f"output `{self.name}`: the labels {given} are taken as the classes {taken}"
        return Head(
            self.name, kind, DEFAULT_METRICS[kind], indices=indices, first=coding.first, step=coding.step, note=note
        )

    def unlabelled(self, kind: str) -> Head:
        """Return what an output without labels is for."""
        if kind == "reconstruction" or (not kind and self.mirrors and not self.nature.numbers):
            self._check_mirror()
            return self.head("reconstruction")
        competing = self.nature.competing or self.nature.numbers or kind in SOFTMAX
        metric = "agreement" if competing and kind in ("", *SOFTMAX) else "sqnr"
        return Head(self.name, "unlabelled", metric, indices=bool(self.nature.numbers))

    def fitting(self, y: Array) -> Head:
        """Return what an output is for, from its labels.

        Raises:
            InputError: they do not fit.
        """
        values, labels, shape = values_of(y), y.shape[1:], self.shape
        positions = values.whole and len(shape) > 1 and (fits(labels, shape[:-1]) or fits(labels, (*shape[:-1], 1)))
        if self.nature.numbers and values.whole and ((self.single and labels == ()) or fits(labels, shape)):
            return self._numbers(values, labels)
        if values.whole and labels == () and len(shape) == 1 and not self.single:
            return self._classes(y, values)
        if values.whole and labels == () and self.single:
            return self._one(values)
        if positions and (self.width != 1 or labels == shape[:-1] or of_two(values)):
            return self._positions(values)
        if fits(labels, shape) or (labels == () and self.single):
            return self._same_shape(y, values)
        if self.mirrors:
            return self.head("reconstruction", note=self._left_out())
        raise InputError(
            f"the labels of a sample have shape {labels} and dtype {y.dtype}, output `{self.name}` has shape {shape}",
            FORMS,
            code=_UNFIT,
        )

    def chosen(self, kind: str, y: Array) -> Head:
        """Return the head that the user asks for.

        Raises:
            InputError: labels or outputs are not such.
        """
        values, labels = values_of(y), y.shape[1:]
        if kind == "reconstruction":
            self._check_mirror()
            return self.head(kind, note=self._left_out())
        asked = f"`--task {kind}`: output `{self.name}` has shape {self.shape}"
        if kind == "regression":
            if not (fits(labels, self.shape) or fits((*labels, 1), self.shape) or (labels == () and self.single)):
                raise InputError(
                    f"{asked}, expected labels of the same shape, not {labels}", "leave `--task` out", code=_UNFIT
                )
            return self.head(kind)
        if not values.whole:
            raise InputError(
                f"{asked}, expected whole numbers as labels; they run from {values.low:g} to {values.high:g}",
                "use `--task regression`, or number the classes from 0",
                code=_UNFIT,
            )
        if kind in SOFTMAX and not self.nature.numbers:
            wanted = () if kind == "classification" else self.shape[:-1]
            if self.width == 1 or not (fits(labels, wanted) or fits(labels, (*wanted, 1))):
                raise InputError(f"{asked}, expected classes of shape {wanted}, not {labels}", FORMS, code=_UNFIT)
            return self._coded(kind, values, of_many(values, self.width), self.width)
        if kind in SIGMOID:
            coding = of_two(values)
            if coding is None or not any(fits(labels, s) for s in (self.shape, self.shape[:-1], (*self.shape[:-1], 1))):
                raise InputError(
                    f"{asked}, expected labels of two values in this shape; they run from {values.low:g} to "
                    f"{values.high:g} and have shape {labels}",
                    "number the labels 0 and 1",
                    code=_UNFIT,
                )
            return self.head(kind, coding)
        return self._numbers(values, labels)

    def _numbers(self, values: Values, labels: Shape) -> Head:
        """Return the head of class numbers, which are compared with classes."""
        coding = of_two(values) if values.low < 0 or values.high > 1 else None
        if coding == Coding(1) or coding is None:
            high = self.nature.high
            coding = Coding(1) if values.low == 1 and high is not None and high < values.high else PLAIN
        note = f"output `{self.name}` is class numbers, which are compared with the labels as they are"
        if coding != PLAIN:
            note = (
                f"output `{self.name}` is class numbers from 0, the labels count from {coding.first}: they are mapped"
            )
        return self.head("classification" if labels == () else "segmentation", coding, note)

    def _classes(self, y: Array, values: Values) -> Head:
        """Return the head of a class a sample, and a score for every class."""
        if self.mirrors and self.nature.probable is False and values.low >= 0 and values.high + 1 < (self.width or 0):
            return self.head("reconstruction", note=self._left_out())
        return self._coded("classification", values, of_many(values, self.width), self.width)

    def _one(self, values: Values) -> Head:
        """Return the head of one number a sample: a probability, or a value."""
        coding = of_two(values)
        if coding is not None:
            return self.head("binary", coding)
        _refuse_sigmoid(self.name, values, self.nature)
        return self.head("regression")

    def _positions(self, values: Values) -> Head:
        """Return the head of a class for every position."""
        if self.width == 1:
            coding = of_two(values)
            if coding is not None:
                return self.head("mask", coding)
            if self.nature.high is not None and self.nature.high > 1 and self.nature.sigmoid is False:
                return self.head("regression")
            return self._coded("mask", values, PLAIN, 2)
        return self._coded("segmentation", values, of_many(values, self.width), self.width)

    def _same_shape(self, y: Array, values: Values) -> Head:
        """Return the head of a label for every value."""
        coding, flags = of_two(values), y.dtype.kind in "iu"
        if coding is None or coding == Coding(1) or not (flags or coding.first < 0):
            return self.head("regression")
        if len(self.shape) == 1:
            return self.head("multilabel", coding)
        if coding == PLAIN and (self.width or 0) > 1 and _one_hot(y):
            return self.head("segmentation", note=f"output `{self.name}`: the labels are one-hot masks")
        return self.head("mask", coding)

    def _coded(self, kind: str, values: Values, coding: Coding, classes: int | None) -> Head:
        low, high = ((int(v) - coding.first) // coding.step for v in (values.low, values.high))
        if low < 0 or (classes is not None and high >= classes):
            raise InputError(
                f"the labels run from {values.low:g} to {values.high:g}, output `{self.name}` has {classes} classes",
                "number the classes from 0" + ("; use `--task regression` for values" if kind in DENSE else ""),
                code=_UNFIT,
            )
        return self.head(kind, coding)

    def _left_out(self) -> str:
        return (
            f"output `{self.name}` has the shape of the input, so it is scored by how well it reconstructs the input; "
            "the labels are not used (`--task` chooses otherwise)"
        )

    def _check_mirror(self) -> None:
        if not self.mirrors:
            shapes = ", ".join(map(str, self.inputs))
            raise InputError(
                f"`--task reconstruction`: output `{self.name}` has shape {self.shape}, the input {shapes}",
                "an autoencoder has one input, and an output of its shape",
                code=_UNFIT,
            )


def _refuse_sigmoid(name: str, values: Values, nature: Nature) -> None:
    if nature.sigmoid and values.whole and not values.within(0, 1):
        raise InputError(
            f"output `{name}` is one number from 0 to 1 a sample, as of a sigmoid for two classes; the labels are "
            f"whole numbers from {values.low:g} to {values.high:g}",
            "give labels of two classes, or a model with an output for every class; use `--task regression` if the "
            "output predicts these values",
            code=_UNFIT,
        )


def _one_hot(y: Array, rows: int = 256) -> bool:
    return all(bool((y[i : i + rows].sum(axis=-1) == 1).all()) for i in range(0, len(y), rows))


def fits(sizes: Sequence[int], shape: Shape) -> bool:
    """Return whether an array of these sizes, without the batch, has a shape, some of whose sizes may be open."""
    return len(sizes) == len(shape) and all(own in (None, size) for size, own in zip(sizes, shape, strict=True))
