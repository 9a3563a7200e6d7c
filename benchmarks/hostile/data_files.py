"""Bytes of `.npy`, `.npz`, image and model files that are not what they seem, for the part `data`."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.support.tiny_tflite import Op, T, model

MAGIC = b"\x93NUMPY"


def rows_model() -> bytes:
    """(1, 4) float32 -> 3 classes."""
    weights = np.random.default_rng(0).normal(size=(3, 4)).astype("<f4")
    tensors = [
        T("x", (1, 4), "FLOAT32"), T("w", (3, 4), "FLOAT32", weights.tobytes()), T("y", (1, 3), "FLOAT32"),
    ]  # fmt: skip
    return model(tensors, [Op("FULLY_CONNECTED", [0, 1, -1], [2])], [0], [2])


def image_model() -> bytes:
    """(1, 8, 8, 3) float32 -> 2 classes."""
    from ai_edge_litert import schema_py_generated as s

    weights = np.random.default_rng(0).normal(size=(2, 192)).astype("<f4")
    tensors = [
        T("x", (1, 8, 8, 3), "FLOAT32"), T("shape", (2,), "INT32", np.array([1, 192], "<i4").tobytes()),
        T("flat", (1, 192), "FLOAT32"), T("w", (2, 192), "FLOAT32", weights.tobytes()), T("y", (1, 2), "FLOAT32"),
    ]  # fmt: skip
    operators = [
        Op("RESHAPE", [0, 1], [2], s.ReshapeOptionsT(newShape=[1, 192])),
        Op("FULLY_CONNECTED", [2, 3, -1], [4]),
    ]
    return model(tensors, operators, [0], [4])


def arrays(**changed: Any) -> dict[str, Any]:
    """Return a data set for `rows_model`; None leaves an array out."""
    rng = np.random.default_rng(0)
    found = {
        "x_train": rng.normal(size=(60, 4)).astype(np.float32), "y_train": np.arange(60) % 3,
        "x_test": rng.normal(size=(30, 4)).astype(np.float32), "y_test": np.arange(30) % 3,
    }  # fmt: skip
    return {key: value for key, value in {**found, **changed}.items() if value is not None}


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(array), allow_pickle=True)
    return stream.getvalue()


def headed(
    header: str | bytes, body: bytes = b"\0" * 960, version: tuple[int, int] = (1, 0), length: int = -1
) -> bytes:
    """Return an `.npy` with a header of any text; `length` lies about it."""
    text = header.encode("utf-8" if version == (3, 0) else "latin-1", "replace") if isinstance(header, str) else header
    if length < 0:
        text += b" " * (-(len(text) + 11) % 64) + b"\n"
    form = "<H" if version == (1, 0) else "<I"
    return MAGIC + bytes(version) + struct.pack(form, len(text) if length < 0 else length) + text + body


def literal(descr: str = "'<f4'", fortran: str = "False", shape: str = "(60, 4)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"


def npz(members: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip file with these members, duplicates and odd names included."""
    stream = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members:
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, method
            archive.writestr(info, data)
    return stream.getvalue()


def members(**changed: Any) -> list[tuple[str, bytes]]:
    """Return the members of `arrays`; bytes are taken as the whole member."""
    return [
        (f"{key}.npy", value if isinstance(value, bytes) else npy(value)) for key, value in arrays(**changed).items()
    ]


def packed(entries: Sequence[tuple[bytes, bytes, dict[str, int]]]) -> bytes:
    """Return a zip file written by hand: name, bytes as they lie there, and what the directory says of them.

    What it may say: method, flags, crc, size, packed, offset, extra (as a number of bytes of zeros).
    """
    body, directory = b"", b""
    for name, data, said in entries:
        offset, method, flags = said.get("offset", len(body)), said.get("method", 0), said.get("flags", 0)
        crc, size, length = (
            said.get("crc", zlib.crc32(data)),
            said.get("size", len(data)),
            said.get("packed", len(data)),
        )
        numbers = (20, flags, method, 0, 0x21, crc & 0xFFFFFFFF, length & 0xFFFFFFFF, size & 0xFFFFFFFF, len(name))
        body += struct.pack("<4s5H3I2H", b"PK\x03\x04", *numbers, 0) + name + data
        extra = b"\0" * said.get("extra", 0)
        directory += struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, *numbers, len(extra), 0, 0, 0, 0, offset)
        directory += name + extra
    count = len(entries)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + end


def zeros(count: int) -> bytes:
    """Return a deflate stream of `count` times 64 MiB of zeros, made in a blink."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(bytes(64 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return piece * count + packer.flush()


def bomb(gib: int, names: Sequence[bytes] = (b"x_train.npy",)) -> bytes:
    """Return an `.npz` whose arrays have `gib` GiB of zeros each, with right headers."""
    rest = zeros(16 * gib)
    found = []
    for name in names:
        count = ((gib << 30) - 128) // 16
        head = headed(literal(shape=f"({count}, 4)"), b"")[:128].ljust(128)
        size = len(head) + (gib << 30)
        stored = b"\0" + struct.pack("<2H", len(head), len(head) ^ 0xFFFF) + head + rest
        found.append((name, stored, {"method": 8, "size": min(size, 0xFFFFFFFE), "crc": 0}))
    return packed(found)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = 8, height: int = 8, before: bytes = b"", rows: bytes | None = None, depth: int = 8) -> bytes:
    """Return a grey PNG that promises a size; `before` are chunks before its pixels."""
    pixels = b"\0" * (height * (1 + width)) if rows is None else rows
    head = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + before + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def gif(width: int = 8, height: int = 8, frames: int = 1, comments: int = 0) -> bytes:
    """Return a GIF of so many frames, behind so many blocks of comment."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    comment = b"!\xfe" + (b"\xff" + b"c" * 255) * comments + b"\0" if comments else b""
    frame = b"," + struct.pack("<HHHHB", 0, 0, 8, 8, 0) + b"\x02\x09\x84\x8f\xa9\xcb\xed\x0f\xa3\x9c\xb4\x00"
    return head + comment + frame * frames + b";"


def picture(kind: str = "PNG", **options: Any) -> bytes:
    """Return a sound picture."""
    from PIL import Image

    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def exif(entries: Sequence[tuple[int, int, int, bytes]], next_offset: int = 0, endian: str = "<") -> bytes:
    """Return an EXIF block: tag, type, count, four bytes of value or offset."""
    head = (b"II*\0" if endian == "<" else b"MM\0*") + struct.pack(endian + "I", 8)
    table = b"".join(struct.pack(endian + "HHI", *entry[:3]) + entry[3] for entry in entries)
    return b"Exif\0\0" + head + struct.pack(endian + "H", len(entries)) + table + struct.pack(endian + "I", next_offset)
