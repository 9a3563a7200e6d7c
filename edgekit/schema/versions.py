"""Schema numbers: every kind of file states its own, and an older file is brought up to date when it is read.

A change that today's reader would not understand, such as a key that is renamed or means something else, raises
`newest` by one and adds the function that makes the older table into the newer one: `{1: up_1_to_2}`. A key that may
be missing needs no new number. `tests/golden` holds a file of every version of every kind, which is read for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from edgekit.errors.printable import quoted
from edgekit.schema.rules import Wrong
from edgekit.schema.types import JsonObject, JsonValue
from edgekit.version import __version__

Upgrade: TypeAlias = Callable[[JsonObject], JsonObject]
"""Returns a table of one schema as one of the next. What it cannot use it need not check."""
KEY = "schema"
WRITER = __version__
"""The edgekit that writes a file, which every kind names for whoever wonders."""


@dataclass(frozen=True, eq=False)
class Versions:
    """The schemas of a kind of file; in `Annotated`, of a part of a file that states its own.

    Attributes:
        what: the file is, such as `record`.
        newest: the schema that this edgekit writes.
        upgrades: by the number of a schema, how it becomes the next.
        unversioned: the schema of files that state none; None: all do.
        hint: the next step where a file states none.
    """

    what: str
    newest: int
    upgrades: Mapping[int, Upgrade] = field(default_factory=dict)
    unversioned: int | None = None
    hint: str = ""

    def __post_init__(self) -> None:
        if sorted(self.upgrades) != list(range(1, self.newest)):
            raise ValueError(f"{self.what}: expected an upgrade from each schema before {self.newest}")

    def current(self, value: JsonValue) -> JsonObject:
        """Return a table in the newest schema, without the key `schema`.

        Raises:
            Wrong: it is no table, or states no schema, or one that this edgekit does not read.
        """
        if not isinstance(value, Mapping):
            raise Wrong(f"is {quoted(value)}, expected a table", code="value-wrong-type")
        table = dict(value)
        number = table.pop(KEY, self.unversioned)
        if number is None and KEY not in value:
            raise Wrong(f"is missing, expected {self.newest}", self.hint, (KEY,), "schema-missing")
        if type(number) is not int:
            raise Wrong(f"is {quoted(number)}, expected {self.newest}", self.hint, (KEY,), "value-wrong-type")
        if number < 1:
            raise Wrong(f"is {quoted(number)}, expected 1 to {self.newest}", self.hint, (KEY,), "value-out-of-range")
        if number > self.newest:
            raise Wrong(
                f"is {quoted(number)}, and this edgekit reads a {self.what} up to schema {self.newest}",
                "upgrade edgekit: pip install --upgrade edgekit",
                (KEY,),
                "schema-too-new",
            )
        try:
            for step in range(number, self.newest):
                table = self.upgrades[step](table)
        except (LookupError, TypeError, ValueError, AttributeError):
            raise Wrong(f"is {number}, and the file does not hold what a {self.what} of it holds", "", (KEY,)) from None
        return table
