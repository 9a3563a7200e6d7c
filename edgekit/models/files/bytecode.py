"""Which Python wrote the bytecode of a Lambda layer: another one reads it wrongly, or not at all.

Python's `marshal` writes no version. A code object has six numbers before its bytecode from 3.8 to 3.10 and five before
and after; from 3.11 on functions begin with RESUME, whose number changed with 3.13 and 3.14; and 3.11 and 3.12 leave
other numbers of empty places behind instructions (`dis`, `_inline_cache_entries`).
"""

from __future__ import annotations

import base64
import binascii
import struct
import sys
from collections.abc import Iterator, Mapping

from edgekit.frameworks.types import ConfigValue

_CODE, _BYTES = (0x63, 0xE3), (0x73, 0xF3)
"""Of marshal: a code object, and a string of bytes; with and without the mark of what is referred to later."""
_RESUME = {151: ("3.11", "3.12"), 149: ("3.13",), 128: ("3.14",)}
_FIRST = 4
"""Instructions among which RESUME stands: cells and free variables may come before it."""
_PLACES: Mapping[str, Mapping[int, int]] = {
    "3.11": {25: 4, 60: 1, 92: 1, 95: 4, 106: 4, 107: 2, 116: 5, 122: 1, 160: 10, 166: 1, 171: 4},
    "3.12": {25: 1, 60: 1, 92: 1, 93: 1, 95: 4, 106: 9, 107: 1, 116: 4, 122: 1, 123: 1, 141: 1, 171: 3},
}
"""Of each version: instruction -> empty places behind it."""


def foreign_python(config: ConfigValue) -> str:
    """Return which Python wrote the bytecode in a model's configuration, in words; empty if this one could have."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    for text in _codes(config):
        try:
            found = versions(base64.b64decode(text, validate=False))
        except (binascii.Error, ValueError):
            continue
        if found and here not in found:
            return " or ".join(found) if len(found) < 3 else f"{found[0]} to {found[-1]}"
    return ""


def versions(code: bytes) -> tuple[str, ...]:
    """Return the versions of Python that may have written a marshalled code object; nothing if it is none."""
    if code[:1] == b"" or code[0] not in _CODE:
        return ()
    for numbers in (5, 6):
        start = 1 + 4 * numbers
        if len(code) < start + 5 or code[start] not in _BYTES:
            continue
        (length,) = struct.unpack_from("<I", code, start + 1)
        body = code[start + 5 : start + 5 + length]
        if len(body) != length or not length:
            continue
        if numbers == 6:
            return ("3.8", "3.9", "3.10")
        first = next((op for op in _RESUME if op in body[: 2 * _FIRST : 2]), None)
        if first is None:
            return ("3.6", "3.7")
        possible = _RESUME[first]
        fitting = tuple(v for v in possible if v not in _PLACES or _fits(body, _PLACES[v]))
        return fitting or possible
    return ()


def _fits(body: bytes, places: Mapping[int, int]) -> bool:
    """Return whether the places behind the instructions are empty, and no others are."""
    at = 0
    while at < len(body):
        behind = places.get(body[at], 0)
        if body[at] == 0 or any(body[at + 2 : at + 2 + 2 * behind]):
            return False
        at += 2 + 2 * behind
    return at == len(body)


def _codes(value: ConfigValue) -> Iterator[str]:
    """Yield the texts in a configuration that stand for bytecode."""
    if isinstance(value, list):
        for item in value:
            yield from _codes(item)
    if not isinstance(value, dict):
        return
    inner = value.get("config")
    if value.get("class_name") == "__lambda__" and isinstance(inner, dict):
        yield from (inner[key] for key in ("value", "code") if isinstance(inner.get(key), str))
    for key, item in value.items():
        if value.get(f"{key}_type") == "lambda" and isinstance(item, list) and item and isinstance(item[0], str):
            yield item[0]
        yield from _codes(item)
