"""TOML files of the user's: read with types and checks, and written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from edgekit.errors import InputError
from edgekit.schema.document import parse_toml
from edgekit.text.printable import path_text, quoted, visible

LARGEST = 2**63 - 1


class Table:
    """A TOML table whose keys are read with a type, a default and a check.

    Args:
        values: the table as `tomllib` gave it.
        source: names the file in messages.
        path: of the table in the file: empty, or a key that ends in a dot.
    """

    def __init__(self, values: Mapping[str, Any], source: str, path: str) -> None:
        self._values, self._source, self._path = values, source, path

    def allow(self, *keys: str) -> None:
        """Raise `InputError` if there is another key, and name the nearest of these."""
        for key in self._values:
            if key not in keys:
                raise InputError(f"{self._source}: unknown key `{self._named(key)}`", nearest(key, keys))

    def get(
        self,
        key: str,
        kind: type | tuple[type, ...],
        default: Any,
        valid: Callable[[Any], bool] = lambda _: True,
        expected: str = "",
        *,
        prose: bool = False,
    ) -> Any:
        """Return a value or its default; raise `InputError` if it is of another type or not valid.

        Integers have 64 bits; texts are of one line and hold nothing that cannot be seen, unless they are `prose`.
        """
        value = self._values.get(key, default)
        if value is default:
            return value
        if not prose and (hidden := next((text for text in _texts(value) if visible(text) != text), None)):
            raise InputError(
                f"{self._source}: `{self._named(key)}` holds {quoted(hidden)}, with characters that cannot be seen",
                "write it on one line, without control characters",
            )
        right = isinstance(value, kind) and (kind is bool or not isinstance(value, bool)) and _fits(value)
        if not right or not valid(value):
            wanted = expected or " or ".join(
                _NAMES.get(k, k.__name__) for k in (kind if isinstance(kind, tuple) else (kind,))
            )
            raise InputError(f"{self._source}: `{self._named(key)}` is {quoted(value)}, expected {wanted}")
        return value

    def _named(self, key: str) -> str:
        return self._path + path_text((key,))

    def table(self, key: str) -> Table:
        """Return a table inside this one; an empty one if it is not there."""
        return Table(self.get(key, dict, {}), self._source, f"{self._named(key)}.")

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield the names and tables inside this one, which holds nothing else."""
        for key in self._values:
            yield key, self.table(key)

    def choices(self, key: str, allowed: tuple[str, ...], default: tuple[str, ...]) -> tuple[str, ...]:
        """Return a list without repetitions whose entries are all among those allowed."""
        values = self.get(key, list, list(default), lambda v: bool(v), "a list with at least one entry")
        for value in values:
            if value not in allowed:
                raise InputError(f"{self._source}: `{self._named(key)}` holds {quoted(value)}", nearest(value, allowed))
        return tuple(dict.fromkeys(values))


_NAMES = {int: "an integer", float: "a number", str: "text", bool: "true or false", list: "a list", dict: "a table"}


def _texts(value: Any) -> Iterator[str]:
    """Yield a text, or those of a list."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str):
            yield one


def _fits(value: Any) -> bool:
    return not isinstance(value, int) or abs(value) <= LARGEST


def document(text: str, source: str, schema: int, keys: Iterable[str]) -> Table:
    """Return the top of a TOML document that states its schema and has no other keys.

    Args:
        text: of the document.
        source: names it in messages.
        schema: that its key `schema` must hold.
        keys: that it may have besides.

    Raises:
        InputError: it is not TOML, of another schema, or has another key.
    """
    top = Table(parse_toml(text, source), source, "")
    top.allow("schema", *keys)
    if top.get("schema", int, None) != schema:
        raise InputError(f"{source}: `schema` must be {schema}", f"begin the file with: schema = {schema}")
    return top


def nearest(word: Any, known: Iterable[str]) -> str:
    """Return a hint for a word that is none of those known."""
    import difflib

    known = list(known)
    close = difflib.get_close_matches(word[:100], known, n=1) if isinstance(word, str) else []
    return f"did you mean `{close[0]}`?" if close else f"known: {', '.join(known)}"


def nearest_or_file(name: str, known: Iterable[str]) -> str:
    """Return a hint for a name that is none of those known, where a `.toml` file may be given as well."""
    hint = nearest(name, known)
    return f"{hint}{'' if hint.endswith('?') else ';'} or give a .toml file"


def key_toml(name: str) -> str:
    """Return a key as TOML."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else to_toml(name)


def to_toml(value: Any) -> str:
    """Return a bool, number, text or list as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in value)
        return f'"{escaped}"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(to_toml(v) for v in value) + "]"
    return repr(value)
