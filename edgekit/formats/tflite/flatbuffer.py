"""Reading a flatbuffer that may be damaged or hostile, through its generated accessors.

The accessors trust every offset. Python's slices and structs keep them inside the file, so what can go wrong is
nonsense, exceptions, and time: offsets may make thousands of objects out of the same bytes. `Walker` turns the
exceptions into `Damaged` and gives out no more objects and numbers than a file of that size can hold.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from edgekit.formats.types import Number, Table

Accessor = Callable[..., Table]
"""A method of a generated class."""

MAX_TABLES = 200_000
"""More than any model has (a large language model: 30 000); at some 30 µs each, a few seconds."""

_SLACK = 1 << 16


class Damaged(Exception):
    """The file's parts do not fit together; the message says how."""


class Walker:
    """Access to one flatbuffer.

    Args:
        size: bytes of the file.
    """

    def __init__(self, size: int) -> None:
        # Twice, since builders may store equal parts once; a table takes at least 8 bytes, with the reference to it.
        self._bytes = 2 * size + _SLACK
        self._tables = MAX_TABLES

    def call(self, accessor: Accessor, *args: object) -> Table:
        """Return `accessor(*args)`.

        Raises:
            Damaged: it points outside the file.
        """
        try:
            return accessor(*args)
        except (struct.error, TypeError, ValueError) as error:
            raise Damaged("an offset points outside the file") from error

    def tables(self, owner: Table, field: str) -> list[Table]:
        """Return a vector of tables, such as `tables(model, "Subgraphs")`; a missing one is empty."""
        length = self.call(getattr(owner, f"{field}Length"))
        self._tables -= length
        self._spend(8 * length)
        return [self.call(getattr(owner, field), i) for i in range(length)]

    def numbers(self, owner: Table, field: str) -> list[Number]:
        """Return a vector of numbers, such as `numbers(tensor, "Shape")`; a missing one is empty."""
        self._spend(4 * self.call(getattr(owner, f"{field}Length")))
        array = self.call(getattr(owner, f"{field}AsNumpy"))
        return [] if isinstance(array, int) else array.tolist()

    def text(self, owner: Table, field: str) -> str:
        """Return a string, such as `text(tensor, "Name")`; a missing one is empty, bad UTF-8 is replaced."""
        value = self.call(getattr(owner, field))
        self._spend(len(value or b""))
        return value.decode("utf-8", "replace") if value else ""

    def _spend(self, amount: int) -> None:
        self._bytes -= amount
        if self._bytes < 0 or self._tables < 0:
            raise Damaged("it lists more parts than a file of its size can hold")
