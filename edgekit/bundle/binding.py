"""From a row's `module:name` to the object; what is named is imported now, not before."""

from __future__ import annotations

import importlib
from typing import Any


def bound(where: str) -> Any:
    """Return what `module:name` names."""
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(module), name)
