"""TOML written, and the nearest of the names that are known."""

from __future__ import annotations

import re
from collections.abc import Iterable

from edgekit.schema.types import JsonValue


def nearest(word: JsonValue, known: Iterable[str]) -> str:
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


def to_toml(value: JsonValue) -> str:
    """Return a bool, number, text or list as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in value)
        return f'"{escaped}"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(to_toml(v) for v in value) + "]"
    return repr(value)
