"""Plain aligned tables and numbers with units, the same on a terminal, in a log and in a README."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from edgekit.errors.printable import lines as lines_of
from edgekit.errors.printable import visible


class Interval(Protocol):
    """A number with the ends of its 95 % interval."""

    @property
    def value(self) -> float:
        """The number."""

    @property
    def low(self) -> float:
        """The lower end."""

    @property
    def high(self) -> float:
        """The upper end."""


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with two spaces between columns; the first and the last are left-aligned, the others right.

    A cell is of one line, whatever it holds: a file's name with a newline makes no row.
    """
    lines = [[visible(cell) for cell in line] for line in (header, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    last = len(header) - 1
    text = []
    for line in lines:
        cells = [
            c.ljust(w) if i in (0, last) else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))
        ]
        text.append("  ".join(cells).rstrip())
    text.insert(1, "  ".join("-" * w for w in widths))
    return lines_of(text)


def size_text(size: int, baseline: int) -> str:
    """Return `6,677 B (0.40x)`."""
    return f"{size:,} B ({size / baseline:.2f}x)"


def duration(ns: float) -> str:
    """Return a time with three significant digits: `78.3 us`, `1.25 ms`."""
    if math.isnan(ns):
        return "-"
    for unit, factor in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= factor:
            return f"{_three(ns / factor)} {unit}"
    return f"{_three(ns)} ns"


def duration_with_interval(value: Interval) -> str:
    """Return `78.3 us [77.9, 79.0]`."""
    text = duration(value.value)
    if math.isnan(value.low):
        return text
    factor = {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0}[text.split()[1]]
    return f"{text} [{_three(value.low / factor)}, {_three(value.high / factor)}]"


def share_with_interval(value: Interval) -> str:
    """Return `98.20 % [97.1, 98.9]`."""
    return f"{100 * value.value:.2f} % [{100 * value.low:.1f}, {100 * value.high:.1f}]"


def ratio_with_interval(value: Interval) -> str:
    """Return `0.31x [0.30, 0.32]`."""
    text = f"{value.value:.2f}x"
    return text if math.isnan(value.low) else f"{text} [{value.low:.2f}, {value.high:.2f}]"


def _three(value: float) -> str:
    """Three significant digits without an exponent."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
