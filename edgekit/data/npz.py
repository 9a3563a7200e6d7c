"""Reading `.npz` files that may come from anywhere: never unpickled, every failure explained."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edgekit.columns import Array
from edgekit.data.holdout import complete
from edgekit.data.npz_member import DAMAGED, member_array
from edgekit.data.raw import Raw, arrange, known_keys
from edgekit.errors import InputError

KEYS = ("x_train", "y_train", "x_test", "y_test")


def read(path: Path, keys: Sequence[str] = KEYS) -> dict[str, Array]:
    """Return the named arrays of an `.npz` file, in memory.

    Raises:
        InputError: the file is missing, is no `.npz`, lacks a key, is damaged, or holds Python objects.
    """
    with _explained(path), _opened(path, keys) as archive:
        missing = [key for key in keys if key not in archive.files]
        if missing:
            found = ", ".join(archive.files) or "nothing"
            raise InputError(f"{path}: has no {', '.join(missing)}", f"it holds: {found}")
        return {key: _array(archive, key, path) for key in keys}


def read_all(path: Path) -> dict[str, Array]:
    """Return all arrays of an `.npz` file, in memory.

    Raises:
        InputError: as `read`.
    """
    with _explained(path), _opened(path, ("x", "y")) as archive:
        return {key: _array(archive, key, path) for key in archive.files}


def read_raw(path: Path) -> Raw:
    """Return what an `.npz` file holds for training and testing; large arrays are mapped, not read.

    Raises:
        InputError: as `read`; or samples and labels do not belong together.
        OutputError: a large compressed array does not fit into the cache.
    """
    with _explained(path), _opened(path, KEYS) as archive:
        held = known_keys(archive.files)
        if not any(key.startswith("x") for key in held):
            found = ", ".join(archive.files) or "nothing"
            raise InputError(f"{path}: has no x_train, x_test", f"it holds: {found}")
        arrays: dict[str, Array] = {}
        for key in held:
            mapped = member_array(path, archive.zip, key) if archive.zip else None
            arrays[key] = _array(archive, key, path) if mapped is None else mapped
    return complete(arrange(arrays, str(path)), str(path))


@contextmanager
def _opened(path: Path, keys: Sequence[str]) -> Iterator[np.lib.npyio.NpzFile]:
    # NumPy leaves a file open that it cannot read; this block closes it.
    with path.open("rb") as stream:
        archive = np.load(stream, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise InputError(
                f"{path}: holds a single array",
                f"expected an .npz with {', '.join(keys)}; without labels: np.savez('my.npz', x_train=a, x_test=b)",
            )
        yield archive


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file", "give a known name, an .npz or .csv file, a folder, or FILE.py:FUNCTION"
        ) from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder", "give an .npz file") from None
    except ValueError as error:
        if "pickle" not in str(error):
            raise InputError(f"{path}: not a readable .npz file: {error}") from error
        # NumPy takes everything it does not know for a pickle, and offers to load it.
        raise InputError(
            f"{path}: not a readable .npz file: its first bytes are those of something else",
            "data are .npz and .csv files, folders, and functions as FILE.py:FUNCTION",
        ) from error
    except (*DAMAGED, zipfile.BadZipFile, zlib.error, OSError, NotImplementedError) as error:
        raise InputError(f"{path}: not a readable .npz file: {error}") from error


def _array(archive: np.lib.npyio.NpzFile, key: str, path: Path) -> Array:
    try:
        array: Array = archive[key]
    except MemoryError as error:
        raise InputError(f"{path}: {key} is larger than the memory", "write the file with np.savez") from error
    except ValueError as error:
        if "pickle" in str(error) or "Object arrays" in str(error):
            raise InputError(
                f"{path}: {key} holds Python objects, which edgekit never unpickles",
                "store it as a plain numeric array of one shape",
            ) from error
        raise
    return array
