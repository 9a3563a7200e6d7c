"""Quantities as they are typed and written in files: a number with its unit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.errors import InputError
from edgekit.errors.printable import clipped, quoted
from edgekit.schema.rules import Through, Wrong
from edgekit.schema.types import JsonValue

TIME_HELP = "500ms, 90s, 5m, 1h; a number alone is seconds"
SIZE_HELP = "60kB, 1.5MB, 64KiB; a number alone is bytes"
COUNT_HELP = "3M, 250k or 3000000"
LATENCY_HELP = "5ms, 800us, 0.1s; a number alone is ms"
_NUMBER = r"([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})"


@dataclass(frozen=True, eq=False)
class Quantity:
    """A kind of quantity.

    Attributes:
        expected: what messages say was expected.
        units: what each unit is worth; the empty one is that of a number alone.
        whole: whether it comes in whole numbers.
        cased: whether units are told apart by their case.
    """

    expected: str
    units: Mapping[str, float]
    whole: bool = False
    cased: bool = False

    def read(self, text: str) -> float:
        """Read a quantity.

        Raises:
            ValueError: it is none.
        """
        matched = re.fullmatch(_NUMBER + r" ?([^0-9. ]*)", text.strip())
        unit = (matched[2] if self.cased else matched[2].lower()) if matched else ""
        if not matched or unit not in self.units:
            raise ValueError(text)
        value = float(matched[1]) * self.units[unit]
        return round(value) if self.whole else value


SECONDS = Quantity(
    f"a time: {TIME_HELP}", {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}, cased=True
)
BYTES = Quantity(
    f"a size: {SIZE_HELP}",
    {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30},
    whole=True,
)
MILLISECONDS = Quantity(f"a latency: {LATENCY_HELP}", {"": 1.0, "ms": 1.0, "us": 0.001, "µs": 0.001, "s": 1000.0})
COUNT = Quantity(f"a count: {COUNT_HELP}", {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}, whole=True)
SHARE = Quantity("a number such as 0.85, or percent such as 85%", {"": 1.0, "%": 0.01})
NUMBER = Quantity("a number such as 0.5", {"": 1.0})


def seconds(text: str, option: str) -> float:
    """Read a time: `500ms`, `90s`, `5m` or `5min`, `1h`; a number alone is seconds.

    Raises:
        InputError: it is none.
    """
    return quantity(text, option, SECONDS)


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
    return int(quantity(text, option, BYTES))


def milliseconds(text: str, option: str) -> float:
    """Read a latency: `5ms`, `800us`; a number alone is milliseconds.

    Raises:
        InputError: it is none.
    """
    return quantity(text, option, MILLISECONDS)


def count(text: str, option: str) -> int:
    """Read a count: `3M`, `250k` or `3000000`.

    Raises:
        InputError: it is none.
    """
    return int(quantity(text, option, COUNT))


def share(text: str, option: str) -> float:
    """Read a share, `85%` or `0.85`; a number without `%` is as it is.

    Raises:
        InputError: it is none.
    """
    return quantity(text, option, SHARE)


def quantity(text: str, option: str, kind: Quantity) -> float:
    """Read a quantity of some kind, as the value of an option.

    Raises:
        InputError: it is none.
    """
    try:
        return kind.read(text)
    except ValueError:
        raise InputError(f"`{option} {clipped(text)}`: expected {kind.expected}", code="option-malformed") from None


def written_as(kind: Quantity, *, may_be_zero: bool = False) -> Through:
    """Return the rule for a quantity in a file, for `Annotated[str | float | None, ...]`.

    It is a text with a unit, or a number; None stays.
    """

    def read(value: JsonValue) -> float | None:
        if value is None:
            return None
        try:
            amount = kind.read(value) if isinstance(value, str) else round(value) if kind.whole else float(value)
        except ValueError:
            raise Wrong(f"is {quoted(value)}, expected {kind.expected}") from None
        if amount < 0 or (amount == 0 and not may_be_zero):
            least = "of at least 0" if may_be_zero else "above 0"
            raise Wrong(f"is {quoted(value)}, expected a number {least}", code="value-out-of-range")
        return amount

    return Through(read)
