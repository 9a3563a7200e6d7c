"""Samples that are read when they are needed: views of large arrays, and several arrays with rows in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Dtype = np.dtype[Any]
Index = Any
"""What picks rows: an integer, a slice, or an array of indices."""
Stored = Any
"""Stored samples or labels, or one array of them: an array, an `np.memmap`, `Rows`, or `NamedArrays` of these."""


class Rows:
    """Chosen rows of an array that may be larger than memory; nothing is copied before it is indexed."""

    def __init__(self, array: Array, rows: npt.NDArray[np.int64]) -> None:
        self._array, self._rows = array, rows

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape with the chosen rows."""
        return (len(self._rows), *self._array.shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._array.ndim

    @property
    def dtype(self) -> Dtype:
        """Dtype as stored."""
        return self._array.dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: Index) -> Array:
        """Return one row for an integer, several for a slice or an array of indices, in memory."""
        chosen = self._array[self._rows[key]]
        return np.asarray(chosen)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return self[:].astype(dtype or self.dtype, copy=False)


class NamedArrays:
    """Several arrays with the same rows, by name and in order: what a model with several inputs or outputs takes."""

    def __init__(self, arrays: Mapping[str, Stored]) -> None:
        self._arrays = dict(arrays)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays, in order."""
        return tuple(self._arrays)

    @property
    def arrays(self) -> tuple[Stored, ...]:
        """The arrays, in order."""
        return tuple(self._arrays.values())

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.arrays[0])

    def __getitem__(self, rows: Index) -> NamedArrays:
        """Return the same rows of every array."""
        return NamedArrays({name: array[rows] for name, array in self._arrays.items()})

    def in_order(self, names: Sequence[str]) -> NamedArrays:
        """Return the arrays in the order of `names`."""
        return NamedArrays({name: self._arrays[name] for name in names})


Outputs = Any
"""What a model returns for samples: an array, or a list of arrays in the order of its outputs."""
Samples = Array | Rows | NamedArrays
"""Stored samples or labels: one array (an `np.ndarray`, an `np.memmap` or `Rows`), or one for each input or output."""
ModelInputs = Array | tuple[Array, ...]
"""Preprocessed samples, as a model takes them: one array, or one for each input."""


def arrays_of(samples: Stored) -> tuple[Stored, ...]:
    """Return the arrays of samples or labels, one or several."""
    return samples.arrays if isinstance(samples, NamedArrays) else (samples,)


def evenly(total: int, most: int) -> npt.NDArray[np.int64]:
    """Return sorted indices of at most so many of `total` rows, evenly spaced, the first and the last among them."""
    return np.unique(np.linspace(0, total - 1, min(most, total)).astype(np.int64))


def dtype_name(tensor: Stored) -> str:
    """Return NumPy's name of what an array holds, or a tensor of Keras 2 or 3."""
    return str(getattr(tensor.dtype, "name", tensor.dtype))


def part(inputs: ModelInputs, rows: slice) -> ModelInputs:
    """Return some samples of model inputs: of one array, or of each in a tuple."""
    return tuple(array[rows] for array in inputs) if isinstance(inputs, tuple) else inputs[rows]


def choose(samples: Stored, rows: npt.NDArray[np.int64]) -> Stored:
    """Return some rows: of arrays in memory a copy, of what is mapped from disk a view."""
    if isinstance(samples, NamedArrays):
        return NamedArrays({n: choose(c, rows) for n, c in zip(samples.names, samples.arrays, strict=True)})
    return Rows(samples, rows) if isinstance(samples, np.memmap) else samples[rows]
