"""Large arrays inside an `.npz`: mapped where they lie, or unpacked once into the cache and mapped from there."""

from __future__ import annotations

import errno
import os
import shutil
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from edgekit.data.sources.cache import cached, check_space, key_of
from edgekit.errors import InputError
from edgekit.files.opening import open_file
from edgekit.formats.numpy.archive import Archive, is_bomb
from edgekit.formats.numpy.header import read_header
from edgekit.tasks.samples import Array

MAP_BYTES = 64 << 20
"""Arrays stored without compression are mapped from this size on."""
UNPACK_BYTES = 1 << 30
"""Compressed arrays are unpacked into the cache from this size on."""
FORTRAN_BYTES = 1 << 30
"""Arrays in Fortran order, whose samples lie scattered, are read into the memory up to this size."""
ARRAY = "array.npy"
_PIECES = 100_000
_BLOCK = 512
"""Bytes of what the system counts files in."""


def member_array(archive: Archive, key: str, room: int) -> Array | None:
    """Return an array of an `.npz` mapped read-only; None if it is small and should simply be read.

    A mapped array is not compared with the checksum in the archive.

    Args:
        archive: the file.
        key: of the array.
        room: bytes that may still be read into the memory.

    Raises:
        InputError: the array's place, shape or type cannot be what the file says.
        OutputError: it does not fit into the cache.
    """
    member = archive.members[key]
    if member.compress_type == zipfile.ZIP_STORED:
        large = member.file_size >= MAP_BYTES
        return mapped(archive.stream, archive.offset(key), member.file_size, archive.subject(key)) if large else None
    if member.file_size < min(UNPACK_BYTES, room):
        return None
    with archive.open(key) as packed:
        read_header(packed, member.file_size, archive.subject(key))  # before the disk is filled
    status = os.fstat(archive.stream.fileno())
    changed = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    origin = (os.path.realpath(archive.path), *changed, member.filename, member.CRC, member.file_size)

    def unpack(folder: Path) -> None:
        check_space(member.file_size, archive.subject(key))
        with archive.open(key) as packed, (folder / ARRAY).open("wb") as out:
            shutil.copyfileobj(packed, out, 1 << 20)

    with open_file(cached(key_of("npz", *origin), unpack) / ARRAY, follow=False) as unpacked:
        return mapped(unpacked, 0, member.file_size, archive.subject(key))


def mapped(stream: BinaryIO, offset: int, size: int, subject: str) -> Array | None:
    """Return the array of `.npy` bytes inside a file, mapped read-only; None if its order is not C's and it is small.

    Args:
        stream: of the file.
        offset: where the `.npy` bytes begin.
        size: how many they are.
        subject: begins the message: file and array.

    Raises:
        InputError: the bytes are no `.npy`, hold Python objects, or are fewer than its header says.
    """
    status = os.fstat(stream.fileno())
    stream.seek(offset)
    header = read_header(stream, max(0, min(size, status.st_size - offset)), subject)
    # The first number is quick, but some disks tell it late.
    if is_bomb(header.nbytes, status.st_blocks * _BLOCK) and is_bomb(header.nbytes, on_disk := _on_disk(stream)):
        raise InputError(
            f"{subject} has {header.nbytes >> 20:,} MiB, and only {on_disk / 2**20:,.1f} of them are on the disk: "
            "the rest are holes in the file",
            "write the file again, with np.save or np.savez",
            code="file-sparse",
        )
    fortran = header.fortran and len(header.shape) > 1
    if fortran and header.nbytes < FORTRAN_BYTES:
        return None
    if not header.nbytes:
        return _empty(header.shape, header.dtype, subject)
    return np.memmap(stream, header.dtype, "r", offset + header.start, header.shape, "F" if fortran else "C")


def _on_disk(stream: BinaryIO) -> int:
    """Return how many bytes of a file are no holes; of one in many pieces, those of the first."""
    handle, size = stream.fileno(), os.fstat(stream.fileno()).st_size
    before = os.lseek(handle, 0, os.SEEK_CUR)
    found = place = 0
    try:
        for _ in range(_PIECES):
            start = os.lseek(handle, place, os.SEEK_DATA)
            place = os.lseek(handle, start, os.SEEK_HOLE)
            found += place - start
    except OSError as error:
        if error.errno != errno.ENXIO:  # not the end, but a disk that does not tell
            return size
    finally:
        os.lseek(handle, before, os.SEEK_SET)
    return found


def _empty(shape: tuple[int, ...], dtype: np.dtype[np.generic], subject: str) -> Array:
    try:
        return np.zeros(shape, dtype)
    except (ValueError, MemoryError) as error:
        raise InputError(f"{subject} is empty (shape {shape})", "write the file again", code="array-empty") from error
