"""YOLO's `data.yaml` and `classes.txt`: names of classes, and where the parts of a data set are.

Of YAML only what such files hold is read: `key: value`, a list in brackets or of lines with `-`, and a table of numbers
and names. Anything else is refused, rather than misread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import InputError
from edgekit.errors.printable import clipped
from edgekit.files.opening import brief, inside, plain
from edgekit.schema.document import read_text

LARGEST_FILE = 1 << 20
PARTS = ("train", "val", "test")
_KEY = re.compile(r"(?P<key>[\w.-]+|'[^']*'|\"[^\"]*\")\s*:(?:\s+(?P<value>.*))?$")
_COMMENT = re.compile(r"(^|\s)#.*$")


@dataclass(frozen=True)
class DataFile:
    """What describes a data set.

    Attributes:
        path: of the file.
        names: of the classes, in their order.
        parts: `train`, `val` and `test`, as far as they are given: folders, as typed.
        root: that these are relative to, as typed.
    """

    path: Path
    names: tuple[str, ...]
    parts: Mapping[str, str]
    root: str = "."


def read_names(path: Path, root: Path) -> tuple[str, ...]:
    """Return the names of a file with one a line.

    Raises:
        InputError: it cannot be read, leads out of the folder, or names nothing.
    """
    lines = read_text(inside(path, root), "list of classes", LARGEST_FILE).splitlines()
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        raise InputError(f"{brief(path)}: names no classes", "write a name a line", code="class-names-missing")
    return names


def read_data_file(path: Path, root: Path | None = None) -> DataFile:
    """Read a `data.yaml`.

    Args:
        path: the file.
        root: a folder that it may not lead out of.

    Raises:
        InputError: it cannot be read, holds what edgekit does not read, or names no classes.
    """
    text = read_text(path if root is None else inside(path, root), "data.yaml", LARGEST_FILE)
    table = _Reader(path, text).table()
    names, count = table.get("names"), table.get("nc")
    if isinstance(names, dict):
        names = _in_order(path, names)
    if names is None and isinstance(count, str) and re.fullmatch(r"[1-9][0-9]{0,4}", count):
        names = [str(number) for number in range(int(count))]
    if not isinstance(names, list) or not names:
        raise InputError(f"{brief(path)}: names no classes", "write `names: [cat, dog]`", code="class-names-missing")
    if isinstance(count, str) and count != str(len(names)):
        raise InputError(
            f"{brief(path)}: has {len(names)} `names`, and `nc` says {plain(clipped(count))}",
            "name every class",
            code="not-data-yaml",
        )
    parts = {}
    for part in PARTS:
        value = table.get(part)
        if value in (None, ""):
            continue
        if not isinstance(value, str) or value.endswith(".txt"):
            raise InputError(
                f"{brief(path)}: `{part}` is a list of files or folders, expected one folder",
                "give the folder of the images, such as images/train",
                code="not-data-yaml",
            )
        parts[part] = value
    root_said = table.get("path")
    return DataFile(path, tuple(names), parts, root_said if isinstance(root_said, str) and root_said else ".")


def _in_order(path: Path, names: Mapping[str, str]) -> list[str]:
    if sorted(names) != sorted(map(str, range(len(names)))):
        raise InputError(
            f"{brief(path)}: `names` has the keys {plain(clipped(', '.join(names)))}",
            f"expected every number from 0 to {len(names) - 1}",
            code="not-data-yaml",
        )
    return [names[str(number)] for number in range(len(names))]


Value = str | list[str] | dict[str, str]


class _Reader:
    """The lines of a file."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        lines = enumerate((_COMMENT.sub("", line).rstrip() for line in text.splitlines()), 1)
        self._lines = [(number, line) for number, line in lines if line.strip() and line.strip() != "---"]

    def table(self) -> dict[str, Value]:
        """Return the top level; keys that are of no interest may hold anything that is written deeper."""
        found: dict[str, Value] = {}
        while self._lines:
            number, line = self._lines.pop(0)
            match = _KEY.match(line)
            if match is None or line[0].isspace():
                raise self._unread(number, line)
            key, value = _unquoted(match["key"]), (match["value"] or "").strip()
            if key in found:
                raise InputError(
                    f"{brief(self._path)}: `{plain(clipped(key))}` is given twice", "leave one out", code="key-twice"
                )
            deeper = self._deeper(dashes=not value)
            known = key in ("names", "path", "nc", *PARTS)
            if known:
                found[key] = self._value(number, value, deeper)
        return found

    def _deeper(self, *, dashes: bool) -> list[tuple[int, str]]:
        """Take the lines that belong to a key: those that stand deeper, and dashes that stand below it."""
        taken = []
        while self._lines and (self._lines[0][1][0].isspace() or (dashes and self._lines[0][1].startswith("- "))):
            taken.append(self._lines.pop(0))
        return taken

    def _value(self, number: int, value: str, deeper: list[tuple[int, str]]) -> Value:
        if value.startswith(("[", "{")):
            whole = " ".join([value, *(line.strip() for _, line in deeper)])
            if not whole.endswith("]" if whole[0] == "[" else "}"):
                raise self._unread(number, whole)
            items = [item.strip() for item in re.split(r",(?=(?:[^'\"]|'[^']*'|\"[^\"]*\")*$)", whole[1:-1])]
            items = [item for item in items if item]
            if whole[0] == "[":
                return [_unquoted(item) for item in items]
            return dict(self._pair(number, item) for item in items)
        if value:
            if deeper or value[0] in "&*!|>@%`":
                raise self._unread(number, value)
            return _unquoted(value)
        if all(line.strip().startswith("- ") for _, line in deeper):
            return [_unquoted(line.strip()[2:].strip()) for _, line in deeper]
        return dict(self._pair(at, line.strip()) for at, line in deeper)

    def _pair(self, number: int, text: str) -> tuple[str, str]:
        match = _KEY.match(text)
        if match is None or not match["value"]:
            raise self._unread(number, text)
        return _unquoted(match["key"]), _unquoted(match["value"].strip())

    def _unread(self, number: int, line: str) -> InputError:
        return InputError(
            f"{brief(self._path)}: line {number}: cannot read `{plain(clipped(line.strip()))}`",
            "edgekit reads path, train, val, test, nc and names, as Ultralytics' examples write them",
            code="not-data-yaml",
        )


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
