"""Samples in the `.npz` that the runner and bundles hold: x and y, or x/NAME and y/NAME for several of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgekit.data.dataset import check_stored
from edgekit.data.sources import npz
from edgekit.errors import InputError
from edgekit.files.opening import plain
from edgekit.tasks.samples import NamedArrays, Stored


def write_samples(path: Path, x: Stored, y: Stored = None, *, compressed: bool = False) -> None:
    """Write stored samples, with their labels if there are any."""
    arrays = {**_named("x", x), **({} if y is None else _named("y", y))}
    (np.savez_compressed if compressed else np.savez)(path, **arrays)


def read_samples(path: Path) -> tuple[Stored, Stored]:
    """Return x, and y or None, as `write_samples` was given them.

    Raises:
        InputError: the file is damaged, leads out of its folder, or holds no samples, or something else than numbers.
    """
    arrays = npz.read_all(path, path.parent)
    x, y = _part("x", arrays), _part("y", arrays)
    if x is None:
        raise InputError(
            f"{path}: holds no samples `x`",
            f"it holds: {', '.join(list(arrays)[:20]) or 'nothing'}",
            code="array-missing",
        )
    check_stored(x, y, plain(path))
    return x, y


def feed(x: Stored) -> tuple[str, ...]:
    """Return the names of the columns, empty for a single array."""
    return x.names if isinstance(x, NamedArrays) else ()


def _named(key: str, part: Stored) -> dict[str, Stored]:
    if isinstance(part, NamedArrays):
        return {f"{key}/{name}": np.asarray(array) for name, array in zip(part.names, part.arrays, strict=True)}
    return {key: np.asarray(part)}


def _part(key: str, arrays: dict[str, Stored]) -> Stored:
    if key in arrays:
        return arrays[key]
    named = {name[len(key) + 1 :]: array for name, array in arrays.items() if name.startswith(f"{key}/")}
    return NamedArrays(named) if named else None
