"""Errors and events carried from one process to another as plain values: class by name, from an allow list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from edgekit import errors
from edgekit.errors import EdgekitError
from edgekit.progress import Counted, Event, Notice, Warned

EVENTS: dict[str, type[Event]] = {"notice": Notice, "warning": Warned, "counted": Counted}
WORDS = 1 << 16
"""Characters of a message that are carried."""


class Carried(TypedDict, total=False):
    """An error of edgekit as JSON."""

    kind: str
    message: str
    hint: str
    code: str
    extra: str


def packed(error: EdgekitError) -> Carried:
    """Return an error as what JSON takes."""
    found = Carried(kind=type(error).__name__, message=error.message[:WORDS], hint=error.hint[:WORDS], code=error.code)
    extra = getattr(error, "extra", None)
    return found | Carried(extra=extra) if isinstance(extra, str) else found


def unpacked(value: Mapping[str, object]) -> EdgekitError:
    """Return the error that `packed` took apart.

    Raises:
        ValueError: it is none of `edgekit.errors`, or its words are no text.
    """
    kind = getattr(errors, str(value.get("kind")), None)
    words = [value.get(key, "") for key in ("message", "hint", "code")]
    if not (isinstance(kind, type) and issubclass(kind, EdgekitError)) or not all(isinstance(w, str) for w in words):
        raise ValueError(f"no error of edgekit: {value.get('kind')!r}")
    error = kind.__new__(kind)
    EdgekitError.__init__(error, str(words[0]), str(words[1]), code=str(words[2]))
    if "extra" in value:
        error.extra = str(value["extra"])  # type: ignore[attr-defined]
    return error
