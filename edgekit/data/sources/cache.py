"""Data in the cache folder: what is unpacked or decoded once, and what passes through without staying."""

from __future__ import annotations

import errno
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from edgekit.errors import InputError, OutputError
from edgekit.files.private import check_own
from edgekit.files.whole import atomic_folder, explained_write_errors, locked, work_base
from edgekit.tasks.samples import Array

SPARE_BYTES = 1 << 30
"""Left free on the disk by everything here."""
_MORE_ROOM = "free some space, or set EDGEKIT_WORK to a folder on a larger disk"
_MARKER = "data.json"
_CHUNK = 16 << 20


def folder() -> Path:
    """Return the folder of cached data."""
    return work_base() / "data"


def key_of(*parts: object) -> str:
    """Return a name for what these parts determine, 32 hex digits."""
    digest = hashlib.sha256()
    for part in parts:
        text = str(part).encode("utf-8", "surrogatepass")
        digest.update(b"%d:%s" % (len(text), text))
    return digest.hexdigest()[:32]


def cached(key: str, make: Callable[[Path], None]) -> Path:
    """Return the cache's folder for `key`; made by `make`, which fills it, if it is not there yet.

    It appears whole or not at all.

    Raises:
        InputError: another process is making it.
        OutputError: it cannot be written, or the cache is another user's.
    """
    path = folder() / key
    check_own(folder(), path)
    if (path / _MARKER).is_file():
        return path
    with locked(folder() / f"{key}.lock", f"another edgekit is preparing this very data, in {path}"):
        if not (path / _MARKER).is_file():
            with atomic_folder(path, marker=_MARKER) as temporary:
                with _room():
                    make(temporary)
                (temporary / _MARKER).write_text("{}\n", encoding="utf-8")
    return path


def check_space(needed: int, what: str) -> None:
    """Raise `OutputError` if the cache's disk has no room for `needed` more bytes."""
    place = folder()
    with explained_write_errors(place):
        place.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place).free
    if needed > free - SPARE_BYTES:
        raise OutputError(
            f"{what}: needs {needed / 2**20:,.0f} MiB of the cache folder {place}, its disk has {free / 2**20:,.0f}",
            _MORE_ROOM,
            code="disk-full",
        )


@contextmanager
def _room() -> Iterator[None]:
    """Explain a disk that became full all the same."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OutputError(
                f"{folder()}: no space left for cached data ({error.strerror})", _MORE_ROOM, code="disk-full"
            ) from error
        raise


class NpyWriter:
    """An `.npy` file of a known shape, written sample by sample; a full disk is an error, not a crash as with a map.

    Args:
        path: to write.
        shape: of the whole array.
        dtype: of the whole array.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self._dtype, self._sample = np.dtype(dtype), shape[1:]
        self._stream = path.open("wb")
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._stream, header)

    def append(self, sample: Array) -> None:
        """Write the next sample."""
        if sample.shape != self._sample:
            raise ValueError(f"a sample of shape {sample.shape} among samples of {self._sample}")
        self._stream.write(np.ascontiguousarray(sample, self._dtype).data)

    def close(self) -> None:
        """Finish the file."""
        self._stream.close()


class Spool:
    """Batches of unknown number in a file without a name: it goes with the last array mapped from it.

    To be used in a `with` block, in which the array is taken.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        check_space(0, what)
        self._stream: IO[bytes] = tempfile.TemporaryFile(dir=folder())  # noqa: SIM115 - lives as long as the map
        self._shape: tuple[int, ...] = ()
        self._dtype = np.dtype(np.uint8)
        self._unchecked = 0
        self.count = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *raised: object) -> None:
        self._stream.close()

    def append(self, batch: Array) -> None:
        """Write a batch, samples first.

        Raises:
            InputError: the samples have another shape or type than those before.
            OutputError: the disk is full.
        """
        batch = np.ascontiguousarray(batch)
        if batch.dtype.hasobject or batch.dtype.kind not in "buif":
            raise InputError(
                f"{self._what}: holds values of type {batch.dtype}, expected numbers", code="array-not-numbers"
            )
        if self.count == 0:
            self._shape, self._dtype = batch.shape[1:], batch.dtype
        elif (batch.shape[1:], batch.dtype) != (self._shape, self._dtype):
            raise InputError(
                f"{self._what}: sample {self.count} has shape {batch.shape[1:]} and type {batch.dtype}, the samples "
                f"before have {self._shape} and {self._dtype}",
                "give all samples one shape, such as with `tf.image.resize`",
                code="shape-mismatch",
            )
        if not batch.size:
            return
        self._unchecked += batch.nbytes
        if self._unchecked > _CHUNK:
            check_space(self._unchecked, self._what)
            self._unchecked = 0
        with _room():
            self._stream.write(batch.data)
        self.count += len(batch)

    def array(self) -> Array:
        """Return everything written, mapped read-only."""
        with _room():
            self._stream.flush()
        shape = (self.count, *self._shape)
        if 0 in shape:
            return np.zeros(shape, self._dtype)
        return np.memmap(self._stream, self._dtype, "r", shape=shape)
