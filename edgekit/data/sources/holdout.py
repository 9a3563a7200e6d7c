"""A test part for data that come without one: a fixed random fifth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgekit.data.sources.cache import Spool
from edgekit.data.sources.raw import Loose, Part, Raw
from edgekit.data.split import Indices, stratified
from edgekit.errors import InputError
from edgekit.tasks.labels import is_whole
from edgekit.tasks.samples import Array

TEST_SHARE = 0.2
IN_MEMORY_BYTES = 256 << 20
"""A part of a mapped file that is larger than this is copied through the disk."""
_SEED = 20261123
_ROWS = 256


def complete(loose: Loose, source: str, share: float = TEST_SHARE) -> Raw:
    """Return the data with a test part, held out of the training part if there is none.

    Raises:
        InputError: samples and labels do not pair up, or there are too few to hold any out.
    """
    if loose.x_test is not None:
        return Raw(loose.x, loose.x_test, loose.y, loose.y_test, loose.class_names, source)
    count = _count(loose.x, "x", source)
    if loose.y is not None and _count(loose.y, "y", source) != count:
        raise InputError(
            f"{source}: `x` has {count} samples, `y` has {_count(loose.y, 'y', source)} labels",
            "expected one label for each sample, in the same order",
            code="counts-differ",
        )
    test = choose(count, loose.y, source, share)
    train = np.setdiff1d(np.arange(count), test)
    return Raw(
        _take(loose.x, train, source),
        _take(loose.x, test, source),
        None if loose.y is None else _take(loose.y, train, source),
        None if loose.y is None else _take(loose.y, test, source),
        loose.class_names,
        source,
        (said(len(test), count, source),),
        held_out=True,
    )


def choose(count: int, labels: Part | None, source: str, share: float = TEST_SHARE) -> Indices:
    """Choose the samples to hold out, as sorted indices: the same for the same number of samples and labels.

    Labels of whole numbers keep their shares, unless nearly every sample has one of its own.

    Raises:
        InputError: there are too few samples.
    """
    wanted = max(1, round(count * share))
    if wanted >= count:
        raise InputError(
            f"{source}: {count} samples are too few to hold out a test part",
            "add samples, or a test part",
            code="set-too-small",
        )
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "uibf" and labels.size == count:
        flat = np.asarray(labels).reshape(count, 1)
        if is_whole(flat) and len(np.unique(flat)) <= count / 2:
            return stratified(flat[:, 0], wanted, _SEED)
    chosen = np.random.default_rng(_SEED).choice(count, size=wanted, replace=False)
    return np.sort(chosen).astype(np.int64)


def said(test: int, count: int, source: str) -> str:
    """Return the sentence that says what was held out."""
    return f"{source} has no test part: {test:,} of its {count:,} samples, a fixed random choice, are kept for the test"


def _count(part: Part, what: str, source: str) -> int:
    named = part if isinstance(part, Mapping) else {"": part}
    if not named:
        raise InputError(
            f"{source}: `{what}` holds no arrays", "give one array for each input or output", code="array-empty"
        )
    if any(array.ndim == 0 for array in named.values()):
        raise InputError(
            f"{source}: `{what}` is a single number, not an array",
            "expected samples along the first axis",
            code="array-empty",
        )
    lengths = {name: len(array) for name, array in named.items()}
    if len(set(lengths.values())) > 1:
        text = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        raise InputError(
            f"{source}: the arrays of `{what}` have different numbers of samples ({text})",
            "expected one sample of each input at each index",
            code="counts-differ",
        )
    return next(iter(lengths.values()))


def _take(part: Part, chosen: Indices, source: str) -> Part:
    if isinstance(part, Mapping):
        return {name: _rows(array, chosen, source) for name, array in part.items()}
    return _rows(part, chosen, source)


def _rows(array: Array, chosen: Indices, source: str) -> Array:
    size = len(chosen) * array[:1].nbytes
    if not isinstance(array, np.memmap) or size <= IN_MEMORY_BYTES:
        return np.asarray(array[chosen])
    with Spool(source) as spool:
        for start in range(0, len(chosen), _ROWS):
            spool.append(array[chosen[start : start + _ROWS]])
        return spool.array()
