"""JSON Schemas (Draft 2020-12) made from declarations, for editors and for programs that read edgekit's files.

What only a function can check is left out: that names are unique, that numbers fit each other. A file that the schema
takes may still be refused; one that edgekit reads, the schema takes.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from typing import Annotated, Any, NotRequired

from edgekit.schema.rules import (
    Choosing,
    Closed,
    Holding,
    Matching,
    OneOf,
    Others,
    Pattern,
    Range,
    Sized,
    Unbounded,
)
from edgekit.schema.tables import is_open
from edgekit.schema.types import JsonObject, JsonValue
from edgekit.schema.versions import KEY, Versions

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_SCALARS: dict[Any, str] = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}
_LIMITS = (Range.low, Range.high)


def json_schema(kind: Any, versions: Versions) -> JsonObject:
    """Return the JSON Schema of files of a kind, in their newest schema.

    Args:
        kind: the declaration, as for `edgekit.schema.gate.read`.
        versions: of these files.
    """
    definitions = _Definitions()
    body = definitions.of(kind)
    body = definitions.named.pop(body["$ref"].rpartition("/")[2]) if list(body) == ["$ref"] else body
    name = versions.what.replace(" ", "-")
    return {
        "$schema": DRAFT,
        "$id": f"urn:edgekit:{name}:{versions.newest}",
        "title": f"edgekit {versions.what}",
        **_stated(body, versions),
        "$defs": dict(sorted(definitions.named.items())),
    }


class _Definitions:
    """Schemas of classes, by name; each is written once, so a class may hold itself."""

    def __init__(self) -> None:
        self.named: dict[str, JsonObject] = {}
        self._classes: dict[str, Any] = {}

    def of(self, kind: Any) -> JsonObject:
        """Return the schema of a declaration."""
        if hasattr(kind, "declared"):
            return self.of(kind.declared())
        if typing.is_typeddict(kind) or (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
            return self._named(kind)
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin is Annotated:
            return self._annotated(arguments[0], arguments[1:])
        if origin in (typing.Union, types.UnionType):
            return {"anyOf": [self.of(one) for one in arguments]}
        if origin in (list, tuple):
            return {"type": "array", "items": self.of(arguments[0])}
        if origin is dict:
            names = self.of(arguments[0])
            keys = {} if names == {"type": "string"} else {"propertyNames": names}
            return {"type": "object", **keys, "additionalProperties": self.of(arguments[1])}
        return {"type": _SCALARS[kind]} if kind in _SCALARS else {}

    def _annotated(self, kind: Any, rules: tuple[Any, ...]) -> JsonObject:
        bounded = any(isinstance(rule, Others) or rule is Closed for rule in rules)
        schema = self._fields(kind) if bounded else self.of(kind)
        for rule in rules:
            if isinstance(rule, Range):
                bounds = zip(("minimum", "maximum"), (rule.low, rule.high), _LIMITS, strict=True)
                schema |= {name: bound for name, bound, limit in bounds if bound != limit}
            elif isinstance(rule, OneOf):
                schema |= {"enum": list(rule.allowed())}
            elif isinstance(rule, Pattern):
                schema |= {"pattern": f"^(?:{rule.regex})$", "description": rule.expected}
            elif isinstance(rule, Matching):
                schema |= {"description": rule.expected}
            elif isinstance(rule, Sized):
                schema |= {"minItems": rule.low} | ({"maxItems": rule.high} if rule.high != Sized.high else {})
            elif isinstance(rule, (Holding, Choosing)):
                schema = self._chosen(rule)
            elif isinstance(rule, Others):
                schema |= {"additionalProperties": self.of(rule.value)}
            elif rule is Closed:
                schema |= {"additionalProperties": False}
            elif isinstance(rule, Versions):
                schema = _stated(schema, rule)
            elif rule is Unbounded:
                schema |= {"description": "may be NaN, Infinity or -Infinity, as Python writes them"}
        return schema

    def _chosen(self, rule: Holding | Choosing) -> JsonObject:
        if isinstance(rule, Holding):
            return self.of(rule.kind)
        *others, (_, last) = rule.kinds
        schema = self.of(last)
        for key, kind in reversed(others):
            schema = {"if": {"required": [key]}, "then": self.of(kind), "else": schema}
        return {"type": "object", **schema}

    def _named(self, kind: Any) -> JsonObject:
        name = kind.__name__.lstrip("_")
        while self._classes.setdefault(name, kind) is not kind:  # two classes of one name
            name += "_"
        if name not in self.named:
            self.named[name] = {}
            self.named[name] = self._fields(kind)
        return {"$ref": f"#/$defs/{name}"}

    def _fields(self, kind: Any) -> JsonObject:
        hints = typing.get_type_hints(kind, include_extras=True)
        fields = {f.name: f for f in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else {}
        properties, required = {}, []
        for name, hint in hints.items():
            if typing.get_origin(hint) is NotRequired:
                properties[name] = self.of(typing.get_args(hint)[0])
                continue
            properties[name] = self.of(hint)
            if name not in fields or _is_required(fields[name]):
                required.append(name)
            else:
                properties[name] |= _default(fields[name].default)
        described = {"description": inspect.cleandoc(kind.__doc__).partition("\n\n")[0]} if kind.__doc__ else {}
        closed = {"additionalProperties": False} if fields and not is_open(kind) else {}
        return {**described, "type": "object", "properties": properties, "required": required, **closed}


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _default(value: JsonValue) -> JsonObject:
    if isinstance(value, tuple) and all(isinstance(one, (str, int, float)) for one in value):
        return {"default": list(value)}
    return {"default": value} if isinstance(value, (str, int, float)) else {}


def _stated(schema: JsonObject, versions: Versions) -> JsonObject:
    """Return the schema of a table that states its schema, too."""
    number = {KEY: {"const": versions.newest, "description": f"Of this form of a {versions.what}."}}
    required = schema.get("required", [])
    if versions.unversioned is None and KEY not in required:
        required = [KEY, *required]
    return {**schema, "properties": {**number, **schema.get("properties", {})}, "required": required}
