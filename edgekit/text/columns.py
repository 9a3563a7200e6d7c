"""Tables of self-describing columns, which fit the place where they are shown.

A column knows its header, its unit, what it means and how much it decides. On a terminal the columns that decide least
are left out until the rest fits; those that decide most are shortened before they go, and a line below names the way to
all of them. A pipe, a log and `--wide` get every column whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from edgekit.errors.printable import visible
from edgekit.text.colours import Colour, coloured
from edgekit.text.tables import Interval

R = TypeVar("R")
Value = float | str | dict[str, float | None] | None
"""A cell as JSON."""
DECIDES = 7
"""Columns up to this priority are shortened before they are left out."""
INTERVAL = ("value", "low", "high")
"""Keys of a number with its interval."""
SHORTEST_PREFIX = 4
"""Characters that names share before it is worth replacing them by `…`."""


@dataclass(frozen=True)
class Look:
    """Where a table is shown.

    Attributes:
        width: in characters; None: as wide as it is.
        colours: whether it may hold those of `edgekit.text.colours`.
    """

    width: int | None = None
    colours: bool = False


PLAIN = Look()


@dataclass(frozen=True)
class Column(Generic[R]):
    """One column of a table, over rows of one kind.

    Attributes:
        name: its key in JSON output: a word of letters and `_`, with the unit of `value` behind it.
        header: what stands above it.
        unit: of its numbers; empty: none, or each cell has its own.
        priority: 1 decides most; the highest is left out first.
        help: what it means, a sentence.
        text: a cell.
        value: what JSON output holds in its place: a number, a text, None or an `interval`.
        brief: a shorter cell, for a table that is too wide; None: there is none.
        short: the header of shorter cells; empty: the same.
        left: whether cells are set to the left.
        colour: of a cell.
        parts: keys of `value`, where that is a table, such as `INTERVAL`.
    """

    name: str
    header: str
    unit: str
    priority: int
    help: str
    text: Callable[[R], str]
    value: Callable[[R], Value]
    brief: Callable[[R], str] | None = None
    short: str = ""
    left: bool = False
    colour: Callable[[R], Colour] | None = field(default=None)
    parts: tuple[str, ...] = ()


def render(columns: Sequence[Column[R]], rows: Sequence[R], look: Look = PLAIN) -> str:
    """Return a table with two spaces between columns, and below it how to see more, where there is more.

    The first column names the row and is never left out. A cell is of one line, whatever it holds.
    """
    shown = [_Shown(column, rows) for column in columns]
    if look.width is not None:
        shown = _fitted(shown, look.width)
    lines = [_line([s.header.ljust(s.width) if s.column.left else s.header.rjust(s.width) for s in shown])]
    lines.append(_line(["-" * s.width for s in shown]))
    for index, row in enumerate(rows):
        lines.append(_line([s.cell(index, row, look.colours) for s in shown]))
    less = len(columns) - len(shown)
    if less or any(s.is_brief for s in shown):
        wider = f"{less} more column{'s' * (less != 1)}" if less else ""
        lines.append(f"{' and '.join(filter(None, [wider, 'longer cells' * any(s.is_brief for s in shown)]))}: --wide")
    return "\n".join(lines)


def values(columns: Sequence[Column[R]], row: R) -> dict[str, Value]:
    """Return a row as JSON, by the names of its columns."""
    return {column.name: column.value(row) for column in columns}


def interval(value: Interval) -> dict[str, float | None]:
    """Return a number with its 95 % interval as JSON; what is not finite is null."""
    parts = {"value": value.value, "low": value.low, "high": value.high}
    return {name: part if math.isfinite(part) else None for name, part in parts.items()}


def without_prefix(names: Sequence[str]) -> dict[str, str]:
    """Return names without what all begin with, such as a model's name, as far as that saves something."""
    low, high = min(names, default=""), max(names, default="")
    shared = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    cut = max(low.rfind(mark, 0, shared) for mark in "-_/.") if low != high else -1
    if cut < SHORTEST_PREFIX or any(len(name) <= cut + 1 for name in names):
        return {name: name for name in names}
    return {name: f"…{name[cut:]}" for name in names}


class _Shown(Generic[R]):
    """A column with its cells as text."""

    def __init__(self, column: Column[R], rows: Sequence[R], *, brief: bool = False) -> None:
        self.column, self.rows, self.is_brief = column, rows, brief
        text = column.brief if brief and column.brief is not None else column.text
        self.header = visible((column.short if brief else "") or column.header)
        self.cells = [visible(text(row)) for row in rows]
        self.width = max(len(cell) for cell in [self.header, *self.cells])

    @property
    def shortened(self) -> _Shown[R]:
        """The column with brief cells."""
        return _Shown(self.column, self.rows, brief=True)

    def cell(self, index: int, row: R, colours: bool) -> str:
        """Return a cell at the column's width."""
        text = self.cells[index]
        padded = text.ljust(self.width) if self.column.left else text.rjust(self.width)
        colour: Colour = self.column.colour(row) if colours and self.column.colour is not None else ""
        return coloured(padded, colour)


def _fitted(shown: list[_Shown[R]], width: int) -> list[_Shown[R]]:
    """Return what fits a width: without what decides least, then shortened, then without more."""
    by_priority = sorted(range(len(shown)), key=lambda i: (-shown[i].column.priority, -i))
    steps = [(i, "leave out") for i in by_priority if i and shown[i].column.priority > DECIDES]
    steps += [(i, "shorten") for i in by_priority if shown[i].column.priority <= DECIDES and shown[i].column.brief]
    steps += [(i, "leave out") for i in by_priority if i and shown[i].column.priority <= DECIDES]
    fitted: dict[int, _Shown[R]] = dict(enumerate(shown))
    for index, step in steps:
        if _width(fitted.values()) <= width:
            break
        if step == "leave out":
            del fitted[index]
        else:
            fitted[index] = fitted[index].shortened
    for index in reversed(by_priority):  # the last step may have made room for an earlier one
        others = [column for other, column in fitted.items() if other != index]
        if index in fitted and _width([*others, shown[index]]) <= width:
            fitted[index] = shown[index]
    for index in reversed(by_priority):
        if index not in fitted and _width([*fitted.values(), shown[index]]) <= width:
            fitted[index] = shown[index]
    return [fitted[index] for index in sorted(fitted)]


def _width(shown: Collection[_Shown[R]]) -> int:
    return sum(s.width for s in shown) + 2 * (len(shown) - 1)


def _line(cells: Sequence[str]) -> str:
    return "  ".join(cells).rstrip()
