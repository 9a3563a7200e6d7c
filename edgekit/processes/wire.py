"""Messages between a process and its child: JSON, and arrays as plain bytes behind it. Nothing is unpickled."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Value = Any
"""What JSON takes."""
Message = dict[str, Value]
"""A request or a reply."""

_HEAD = struct.Struct("<Q")
_KINDS = "biufc"
"""Kinds of numbers that arrays may hold: no objects."""


def send(stream: IO[bytes], value: Value, arrays: Sequence[Array] = ()) -> None:
    """Write a message.

    Args:
        stream: to the other process.
        value: what JSON takes; numbers may be infinite or NaN.
        arrays: of numbers.
    """
    whole = [np.asarray(a, order="C") for a in arrays]
    text = json.dumps({"value": value, "arrays": [[a.dtype.str, list(a.shape)] for a in whole]}).encode()
    stream.write(_HEAD.pack(len(text)))
    stream.write(text)
    for array in whole:
        stream.write(array.data.cast("B") if array.size else b"")
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[Value, list[Array]]:
    """Read a message.

    Raises:
        EOFError: the other process ended before the message did.
        ValueError: it is no message.
    """
    (length,) = _HEAD.unpack(_exactly(stream, _HEAD.size))
    message = json.loads(_exactly(stream, length))
    arrays = []
    for name, shape in message["arrays"]:
        dtype = np.dtype(str(name))
        if dtype.kind not in _KINDS:
            raise ValueError(f"an array of {dtype}")
        array = np.empty(shape, dtype)
        if array.size and stream.readinto(array.reshape(-1).view(np.uint8)) != array.nbytes:  # type: ignore[attr-defined]
            raise EOFError
        arrays.append(array)
    return message["value"], arrays


def _exactly(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) != length:
        raise EOFError
    return data
