r"""Defaults of options from `[tool.edgekit]` of the user's `pyproject.toml`.

    [tool.edgekit.bench]
    target = ["rpi4"]                     # an option that may be given several times: a list, or one value
    threads = "1,4"                       # as it is typed; numbers, and lists of them, need no quotes: [1, 4]
    min-samples = 200                     # `min_samples` is the same
    out = "records"                       # a path: from the folder of the file

    [tool.edgekit.targets.check]          # a command of a command
    host = "pi@10.0.0.7"

Interface, for whoever knows the commands:

    commands = {"bench": {"threads": Option(str), "target": Option(str, several=True), "out": Option(Path)},
                "targets": {"check": {"host": Option(str)}}}
    defaults = read_defaults(Path.cwd(), commands)
    defaults.options                      # {"bench": {"threads": "1,4", ...}, "targets": {"check": {...}}}
    defaults.path                         # the file, None: there is none, or it says nothing of edgekit

`options` has the names of parameters (`min_samples`) and values of their types, as Click takes for `default_map`. The
file read is the nearest `pyproject.toml` upward from a folder, and no other. Nothing in it is run, and since whoever
wrote it may be somebody else (a clone, a shared folder), what runs code or trusts somebody is typed, and is refused
here: `TYPED`, and values that name Python code. Environment variables and the command line come first; that is the
caller's business, and so is to import this only where a command runs: `--help` reads no file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from edgekit.errors import InputError
from edgekit.errors.printable import path_text, quoted, visible
from edgekit.files.opening import expanded
from edgekit.schema.document import parse_toml, read_text
from edgekit.schema.toml import nearest
from edgekit.schema.types import JsonMapping, JsonObject, JsonValue

PYPROJECT = "pyproject.toml"
TABLE = ("tool", "edgekit")
LARGEST_FILE = 1 << 20
MOST_VALUES = 1000
LARGEST_INTEGER = 2**63 - 1
TYPED = frozenset(
    {
        "trust_target",
        "allow_unsafe",
        "custom",
        "benchmark_model",
        "runtime_wheels",
        "python",
        "identity",
        "force",
        "junit",
        "sarif",
        "markdown",
    }
)
"""Options that only the person at the keyboard gives: they run code, use keys, overwrite, or write to any file."""
_FUNCTIONS = frozenset({"data", "metric"})
"""Options whose text may name a Python function, with a colon before its name."""

Value: TypeAlias = bool | int | float | str | Path | list[int] | list[float] | list[str] | list[Path]
"""Of an option."""


@dataclass(frozen=True)
class Option:
    """What an option takes.

    Attributes:
        kind: `bool`, `int`, `float`, `str` or `Path`.
        several: whether it may be given several times.
        choices: all that it may be; empty: anything of its kind.
    """

    kind: type
    several: bool = False
    choices: tuple[str, ...] = ()


Commands: TypeAlias = Mapping[str, "Option | Commands"]
"""Names of commands, and inside of options, with underscores."""
Options: TypeAlias = dict[str, "Value | Options"]
"""Values by command and option, in the form of `Commands`."""


@dataclass(frozen=True)
class Defaults:
    """What a file gives.

    Attributes:
        options: of every command that it names.
        path: the file; None where there is none, or where it has no `[tool.edgekit]`.
    """

    options: Options = field(default_factory=dict)
    path: Path | None = None


def read_defaults(start: Path, commands: Commands) -> Defaults:
    """Read the defaults of options from the nearest `pyproject.toml`.

    Args:
        start: the folder from which it is looked for, upward.
        commands: what commands there are, and what their options take.

    Raises:
        InputError: the file cannot be read, or holds something under `[tool.edgekit]` that is no option's default:
            with file, key path, what was expected, and the nearest name.
    """
    path = find_pyproject(start)
    if path is None:
        return Defaults()
    text = read_text(path, "pyproject.toml", LARGEST_FILE)
    if TABLE[-1] not in text:  # whatever else is wrong in it is not ours to say
        return Defaults()
    value: JsonValue = parse_toml(text, str(path))
    for depth, key in enumerate(TABLE, 1):
        if key not in value:
            return Defaults()
        value = _table(value[key], str(path), TABLE[:depth])
    return Defaults(_options(value, commands, path, TABLE), path)


def find_pyproject(start: Path) -> Path | None:
    """Return the nearest file `pyproject.toml` upward from a folder; None where there is none."""
    for folder in (start.absolute(), *start.absolute().parents):
        try:
            if (folder / PYPROJECT).is_file():
                return folder / PYPROJECT
        except OSError:  # a folder that may not be looked into
            continue
    return None


def _options(table: JsonMapping, known: Commands, file: Path, path: tuple[str, ...]) -> Options:
    made: Options = {}
    for written, value in table.items():
        key, place = written.replace("-", "_"), (*path, written)
        name = written if written in known else key  # commands have dashes, options underscores
        if name not in known:
            names = [option.replace("_", "-") for option in known]
            raise InputError(
                f"{file}: `{path_text(place)}` is an unknown key", nearest(visible(written), names), code="key-unknown"
            )
        if name in made:
            raise InputError(f"{file}: `{path_text(place)}` is given twice", "keep one of them", code="key-twice")
        inside = known[name]
        if isinstance(inside, Option):
            made[name] = _value(value, name, inside, file, place)
        else:
            made[name] = _options(_table(value, str(file), place), inside, file, place)
    return made


def _table(value: JsonValue, source: str, path: tuple[str, ...]) -> JsonObject:
    if not isinstance(value, dict):
        raise InputError(
            f"{source}: `{path_text(path)}` is {quoted(value)}, expected a table of options",
            "write [tool.edgekit.COMMAND], and option = value below",
            code="value-wrong-type",
        )
    return value


def _value(value: JsonValue, name: str, option: Option, file: Path, path: tuple[str, ...]) -> Value:
    place = f"{file}: `{path_text(path)}`"
    if name in TYPED:
        raise InputError(
            f"{place} is only for the command line", f"type --{name.replace('_', '-')}", code="default-only-typed"
        )
    if not option.several:
        return _one(value, name, option, file, place)
    values = value if isinstance(value, list) else [value]
    if len(values) > MOST_VALUES:
        raise InputError(f"{place} has {len(values)} entries, at most {MOST_VALUES}", code="value-out-of-range")
    return [_one(one, name, option, file, place) for one in values]  # type: ignore[return-value]  # of one kind


def _one(value: JsonValue, name: str, option: Option, file: Path, place: str) -> bool | int | float | str | Path:
    expected = _NAMES[option.kind]
    if option.kind is bool and isinstance(value, bool):
        return value
    if option.kind is int and _is_integer(value):
        return int(value)
    if option.kind is float and _is_number(value):
        return float(value)
    if option.kind is str and (text := _as_typed(value)) is not None:
        _check_text(text, name, option, place)
        return text
    if option.kind is Path and isinstance(value, str) and value:
        _check_text(value, name, option, place)
        return file.parent / expanded(value)
    raise InputError(f"{place} is {quoted(value)}, expected {expected}", code="value-wrong-type")


_NAMES = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text, a number, or a list of numbers",
    Path: "text, a path from the folder of this file",
}


def _as_typed(value: JsonValue) -> str | None:
    """Return what would be typed: a text, a number, or numbers with commas between them; None for anything else."""
    if isinstance(value, str):
        return value
    if _is_number(value):
        return repr(value)
    if isinstance(value, list) and value and len(value) <= MOST_VALUES and all(map(_is_number, value)):
        return ",".join(map(repr, value))
    return None


def _check_text(text: str, name: str, option: Option, place: str) -> None:
    if visible(text) != text:
        raise InputError(
            f"{place} holds {quoted(text)}, with characters that cannot be seen",
            "write it on one line, without control characters",
            code="text-not-printable",
        )
    if option.choices and text not in option.choices:
        raise InputError(f"{place} is {quoted(text)}", nearest(text, option.choices), code="unknown-name")
    if name in _FUNCTIONS and ":" in text:
        raise InputError(
            f"{place} is {quoted(text)}, which runs Python code: only for the command line",
            f"type --{name.replace('_', '-')}",
            code="default-only-typed",
        )


def _is_integer(value: JsonValue) -> bool:
    return type(value) is int and abs(value) <= LARGEST_INTEGER


def _is_number(value: JsonValue) -> bool:
    return _is_integer(value) or (type(value) is float and math.isfinite(value))
