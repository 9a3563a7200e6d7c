"""The gate for all JSON and TOML that edgekit reads: a value is of its declared type, or refused with its key path.

What a file may hold is declared where its contents are at home, as dataclasses and TypedDicts; `read` compiles a
declaration and checks a value against it. A class whose JSON form is not its fields has a class method `declared` that
returns another declaration; one whose fields must fit each other has a method `check` that raises `Wrong`. Numbers are
integers of 64 bits and finite, unless they are declared otherwise with `Annotated` and the rules here.

    edgekit.bundle.records.Record       run.json               edgekit.bundle.manifest.Manifest    manifest.json
    edgekit.models.files.saving        MODEL.keras.json       edgekit.bundle.answers              what a runner answers
    edgekit.schema.toml.Table           recipes and targets: the same limits, with defaults and the nearest known key
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypeVar, cast

from edgekit.errors import EdgekitError, InputError
from edgekit.schema.document import SMALL, parse_json, read_text
from edgekit.schema.rules import LARGEST, Choosing, Holding, Matching, Range, Sized, Through, Unbounded, Wrong
from edgekit.schema.toml import nearest
from edgekit.text.printable import path_text, quoted, visible

T = TypeVar("T")
Check = Callable[[Any], Any]
"""Returns the value as its type holds it; raises `Wrong`."""


def read(kind: type[T] | Any, value: Any, source: str, what: str, hint: str = "") -> T:
    """Return a value as a declared type.

    Args:
        kind: a dataclass, a TypedDict, or a table declared with `Annotated`.
        value: as `parse_json` or `tomllib` gave it.
        source: the file, for messages.
        what: the file should be, such as `record`.
        hint: the next step, where a message has none of its own.

    Raises:
        InputError: it is not of this type: with file, key path, what is there and what was expected.
    """
    if not isinstance(value, Mapping):
        raise InputError(
            f"{source}: not a {what}: holds {quoted(value)}, expected a table", hint, code="value-wrong-type"
        )
    try:
        return cast(T, _check(cast(Any, kind))(value))
    except Wrong as error:
        place = path_text(error.path)
        where = f"`{place}` " if place else ""
        raise InputError(f"{source}: {where}{error.reason}", error.hint or hint, code=error.code) from None


def read_json(path: Path, what: str, limit: int = SMALL, *, follow: bool = True) -> Any:
    """Return what a JSON file holds, not yet checked against a declaration.

    Args:
        path: the file.
        what: it should be, such as `record`.
        limit: bytes.
        follow: whether the path may be a symbolic link.

    Raises:
        InputError: it is missing, no regular file, too large, or not JSON.
    """
    return parse_json(read_text(path, what, limit, follow=follow), str(path), what)


Upgrades = Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]
"""By the number of a schema how a table of it becomes one of the next."""


def current(value: Mapping[str, Any], known: int, source: str, what: str, upgrades: Upgrades | None = None) -> Any:
    """Return a table in the schema that this edgekit knows, without the key `schema`.

    Args:
        value: a table that states its schema.
        known: the newest schema.
        source: names the file in messages.
        what: it should be.
        upgrades: from older schemas.

    Raises:
        InputError: it states none, or one that cannot be read.
    """
    if not isinstance(value, Mapping):
        raise InputError(f"{source}: not a {what}: holds {quoted(value)}, expected a table")
    table = dict(value)
    if "schema" not in table:
        raise InputError(f"{source}: not a {what}: `schema` is missing, expected {known}")
    found = table.pop("schema")
    if type(found) is not int or found < 1:
        raise InputError(f"{source}: `schema` is {quoted(found)}, expected {known}")
    while found < known and upgrades and found in upgrades:
        table, found = upgrades[found](table), found + 1
    if found != known:
        raise InputError(f"{source}: schema {quoted(found)}, this edgekit reads {known}", "install a newer edgekit")
    return table


@cache
def _check(kind: Any) -> Check:
    """Compile a declaration."""
    if kind is Any or kind is object:
        return lambda value: value
    if hasattr(kind, "declared"):
        return _check(kind.declared())
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _dataclass(kind)
    if typing.is_typeddict(kind):
        return _typed_dict(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:])
    if origin in (typing.Union, types.UnionType):
        return _union(arguments)
    if origin in (list, tuple):
        return _list(_check(arguments[0]), origin, arguments[0])
    if origin is dict:
        return _dict(_check(arguments[0]), _check(arguments[1]))
    return _SCALARS[kind]


def _int(low: float = Range.low, high: float = Range.high) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not int or not low <= value <= high:
            code = "value-out-of-range" if type(value) is int else "value-wrong-type"
            raise Wrong(f"is {quoted(value)}, expected {_bounded('an integer', low, high)}", code=code)
        return value

    return check


def _float(low: float = -math.inf, high: float = math.inf, *, finite: bool = True) -> Check:
    def check(value: Any) -> Any:
        right = type(value) is float or (type(value) is int and abs(value) <= LARGEST)
        if not right or (finite and not (math.isfinite(value) and low <= value <= high)):
            code = "value-out-of-range" if type(value) in (int, float) else "value-wrong-type"
            raise Wrong(f"is {quoted(value)}, expected {_bounded('a number', low, high)}", code=code)
        return value

    return check


def _plainly(kind: type, name: str) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise Wrong(f"is {quoted(value)}, expected {name}", code="value-wrong-type")
        return value

    return check


_SCALARS: dict[Any, Check] = {
    int: _int(),
    float: _float(),
    str: _plainly(str, "text"),
    bool: _plainly(bool, "true or false"),
    type(None): _plainly(type(None), "null"),
}
_NAMES = {int: "an integer", float: "a number", str: "text", bool: "true or false", type(None): "null"}


def _bounded(name: str, low: float, high: float) -> str:
    lowest, highest = low <= -LARGEST, high >= LARGEST
    if lowest and highest:
        return name
    if highest:
        return f"{name} of at least {low:g}"
    return f"{name} of at most {high:g}" if lowest else f"{name} from {low:g} to {high:g}"


def _annotated(kind: Any, rules: tuple[Any, ...]) -> Check:
    check = _check(kind)
    for rule in rules:
        if isinstance(rule, Range):
            check = _int(rule.low, rule.high) if kind is int else _float(rule.low, rule.high)
        elif rule is Unbounded:
            check = _float(finite=False)
        elif isinstance(rule, Holding):
            check = _check(rule.kind)
        elif isinstance(rule, Choosing):
            check = _choosing(rule)
        elif isinstance(rule, Through):
            check = _then(check, rule.step)
        elif isinstance(rule, Matching):
            check = _then(check, _matching(rule))
        elif isinstance(rule, Sized):
            check = _then(check, _sized(rule))
    return check


def _then(first: Check, second: Check) -> Check:
    def check(value: Any) -> Any:
        found = first(value)
        try:
            return second(found)
        except EdgekitError as error:
            raise Wrong(f"cannot be used: {error.message}", error.hint, code=error.code or "value-not-valid") from None

    return check


def _matching(rule: Matching) -> Check:
    def check(value: Any) -> Any:
        if not rule.valid(value):
            raise Wrong(f"is {quoted(value)}, expected {rule.expected}")
        return value

    return check


def _sized(rule: Sized) -> Check:
    def check(value: Any) -> Any:
        if not rule.low <= len(value) <= rule.high:
            wanted = f"at least {rule.low}" if rule.high == LARGEST else f"from {rule.low} to {rule.high}"
            raise Wrong(f"has {len(value)} entries, expected {wanted}", code="value-out-of-range")
        return value

    return check


def _choosing(rule: Choosing) -> Check:
    def check(value: Any) -> Any:
        kind = next((kind for key, kind in rule.kinds if isinstance(value, dict) and key in value), rule.kinds[-1][1])
        return _check(kind)(value)

    return check


def _kind_of(annotation: Any) -> Any:
    """Return what JSON calls values of a declaration."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _kind_of(typing.get_args(annotation)[0])
    if origin in (list, tuple):
        return list
    if origin is dict or typing.is_typeddict(annotation) or dataclasses.is_dataclass(annotation):
        return dict
    return annotation


def _union(kinds: tuple[Any, ...]) -> Check:
    """Return the check of the member that has the value's own kind, so that what is wrong inside keeps its path."""
    members = {_kind_of(kind): _check(kind) for kind in kinds}
    names = " or ".join({list: "a list", dict: "a table", **_NAMES}[kind] for kind in members)

    def check(value: Any) -> Any:
        kind = dict if isinstance(value, dict) else list if isinstance(value, tuple) else type(value)
        member = members.get(kind) or (members.get(float) if kind is int else None)
        if member is None:
            raise Wrong(f"is {quoted(value)}, expected {names}", code="value-wrong-type")
        return member(value)

    return check


def _inside(check: Check, value: Any, key: str | int) -> Any:
    try:
        return check(value)
    except Wrong as error:
        error.path.insert(0, key)
        raise


def _list(item: Check, kind: Any, annotation: Any) -> Check:
    # Raw samples come by the hundred thousand.
    whole = annotation is int or (typing.get_origin(annotation) is Annotated and annotation.__origin__ is int)

    def check(value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise Wrong(f"is {quoted(value)}, expected a list", code="value-wrong-type")
        if whole and value and set(map(type, value)) == {int}:
            for extreme in (min(value), max(value)):
                try:
                    item(extreme)
                except Wrong as error:
                    error.path.insert(0, value.index(extreme))
                    raise
            return kind(value)
        return kind(_inside(item, one, index) for index, one in enumerate(value))

    return check


def _dict(key: Check, item: Check) -> Check:
    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            raise Wrong(f"is {quoted(value)}, expected a table", code="value-wrong-type")
        for name in value:
            try:
                key(name)
            except Wrong as error:
                raise Wrong(f"has a key that {error.reason}", error.hint, code=error.code) from None
        return {name: _inside(item, one, name) for name, one in value.items()}

    return check


def _fields(hints: Mapping[str, Any]) -> dict[str, Check]:
    unwrapped = {}
    for name, hint in hints.items():
        if typing.get_origin(hint) is NotRequired:
            hint = typing.get_args(hint)[0]
        unwrapped[name] = _check(hint)
    return unwrapped


def _typed_dict(kind: Any) -> Check:
    """Check a table that stays one; keys that are not declared are kept: an answer may tell more than this reads."""

    @cache  # when it is used first: a declaration may hold itself
    def parts() -> tuple[dict[str, Check], list[str]]:
        hints = typing.get_type_hints(kind, include_extras=True)
        return _fields(hints), [name for name, hint in hints.items() if typing.get_origin(hint) is not NotRequired]

    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            raise Wrong(f"is {quoted(value)}, expected a table", code="value-wrong-type")
        checks, required = parts()
        _complete(value, required)
        return {name: _inside(checks[name], one, name) if name in checks else one for name, one in value.items()}

    return check


def _dataclass(kind: Any) -> Check:
    """Check a table that becomes a dataclass; it has no other keys."""
    checks = _fields(typing.get_type_hints(kind, include_extras=True))
    fields = {f.name: f for f in dataclasses.fields(kind)}
    absent = dataclasses.MISSING
    required = [n for n, f in fields.items() if f.default is absent and f.default_factory is absent]

    def check(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise Wrong(f"is {quoted(value)}, expected a table", code="value-wrong-type")
        _complete(value, required)
        for name in value:
            if name not in fields:
                raise Wrong(f"has an unknown key {quoted(name)}", nearest(visible(name), fields), code="key-unknown")
        found = kind(**{name: _inside(checks[name], one, name) for name, one in value.items()})
        if hasattr(found, "check"):
            found.check()
        return found

    return check


def _complete(value: Mapping[str, Any], required: list[str]) -> None:
    for name in required:
        if name not in value:
            raise Wrong("is missing", path=(name,), code="key-missing")
