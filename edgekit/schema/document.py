"""From a file on disk to plain values: text is read within bounds, JSON and TOML are parsed without surprises.

Whatever a path leads to and whatever is in the file: it is opened without waiting (a pipe, a device), it has a size,
and its text is UTF-8. What the parsers would choke on or pass over is refused by name: keys given twice, integers of
thousands of digits, brackets thousands deep, halves of surrogate pairs.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection
from pathlib import Path

from edgekit.errors import InputError
from edgekit.errors.printable import path_text, quoted, visible
from edgekit.schema.types import JsonObject, JsonValue

SMALL, LARGE = 16 << 20, 64 << 20
"""Bytes of a file: of recipes, targets, cards and manifests; and of records, which hold raw samples."""
DEEPEST = 64
"""Tables and lists inside each other."""
MOST = 200_000
"""Tables and lists in one file; the longest records hold some thousands."""
DIGITS = 40
"""Of an integer in JSON that is parsed at all; what is declared has at most 64 bits."""


def read_text(path: Path, what: str, limit: int = SMALL, *, follow: bool = True) -> str:
    """Return the text of a regular file.

    Args:
        path: the file.
        what: it should be, for the message (`bundle manifest`).
        limit: bytes.
        follow: whether the path may be a symbolic link.

    Raises:
        InputError: it is missing, no regular file, larger than the limit, or not UTF-8; byte order marks are left out.
    """
    try:
        content = _content(path, what, limit, follow)
    except FileNotFoundError:
        raise InputError(f"{path}: no such {what}", code="file-missing") from None
    except (OSError, ValueError) as error:  # a ValueError for a path with a NUL
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{path}: cannot read this {what}: {why}", code="file-unreadable") from error
    try:
        return content.decode("utf-8").lstrip("\ufeff")
    except UnicodeDecodeError as error:
        utf16 = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        hint = "it begins as UTF-16 does: save it as UTF-8" if utf16 else "save it as UTF-8, without another encoding"
        raise InputError(f"{path}: not a {what}: byte {error.start} is not UTF-8", hint, code="not-utf-8") from error


def open_regular(path: Path, *, follow: bool = True) -> int:
    """Return a file descriptor of a regular file, opened without waiting for a pipe or a device.

    Raises:
        OSError: it cannot be opened, or is not a regular file; `strerror` says which.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    if not follow and path.is_symlink():
        raise OSError(0, "it is a symbolic link", str(path))
    if not stat.S_ISREG(path.stat().st_mode):  # before the open, which wakes a pipe's writer or winds a device
        raise OSError(0, "it is a folder" if path.is_dir() else "it is not a regular file", str(path))
    handle = os.open(path, flags if follow else flags | os.O_NOFOLLOW)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(0, "it is not a regular file", str(path))
    return handle


def _content(path: Path, what: str, limit: int, follow: bool) -> bytes:
    with os.fdopen(open_regular(path, follow=follow), "rb") as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise InputError(f"{path}: is larger than {limit >> 20} MiB, too large for a {what}", code="file-too-large")
    return content


class _Twice(JsonObject):
    """A table with a key given twice."""

    key = ""


class _Digits:
    """An integer that is too long to be parsed."""


def parse_json(text: str, source: str, what: str) -> JsonValue:
    """Return what JSON says; infinite numbers and NaN are taken, and refused later where they are not declared.

    Args:
        text: the document.
        source: names it in messages.
        what: it should be.

    Raises:
        InputError: it is not JSON, or holds what no file of edgekit does: with its key path.
    """
    import json

    try:
        value = json.loads(text, object_pairs_hook=_table, parse_int=_integer)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{source}: not a {what}: {where}: {error.msg}", code="not-json") from error
    except RecursionError:
        raise InputError(f"{source}: not a {what}: {_DEEP}", code="nested-too-deep") from None
    surrogates = "\\ud" in text.lower()
    if surrogates or not _harmless(value):
        _bounded(value, source, surrogates=surrogates)
    return value


def parse_toml(text: str, source: str) -> JsonObject:
    """Return what TOML says.

    Args:
        text: the document.
        source: names it in messages.

    Raises:
        InputError: it is not TOML, or holds what no file of edgekit does.
    """
    import tomllib

    if _LONG_KEY.search(text):
        raise InputError(f"{source}: not TOML for edgekit: a key of more than {DEEPEST} parts", code="nested-too-deep")
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: not TOML: {visible(str(error))}", code="not-toml") from error
    except RecursionError:
        raise InputError(f"{source}: not TOML for edgekit: {_DEEP}", code="nested-too-deep") from None
    except ValueError as error:  # Python's limit on the digits of an integer
        line = next((n for n, line in enumerate(text.splitlines(), 1) if re.search(r"[\d_]{1000}", line)), 0)
        raise InputError(
            f"{source}: line {line}: an integer of thousands of digits", code="value-out-of-range"
        ) from error
    _bounded(value, source, surrogates=False)
    return value


_DEEP = f"tables and lists are nested more than {DEEPEST} deep"
_LONG_KEY = re.compile(
    r"""(?:\.[ \t]*+(?:"[^"\n]*+"|'[^'\n]*+'|[^.\s=\[\]{}#,"']++)[ \t]*+){%d}""" % DEEPEST  # noqa: UP031
)
"""The parser takes a time for a key that grows with the square of its parts."""


def _table(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    table = dict(pairs)
    if len(table) == len(pairs):
        return table
    twice = _Twice(table)
    seen: set[str] = set()
    twice.key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return twice


def _integer(text: str) -> int | _Digits:
    return int(text) if len(text) <= DIGITS else _Digits()


_HELD = frozenset((dict, list, _Twice, _Digits))


def _harmless(value: JsonValue) -> bool:
    """Return whether `_bounded` has nothing to raise, surrogates aside; without key paths, so several times faster."""
    level, held = [value], 0
    for _ in range(DEEPEST):
        held += len(level)
        if held > MOST or any(type(one) in (_Twice, _Digits) for one in level):
            return False
        below: list[JsonValue] = []
        for one in level:
            items = _items(one) if isinstance(one, (dict, list)) else ()
            if not _HELD.isdisjoint(map(type, items)):
                below += [item for item in items if type(item) in _HELD]
        if not below:
            return True
        level = below
    return False


def _bounded(value: JsonValue, source: str, *, surrogates: bool) -> None:
    """Raise `InputError` for what the parser passed over."""
    pending: list[tuple[JsonValue, tuple[str | int, ...]]] = [(value, ())]
    held = 0
    while pending:
        one, path = pending.pop()
        if isinstance(one, _Digits):
            raise InputError(
                f"{source}: `{path_text(path)}` is an integer of more than {DIGITS} digits", code="value-out-of-range"
            )
        if isinstance(one, str):
            if surrogates and _half(one):
                raise InputError(
                    f"{source}: `{path_text(path)}` holds half a surrogate pair: {quoted(one)}",
                    code="text-not-printable",
                )
            continue
        if not isinstance(one, (dict, list)):
            continue
        held += 1
        if held + len(one) > MOST and held + sum(isinstance(item, (dict, list)) for item in _items(one)) > MOST:
            raise InputError(f"{source}: holds more than {MOST:,} tables and lists", code="file-too-large")
        if len(path) >= DEEPEST:
            raise InputError(f"{source}: {_DEEP}", code="nested-too-deep")
        if isinstance(one, _Twice):
            raise InputError(f"{source}: `{path_text((*path, one.key))}` is given twice", code="key-twice")
        if isinstance(one, dict):
            if surrogates and any(map(_half, one)):
                raise InputError(
                    f"{source}: `{path_text(path)}` has a key with half a surrogate pair", code="text-not-printable"
                )
            pending += [(item, (*path, key)) for key, item in one.items()]
        elif surrogates or not set(map(type, one)) <= {int, float, str, bool}:
            pending += [(item, (*path, index)) for index, item in enumerate(one)]


def _items(one: JsonObject | list[JsonValue]) -> Collection[JsonValue]:
    return one.values() if isinstance(one, dict) else one


def _half(text: str) -> bool:
    return any("\ud800" <= c <= "\udfff" for c in text)
