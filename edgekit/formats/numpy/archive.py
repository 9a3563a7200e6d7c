"""The members of an `.npz`: what a zip file may say of itself is checked before anything is read from it."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from edgekit.errors import InputError
from edgekit.files.opening import open_file, plain
from edgekit.formats.numpy.header import MAGIC, read_array
from edgekit.formats.values import Array

SUFFIX = ".npy"
MOST_NAME = 1024
"""Bytes of a member's name; inputs of models name them."""
MOST_DIRECTORY = 4 << 20
"""Bytes of a zip file's list of members."""
BOMB_BYTES, BOMB_RATIO = 256 << 20, 200
"""Arrays of more bytes, packed more tightly than this, are refused."""
_ALLOWED = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
_ENCRYPTED = 0x1 | 0x40
_DEFLATE_RATIO = 1032
"""Deflate cannot do better."""
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_END, _END64, _LOCATOR64 = struct.Struct("<4s4H2IH"), struct.Struct("<4sQ2H2I4Q"), struct.Struct("<4sIQI")
DAMAGED = (
    zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError,
    KeyError, IndexError, OverflowError,
)  # fmt: skip
"""What the zip library raises for bytes that are not what they should be."""


def is_bomb(size: int, packed: int) -> bool:
    """Return whether bytes are so many, from so few, that somebody made them to fill a memory or a disk."""
    return size > BOMB_BYTES and size > BOMB_RATIO * packed


class Archive:
    """An open `.npz` whose members are what they say.

    Args:
        path: of the file, for messages.
        stream: of the file.

    Attributes:
        path: of the file.
        stream: of the file.
        members: by key: the name without `.npy`.
    """

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self.path, self.stream = path, stream
        size = stream.seek(0, 2)
        if _directory_bytes(stream, size) > MOST_DIRECTORY:
            raise InputError(
                f"{plain(path)}: has more than {MOST_DIRECTORY >> 20} MiB of array names",
                "split it into several files",
                code="archive-suspicious",
            )
        self._zip = zipfile.ZipFile(stream)
        self.members = _checked(path, self._zip.infolist(), size)

    def subject(self, key: str) -> str:
        """Return what begins a message about an array."""
        return f"{plain(self.path)}: {key}"

    def open(self, key: str) -> BinaryIO:
        """Return the bytes of a member, unpacked as they are read."""
        return self._zip.open(self.members[key])  # type: ignore[return-value]

    def read(self, key: str) -> Array:
        """Return an array, in memory."""
        with self.open(key) as stream:
            return read_array(stream, self.members[key].file_size, self.subject(key))

    def offset(self, key: str) -> int:
        """Return where the bytes of a member begin: behind its own header, which may differ from the directory's."""
        member = self.members[key]
        self.stream.seek(member.header_offset)
        header = self.stream.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
            raise zipfile.BadZipFile(f"no header for `{key}`")
        _, name, extra = _LOCAL_HEADER.unpack(header)
        return member.header_offset + _LOCAL_HEADER.size + int(name) + int(extra)

    def check_ratio(self, keys: Iterable[str]) -> None:
        """Raise `InputError` if these arrays are packed as tightly as only a zip bomb is."""
        members = [self.members[key] for key in keys]
        size, packed = (sum(getattr(m, name) for m in members) for name in ("file_size", "compress_size"))
        if is_bomb(size, packed):
            raise InputError(
                f"{plain(self.path)}: {packed / 2**20:,.1f} MiB unpack to {size / 2**20:,.0f} MiB, as in a zip bomb",
                "if the values are right, write them with `np.savez`, or as .npy",
                code="archive-suspicious",
            )


@contextmanager
def open_archive(path: Path, root: Path | None = None, hint: str = "", expected: str = "") -> Iterator[Archive]:
    """Open an `.npz`, and explain whatever it raises inside the block.

    Args:
        path: the file.
        root: a folder that it may not lead out of.
        hint: what to do where it is missing or something else.
        expected: what to do where it is a single array.

    Raises:
        InputError: it is missing, is no `.npz`, or is damaged.
    """
    with open_file(path, root, hint=hint) as stream:
        try:
            start = stream.read(len(MAGIC))
        except OSError as error:
            raise InputError(
                f"{plain(path)}: cannot be read: {error.strerror}", hint, code="file-unreadable"
            ) from error
        if start == MAGIC:
            raise InputError(
                f"{plain(path)}: holds a single array, expected an .npz", expected, code="format-unexpected"
            )
        if not start:
            raise InputError(f"{plain(path)}: is empty", hint, code="file-empty")
        if not start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            raise InputError(
                f"{plain(path)}: not a readable .npz file: it does not begin as a zip archive",
                hint,
                code="format-unexpected",
            )
        try:
            yield Archive(path, stream)
        except DAMAGED as error:
            raise InputError(
                f"{plain(path)}: not a readable .npz file: {plain(error)}",
                "write it again with `np.savez`",
                code="file-damaged",
            ) from error


def read_arrays(path: Path) -> dict[str, Array]:
    """Return all arrays of an `.npz`, in memory.

    Raises:
        InputError: as `open_archive`, or an array cannot be read.
    """
    with open_archive(path) as archive:
        archive.check_ratio(archive.members)
        return {key: archive.read(key) for key in archive.members}


def _checked(path: Path, members: Sequence[zipfile.ZipInfo], size: int) -> dict[str, zipfile.ZipInfo]:
    by_key: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        _check_name(path, member.orig_filename)
        if member.is_dir():
            continue
        key = member.filename.removesuffix(SUFFIX)
        if key in by_key:
            raise InputError(
                f"{plain(path)}: holds `{key}` twice", "write the file again, each array once", code="file-damaged"
            )
        _check_member(path, key, member)
        by_key[key] = member
    end = 0
    for key, member in sorted(by_key.items(), key=lambda item: item[1].header_offset):
        start, name = member.header_offset, member.filename.encode("utf-8", "surrogatepass")
        if start < end:
            raise InputError(
                f"{plain(path)}: `{key}` overlaps another array",
                "write the file again with `np.savez`",
                code="archive-suspicious",
            )
        end = start + _LOCAL_HEADER.size + (len(name) if name.isascii() else 0) + member.compress_size
        if end > size:
            raise zipfile.BadZipFile(f"`{key}` is cut off")
    return by_key


def _check_name(path: Path, name: str) -> None:
    """Raise unless a name is one that an array may have; none of them ever becomes the name of a file."""
    shown = plain(name)[:60]
    if len(name.encode("utf-8", "surrogatepass")) > MOST_NAME:
        raise InputError(
            f"{plain(path)}: an array's name has more than {MOST_NAME} bytes: `{shown}...`",
            "shorten the name",
            code="archive-suspicious",
        )
    if plain(name) != name or name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
        raise InputError(
            f"{plain(path)}: `{shown}` is not a valid array name",
            "write the file again with `np.savez`",
            code="archive-suspicious",
        )


def _check_member(path: Path, key: str, member: zipfile.ZipInfo) -> None:
    subject = f"{plain(path)}: {key}"
    if member.flag_bits & _ENCRYPTED:
        raise InputError(f"{subject} is encrypted", "store it without a password", code="archive-suspicious")
    if member.compress_type not in _ALLOWED:
        raise InputError(
            f"{subject} is compressed by method {member.compress_type}, which NumPy does not write",
            "write it with `np.savez` or `np.savez_compressed`",
            code="archive-suspicious",
        )
    stored = member.compress_type == zipfile.ZIP_STORED
    most = member.compress_size if stored else _DEFLATE_RATIO * member.compress_size + 1024
    if member.file_size > most or (stored and member.file_size < most):
        raise InputError(
            f"{subject} cannot have {member.file_size:,} bytes: the file holds {member.compress_size:,} of it, "
            f"{_ALLOWED[member.compress_type]}",
            "write the file again",
            code="archive-suspicious",
        )


def _directory_bytes(stream: BinaryIO, size: int) -> int:
    """Return how long the list of members says it is; 0 if there is none, which the zip library will find."""
    start = max(0, size - _END.size - 0xFFFF)
    stream.seek(start)
    tail = stream.read(size - start)
    place = len(tail) - _END.size  # as the zip library looks for it
    if place < 0 or not tail.startswith(b"PK\x05\x06", place) or not tail.endswith(b"\0\0"):
        place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < _END.size:
        return 0
    length = int(_END.unpack_from(tail, place)[5])
    at = start + place - _LOCATOR64.size
    if at >= 0:
        stream.seek(at)
        locator = stream.read(_LOCATOR64.size)
        if locator.startswith(b"PK\x06\x07"):
            stream.seek(max(0, at - _END64.size))
            end = stream.read(_END64.size)
            if len(end) == _END64.size and end.startswith(b"PK\x06\x06"):
                length = max(length if length != 0xFFFFFFFF else 0, int(_END64.unpack(end)[8]))
    return length
