"""The head of an `.npy`: read by a grammar of its own, since NumPy evaluates it as Python."""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from edgekit.errors import InputError
from edgekit.files.opening import plain
from edgekit.formats.values import Array

Dtype = np.dtype[Any]

MAGIC = b"\x93NUMPY"
MOST_BYTES = 10_000
"""Of a header; NumPy writes 118 for arrays of numbers."""
MOST_AXES = 32
_LENGTHS = {(1, 0): "<H", (2, 0): "<I", (3, 0): "<I"}
_NUMBERS = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|U[1-9][0-9]{0,6})")
_ITEM = re.compile(
    r" ?(?P<q>['\"])(?P<key>\w+)(?P=q) ?: ?"
    r"(?:(?P<p>['\"])(?P<descr>[^'\"\\]*)(?P=p)|(?P<flag>True|False)|\((?P<shape>[-0-9L, ]*)\)|(?P<fields>\[))"
)
_COMMA = re.compile(r" ?,")
_SIZE = re.compile(r"-?[0-9]{1,20}L?")
_OBJECTS = "store it as a numeric array of one shape"
_NOT_NUMBERS = "array-not-numbers"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Header:
    """What an `.npy` says of itself.

    Attributes:
        shape: every size is 0 or more.
        fortran: whether the first index runs fastest.
        dtype: numbers up to 64 bits, or text.
        start: bytes before the values.
    """

    shape: tuple[int, ...]
    fortran: bool
    dtype: Dtype
    start: int

    @property
    def nbytes(self) -> int:
        """Bytes of the values; may be more than any machine has."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(stream: IO[bytes], size: int, subject: str) -> Header:
    """Read the head of an `.npy`, and make sure that its values can be there.

    Args:
        stream: at the first byte of the `.npy`; afterwards at the first value.
        size: bytes from there on.
        subject: begins the message: `my.npz: x_train`, or `x.npy:`.

    Raises:
        InputError: it is no `.npy`, holds something else than numbers or text, or is cut off.
    """
    text, start = _text(stream, size, subject)
    values = _values(text, subject)
    header = Header(_shape(values["shape"], subject), values["flag"] == "True", _dtype(values["descr"], subject), start)
    if start + header.nbytes > size:
        raise InputError(
            f"{subject} is cut off: {header.nbytes:,} bytes expected for shape {header.shape}, "
            f"{max(0, size - start):,} are there",
            "write the file again",
            code="file-damaged",
        )
    return header


def read_array(stream: IO[bytes], size: int, subject: str) -> Array:
    """Read an `.npy` into memory; nothing is allocated for bytes that are not there.

    Raises:
        InputError: as `read_header`; or the bytes end early, or the memory does not suffice.
    """
    header = read_header(stream, size, subject)
    try:
        values: Array = np.empty(math.prod(header.shape), header.dtype)
    except MemoryError as error:
        raise InputError(
            f"{subject} does not fit into memory: {header.nbytes >> 20:,} MiB",
            "write it with `np.savez`, or as .npy: both are read from disk as needed",
            code="array-larger-than-memory",
        ) from error
    into = values.view(np.uint8).data if values.nbytes else memoryview(b"")
    place = 0
    while place < len(into):
        piece = stream.read(min(_CHUNK, len(into) - place))
        if not piece:
            raise InputError(
                f"{subject} is cut off: {len(into):,} bytes expected, {place:,} are there",
                "write the file again",
                code="file-damaged",
            )
        into[place : place + len(piece)] = piece
        place += len(piece)
    while stream.read(_CHUNK):  # the end is where a zip file's checksum is compared
        pass
    return values.reshape(header.shape, order="F" if header.fortran else "C")


def _text(stream: IO[bytes], size: int, subject: str) -> tuple[str, int]:
    magic = stream.read(min(8, size))
    if len(magic) < 8 or not magic.startswith(MAGIC):
        raise _unreadable(subject, "it does not begin as one")
    version = (magic[6], magic[7])
    if version not in _LENGTHS:
        raise _unreadable(subject, f"version {version[0]}.{version[1]} is unknown")
    form = _LENGTHS[version]
    head = stream.read(struct.calcsize(form))
    if len(head) < struct.calcsize(form):
        raise _unreadable(subject, "its header is cut off")
    (length,) = struct.unpack(form, head)
    if length > MOST_BYTES:
        raise _unreadable(subject, f"its header has {length:,} bytes, more than {MOST_BYTES:,}")
    raw = stream.read(length)
    if len(raw) < length:
        raise _unreadable(subject, "its header is cut off")
    try:
        text = raw.decode("utf-8" if version == (3, 0) else "latin-1")
    except UnicodeDecodeError as error:
        raise _unreadable(subject, "its header is not text") from error
    return " ".join(text.split()), len(magic) + len(head) + length


def _values(text: str, subject: str) -> dict[str, str]:
    """Return the three values of a header such as `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`."""
    wanted = {"descr": "descr", "fortran_order": "flag", "shape": "shape"}
    values: dict[str, str] = {}
    place = 1 if text.startswith("{") else len(text)
    while (match := _ITEM.match(text, place)) is not None:
        if match["fields"] is not None:
            raise InputError(f"{subject} holds records with several fields", _OBJECTS, code=_NOT_NUMBERS)
        kind = wanted.get(match["key"])
        if kind is None or match[kind] is None or kind in values:
            break
        values[kind] = match[kind]
        place = match.end()
        if (comma := _COMMA.match(text, place)) is None:
            break
        place = comma.end()
    if len(values) < len(wanted) or text[place:].strip() != "}":
        raise _unreadable(subject, f"NumPy writes no such header: {text[:60]!r}")
    return values


def _shape(text: str, subject: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if parts[-1] == "":
        parts = parts[:-1]
    if len(parts) > MOST_AXES:
        raise _unreadable(subject, f"its shape has {len(parts):,} sizes, more than {MOST_AXES}")
    if not all(_SIZE.fullmatch(part) for part in parts):
        raise _unreadable(subject, f"its shape is ({text[:60]})")
    shape = tuple(int(part.rstrip("L")) for part in parts)
    if min(shape, default=0) < 0:
        raise _unreadable(subject, f"its shape {shape} has a negative size")
    if max(shape, default=0) >= 1 << 62:
        raise _unreadable(subject, f"its shape {shape} has a size that no machine can hold")
    return shape


def _dtype(text: str, subject: str) -> Dtype:
    if _NUMBERS.fullmatch(text):
        return np.dtype(text)
    if text.lstrip("<>|=").startswith("O"):
        raise InputError(f"{subject} holds Python objects, which edgekit never unpickles", _OBJECTS, code=_NOT_NUMBERS)
    raise InputError(
        f"{subject} holds values of type `{plain(text[:40])}`, expected numbers",
        "store integers, or floating point numbers of 16 to 64 bits",
        code=_NOT_NUMBERS,
    )


def _unreadable(subject: str, why: str) -> InputError:
    return InputError(
        f"{subject} is not a readable .npy array: {why}",
        "write it with `np.save` or `np.savez`",
        code="file-damaged",
    )
