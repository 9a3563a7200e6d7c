"""Rules for what stands in files, to be put into `Annotated`; `edgekit.schema.gate` reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from edgekit.errors.printable import name_fault, quoted, visible
from edgekit.schema.types import JsonValue

LARGEST = 2**63 - 1
T = TypeVar("T")


class Wrong(Exception):
    """A value is not as declared.

    Attributes:
        path: keys and indices from the value that was read to the one that is wrong.
        reason: what is wrong, such as `is "x", expected a number`.
        hint: may be empty.
        code: a slug of `edgekit.errors.codes`.
    """

    def __init__(
        self, reason: str, hint: str = "", path: tuple[str | int, ...] = (), code: str = "value-not-valid"
    ) -> None:
        super().__init__(reason)
        self.path = list(path)
        self.reason, self.hint, self.code = reason, hint, code


@dataclass(frozen=True)
class Range:
    """Bounds of a number, both included."""

    low: float = -LARGEST - 1
    high: float = LARGEST


@dataclass(frozen=True)
class Matching:
    """A rule for a text, or any other value.

    Attributes:
        valid: whether a value keeps the rule.
        expected: such as `an SHA-256 of 64 hex digits`.
    """

    valid: Callable[[Any], bool]
    expected: str


@dataclass(frozen=True)
class Sized:
    """How many entries a list has, at least and at most."""

    low: int = 1
    high: int = LARGEST


@dataclass(frozen=True)
class Holding:
    """The declaration of a table that the code takes as `dict[str, Any]`."""

    kind: Any


@dataclass(frozen=True)
class Choosing:
    """One of several declarations, chosen by the keys of a table: the first whose key it has, else the last."""

    kinds: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Through:
    """A further step for a value of the right type: returns what is kept; raises `Wrong` or `EdgekitError`."""

    step: Callable[[Any], Any]


class Closed:
    """Marks a TypedDict that has no other keys than those declared."""


class Unbounded:
    """Marks floats that may be infinite or not a number, as scores of broken models are."""


@dataclass(frozen=True)
class OneOf:
    """A value is one of those that a function returns, and the message names the nearest."""

    allowed: Callable[[], Iterable[str | int]]


@dataclass(frozen=True)
class Pattern:
    """A text matches a regular expression as a whole.

    Attributes:
        regex: of Python and of JSON Schema alike.
        expected: such as `an SHA-256 of 64 hex digits`.
    """

    regex: str
    expected: str


@dataclass(frozen=True)
class Others:
    """What keys of a TypedDict and their values are that are not declared; without it, they are anything."""

    key: Any
    value: Any


def unique(values: tuple[T, ...]) -> tuple[T, ...]:
    """Return values without repetitions, for `Through`."""
    return tuple(dict.fromkeys(values))


def one_of(*allowed: str | int) -> OneOf:
    """Return the rule that a value is one of these."""
    return OneOf(lambda: allowed)


def _one_line(text: str) -> str:
    if visible(text) != text:
        raise Wrong(
            f"holds {quoted(text)}, with characters that cannot be seen",
            "write it on one line, without control characters",
            code="text-not-printable",
        )
    return text


def _plain(name: str) -> bool:
    return name_fault(name) is None


PLAIN = "a plain file name: no folder, no leading `.` or `-`, nothing that cannot be seen, at most 255 bytes"
PlainName = Annotated[str, Matching(_plain, PLAIN)]
Digest = Annotated[str, Pattern("[0-9a-f]{64}", "an SHA-256 of 64 hex digits")]
Line = Annotated[str, Through(_one_line)]
"""Text that can be shown as it is."""
Count = Annotated[int, Range(0)]
Natural = Annotated[int, Range(1)]
Seconds = Annotated[float, Range(0, 1e10)]
AnyFloat = Annotated[float, Unbounded]
Json = JsonValue
"""Whatever JSON can say; `parse_json` has bounded it."""
