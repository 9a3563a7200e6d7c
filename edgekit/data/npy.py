"""A folder with `x_train.npy`, `y_train.npy`, `x_test.npy`, `y_test.npy`: mapped, never unpickled."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgekit.columns import Array
from edgekit.data.holdout import complete
from edgekit.data.npz_member import DAMAGED
from edgekit.data.raw import Raw, arrange, known_keys
from edgekit.errors import InputError


def holds_arrays(folder: Path) -> bool:
    """Return whether the folder holds samples as `.npy`."""
    return any(key.startswith("x") for key in _keys(folder))


def read_raw(folder: Path) -> Raw:
    """Return the arrays of a folder, mapped read-only.

    Raises:
        InputError: a file is damaged, holds Python objects, or samples and labels do not belong together.
    """
    arrays = {key: _mapped(folder / f"{key}.npy") for key in _keys(folder)}
    return complete(arrange(arrays, str(folder)), str(folder))


def _keys(folder: Path) -> list[str]:
    return known_keys(sorted(path.name.removesuffix(".npy") for path in folder.glob("*.npy")))


def _mapped(path: Path) -> Array:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (*DAMAGED, OSError) as error:
        if "object" in str(error).lower() or "pickle" in str(error):
            raise InputError(
                f"{path}: holds Python objects, which edgekit never unpickles",
                "store it as a plain numeric array of one shape",
            ) from error
        raise InputError(f"{path}: not a readable .npy file: {error}") from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError(f"{path}: is an .npz file by its content", "rename it to .npz and give that")
    return array
