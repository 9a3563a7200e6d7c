"""Declarations compiled to checks: what a type, with the rules in its `Annotated`, takes and gives."""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Annotated, Any, NotRequired

from edgekit.errors import EdgekitError
from edgekit.errors.printable import quoted, visible
from edgekit.schema.rules import (
    LARGEST,
    Choosing,
    Closed,
    Holding,
    Matching,
    OneOf,
    Others,
    Pattern,
    Range,
    Sized,
    Through,
    Unbounded,
    Wrong,
)
from edgekit.schema.tables import is_open
from edgekit.schema.toml import nearest
from edgekit.schema.types import JsonMapping, JsonValue
from edgekit.schema.versions import Versions

Check = Callable[[JsonValue], Any]
"""Returns the value as its type holds it; raises `Wrong`."""


@cache
def check_of(kind: Any) -> Check:
    """Compile a declaration."""
    if kind is Any or kind is object:
        return lambda value: value
    if hasattr(kind, "declared"):
        return check_of(kind.declared())
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
        return _list(check_of(arguments[0]), origin, arguments[0])
    if origin is dict:
        return _dict(check_of(arguments[0]), check_of(arguments[1]))
    return _SCALARS[kind]


def _int(low: float = Range.low, high: float = Range.high) -> Check:
    def check(value: JsonValue) -> Any:
        if type(value) is not int or not low <= value <= high:
            code = "value-out-of-range" if type(value) is int else "value-wrong-type"
            raise Wrong(f"is {quoted(value)}, expected {_bounded('an integer', low, high)}", code=code)
        return value

    return check


def _float(low: float = -math.inf, high: float = math.inf, *, finite: bool = True) -> Check:
    def check(value: JsonValue) -> Any:
        right = type(value) is float or (type(value) is int and abs(value) <= LARGEST)
        if not right or (finite and not (math.isfinite(value) and low <= value <= high)):
            code = "value-out-of-range" if type(value) in (int, float) else "value-wrong-type"
            raise Wrong(f"is {quoted(value)}, expected {_bounded('a number', low, high)}", code=code)
        return value

    return check


def _plainly(kind: type, name: str) -> Check:
    def check(value: JsonValue) -> Any:
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
    least, most = (str(int(bound)) if float(bound).is_integer() else f"{bound:g}" for bound in (low, high))
    if highest:
        return f"{name} of at least {least}"
    return f"{name} of at most {most}" if lowest else f"{name} from {least} to {most}"


def _annotated(kind: Any, rules: tuple[Any, ...]) -> Check:
    check = check_of(kind)
    for rule in rules:
        if isinstance(rule, Range):
            check = _int(rule.low, rule.high) if kind is int else _float(rule.low, rule.high)
        elif rule is Unbounded:
            check = _float(finite=False)
        elif isinstance(rule, Holding):
            check = check_of(rule.kind)
        elif isinstance(rule, Choosing):
            check = _choosing(rule)
        elif isinstance(rule, Through):
            check = _then(check, rule.step)
        elif isinstance(rule, OneOf):
            check = _then(check, _one_of(rule))
        elif isinstance(rule, (Matching, Pattern)):
            check = _then(check, _matching(rule))
        elif isinstance(rule, Sized):
            check = _then(check, _sized(rule))
        elif isinstance(rule, Others):
            check = _then(check, _others(kind, rule))
        elif rule is Closed:
            check = _then(_closed(kind), check)
        elif isinstance(rule, Versions):
            check = _then(rule.current, check)
    return check


def _then(first: Check, second: Check) -> Check:
    def check(value: JsonValue) -> Any:
        taken = first(value)
        try:
            return second(taken)
        except EdgekitError as error:
            raise Wrong(f"cannot be used: {error.message}", error.hint, code=error.code or "value-not-valid") from None

    return check


def _matching(rule: Matching | Pattern) -> Check:
    valid = rule.valid if isinstance(rule, Matching) else re.compile(rule.regex).fullmatch

    def check(value: JsonValue) -> Any:
        if not valid(value):
            raise Wrong(f"is {quoted(value)}, expected {rule.expected}")
        return value

    return check


def _one_of(rule: OneOf) -> Check:
    def check(value: JsonValue) -> Any:
        if value not in (allowed := list(rule.allowed())):
            hint = nearest(value, map(str, allowed))
            raise Wrong(f"is {quoted(value)}, expected {_either(rule)}", hint, code="unknown-name")
        return value

    return check


def _either(rule: OneOf) -> str:
    names = list(map(str, rule.allowed()))
    return "one of " + ", ".join(names) if len(names) > 2 else " or ".join(names)


def _others(kind: Any, rule: Others) -> Check:
    rest = _dict(check_of(rule.key), check_of(rule.value))

    def check(value: JsonValue) -> Any:
        known = {key: value[key] for key in kind.__annotations__ if key in value}
        return known | rest({key: one for key, one in value.items() if key not in known})

    return check


def _closed(kind: Any) -> Check:
    def check(value: JsonValue) -> Any:
        for name in value if isinstance(value, Mapping) else ():
            _known(name, kind.__annotations__)
        return value

    return check


def _known(name: str, keys: Iterable[str]) -> None:
    """Raise `Wrong` for a key that is none of these."""
    if name not in keys:
        raise Wrong("is an unknown key", nearest(visible(name), keys), (name,), "key-unknown")


def _sized(rule: Sized) -> Check:
    def check(value: JsonValue) -> Any:
        if not rule.low <= len(value) <= rule.high:
            wanted = f"at least {rule.low}" if rule.high == LARGEST else f"from {rule.low} to {rule.high}"
            raise Wrong(f"has {len(value)} entries, expected {wanted}", code="value-out-of-range")
        return value

    return check


def _choosing(rule: Choosing) -> Check:
    def check(value: JsonValue) -> Any:
        kind = next((kind for key, kind in rule.kinds if isinstance(value, dict) and key in value), rule.kinds[-1][1])
        return check_of(kind)(value)

    return check


def _kind_of(annotation: Any) -> Any:
    """Return what JSON calls values of a declaration."""
    origin = typing.get_origin(annotation)
    if origin in (Annotated, typing.Union, types.UnionType):
        return _kind_of(typing.get_args(annotation)[0])
    if origin in (list, tuple):
        return list
    if origin is dict or typing.is_typeddict(annotation) or dataclasses.is_dataclass(annotation):
        return dict
    return annotation


def _union(kinds: tuple[Any, ...]) -> Check:
    """Return the check of the member that has the value's own kind, so that what is wrong inside keeps its path."""
    members = {_kind_of(kind): check_of(kind) for kind in kinds}
    *most, last = ({list: "a list", dict: "a table", **_NAMES}[kind] for kind in members)
    names = f"{', '.join(most)} or {last}"

    def check(value: JsonValue) -> Any:
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

    def check(value: JsonValue) -> Any:
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
    def check(value: JsonValue) -> Any:
        if not isinstance(value, dict):
            raise Wrong(f"is {quoted(value)}, expected a table", code="value-wrong-type")
        for name in value:
            try:
                key(name)
            except Wrong as error:
                raise Wrong(f"has a key that {error.reason}", error.hint, code=error.code) from None
        return {name: _inside(item, one, name) for name, one in value.items()}

    return check


def _may_be_missing(hint: Any) -> bool:
    return typing.get_origin(hint) is NotRequired


def _fields(hints: JsonMapping) -> dict[str, Check]:
    unwrapped = {}
    for name, hint in hints.items():
        if _may_be_missing(hint):
            hint = typing.get_args(hint)[0]
        unwrapped[name] = check_of(hint)
    return unwrapped


def _typed_dict(kind: Any) -> Check:
    """Check a table that stays one; keys that are not declared are kept: an answer may tell more than this reads."""

    @cache  # when it is used first: a declaration may hold itself
    def parts() -> tuple[dict[str, Check], dict[str, Any]]:
        hints = typing.get_type_hints(kind, include_extras=True)
        return _fields(hints), {name: hint for name, hint in hints.items() if not _may_be_missing(hint)}

    def check(value: JsonValue) -> Any:
        if not isinstance(value, dict):
            raise Wrong(f"is {quoted(value)}, expected a table", code="value-wrong-type")
        checks, required = parts()
        _complete(value, required)
        return {name: _inside(checks[name], one, name) if name in checks else one for name, one in value.items()}

    return check


def _dataclass(kind: Any) -> Check:
    """Check a table that becomes a dataclass; it has no other keys, unless it is `open_ended`."""
    hints = typing.get_type_hints(kind, include_extras=True)
    checks = _fields(hints)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    absent = dataclasses.MISSING
    required = {n: hints[n] for n, f in fields.items() if f.default is absent and f.default_factory is absent}

    def check(value: JsonValue) -> Any:
        if not isinstance(value, Mapping):
            raise Wrong(f"is {quoted(value)}, expected a table", code="value-wrong-type")
        _complete(value, required)
        for name in () if is_open(kind) else value:
            _known(name, fields)
        made = kind(**{name: _inside(checks[name], one, name) for name, one in value.items() if name in fields})
        if hasattr(made, "check_consistent"):
            made.check_consistent()
        return made

    return check


def _complete(value: JsonMapping, required: JsonMapping) -> None:
    """Raise `Wrong` for a key that is missing of those required, which come with their declarations."""
    for name, kind in required.items():
        if name not in value:
            choices = [rule for rule in getattr(kind, "__metadata__", ()) if isinstance(rule, OneOf)]
            raise Wrong("is missing", f"expected {_either(choices[0])}" if choices else "", (name,), "key-missing")
