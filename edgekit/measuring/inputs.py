"""What goes into a file when it is timed: dynamic dimensions get a size, and what cannot be fed is refused before."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from edgekit.errors import InputError
from edgekit.inspect.source import MAX_END_BYTES
from edgekit.manifest import TensorSpec
from edgekit.measuring.subjects import Candidate

WIDTHS = {
    **{"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "float16": 2, "int32": 4, "uint32": 4, "float32": 4},
    **{"int64": 8, "uint64": 8, "float64": 8, "complex64": 8},
}
"""Bytes of a value of the types that seeded inputs can be made of."""


def fix_shapes(candidates: Sequence[Candidate], given: Mapping[str, tuple[int, ...]]) -> list[Candidate]:
    """Give every dynamic dimension a size.

    Args:
        candidates: the files.
        given: name of an input -> its sizes; used in every file that has an input of this name. A dynamic first axis is
            the batch, 1 unless it is given.

    Raises:
        InputError: a size is missing or does not fit, an input takes what edgekit has no seeded values for, or no file
            has an input of that name.
    """
    names = {spec.name for candidate in candidates for spec in candidate.inputs}
    unknown = sorted(set(given) - names)
    if unknown:
        raise InputError(
            f"--input-shape {unknown[0]}: no file has an input of this name",
            f"the inputs are: {', '.join(sorted(names)) or 'none'}",
        )
    return [_fixed(candidate, given) for candidate in candidates]


def _fixed(candidate: Candidate, given: Mapping[str, tuple[int, ...]]) -> Candidate:
    subject, specs = candidate.subject, candidate.inputs
    shapes = tuple(_shape(subject.name, spec, given.get(spec.name), subject.format) for spec in specs)
    if shapes == tuple(spec.shape for spec in specs):
        return candidate
    recorded = {spec.name: list(shape) for spec, shape in zip(specs, shapes, strict=True)}
    return dataclasses.replace(candidate, shapes=shapes, subject=dataclasses.replace(subject, input_shapes=recorded))


def _shape(file: str, spec: TensorSpec, given: tuple[int, ...] | None, format_: str) -> tuple[int, ...]:
    if spec.dtype not in WIDTHS:
        what = "strings" if spec.dtype == "string" else f"values of type {spec.dtype}"
        raise InputError(
            f"{file}: input `{spec.name}` takes {what}, and edgekit measures with seeded numbers only",
            "export the part of the model behind it, with numbers as inputs",
        )
    shape = given if given is not None else (1, *spec.shape[1:]) if spec.shape[:1] == (-1,) else spec.shape
    if given is not None and spec.shape:
        fixed = format_ == "onnx" and any(e not in (-1, g) for e, g in zip(spec.shape, given, strict=False))
        if len(given) != len(spec.shape) or fixed:
            raise InputError(
                f"--input-shape {spec.name}={','.join(map(str, given))}: does not fit {file}, "
                f"whose input has {_text(spec.shape)}",
                "a ? can be chosen, the other sizes are fixed" if fixed else f"give {len(spec.shape)} sizes",
            )
    if -1 in shape:
        example = ",".join("N" if size == -1 else str(size) for size in shape)
        raise InputError(
            f"{file}: input `{spec.name}` has {_text(spec.shape)}, and edgekit cannot know the sizes to measure with",
            f"say them: --input-shape {spec.name}={example}, with numbers for N",
        )
    if math.prod(shape) * WIDTHS[spec.dtype] > MAX_END_BYTES:
        raise InputError(
            f"{file}: input `{spec.name}` of {_text(shape)} {spec.dtype} would take more than "
            f"{MAX_END_BYTES >> 30} GiB",
            "the file is damaged, or --input-shape is too large",
        )
    return shape


def _text(shape: tuple[int, ...]) -> str:
    return "the shape " + ("×".join("?" if size == -1 else str(size) for size in shape) or "of a scalar")
