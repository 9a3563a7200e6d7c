"""Inputs whose sizes are open, and inputs that hold one number: settled before anything is made of a model.

Sizes come from `--input-shape`, else from the samples. A value (`--input-value sr=16000`) becomes a constant of the
model, which then has one input less, in every file and on every device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgekit.data.dataset import Dataset
from edgekit.errors import InputError
from edgekit.models.sources.source import Shape, Sizes, Values
from edgekit.tasks.samples import NamedArrays, arrays_of


@dataclass(frozen=True)
class InputOptions:
    """What the user gave for inputs, by name: `--input-shape` and `--input-value`.

    Attributes:
        shapes: sizes, with the batch, which is 1.
        values: numbers that an input holds at every inference.
    """

    shapes: Sizes = field(default_factory=dict)
    values: Values = field(default_factory=dict)

    def check(self, names: Sequence[str]) -> None:
        """Raise `InputError` unless the model has inputs of these names."""
        for option, given in (("--input-shape", self.shapes), ("--input-value", self.values)):
            unknown = sorted(set(given) - set(names))
            if unknown:
                raise InputError(
                    f"{option} {unknown[0]}: the model has no input `{unknown[0]}`",
                    f"the inputs are: {', '.join(names)}",
                    code="input-unknown",
                )

    def to_settle(self, inputs: Mapping[str, Shape]) -> bool:
        """Return whether sizes behind the batch are open, an input is a number, or an option is given."""
        return bool(self.shapes or self.values or any(None in shape[1:] or not shape for shape in inputs.values()))

    def sample_shape(self, inputs: Mapping[str, Shape]) -> Shape | None:
        """Return the sizes of one sample of the only input without a value, None where open; None for several."""
        fed = [name for name in inputs if name not in self.values]
        return (self.shapes.get(fed[0]) or inputs[fed[0]])[1:] if len(fed) == 1 else None


def settled_sizes(
    model: str, inputs: Mapping[str, Shape], options: InputOptions, dataset: Dataset, layouts: Mapping[str, str]
) -> dict[str, tuple[int, ...]]:
    """Return the sizes of every input without a value, the batch of 1 in front.

    Args:
        model: its name, for messages.
        inputs: by name their sizes, the batch first, None where open; () for a bare number.
        options: what the user gave.
        dataset: whose samples have sizes.
        layouts: `NCHW` by the name of an input, where samples are transposed before the model takes them.

    Raises:
        InputError: sizes are still open, all of them named with the options to type; or one does not fit.
    """
    options.check(list(inputs))
    fed = [name for name in inputs if name not in options.values]
    names = dataset.x_train.names if isinstance(dataset.x_train, NamedArrays) else fed[:1]
    samples = {
        name: _sample(array, layouts.get(name, ""))
        for name, array in zip(names, arrays_of(dataset.x_train), strict=False)
    }
    settled, lacking = dict[str, tuple[int, ...]](), []
    for name in fed:
        given = options.shapes.get(name)
        if given is not None:
            settled[name] = _given(model, name, inputs[name], given)
            continue
        declared = inputs[name][1:]
        sizes = _fitted(samples[name], declared) if name in samples else ()
        if None in declared and len(sizes) == len(declared):
            declared = tuple(size if own is None else own for own, size in zip(declared, sizes, strict=True))
        if None in declared:
            lacking.append(name)
        settled[name] = (1, *(size or -1 for size in declared))
    numbers = [name for name in fed if not inputs[name]]
    if lacking or numbers:
        raise _missing(model, inputs, lacking, numbers)
    return settled


def _given(model: str, name: str, declared: Shape, given: tuple[int, ...]) -> tuple[int, ...]:
    """Return the sizes that the user gave, checked against those that the model declares."""
    if len(given) != len(declared) or any(
        own not in (None, size) for own, size in zip(declared[1:], given[1:], strict=True)
    ):
        raise InputError(
            f"--input-shape {name}={','.join(map(str, given))}: does not fit {model}, whose input has "
            f"{_text(declared)}",
            f"give {len(declared)} sizes, the batch of 1 first; a ? can be chosen",
            code="input-shape-mismatch",
        )
    return (1, *given[1:])


def _missing(model: str, inputs: Mapping[str, Shape], lacking: Sequence[str], numbers: Sequence[str]) -> InputError:
    reasons = [f"input `{name}` has {_text(inputs[name])}" for name in lacking]
    reasons += [f"input `{name}` holds one number" for name in numbers]
    options = [
        f"--input-shape {name}=" + ",".join(["1", *("N" if size is None else str(size) for size in inputs[name][1:])])
        for name in lacking
    ]
    options += [f"--input-value {name}=V" for name in numbers]
    letters = " and ".join(["N"] * bool(lacking) + ["V"] * bool(numbers))
    return InputError(
        f"{model}: {', '.join(reasons)}, and the data do not settle it",
        f"give {' '.join(options)}, with numbers for {letters}",
        code="input-shape-open",
    )


def _fitted(sizes: tuple[int, ...], shape: Shape) -> tuple[int, ...]:
    """Return the sizes of a sample with a last axis of one added or dropped, as fitting does it."""
    if len(sizes) == len(shape) - 1 and shape[-1] in (1, None):
        return (*sizes, 1)
    return sizes[:-1] if len(sizes) == len(shape) + 1 and sizes[-1] == 1 else sizes


def _sample(array: Any, layout: str) -> tuple[int, ...]:
    sizes = tuple(int(size) for size in array.shape[1:])
    return (sizes[2], *sizes[:2]) if layout == "NCHW" and len(sizes) == 3 else sizes


def _text(shape: Shape) -> str:
    return "the shape " + "×".join("?" if size is None else str(size) for size in shape)


def in_words(sizes: Sizes, values: Values) -> str:
    """Return what was settled, as a note."""
    parts = [f"{name} {'×'.join(map(str, shape))}" for name, shape in sizes.items()]
    parts += [f"{name} = {value:g}, a constant now" for name, value in values.items()]
    return f"Inputs are settled: {', '.join(parts)}"


def without_values(dataset: Dataset, values: Values) -> Dataset:
    """Return the data without arrays for inputs that have values."""
    if not isinstance(dataset.x_train, NamedArrays) or not set(values) & set(dataset.x_train.names):
        return dataset
    parts: dict[str, Any] = {}
    for key in ("x_train", "x_test"):
        part = getattr(dataset, key)
        left = {name: array for name, array in zip(part.names, part.arrays, strict=True) if name not in values}
        parts[key] = NamedArrays(left) if len(left) > 1 else np.asarray(next(iter(left.values())))
    how = dataset.preprocessing
    inputs = tuple((name, of) for name, of in how.inputs if name not in values)
    parts["preprocessing"] = inputs[0][1] if len(inputs) == 1 else replace(how, inputs=inputs)
    return replace(dataset, **parts)
