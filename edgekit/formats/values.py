"""The values of a stored tensor: how they are packed, how many mean zero, how many are distinct."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.formats.info import Quantization
from edgekit.formats.types import Number

Array = npt.NDArray[Any]

_NATIVE = (
    *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
)
BITS: dict[str, int] = {
    **{name: np.dtype(name).itemsize * 8 for name in _NATIVE},
    **{"int2": 2, "uint2": 2, "int4": 4, "uint4": 4, "float4_e2m1fn": 4, "bfloat16": 16},
    **dict.fromkeys(("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"), 8),
}
"""Bits a value, as stored. Below 8, the first value stands in the lowest bits of a byte."""

_NO_NEGATIVE_ZERO = ("float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu")
_CHUNK = 1 << 20


def stored_bytes(dtype: str, elements: int) -> int | None:
    """Return the bytes that so many dense values take; None for types of unknown or variable size (`string`)."""
    return -(-elements * BITS[dtype] // 8) if dtype in BITS else None


def decode(raw: bytes | memoryview, dtype: str, elements: int) -> Array:
    """Return the stored values, shape (elements,), without copying where NumPy has the type.

    Packed integers become int8 or uint8; a floating-point type that NumPy lacks becomes its bit patterns
    (uint8 or uint16).

    Args:
        raw: exactly `stored_bytes(dtype, elements)` bytes, little-endian.
        dtype: one of `BITS`.
        elements: how many values.
    """
    if dtype in _NATIVE:
        return np.frombuffer(raw, np.dtype(dtype).newbyteorder("<"), elements)
    bits = BITS[dtype]
    if bits >= 8:
        return np.frombuffer(raw, f"<u{bits // 8}", elements)
    packed = np.frombuffer(raw, np.uint8)
    per_byte = 8 // bits
    out = np.empty(len(packed) * per_byte, np.uint8)
    for lane in range(per_byte):
        out[lane::per_byte] = (packed >> (lane * bits)) & ((1 << bits) - 1)
    out = out[:elements]
    if not dtype.startswith("int"):
        return out
    sign = 1 << (bits - 1)
    return ((out ^ sign).astype(np.int8) - np.int8(sign)).astype(np.int8)


def numbers(raw: bytes | memoryview, dtype: str, elements: int) -> list[Number] | None:
    """Return the values as Python numbers; None where the type is not one NumPy has (bfloat16 is read as float)."""
    if dtype == "bfloat16":
        return list((decode(raw, dtype, elements).astype(np.uint32) << 16).view(np.float32).tolist())
    if dtype in _NATIVE or dtype in ("int2", "uint2", "int4", "uint4"):
        return list(decode(raw, dtype, elements).tolist())
    return None


def count(
    raw: bytes | memoryview, dtype: str, shape: tuple[int, ...], quantization: Quantization | None
) -> tuple[int | None, int | None]:
    """Return how many values mean zero and how many are distinct; None where unknown.

    Args:
        raw: the stored bytes, `stored_bytes` of them.
        dtype: a type name; one outside `BITS` gives (None, None).
        shape: of the stored values.
        quantization: gives the zero points; None means that 0 is zero.
    """
    if dtype not in BITS:
        return None, None
    values = decode(raw, dtype, math.prod(shape))
    if dtype not in _NATIVE and "float" in dtype:
        return _count_patterns(values, dtype)
    return _zeros(values, shape, quantization), _unique(values)


def _zeros(values: Array, shape: tuple[int, ...], quantization: Quantization | None) -> int | None:
    points = set(quantization.zero_point) if quantization else {0}
    if len(points) == 1:
        return int(np.count_nonzero(values == points.pop()))
    assert quantization is not None
    axis, length = quantization.axis, len(quantization.zero_point)
    if axis is None or not 0 <= axis < len(shape) or shape[axis] != length:
        return None
    point = np.array(quantization.zero_point, np.int64).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return int(np.count_nonzero(values.reshape(shape) == point))


def _unique(values: Array) -> int:
    if values.dtype.itemsize > 2 or values.dtype.kind not in "iub":
        return int(np.unique(values).size)
    return int(np.count_nonzero(_seen(values)))


def _seen(values: Array) -> npt.NDArray[np.bool_]:
    # Which bit patterns occur; in pieces, because an index array takes 8 bytes a value.
    patterns = values.view(f"<u{values.dtype.itemsize}")
    seen = np.zeros(1 << (8 * values.dtype.itemsize), np.bool_)
    for start in range(0, len(patterns), _CHUNK):
        seen[patterns[start : start + _CHUNK]] = True
    return seen


def _count_patterns(patterns: Array, dtype: str) -> tuple[int, int]:
    zeros = [] if dtype == "float8_e8m0fnu" else [0]
    if dtype not in _NO_NEGATIVE_ZERO:
        zeros.append(1 << (BITS[dtype] - 1))
    seen = _seen(patterns)
    both = len(zeros) == 2 and bool(seen[zeros[0]]) and bool(seen[zeros[1]])
    return sum(int(np.count_nonzero(patterns == z)) for z in zeros), int(np.count_nonzero(seen)) - both
