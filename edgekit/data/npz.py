"""Reading `.npz` files that may come from anywhere: never unpickled, every failure explained."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgekit.data.dataset import Array
from edgekit.errors import InputError

KEYS = ("x_train", "y_train", "x_test", "y_test")


def read(path: Path, keys: Sequence[str] = KEYS) -> dict[str, Array]:
    """Return the named arrays of an `.npz` file.

    Raises:
        InputError: the file is missing, is no `.npz`, lacks a key, is damaged, or holds Python objects.
    """
    try:
        # NumPy leaves a file open that it cannot read; this block closes it.
        with path.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise InputError(f"{path}: holds a single array", f"expected an .npz with {', '.join(keys)}")
            missing = [key for key in keys if key not in archive.files]
            if missing:
                found = ", ".join(archive.files) or "nothing"
                raise InputError(f"{path}: has no {', '.join(missing)}", f"it holds: {found}")
            return {key: _array(archive, key, path) for key in keys}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder", "give an .npz file") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable .npz file: {error}") from error


def _array(archive: np.lib.npyio.NpzFile, key: str, path: Path) -> Array:
    try:
        array: Array = archive[key]
    except ValueError as error:
        if "pickle" in str(error) or "Object arrays" in str(error):
            raise InputError(
                f"{path}: {key} holds Python objects, which edgekit never unpickles",
                "store it as a plain numeric array of one shape",
            ) from error
        raise
    return array
