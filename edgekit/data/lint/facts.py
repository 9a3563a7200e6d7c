"""What the lint looks at: a few numbers about the data as they are fed, and about the model's first layers."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgekit.data.lint.steps import Steps, rounding
from edgekit.data.sources.raw import Part
from edgekit.tasks.samples import Array, evenly

LOOKED_AT = 2000
"""Samples of which ranges are taken, evenly spaced; fewer of large ones, see `LOOKED_AT_VALUES`."""
LOOKED_AT_VALUES, FEWEST_LOOKED_AT = 50_000_000, 200
"""Values in all beyond which fewer samples are looked at, and how many at least."""
COMPARED_BYTES = 2 << 30
"""At most this much of each part is read to find equal samples."""
COMPARED_SAMPLES = 5_000_000
"""Of each part; a second for a quarter of them."""
COUNTED = 400_000
"""Values of an input of which it is looked at how they are rounded."""
MOST_CLASSES = 100_000
"""Larger integers are no labels."""
_BATCH, _BATCH_VALUES = 256, 8 << 20


@dataclass(frozen=True)
class InputFacts:
    """One input's samples.

    Attributes:
        name: of the input; empty where there is one.
        stored_dtype: of the array.
        shape: of one sample as it is fed, after preprocessing.
        low, high: smallest and largest value fed.
        whole: whether every value fed is a whole number.
        mean, std: per entry of the channel axis, of values fed; what a Normalization layer keeps, too.
        constant_samples: samples of `looked` whose values are all equal.
        looked: number of samples these facts are from.
        feature_names: one an entry of the channel axis, for tables; or empty.
        lost: entries of the channel axis that the steps of an int8 input mostly round away.
        middle: share of that input's range, 0 to 1, in which the middle 99.8 % of the values lie.
        crowded: share of the values, 0 to 1, that differ and become one and the same step.
    """

    name: str
    stored_dtype: str
    shape: tuple[int, ...]
    low: float
    high: float
    whole: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    constant_samples: int
    looked: int
    feature_names: tuple[str, ...] = ()
    lost: tuple[int, ...] = ()
    middle: float = 1.0
    crowded: float = 0.0

    @property
    def step(self) -> float:
        """What one step of an int8 input would be, in values fed."""
        return Steps.of(self.low, self.high).step


@dataclass(frozen=True)
class Copies:
    """Samples that are equal to the byte, all inputs together.

    Attributes:
        compared_train, compared_test: how many samples were compared.
        shared: test samples that also are in the training part.
        contradicting: training samples that have an equal one with another label.
    """

    compared_train: int = 0
    compared_test: int = 0
    shared: int = 0
    contradicting: int = 0


@dataclass(frozen=True)
class DataFacts:
    """A data set.

    Attributes:
        inputs: one an input of the model.
        train_counts, test_counts: samples a class; empty where there are no classes.
        class_names: one a class; or empty.
        copies: equal samples.
        calibration_samples: how many will set the quantization ranges; None if nothing is calibrated.
        fed: the preprocessing as a formula, for sentences.
        int8: whether the inputs of a file will be int8.
    """

    inputs: tuple[InputFacts, ...]
    train_counts: tuple[int, ...] = ()
    test_counts: tuple[int, ...] = ()
    class_names: tuple[str, ...] = ()
    copies: Copies = Copies()
    calibration_samples: int | None = None
    fed: str = "x"
    int8: bool = True


def data_facts(
    x_train: Part,
    x_test: Part,
    y_train: Array | None = None,
    y_test: Array | None = None,
    *,
    apply: Callable[[Array], Array] | Mapping[str, Callable[[Array], Array]] = np.asarray,
    fed: str = "x",
    class_names: tuple[str, ...] = (),
    feature_names: tuple[str, ...] = (),
    calibration_samples: int | None = None,
    int8: bool = True,
    channel_axis: Mapping[str, int] | None = None,
) -> DataFacts:
    """Look at a data set; mapped arrays are read in pieces.

    Args:
        x_train: stored samples; by input name for several inputs.
        x_test: as x_train.
        y_train: integer labels, shape (n,), from 0; None, or anything else, where there are no classes.
        y_test: as y_train.
        apply: from stored samples to what the model is fed (`Preprocessing.apply`); by input name if they differ.
        fed: the same as a formula.
        class_names: one a class.
        feature_names: of a table.
        calibration_samples: how many will set the quantization ranges.
        int8: whether the inputs of a file will be int8.
        channel_axis: of samples as they are fed, by input name; the last where nothing is said.
    """
    train, test = _by_name(x_train), _by_name(x_test)
    inputs = []
    for name, array in train.items():
        feed = apply if callable(apply) else apply[name]
        inputs.append(_input_facts(name, array, feed, feature_names, (channel_axis or {}).get(name, -1)))
    labels = [y for y in (y_train, y_test) if y is not None]
    sorted_out = len(labels) == 2 and all(_are_classes(y) for y in labels)
    classes = max(len(class_names), *(int(y.max()) + 1 for y in labels)) if sorted_out else 0
    counts = [tuple(np.bincount(y, minlength=classes).tolist()) if classes else () for y in labels] or [(), ()]
    copies = _copies(train, test, y_train if sorted_out else None)
    return DataFacts(tuple(inputs), counts[0], counts[-1], class_names, copies, calibration_samples, fed, int8)


def _are_classes(y: Array) -> bool:
    return y.ndim == 1 and len(y) > 0 and y.dtype.kind in "iu" and 0 <= int(y.min()) <= int(y.max()) < MOST_CLASSES


def _by_name(part: Part) -> Mapping[str, Array]:
    return part if isinstance(part, Mapping) else {"": part}


def _input_facts(
    name: str, array: Array, feed: Callable[[Array], Array], feature_names: tuple[str, ...], axis: int
) -> InputFacts:
    size = max(1, math.prod(array.shape[1:]))
    chosen = evenly(len(array), max(FEWEST_LOOKED_AT, min(LOOKED_AT, LOOKED_AT_VALUES // size)))
    low, high, whole, constant = np.inf, -np.inf, True, 0
    total = squares = np.zeros(0)
    count, shape = 0, tuple(array.shape[1:])
    kept, rng = [], np.random.default_rng(0)
    rows = max(1, min(_BATCH, _BATCH_VALUES // size))
    for start in range(0, len(chosen), rows):
        stored = np.asarray(array[chosen[start : start + rows]])
        values = np.asarray(feed(stored), np.float64)
        shape = tuple(values.shape[1:])
        low, high = min(low, float(values.min())), max(high, float(values.max()))
        whole = whole and bool((values == np.round(values)).all())
        flat = stored.reshape(len(stored), -1)
        constant += int((flat == flat[:, :1]).all(axis=1).sum())
        columns = np.moveaxis(values, axis, -1).reshape(-1, shape[axis]) if shape else values.reshape(-1, 1)
        total = columns.sum(axis=0) + (total if total.size else 0)
        squares = (columns**2).sum(axis=0) + (squares if squares.size else 0)
        count += len(columns)
        kept.append(_some(columns, COUNTED * len(stored) // len(chosen), rng))
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    # What is left of rounding in the difference of two large numbers is no spread.
    std[std <= 1e-7 * np.abs(mean)] = 0
    names = feature_names if len(feature_names) == len(mean) else ()
    rounded = rounding(np.concatenate(kept), std, Steps.of(low, high))
    return InputFacts(
        name, str(array.dtype), shape, low, high, whole, tuple(mean.tolist()), tuple(std.tolist()),
        constant, len(chosen), names, *rounded,
    )  # fmt: skip


def _some(columns: Array, values: int, rng: np.random.Generator) -> Array:
    """Return about as many values, in whole rows."""
    rows = max(1, values // max(1, columns.shape[1]))
    return columns if rows >= len(columns) else columns[rng.integers(0, len(columns), rows)]


def _copies(train: Mapping[str, Array], test: Mapping[str, Array], labels: Array | None) -> Copies:
    a, b = _hashes(train), _hashes(test)
    shared = int(np.isin(b, a).sum())
    contradicting = 0
    if labels is not None:
        _, group, size = np.unique(a, return_inverse=True, return_counts=True)
        lowest = np.full(len(size), np.iinfo(np.int64).max)
        highest = np.full(len(size), -1)
        np.minimum.at(lowest, group, labels[: len(a)])
        np.maximum.at(highest, group, labels[: len(a)])
        contradicting = int(size[lowest != highest].sum())
    return Copies(len(a), len(b), shared, contradicting)


def _hashes(arrays: Mapping[str, Array]) -> Array:
    """Return 64 bits of a hash of every sample, all inputs together, of as many as may be read."""
    names = sorted(arrays)
    size = sum(arrays[name][:1].nbytes for name in names)
    count = min(min(len(arrays[name]) for name in names), max(1, COMPARED_BYTES // max(size, 1)), COMPARED_SAMPLES)
    found = np.empty(count, np.uint64)
    for start in range(0, count, _BATCH):
        parts = [np.ascontiguousarray(arrays[name][start : min(start + _BATCH, count)]) for name in names]
        for index in range(len(parts[0])):
            digest = hashlib.blake2b(digest_size=8)
            for part in parts:
                digest.update(part[index].tobytes())
            found[start + index] = int.from_bytes(digest.digest(), "little")
    return found
