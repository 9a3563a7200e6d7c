"""Quantities as they are typed: a number with its unit."""

from __future__ import annotations

import re

from edgekit.errors import InputError
from edgekit.errors.printable import clipped

TIME_HELP = "500ms, 90s, 5m, 1h; a number alone is seconds"
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
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
