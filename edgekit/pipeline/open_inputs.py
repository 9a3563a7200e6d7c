"""Inputs whose sizes are open, and inputs that hold one number: settled before anything is made of a model.

Sizes come from `--input-shape`, else from the samples. A value (`--input-value sr=16000`) becomes a constant of the
model, which then has one input less, in every file and on every device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.data.dataset import Dataset
from edgekit.errors import InputError, RunnerError
from edgekit.files.temporary import Temporary
from edgekit.formats.companions import computing_only, runnable
from edgekit.formats.info import FileInfo
from edgekit.processes.child import memory_for, worker
from edgekit.samples import NamedArrays, arrays_of

Shape = tuple[int | None, ...]
SECONDS = 600.0


@dataclass(frozen=True)
class Asked:
    """What the user said of inputs, by name.

    Attributes:
        shapes: sizes, with the batch, which is 1.
        values: numbers that an input holds at every inference.
    """

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)

    def check(self, names: Sequence[str]) -> None:
        """Raise unless the model has inputs of these names."""
        for option, asked in (("--input-shape", self.shapes), ("--input-value", self.values)):
            unknown = sorted(set(asked) - set(names))
            if unknown:
                raise InputError(
                    f"{option} {unknown[0]}: the model has no input of this name",
                    f"the inputs are: {', '.join(names)}",
                )


def settled_sizes(
    model: str, inputs: Mapping[str, Shape], asked: Asked, dataset: Dataset, layouts: Mapping[str, str]
) -> dict[str, tuple[int, ...]]:
    """Return the sizes of every input without a value, the batch of 1 in front.

    Args:
        model: its name, for messages.
        inputs: by name their sizes, the batch first, None where open.
        asked: what the user said.
        dataset: whose samples have sizes.
        layouts: `NCHW` by the name of an input, where samples are turned before they are fed.

    Raises:
        InputError: sizes are still open, all of them named with the options to type; or one does not fit.
    """
    asked.check(list(inputs))
    fed = [name for name in inputs if name not in asked.values]
    names = dataset.x_train.names if isinstance(dataset.x_train, NamedArrays) else fed[:1]
    there = {
        name: _sample(a, layouts.get(name, "")) for name, a in zip(names, arrays_of(dataset.x_train), strict=False)
    }
    found, lacking = {}, []
    for name in fed:
        shape = inputs[name]
        given = asked.shapes.get(name)
        if given is not None:
            if len(given) != len(shape) or any(
                own not in (None, g) for own, g in zip(shape[1:], given[1:], strict=True)
            ):
                raise InputError(
                    f"--input-shape {name}={','.join(map(str, given))}: does not fit {model}, whose input has "
                    f"{_text(shape)}",
                    f"give {len(shape)} sizes, the batch of 1 first; a ? can be chosen",
                )
            found[name] = (1, *given[1:])
            continue
        sizes = _fitted(there[name], shape[1:]) if name in there else ()
        filled = shape[1:]
        if None in filled and len(sizes) == len(filled):
            filled = tuple(size if own is None else own for own, size in zip(filled, sizes, strict=True))
        if None in filled:
            lacking.append(name)
        found[name] = (1, *(size or -1 for size in filled))
    scalars = [name for name in fed if not inputs[name]]
    if lacking or scalars:
        raise _missing(model, inputs, lacking, scalars)
    return found


def _missing(model: str, inputs: Mapping[str, Shape], lacking: Sequence[str], scalars: Sequence[str]) -> InputError:
    said = [f"input `{name}` has {_text(inputs[name])}" for name in lacking]
    said += [f"input `{name}` holds one number" for name in scalars]
    options = [
        f"--input-shape {name}=" + ",".join(["1", *("N" if size is None else str(size) for size in inputs[name][1:])])
        for name in lacking
    ]
    options += [f"--input-value {name}=V" for name in scalars]
    letters = " and ".join(["N"] * bool(lacking) + ["V"] * bool(scalars))
    return InputError(
        f"{model}: {', '.join(said)}, and the data do not tell it",
        f"say it: {' '.join(options)}, with numbers for {letters}",
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


def file_inputs(info: FileInfo) -> dict[str, Shape]:
    """Return the inputs of a `.tflite` or `.onnx` file by name, None where a size is open; () for a number."""
    return {tensor.name: tuple(None if size == -1 else size for size in tensor.shape) for tensor in info.inputs}


def needs_settling(inputs: Mapping[str, Shape], asked: Asked) -> bool:
    """Return whether sizes behind the batch are open, an input is a number, or the user said something of one."""
    return bool(asked.shapes or asked.values or any(None in shape[1:] or not shape for shape in inputs.values()))


@dataclass(frozen=True)
class SettledFile:
    """A copy of a file with its sizes and values settled; the folder it lies in goes with the process."""

    path: Path
    folder: Temporary


def settled_file(path: Path, sizes: Mapping[str, tuple[int, ...]], values: Mapping[str, float]) -> SettledFile:
    """Write a copy of a `.tflite` or `.onnx` file with fixed sizes, and constants in place of inputs with values.

    Raises:
        InputError: the file is not run, or cannot be rewritten.
    """
    passed = runnable(path)
    computing_only(path, passed)
    folder = Temporary("settled")
    target = folder.path / path.name
    try:
        worker().call(
            f"{__name__}:write_settled",
            what=f"{path}: rewriting it",
            seconds=SECONDS,
            memory=memory_for(path, *passed.companions.values()),
            path=str(path),
            target=str(target),
            format_=passed.format,
            sizes={name: list(shape) for name, shape in sizes.items()},
            values=dict(values),
        )
    except RunnerError as error:
        raise InputError(error.message, error.hint) from error
    return SettledFile(target, folder)


def write_settled(
    *, path: str, target: str, format_: str, sizes: Mapping[str, Sequence[int]], values: Mapping[str, float]
) -> tuple[None, list[Any]]:
    """Do what `settled_file` asks for, in its child."""
    from edgekit.formats.settled import settled_onnx, settled_tflite

    write = settled_onnx if format_ == "onnx" else settled_tflite
    Path(target).write_bytes(write(Path(path), sizes, values))
    return None, []


def settled_model(model: Any, sizes: Mapping[str, tuple[int, ...]], values: Mapping[str, float]) -> Any:
    """Return a tf_keras or plain model with inputs of fixed sizes, and without those that have values.

    Args:
        model: left as it is.
        sizes: of the inputs that stay, by their names in the model, the batch first.
        values: of the others.

    Raises:
        InputError: its layers cannot take these sizes.
    """
    from edgekit.models.files.settled import settled_keras, settled_plain

    settle = settled_keras if hasattr(model, "layers") else settled_plain
    return settle(model, sizes, values)


def as_data(values: Mapping[str, float], dataset: Dataset) -> Dataset:
    """Return the data without arrays for inputs that have values."""
    if not isinstance(dataset.x_train, NamedArrays) or not set(values) & set(dataset.x_train.names):
        return dataset
    parts: dict[str, Any] = {}
    for key in ("x_train", "x_test"):
        part = getattr(dataset, key)
        left = {n: a for n, a in zip(part.names, part.arrays, strict=True) if n not in values}
        parts[key] = NamedArrays(left) if len(left) > 1 else np.asarray(next(iter(left.values())))
    how = dataset.preprocessing
    inputs = tuple((name, of) for name, of in how.inputs if name not in values)
    parts["preprocessing"] = inputs[0][1] if len(inputs) == 1 else replace(how, inputs=inputs)
    return replace(dataset, **parts)
