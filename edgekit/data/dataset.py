"""A data set, in memory or mapped from disk, and the checks that every data set passes before work starts."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from edgekit.errors import InputError
from edgekit.files.opening import plain
from edgekit.tasks.detection.boxes import may_be_boxes
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import Array, NamedArrays, Stored, arrays_of

MOST_NAME = 255
"""Characters of a class's name."""
MOST_CLASSES = 10_000
"""Integers above are values, not classes."""
CHUNK = 4096
_CHUNK_BYTES = 64 << 20


@dataclass(frozen=True)
class Dataset:
    """Samples and their labels.

    Attributes:
        name: `mnist`, or the stem of the user's file.
        x_train, x_test: stored samples, shape (n, ...), channels last, the dtype they were stored with; `NamedArrays`
            for a model with several inputs.
        y_train, y_test: labels; int64 (n,) for classes (one-hot labels become that), integers (n, ...) for masks and
            for several labels a sample, float32 (n, ...) for values; `NamedArrays` for several outputs; None without.
        class_names: one name a class; empty where labels are no classes.
        preprocessing: how these samples are usually fed; a model's own description goes before it.
        feature_names: of a table, one a column of x; or empty.
        held_out: whether edgekit cut the test part from samples that a model may have been trained on.
        boxes: whether the labels are boxes (`edgekit.tasks.detection.boxes`), float32 (n, most, 6).
    """

    name: str
    x_train: Stored
    y_train: Stored
    x_test: Stored
    y_test: Stored
    class_names: tuple[str, ...]
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    feature_names: tuple[str, ...] = ()
    held_out: bool = False
    boxes: bool = False

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample, without the batch axis; of the first input, where there are several."""
        return tuple(arrays_of(self.x_train)[0].shape[1:])

    @property
    def classes(self) -> int:
        """Number of classes, 0 where labels are no classes."""
        return len(self.class_names)

    @cached_property
    def fingerprint(self) -> str:
        """Return the SHA-256 over shapes, dtypes and bytes of all arrays."""
        digest = hashlib.sha256()
        for part in (self.x_train, self.y_train, self.x_test, self.y_test):
            for array in () if part is None else arrays_of(part):
                digest.update(f"{array.shape}{array.dtype.str}".encode())
                for start in range(0, len(array), step := _rows_at_once(array)):
                    digest.update(np.ascontiguousarray(array[start : start + step]).data)
        return digest.hexdigest()


def build(
    name: str,
    arrays: Mapping[str, Stored],
    source: str,
    class_names: tuple[str, ...] = (),
    preprocessing: Preprocessing | None = None,
    *,
    boxes: bool = False,
) -> Dataset:
    """Check the arrays and make a `Dataset`.

    Images without a channel axis (n, height, width) get one. Labels of shape (n, 1) are flattened, one-hot labels
    become integers.

    Args:
        name: the data set's name.
        arrays: `x_train`, `y_train`, `x_test`, `y_test`: an array, a mapping of names to arrays, or None for y.
        source: the file, for messages.
        class_names: names of the classes; by default the numbers that occur.
        preprocessing: the default one; else 1/255 for uint8 samples, none for others.
        boxes: whether the labels are boxes.

    Raises:
        InputError: whatever makes the arrays unusable, said with the file, the array and the fix.
    """
    x = {key: _each(arrays[key], key, source, _samples) for key in ("x_train", "x_test")}
    y = {key: _each(arrays.get(key), key, source, _labels) for key in ("y_train", "y_test")}
    if (y["y_train"] is None) != (y["y_test"] is None):
        raise InputError(
            f"{source}: `y_train` and `y_test` must come together, and only one is there",
            "give labels for both parts, or for none",
            code="array-missing",
        )
    for split in ("_train", "_test"):
        _check_lengths(x[f"x{split}"], y[f"y{split}"], split, source)
    _check_alike(x["x_train"], x["x_test"], "x", source)
    if y["y_train"] is not None and not boxes:
        y["y_train"], y["y_test"] = _alike_labels(y["y_train"], y["y_test"])
    if y["y_train"] is not None:
        _check_alike(y["y_train"], y["y_test"], "y", source)
    names = _plain_names(class_names, source) or _class_names(y["y_train"])
    if names and not boxes and not isinstance(y["y_train"], NamedArrays) and not may_be_boxes(y["y_train"]):
        check_classes(y["y_train"], y["y_test"], len(names), source)
    default = preprocessing or _default(x["x_train"])
    return Dataset(name, x["x_train"], y["y_train"], x["x_test"], y["y_test"], names, default, boxes=boxes)


def check_classes(y_train: Array, y_test: Array, classes: int, source: str) -> None:
    """Raise `InputError` unless integer labels run from 0 to classes - 1 and there are two classes."""
    if classes < 2:
        raise InputError(
            f"{source}: `y_train` holds one class only",
            "expected two classes or more; labels of a regression are floating point numbers",
            code="labels-one-class",
        )
    for key, y in (("y_train", y_train), ("y_test", y_test)):
        if y.min() < 0 or y.max() >= classes:
            raise InputError(
                f"{source}: `{key}` holds labels from {y.min()} to {y.max()}, expected 0 to {classes - 1}",
                "number the classes from 0; every class must occur in `y_train`",
                code="labels-out-of-range",
            )


def check_stored(x: Stored, y: Stored, source: str) -> None:
    """Raise `InputError` unless samples and labels, if any, are finite numbers and belong together."""
    for key, part in (("x", x), ("y", y)):
        for array in () if part is None else arrays_of(part):
            if array.ndim == 0 or not array.size:
                raise InputError(
                    f"{source}: `{key}` is empty (shape {array.shape})",
                    "expected samples along the first axis",
                    code="array-empty",
                )
            if array.dtype.kind not in "biuf":
                raise InputError(
                    f"{source}: `{key}` has dtype {array.dtype}, expected numbers", code="array-not-numbers"
                )
            _check_finite(array, key, source)
    _check_lengths(x, y, "", source)


def is_classes(y: Stored) -> bool:
    """Return whether labels are one class a sample: int64 of shape (n,)."""
    return isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "iu"


def _each(part: Stored, key: str, source: str, check: Callable[[Stored, str, str], Stored]) -> Stored:
    if part is None:
        return None
    if isinstance(part, Mapping):
        if not part:
            raise InputError(
                f"{source}: `{key}` holds no arrays", "give one array for each input or output", code="array-empty"
            )
        return NamedArrays({name: check(array, f"{key}/{name}", source) for name, array in part.items()})
    return check(part, key, source)


def _samples(x: Array, key: str, source: str) -> Array:
    if x.ndim == 0 or len(x) == 0 or x.size == 0:
        raise InputError(
            f"{source}: `{key}` is empty (shape {x.shape})", "expected samples along the first axis", code="array-empty"
        )
    if x.dtype.kind not in "uif" or x.dtype.itemsize > 8:
        raise InputError(
            f"{source}: `{key}` has dtype {x.dtype}",
            "samples must be integers or floating point numbers",
            code="array-not-numbers",
        )
    _check_finite(x, key, source)
    if not isinstance(x, np.memmap):
        native = x.dtype.newbyteorder("=")
        x = x.astype(np.float32 if native == np.float64 else native, copy=False)
    if x.ndim == 1:
        raise InputError(
            f"{source}: `{key}` has shape {x.shape}",
            "expected (samples, ...), such as (1000, 28, 28, 1)",
            code="shape-mismatch",
        )
    return x[..., np.newaxis] if x.ndim == 3 else x


def _check_finite(x: Array, key: str, source: str) -> None:
    """Raise unless all values are numbers that 32 bits can hold."""
    if x.dtype.kind != "f":
        return
    for start in range(0, len(x), step := _rows_at_once(x)):
        with np.errstate(over="ignore", invalid="ignore"):
            rows = x[start : start + step].astype(np.float32, copy=False)
        finite = np.isfinite(rows).reshape(len(rows), -1).all(axis=1)
        if not finite.all():
            bad = start + int(np.argmin(finite))
            what = "values too large for 32-bit numbers" if np.isfinite(x[bad]).all() else "NaN or infinity"
            raise InputError(
                f"{source}: `{key}` holds {what}, first in sample {bad}",
                "replace or remove such samples before the data are saved",
                code="values-not-finite",
            )


def _rows_at_once(array: Array) -> int:
    """Return how many rows fit into little memory."""
    return max(1, min(CHUNK, _CHUNK_BYTES // max(1, array[:1].nbytes)))


def _labels(y: Array, key: str, source: str) -> Array:
    if y.ndim == 0 or len(y) == 0 or y.size == 0:
        raise InputError(
            f"{source}: `{key}` is empty (shape {y.shape})", "expected a label for each sample", code="array-empty"
        )
    if y.dtype.kind not in "uifb" or y.dtype.itemsize > 8:
        raise InputError(
            f"{source}: `{key}` has dtype {y.dtype}",
            "labels must be numbers: integers for classes and masks, floating point numbers for values",
            code="array-not-numbers",
        )
    _check_finite(y, key, source)
    if y.dtype.kind == "u" and y.itemsize == 8 and y.max() > np.iinfo(np.int64).max:
        raise InputError(
            f"{source}: `{key}` holds labels up to {y.max()}, more than 63 bits",
            "number the classes from 0",
            code="labels-out-of-range",
        )
    if y.ndim >= 2 and y.shape[-1] == 1 and (y.ndim == 2 or y.dtype.kind in "uib"):
        y = y[..., 0]
    if y.dtype.kind == "f":
        return y.astype(np.float32)
    return y.astype(np.int64) if y.ndim == 1 or y.dtype.kind == "b" else y


def _alike_labels(train: Stored, test: Stored) -> tuple[Stored, Stored]:
    """Turn one-hot labels into classes, and other zeros and ones in floating point into integers, in both parts."""
    if isinstance(train, NamedArrays):
        if not isinstance(test, NamedArrays) or train.names != test.names:
            return train, test  # refused by the caller, with the names
        pairs = [_alike_labels(a, b) for a, b in zip(train.arrays, test.arrays, strict=True)]
        first = NamedArrays(dict(zip(train.names, (a for a, _ in pairs), strict=True)))
        return first, NamedArrays(dict(zip(test.names, (b for _, b in pairs), strict=True)))
    if isinstance(test, NamedArrays) or train.shape[1:] != test.shape[1:]:
        return train, test
    if (train.dtype.kind == "f") != (test.dtype.kind == "f"):
        return train.astype(np.float32), test.astype(np.float32)
    if not all(((y == 0) | (y == 1)).all() for y in (train, test)):
        return train, test
    if train.ndim != 2:  # a class a sample, or masks
        if train.dtype.kind == "f" and train.ndim > 2 and train.shape[-1] == 1:
            train, test = train[..., 0], test[..., 0]
        whole = np.int64 if train.ndim == 1 else np.uint8
        return (train.astype(whole), test.astype(whole)) if train.dtype.kind == "f" else (train, test)
    if all((y.sum(axis=1) == 1).all() for y in (train, test)):
        return train.argmax(axis=1).astype(np.int64), test.argmax(axis=1).astype(np.int64)
    return train.astype(np.int64), test.astype(np.int64)


def _check_lengths(x: Stored, y: Stored, split: str, source: str) -> None:
    lengths = {len(array) for array in arrays_of(x)}
    if len(lengths) > 1:
        raise InputError(
            f"{source}: the inputs of `x{split}` have different numbers of samples: {sorted(lengths)[:5]}",
            "expected one sample of each input at each index",
            code="counts-differ",
        )
    for array in () if y is None else arrays_of(y):
        if len(array) != len(x):
            raise InputError(
                f"{source}: `x{split}` has {len(x)} samples, `y{split}` has {len(array)} labels",
                "expected one label for each sample, in the same order",
                code="counts-differ",
            )


def _check_alike(train: Stored, test: Stored, key: str, source: str) -> None:
    if isinstance(train, NamedArrays) or isinstance(test, NamedArrays):
        names = [part.names if isinstance(part, NamedArrays) else "one array" for part in (train, test)]
        if names[0] != names[1]:
            raise InputError(
                f"{source}: `{key}_train` holds {names[0]}, `{key}_test` holds {names[1]}",
                "name the arrays of both parts alike",
                code="array-names-mismatch",
            )
    for a, b in zip(arrays_of(train), arrays_of(test), strict=True):
        if a.shape[1:] != b.shape[1:]:
            what = "a sample" if key == "x" else "a label"
            raise InputError(
                f"{source}: {what} of `{key}_train` has shape {a.shape[1:]}, of `{key}_test` {b.shape[1:]}",
                "expected the same shape in both parts",
                code="shape-mismatch",
            )


def _plain_names(names: tuple[str, ...], source: str) -> tuple[str, ...]:
    """Return names of classes as they can be printed and stored, whatever they hold."""
    found = tuple(plain(name) for name in names)
    long = next((name for name in found if len(name) > MOST_NAME), None)
    if long is not None:
        raise InputError(
            f"{source}: a class name has {len(long):,} characters, expected up to {MOST_NAME}: `{long[:40]}...`",
            "use shorter names",
            code="class-name-invalid",
        )
    if len(set(found)) < len(found):
        twice = next(name for name, count in Counter(found).items() if count > 1)
        raise InputError(
            f"{source}: several classes are called `{twice}`",
            "give each class a name of its own",
            code="class-name-invalid",
        )
    return found


def _class_names(y: Stored) -> tuple[str, ...]:
    if not is_classes(y) or y.min() < 0 or y.max() >= MOST_CLASSES:
        return ()
    return tuple(str(c) for c in range(int(y.max()) + 1))


def _default(x: Stored) -> Preprocessing:
    """Bytes are divided by 255, other numbers are taken as they are."""
    if isinstance(x, NamedArrays):
        return Preprocessing(inputs=tuple((n, _default(c)) for n, c in zip(x.names, x.arrays, strict=True)))
    return Preprocessing(scale=1 / 255) if x.dtype == np.uint8 else Preprocessing()
