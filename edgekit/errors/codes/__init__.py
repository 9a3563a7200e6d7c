"""The register of codes: what every error, warning, lint finding and verdict reason means.

A code is a slug that never changes its meaning, such as `labels-not-numbers`: tests, JSON output and `edgekit explain`
use it, and the wording of a message may improve freely. It is written where the message is, as `code="..."`, and
explained in the TOML file of the room that raises it, beside this module.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

KINDS = ("error", "warning", "lint finding", "verdict reason", "check")
KEYS = {"kind", "means", "why", "mend"}


@dataclass(frozen=True)
class Explanation:
    """What a code stands for.

    Attributes:
        code: the slug.
        kind: one of `KINDS`.
        means: what is the case, in general.
        why: why it matters.
        mend: what to do about it.
        room: whose it is: the name of the file that explains it.
    """

    code: str
    kind: str
    means: str
    why: str
    mend: str
    room: str


def near(code: str) -> list[str]:
    """Return the codes that are most like a text that is none, at most three."""
    return difflib.get_close_matches(code[:100], register(), n=3, cutoff=0.5)


@cache
def register() -> Mapping[str, Explanation]:
    """Return every code with its explanation, sorted by code.

    Raises:
        ValueError: a file of the package is wrong: a code is explained twice, or a key is missing or unknown.
    """
    known: dict[str, Explanation] = {}
    for file in resources.files("edgekit.errors.codes").iterdir():
        if not file.name.endswith(".toml"):
            continue
        for code, entry in tomllib.loads(file.read_text(encoding="utf-8")).items():
            if set(entry) != KEYS or entry["kind"] not in KINDS:
                raise ValueError(f"{file.name}: {code}: expected the keys {', '.join(sorted(KEYS))}")
            if code in known:
                raise ValueError(f"{file.name}: {code} is explained in {known[code].room}.toml, too")
            known[code] = Explanation(code=code, room=file.name.removesuffix(".toml"), **entry)
    return dict(sorted(known.items()))
