"""The cells of a CSV file: delimiter, decimal commas, what is missing, and what is text."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence

DELIMITERS = (",", ";", "\t")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})


def sniff(lines: Sequence[str]) -> str:
    """Return the delimiter that gives the lines the same number of fields, and the most of them.

    Args:
        lines: the first of the file, the header before all.
    """

    def fields(delimiter: str) -> tuple[bool, int]:
        counts = [len(row) for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True) if row]
        return len(set(counts)) == 1 and counts[0] > 1, counts[0] if counts else 0

    return max(DELIMITERS, key=fields)


def missing(cell: str) -> bool:
    """Return whether a cell says that there is no value."""
    return cell.strip().lower() in _MISSING


class Numbers:
    """Reads numbers; with a delimiter that is no comma, also those with a decimal comma.

    Attributes:
        points, commas: an example of a number with a decimal point, and of one with a comma, that was seen.
    """

    def __init__(self, delimiter: str) -> None:
        self._commas_allowed = delimiter != ","
        self.points = ""
        self.commas = ""

    def read(self, cell: str) -> float | None:
        """Return the number; None if the cell is text."""
        text = cell.strip()
        if self._commas_allowed and text.count(",") == 1 and "." not in text:
            value = _number(text.replace(",", "."))
            if value is not None:
                self.commas = self.commas or text
            return value
        value = _number(text)
        if value is not None and "." in text:
            self.points = self.points or text
        return value


def integer(cell: str) -> int | None:
    """Return the integer that a cell is; None if it is anything else, `1.0` too."""
    text = cell.strip()
    return int(text) if _INTEGER.fullmatch(text) else None


def _number(text: str) -> float | None:
    if "_" in text:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isnan(value) else value
