"""What goes into a file when it is timed: dynamic dimensions get a size, and what cannot be fed is refused before."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from edgekit.bundle.reason import Reason
from edgekit.data.dataset import Dataset
from edgekit.errors import InputError
from edgekit.formats.source import MAX_END_BYTES
from edgekit.measuring.candidates import Candidate
from edgekit.tasks.samples import NamedArrays, arrays_of
from edgekit.tasks.tensors import TensorSpec

WIDTHS = {
    **{"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "float16": 2, "int32": 4, "uint32": 4, "float32": 4},
    **{"int64": 8, "uint64": 8, "float64": 8, "complex64": 8},
}
"""Bytes of a value of the types that seeded inputs can be made of."""


def fix_shapes(
    candidates: Sequence[Candidate],
    given: Mapping[str, tuple[int, ...]],
    values: Mapping[str, float] | None = None,
    data: Dataset | None = None,
) -> list[Candidate]:
    """Give every dynamic dimension a size, and inputs the values that the user chose.

    Args:
        candidates: the files.
        given: name of an input -> its sizes; used in every file that has an input of this name. A dynamic first axis is
            the batch, 1 unless it is given.
        values: name of an input -> the number it holds at every inference; it gets no samples then.
        data: samples, whose sizes are taken where none are given.

    Raises:
        InputError: sizes are missing, all of them named with the options to type; one does not fit; an input takes what
            edgekit has no seeded values for; or no file has an input of that name.
    """
    values = values or {}
    names = {spec.name for candidate in candidates for spec in candidate.inputs}
    for option, asked in (("--input-shape", given), ("--input-value", values)):
        unknown = sorted(set(asked) - names)
        if unknown:
            raise InputError(
                f"{option} {unknown[0]}: no file has an input of this name",
                f"the inputs are: {', '.join(sorted(names)) or 'none'}",
                code="unknown-name",
            )
    every = [_shapes(candidate, given, _sizes_of(data, candidate)) for candidate in candidates]
    open_: dict[str, tuple[str, TensorSpec]] = {}
    for candidate, shapes in zip(candidates, every, strict=True):
        for spec, shape in zip(candidate.inputs, shapes, strict=True):
            if -1 in shape:
                open_.setdefault(spec.name, (candidate.subject.name, spec))
    if open_:
        raise _missing(open_, [c for c in candidates if {s.name for s in c.inputs} & set(open_)], values)
    return [_fixed(candidate, shapes, values) for candidate, shapes in zip(candidates, every, strict=True)]


def with_values(candidates: Sequence[Candidate], values: Mapping[str, float]) -> list[Candidate]:
    """Return the files, each with those of the values that are for its inputs."""
    return [
        dataclasses.replace(c, values={s.name: values[s.name] for s in c.inputs if s.name in values})
        for c in candidates
    ]


def fed_ports(candidate: Candidate, values: Mapping[str, float]) -> tuple[TensorSpec, ...]:
    """Return the inputs of a file that get samples, where some get values."""
    return with_values([candidate], values)[0].fed


def _missing(
    open_: Mapping[str, tuple[str, TensorSpec]], candidates: Sequence[Candidate], values: Mapping[str, float]
) -> InputError:
    """Ask for all sizes at once, and for the values of scalars in the same files."""
    file = next(iter(open_.values()))[0]
    listed = ", ".join(f"`{name}` has {_text(spec.shape)}" for name, (_, spec) in open_.items())
    options = []
    for name, (_, spec) in open_.items():
        sizes = [1, *spec.shape[1:]] if spec.shape[:1] == (-1,) else spec.shape
        options.append(f"--input-shape {name}=" + ",".join("N" if size == -1 else str(size) for size in sizes))
    scalars = {s.name for c in candidates for s in c.inputs if not s.shape and s.name not in values}
    options += [f"--input-value {name}=V" for name in sorted(scalars)]
    what = "numbers for N" + (" and, where 0 or 1 will not do, for V" if scalars else "")
    return InputError(
        f"{file}: input{'s' * (len(open_) > 1)} {listed}; the sizes to measure with are not known",
        f"give {' '.join(options)}, with {what}",
        code="input-shape-open",
    )


def _fixed(candidate: Candidate, shapes: tuple[tuple[int, ...], ...], values: Mapping[str, float]) -> Candidate:
    subject, specs = candidate.subject, candidate.inputs
    for spec, shape in zip(specs, shapes, strict=True):
        if math.prod(shape) * WIDTHS[spec.dtype] > MAX_END_BYTES:
            raise InputError(
                f"{subject.name}: input `{spec.name}` of {_text(shape)} {spec.dtype} would take more than "
                f"{MAX_END_BYTES >> 30} GiB",
                "the file is damaged, or --input-shape is too large",
                code="input-too-large",
            )
    own = {spec.name: values[spec.name] for spec in specs if spec.name in values}
    for spec in specs:
        if spec.name in own and not _holds(spec.dtype, own[spec.name]):
            raise InputError(
                f"--input-value {spec.name}={own[spec.name]:g}: the input takes {spec.dtype}",
                code="value-out-of-range",
            )
    scalars = [s.name for s in specs if not s.shape and s.name not in own]
    notes = candidate.notes
    if scalars:
        what = f"{'s' * (len(scalars) > 1)} {', '.join(f'`{n}`' for n in scalars)}"
        seeded = f"{subject.name}: input{what} got a seeded number; choose one: --input-value {scalars[0]}=V"
        notes = (*notes, Reason("input-seeded", seeded))
    if shapes != tuple(spec.shape for spec in specs):
        recorded = {spec.name: list(shape) for spec, shape in zip(specs, shapes, strict=True)}
        subject = dataclasses.replace(subject, input_shapes=recorded)
        candidate = dataclasses.replace(candidate, shapes=shapes)
    subject = dataclasses.replace(subject, input_values=own or None)
    return dataclasses.replace(candidate, subject=subject, values=own, notes=notes)


def _holds(dtype: str, value: float) -> bool:
    """Return whether a type can hold a number."""
    if dtype == "bool":
        return value in (0, 1)
    if dtype.startswith(("int", "uint")):
        bits = 8 * WIDTHS[dtype] - (not dtype.startswith("u"))
        return value == int(value) and (0 if dtype.startswith("u") else -(2**bits)) <= value < 2**bits
    return True


def _sizes_of(data: Dataset | None, candidate: Candidate) -> dict[str, tuple[int, ...]]:
    """Return the sizes of one sample of every input, as far as data tell them."""
    if data is None:
        return {}
    arrays = arrays_of(data.x_test)
    names = data.x_test.names if isinstance(data.x_test, NamedArrays) else tuple(s.name for s in candidate.fed)
    how = candidate.preprocessing or data.preprocessing
    return {name: tuple(how.of(name).apply(a[:1]).shape) for name, a in zip(names, arrays, strict=False)}


def _shapes(
    candidate: Candidate, given: Mapping[str, tuple[int, ...]], known: Mapping[str, tuple[int, ...]]
) -> tuple[tuple[int, ...], ...]:
    subject = candidate.subject
    found = []
    for spec in candidate.inputs:
        shape = _shape(subject.name, spec, given.get(spec.name), subject.format)
        there = known.get(spec.name, ())
        there = there[:-1] if len(there) == len(shape) + 1 and there[-1] == 1 else there  # as fitting drops it
        if -1 in shape and len(there) == len(shape):
            shape = tuple(size if own == -1 else own for own, size in zip(shape, there, strict=True))
        found.append(shape)
    return tuple(found)


def _shape(file: str, spec: TensorSpec, given: tuple[int, ...] | None, format_: str) -> tuple[int, ...]:
    """Return the sizes of an input, -1 where nothing says them."""
    if spec.dtype not in WIDTHS:
        what = "strings" if spec.dtype == "string" else f"values of type {spec.dtype}"
        raise InputError(
            f"{file}: input `{spec.name}` takes {what}; edgekit measures with seeded numbers only",
            "export the part of the model behind it, with numbers as inputs",
            code="input-type-unsupported",
        )
    shape = given if given is not None else (1, *spec.shape[1:]) if spec.shape[:1] == (-1,) else spec.shape
    if given is not None and spec.shape:
        fixed = format_ == "onnx" and any(e not in (-1, g) for e, g in zip(spec.shape, given, strict=False))
        if len(given) != len(spec.shape) or fixed:
            raise InputError(
                f"--input-shape {spec.name}={','.join(map(str, given))}: does not fit {file}, "
                f"whose input has {_text(spec.shape)}",
                "a ? can be chosen, the other sizes are fixed" if fixed else f"give {len(spec.shape)} sizes",
                code="input-shape-mismatch",
            )
    return shape


def _text(shape: tuple[int, ...]) -> str:
    return "the shape " + ("×".join("?" if size == -1 else str(size) for size in shape) or "of a scalar")
