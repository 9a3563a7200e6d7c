"""Dataclasses as JSON tables: what is written of them, and which may hold more or less than this edgekit declares."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from edgekit.schema.types import JsonObject, JsonValue

K = TypeVar("K", bound=type)
_OPEN: set[type] = set()


def open_ended(kind: K) -> K:
    """Mark a dataclass whose table other versions hold more or less of, such as what a runner returns.

    Keys that it does not declare are skipped when it is read; what is None by default is not written.
    """
    _OPEN.add(kind)
    return kind


def is_open(kind: type) -> bool:
    """Return whether a dataclass is marked with `open_ended`."""
    return kind in _OPEN


def fields_written(value: Any) -> JsonObject:
    """Return the JSON form of a dataclass, field by field."""
    skipping = is_open(type(value))
    form = {}
    for field in dataclasses.fields(value):
        held = getattr(value, field.name)
        if not (skipping and held is None and field.default is None):
            form[field.name] = written(held)
    return form


def written(value: Any) -> JsonValue:
    """Return the JSON form of what a dataclass holds: by its own `to_dict`, else field by field."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if dataclasses.is_dataclass(value):
        return fields_written(value)
    if isinstance(value, Mapping):
        return {key: written(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        # Raw samples come by the hundred thousand.
        return list(value) if value and type(value[0]) is int else [written(item) for item in value]
    return value
