"""Quantities as they are typed: a number with its unit."""

from __future__ import annotations

import re
from collections.abc import Mapping

from edgekit.errors import InputError
from edgekit.errors.printable import clipped

TIME_HELP = "500ms, 90s, 5m, 1h; a number alone is seconds"
SIZE_HELP = "60kB, 1.5MB, 64KiB; a number alone is bytes"
COUNT_HELP = "3M, 250k or 3000000"
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_BYTES = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_MILLISECONDS = {"": 1.0, "ms": 1.0, "us": 0.001, "µs": 0.001, "s": 1000.0}
_COUNTS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}
_NUMBER = r"([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})"


def seconds(text: str, option: str) -> float:
    """Read a time: `500ms`, `90s`, `5m` or `5min`, `1h`; a number alone is seconds.

    Raises:
        InputError: it is none.
    """
    matched = re.fullmatch(_NUMBER + r" ?([a-z]*)", text.strip(), re.ASCII)
    if not matched or matched[2] not in _SECONDS:
        raise InputError(f"`{option} {clipped(text)}`: expected a time: {TIME_HELP}", code="option-malformed")
    return float(matched[1]) * _SECONDS[matched[2]]


def celsius(text: str, option: str) -> float:
    """Read a temperature: `60` or `60C`.

    Raises:
        InputError: it is none.
    """
    matched = re.fullmatch(_NUMBER + r" ?°?[Cc]?", text.strip())
    if not matched:
        raise InputError(f"`{option} {clipped(text)}`: expected degrees Celsius: 60 or 60C", code="option-malformed")
    return float(matched[1])


def size(text: str, option: str) -> int:
    """Read a size in bytes: `60kB`, `1.5MB`, `64KiB`; a number alone is bytes.

    Raises:
        InputError: it is none.
    """
    return round(_quantity(text, option, _BYTES, f"a size: {SIZE_HELP}"))


def milliseconds(text: str, option: str) -> float:
    """Read a latency: `5ms`, `800us`; a number alone is milliseconds.

    Raises:
        InputError: it is none.
    """
    return _quantity(text, option, _MILLISECONDS, "a latency: 5ms, 800us, 0.1s; a number alone is ms")


def count(text: str, option: str) -> int:
    """Read a count: `3M`, `250k` or `3000000`.

    Raises:
        InputError: it is none.
    """
    return round(_quantity(text, option, _COUNTS, f"a count: {COUNT_HELP}"))


def share(text: str, option: str) -> float:
    """Read a share, `85%` or `0.85`; a number without `%` is as it is.

    Raises:
        InputError: it is none.
    """
    return _quantity(text, option, {"": 1.0, "%": 0.01}, "a number such as 0.85, or percent such as 85%")


def _quantity(text: str, option: str, units: Mapping[str, float], expected: str) -> float:
    matched = re.fullmatch(_NUMBER + r" ?([^0-9. ]*)", text.strip())
    if not matched or matched[2].lower() not in units:
        raise InputError(f"`{option} {clipped(text)}`: expected {expected}", code="option-malformed")
    return float(matched[1]) * units[matched[2].lower()]
