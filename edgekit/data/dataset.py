"""A labelled data set in memory, and the checks that every data set passes before work starts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.errors import InputError
from edgekit.preprocessing import Preprocessing

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Dataset:
    """Samples and integer class labels.

    Attributes:
        name: `mnist`, or the stem of the user's file.
        x_train, x_test: stored samples, shape (n, ...), channels last, the dtype they were stored with.
        y_train, y_test: labels, int64, shape (n,), 0 to classes - 1.
        class_names: one name a class.
        preprocessing: how these samples are usually fed; a model's own description goes before it.
    """

    name: str
    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    class_names: tuple[str, ...]
    preprocessing: Preprocessing = field(default_factory=Preprocessing)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample, without the batch axis."""
        return tuple(self.x_train.shape[1:])

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def with_axes(self, count: int) -> Dataset:
        """Return the data with `count` axes a sample, where a last axis of one makes the difference; else itself.

        (64, 1) and (64,) may be the same signal, and (28, 28) the same image as (28, 28, 1): the model decides.
        """
        axes = len(self.sample_shape)
        if count == axes + 1:
            return replace(self, x_train=self.x_train[..., np.newaxis], x_test=self.x_test[..., np.newaxis])
        if count == axes - 1 and self.sample_shape[-1] == 1:
            return replace(self, x_train=self.x_train[..., 0], x_test=self.x_test[..., 0])
        return self

    def fingerprint(self) -> str:
        """Return the SHA-256 over shapes, dtypes and bytes of all four arrays."""
        digest = hashlib.sha256()
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            digest.update(f"{array.shape}{array.dtype.str}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def build(
    name: str,
    arrays: dict[str, Array],
    source: str,
    class_names: tuple[str, ...] = (),
    preprocessing: Preprocessing | None = None,
) -> Dataset:
    """Check the four arrays and make a `Dataset`.

    Images without a channel axis (n, height, width) get one. Labels of shape (n, 1) are flattened.

    Args:
        name: the data set's name.
        arrays: `x_train`, `y_train`, `x_test`, `y_test`.
        source: the file, for messages.
        class_names: names of the classes; by default the numbers that occur.
        preprocessing: the usual one; by default 1/255 for uint8 samples, none for others.

    Raises:
        InputError: whatever makes the arrays unusable, said with the file, the array and the fix.
    """
    x_train, y_train = _samples(arrays["x_train"], "x_train", source), _labels(arrays["y_train"], "y_train", source)
    x_test, y_test = _samples(arrays["x_test"], "x_test", source), _labels(arrays["y_test"], "y_test", source)
    for split, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        if len(x) != len(y):
            raise InputError(f"{source}: x_{split} has {len(x)} samples, y_{split} has {len(y)} labels")
    if x_train.shape[1:] != x_test.shape[1:]:
        raise InputError(f"{source}: a sample of x_train has shape {x_train.shape[1:]}, of x_test {x_test.shape[1:]}")
    classes = len(class_names) or int(y_train.max()) + 1
    if classes < 2:
        raise InputError(f"{source}: y_train holds one class only")
    for key, y in (("y_train", y_train), ("y_test", y_test)):
        if y.min() < 0 or y.max() >= classes:
            raise InputError(
                f"{source}: {key} holds labels from {y.min()} to {y.max()}, expected 0 to {classes - 1}",
                "number the classes from 0; every class must occur in y_train",
            )
    if preprocessing is None:
        preprocessing = Preprocessing(scale=1 / 255) if x_train.dtype == np.uint8 else Preprocessing()
    names = class_names or tuple(str(c) for c in range(classes))
    return Dataset(name, x_train, y_train, x_test, y_test, names, preprocessing)


def _samples(x: Array, key: str, source: str) -> Array:
    if x.ndim == 0 or len(x) == 0 or x.size == 0:
        raise InputError(f"{source}: {key} is empty (shape {x.shape})")
    if x.dtype.kind not in "uif" or x.dtype.itemsize > 8:
        raise InputError(f"{source}: {key} has dtype {x.dtype}", "samples must be integers or floating point numbers")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        bad = int(np.argmin(np.isfinite(x.reshape(len(x), -1)).all(axis=1)))
        raise InputError(f"{source}: {key} holds NaN or infinity, first in sample {bad}", "clean the data first")
    if x.dtype == np.float64:
        x = x.astype(np.float32)
    if x.ndim == 1:
        raise InputError(f"{source}: {key} has shape {x.shape}", "expected (samples, ...), such as (1000, 28, 28, 1)")
    return x[..., np.newaxis] if x.ndim == 3 else x


def _labels(y: Array, key: str, source: str) -> Array:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or y.dtype.kind not in "ui":
        raise InputError(
            f"{source}: {key} has shape {y.shape} and dtype {y.dtype}",
            "labels must be integers of shape (samples,); for one-hot labels store y.argmax(axis=1)",
        )
    if len(y) == 0:
        raise InputError(f"{source}: {key} is empty")
    return y.astype(np.int64)
