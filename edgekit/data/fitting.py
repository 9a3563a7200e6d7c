"""Fitting data to a model: which array feeds which input, with which axes, and what each output is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgekit.columns import Columns, columns_of
from edgekit.data.dataset import Dataset
from edgekit.errors import InputError
from edgekit.manifest import TensorSpec
from edgekit.preprocessing import Preprocessing
from edgekit.task import Head, Task, find_head

_LISTED = 20
KEYS = {"input": "x", "output": "y"}
Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Port:
    """An input or output of a model or a file: its name, and its shape without the batch."""

    name: str
    shape: Shape


def ports(names: Sequence[str], tensors: Sequence[Any]) -> list[Port]:
    """Return the inputs or outputs of a Keras model."""
    return [Port(name, tuple(tensor.shape[1:])) for name, tensor in zip(names, tensors, strict=True)]


def ports_of(specs: Sequence[TensorSpec]) -> list[Port]:
    """Return the inputs or outputs of a file."""
    return [Port(s.name, tuple(None if n < 0 else n for n in s.shape[1:])) for s in specs]


def shape_of(specs: Sequence[TensorSpec]) -> Shape | None:
    """Return what the only input of a file takes, without the batch; None where there are several."""
    return ports_of(specs)[0].shape if len(specs) == 1 else None


def named_as(dataset: Dataset, inputs: Sequence[str], outputs: Sequence[str]) -> Dataset:
    """Give arrays that are only numbered, as of tuples in `tf.data`, the names of a model's inputs and outputs."""
    how = dataset.preprocessing
    if _numbered(dataset.x_train, inputs):
        how = replace(how, inputs=tuple((name, of) for name, (_, of) in zip(inputs, how.inputs, strict=True)))
    parts = {"x_train": inputs, "x_test": inputs, "y_train": outputs, "y_test": outputs}
    named = {key: _renamed(getattr(dataset, key), names) for key, names in parts.items()}
    return replace(dataset, preprocessing=how, **named)


def _numbered(part: Any, names: Sequence[str]) -> bool:
    return isinstance(part, Columns) and len(part.names) == len(names) and all(name.isdigit() for name in part.names)


def _renamed(part: Any, names: Sequence[str]) -> Any:
    return Columns(dict(zip(names, part.arrays, strict=True))) if _numbered(part, names) else part


MOST_CLASSES = 1_000_000
"""More than any vocabulary has: a file that claims more is damaged."""


def fit(
    dataset: Dataset, preprocessing: Preprocessing, inputs: Sequence[Port], outputs: Sequence[Port], name: str
) -> tuple[Dataset, Task]:
    """Return the data as a model takes them, and what its outputs are for.

    Arrays of several inputs or outputs are put in the model's order, by their names. A last axis of one is added or
    dropped: (64, 1) and (64,) may be the same signal, (28, 28) and (28, 28, 1) the same image.

    Args:
        dataset: as stored.
        preprocessing: how the samples are fed, for their layout.
        inputs: of the model, in its order.
        outputs: of the model, in its order.
        name: of the model, for messages.

    Raises:
        InputError: the data do not fit the model; said with both shapes.
    """
    fitted = dataset
    for key in ("x_train", "x_test"):
        fitted = replace(fitted, **{key: _ordered(getattr(dataset, key), inputs, "input", name, dataset.name)})
    for key in ("x_train", "x_test"):
        fitted = replace(fitted, **{key: _axes(getattr(fitted, key), inputs)})
    for port, array in zip(inputs, columns_of(fitted.x_train), strict=True):
        _check_shape(port, array, preprocessing.of(port.name), name, dataset.name)
    if dataset.y_train is None:
        return fitted, Task(_heads(None, inputs, outputs))
    for key in ("y_train", "y_test"):
        fitted = replace(fitted, **{key: _ordered(getattr(dataset, key), outputs, "output", name, dataset.name)})
    try:
        heads = _heads(fitted.y_train, inputs, outputs)
    except InputError as error:
        raise InputError(f"{dataset.name}: {error.message}", error.hint) from error
    for key in ("y_train", "y_test"):
        fitted = replace(fitted, **{key: _for_heads(getattr(fitted, key), heads)})
    if heads[0].kind == "classification" and len(heads) == 1:
        fitted = replace(fitted, class_names=_names(fitted.class_names, outputs[0].shape[-1]))
    else:
        fitted = replace(fitted, class_names=() if heads[0].kind != "binary" else fitted.class_names)
    return fitted, Task(heads)


def _heads(y: Any, inputs: Sequence[Port], outputs: Sequence[Port]) -> tuple[Head, ...]:
    labels = [None] * len(outputs) if y is None else columns_of(y)
    shapes = [port.shape for port in inputs]
    return tuple(find_head(p.name, label, p.shape, shapes) for p, label in zip(outputs, labels, strict=True))


def _ordered(part: Any, ports_: Sequence[Port], role: str, model: str, data: str) -> Any:
    names = [port.name for port in ports_]
    if not isinstance(part, Columns):
        if len(ports_) > 1:
            raise InputError(
                f"{model} has {len(ports_)} {role}s, {data} holds one array",
                f"name an array for each {role}: " + ", ".join(f"{KEYS[role]}_train/{n}" for n in names),
            )
        return part
    if set(part.names) == set(names):
        ordered = part.in_order(names)
    else:
        raise InputError(
            f"{data} holds {_list(part.names)}, {model} has the {role}{'s' * (len(names) > 1)} {', '.join(names)}",
            f"name the arrays as the model names its {role}s"
            if len(names) > 1
            else f"give one array, {KEYS[role]}_train and {KEYS[role]}_test",
        )
    return ordered if len(names) > 1 else ordered.arrays[0]


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + ", ..." * (len(names) > _LISTED)


def _axes(part: Any, inputs: Sequence[Port]) -> Any:
    fitted = [_with_axes(array, len(port.shape)) for array, port in zip(columns_of(part), inputs, strict=True)]
    return Columns(dict(zip(part.names, fitted, strict=True))) if isinstance(part, Columns) else fitted[0]


def _with_axes(array: Any, count: int) -> Any:
    axes = array.ndim - 1
    if count == axes + 1:
        return array[..., np.newaxis]
    if count == axes - 1 and array.shape[-1] == 1:
        return array[..., 0]
    return array


def _check_shape(port: Port, array: Any, how: Preprocessing, model: str, data: str) -> None:
    given = how.apply(array[:1]).shape[1:]
    expected = port.shape
    if len(expected) != len(given) or any(e is not None and e != g for e, g in zip(expected, given, strict=True)):
        raise InputError(
            f"{model} takes samples of shape {expected}, {data} holds {tuple(array.shape[1:])}",
            "check --data"
            + (", and --layout if the model wants channels first" if len(expected) == len(given) == 3 else ""),
        )


def _for_heads(y: Any, heads: Sequence[Head]) -> Any:
    arrays = [_for_head(array, head) for array, head in zip(columns_of(y), heads, strict=True)]
    return Columns(dict(zip(y.names, arrays, strict=True))) if isinstance(y, Columns) else arrays[0]


def _for_head(y: Any, head: Head) -> Any:
    """Integers that are values, not classes, become floating point numbers."""
    return y.astype(np.float32) if head.kind == "regression" and y.dtype.kind in "iu" else y


def _names(known: tuple[str, ...], classes: int | None) -> tuple[str, ...]:
    """Return the names of the classes; a class that no sample has is called by its number."""
    count = max(len(known), classes or 0)
    if count > MOST_CLASSES:
        raise InputError(
            f"the model's output has {count:,} classes, and edgekit takes up to {MOST_CLASSES:,}",
            "is the file damaged? see: edgekit inspect FILE",
        )
    return (*known, *(str(c) for c in range(len(known), count)))
