"""The data sets known by name, and where their files are looked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.data.sources import npz
from edgekit.data.sources.named_sets import NAMED
from edgekit.data.sources.raw import Raw
from edgekit.data.sources.spec import Request
from edgekit.errors import InputError, MissingExtraError
from edgekit.files.opening import exists, expanded, is_folder
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import Array


def takes(request: Request) -> bool:
    """Return whether a data set has the name (see `registry.Source`)."""
    return request.typed in NAMED


def raw(request: Request) -> Raw:
    """Return a data set that is known by name.

    `digits` comes with scikit-learn. The others are looked for in `$EDGEKIT_DATA/NAME.npz`, then in the Keras
    cache, and are then downloaded through `keras.datasets`.

    Raises:
        InputError: the data set is nowhere to be found, or its file is damaged or holds another one.
        MissingExtraError: it would have to be fetched by a package that is not installed.
    """
    name, known = request.typed, NAMED[request.typed]
    arrays, source = (_digits(), "scikit-learn digits") if name == "digits" else _find(name)
    shape = (*arrays["x_train"].shape[1:], 1)[:3]
    if shape != known.sample_shape:
        raise InputError(
            f"{source}: expected samples of shape {known.sample_shape}, got {shape}",
            f"another data set has the name {name}; give the file's path to use it",
            code="shape-mismatch",
        )
    return Raw(
        x_train=arrays["x_train"],
        x_test=arrays["x_test"],
        y_train=arrays["y_train"],
        y_test=arrays["y_test"],
        class_names=known.class_names,
        source=source,
        preprocessing=Preprocessing(scale=known.scale),
    )


def _find(name: str) -> tuple[dict[str, Array], str]:
    folder = os.environ.get("EDGEKIT_DATA")
    if folder and not is_folder(expanded(folder)):
        raise InputError(
            f"EDGEKIT_DATA=`{folder}`: no such folder",
            f"set it to the folder that holds {name}.npz",
            code="variable-invalid",
        )
    if folder and exists(path := expanded(folder) / f"{name}.npz"):
        return npz.read(path), str(path)
    cached = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets" / f"{name}.npz"
    if exists(cached):
        return npz.read(cached), str(cached)
    return _download(name), f"keras.datasets {name}"


def _download(name: str) -> dict[str, Array]:
    try:
        from edgekit.frameworks.tensorflow import keras3

        loader: Callable[[], Any] = getattr(keras3().datasets, name.replace("-", "_")).load_data
        (x_train, y_train), (x_test, y_test) = loader()
    except MissingExtraError as error:
        raise MissingExtraError(f"downloading {name} (no {name}.npz in $EDGEKIT_DATA)", error.extra) from error
    except Exception as error:  # every kind of network failure, as urllib and Keras wrap them
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"data set `{name}` is not on this machine and could not be downloaded: {reason}",
            f"put {name}.npz (with {', '.join(npz.KEYS)}) into a folder and set EDGEKIT_DATA to that folder",
            code="download-failed",
        ) from error
    return dict(zip(npz.KEYS, (x_train, y_train, x_test, y_test), strict=True))


def _digits() -> dict[str, Array]:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError("the data set digits", "compress", str(error)) from error
    bunch = load_digits()
    x, y = bunch.images.astype(np.uint8)[..., np.newaxis], bunch.target
    # scikit-learn defines no split: every fifth sample of each class is for the test.
    rank = np.empty(len(y), np.int64)
    for c in range(10):
        rank[y == c] = np.arange((y == c).sum())
    test = rank % 5 == 4
    return {"x_train": x[~test], "y_train": y[~test], "x_test": x[test], "y_test": y[test]}
