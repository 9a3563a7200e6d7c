"""Large arrays inside an `.npz`: mapped where they lie, or unpacked once into the cache and mapped from there."""

from __future__ import annotations

import math
import shutil
import struct
import tokenize
import zipfile
from pathlib import Path

import numpy as np

from edgekit.columns import Array
from edgekit.data.cache import cached, check_space, key_of
from edgekit.errors import InputError

MAP_BYTES = 64 << 20
"""Arrays stored without compression are mapped from this size on."""
UNPACK_BYTES = 1 << 30
"""Compressed arrays are unpacked into the cache from this size on."""
DAMAGED = (ValueError, EOFError, SyntaxError, tokenize.TokenError)
"""What NumPy raises for the bytes of an array that are not what they should be."""
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ENCRYPTED = 0x1


def member_array(path: Path, archive: zipfile.ZipFile, key: str) -> Array | None:
    """Return an array of an `.npz` mapped read-only; None if it is small and should simply be read.

    A mapped array is not compared with the checksum in the archive.

    Raises:
        InputError: the array's place, shape or type cannot be what the file says.
        OutputError: it does not fit into the cache.
    """
    name = f"{key}.npy" if f"{key}.npy" in archive.NameToInfo else key
    member = archive.getinfo(name)
    if member.flag_bits & _ENCRYPTED:
        raise InputError(f"{path}: {key} is encrypted", "store it without a password")
    if member.compress_type == zipfile.ZIP_STORED:
        return mapped(path, _offset(path, member), member.file_size, key) if member.file_size >= MAP_BYTES else None
    if member.file_size < UNPACK_BYTES:
        return None
    status = path.stat()
    origin = (path.resolve(), status.st_size, status.st_mtime_ns, name, member.CRC, member.file_size)

    def unpack(folder: Path) -> None:
        check_space(member.file_size, f"{path}: {key}")
        with archive.open(member) as packed, (folder / "array.npy").open("wb") as out:
            shutil.copyfileobj(packed, out, 1 << 20)

    unpacked = cached(key_of("npz", *origin), unpack) / "array.npy"
    return mapped(unpacked, 0, unpacked.stat().st_size, key, str(path))


def mapped(path: Path, offset: int, size: int, key: str, source: str = "") -> Array | None:
    """Return the array of `.npy` bytes inside a file, mapped read-only; None if its order is not C's.

    Args:
        path: the file.
        offset: where the `.npy` bytes begin.
        size: how many they are.
        key: of the array, for messages.
        source: the file the user knows, where it is another.

    Raises:
        InputError: the bytes are no `.npy`, hold Python objects, or are fewer than its header says.
    """
    source = source or str(path)
    with path.open("rb") as stream:
        stream.seek(offset)
        try:
            version = np.lib.format.read_magic(stream)
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, fortran, dtype = read_header(stream)
        except DAMAGED as error:
            raise InputError(f"{source}: {key} is not readable: {error}") from error
        start = stream.tell()
        if dtype.hasobject:
            raise InputError(
                f"{source}: {key} holds Python objects, which edgekit never unpickles",
                "store it as a plain numeric array of one shape",
            )
        needed = math.prod(shape) * dtype.itemsize
        if start + needed > min(offset + size, stream.seek(0, 2)):
            raise InputError(f"{source}: {key} is cut off: {needed} bytes expected for shape {shape}")
    if fortran and len(shape) > 1:
        return None
    return np.memmap(path, dtype, "r", start, shape) if needed else np.zeros(shape, dtype)


def _offset(path: Path, member: zipfile.ZipInfo) -> int:
    """Return where the bytes of a member begin: behind its own header, which may differ from the directory's."""
    with path.open("rb") as stream:
        stream.seek(member.header_offset)
        header = stream.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
        raise zipfile.BadZipFile(f"no header where {member.filename} should be")
    _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    return member.header_offset + _LOCAL_HEADER.size + int(name_length) + int(extra_length)
