"""`budget.toml`: what `edgekit check` holds files to, for all of them, per target and per pattern of files.

schema = 1
description = "What the product allows"
max_size = "100kB"                    # for all files; a number alone is bytes
min_accuracy = 0.985

[file."*-int8.tflite"]                # files of which the name, the scheme or the format matches
max_drop = 0.5

[target.rpi4]                         # what was measured on this target
max_latency = "15ms"
max_latency_p90 = "20ms"

[target.rpi4.file.int8]
max_memory = "8MB"

For a file the bounds of all tables that match hold together. Where several give the same bound, the one of a target
wins over that for all files, one of files over that of a target, one of both over either, and of several patterns the
last in the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, TypeAlias

from edgekit.schema.document import parse_toml, read_text
from edgekit.schema.gate import read
from edgekit.schema.mixups import recognised
from edgekit.schema.rules import Line, PlainName
from edgekit.schema.toml import key_toml
from edgekit.schema.units import BYTES, MILLISECONDS, NUMBER, SHARE, written_as
from edgekit.schema.versions import Versions

VERSIONS = Versions("budget", 1, hint="begin the file with: schema = 1")

Limits: TypeAlias = Mapping[str, float]
"""By the name of a bound (a field of `LimitsTable`) its limit: bytes, milliseconds, shares, or units of the metric."""

Size: TypeAlias = Annotated[str | float | None, written_as(BYTES)]
Latency: TypeAlias = Annotated[str | float | None, written_as(MILLISECONDS)]
Accuracy: TypeAlias = Annotated[str | float | None, written_as(SHARE)]
Number: TypeAlias = Annotated[str | float | None, written_as(NUMBER)]
Drop: TypeAlias = Annotated[str | float | None, written_as(NUMBER, may_be_zero=True)]
More: TypeAlias = Annotated[str | float | None, written_as(SHARE, may_be_zero=True)]


@dataclass(frozen=True, kw_only=True)
class LimitsTable:
    """Bounds on files; None where anything goes. What each means is in `edgekit.reporting.checking.bounds`.

    In a file they are numbers, or texts with a unit; read, they are bytes, milliseconds and shares.
    """

    max_size: Size = None
    max_latency: Latency = None
    max_latency_p90: Latency = None
    max_memory: Size = None
    min_accuracy: Accuracy = None
    max_error: Number = None
    max_drop: Drop = None
    max_slowdown: More = None
    max_growth: More = None

    def limits(self) -> Limits:
        """Return the bounds that are given."""
        given = {f.name: getattr(self, f.name) for f in fields(LimitsTable)}
        return {name: float(value) for name, value in given.items() if value is not None}


BOUND_NAMES = tuple(f.name for f in fields(LimitsTable))


@dataclass(frozen=True, kw_only=True)
class TargetTable(LimitsTable):
    """`[target.NAME]`: bounds on what was measured there, and by pattern those on some files."""

    file: dict[Line, LimitsTable] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class BudgetFile(TargetTable):
    """A budget's file, without its schema: bounds on all files, and on those of targets and patterns."""

    description: str = ""
    target: dict[PlainName, TargetTable] = field(default_factory=dict)

    def limits_of(self, names: tuple[str, ...], target: str | None) -> Limits:
        """Return the bounds on a file.

        Args:
            names: what patterns are compared with: the file's name, its format and its scheme.
            target: where it was measured; None: nowhere.
        """
        there = self.target.get(target or "", TargetTable())
        tables = [self, there, *_matching(self.file, names), *_matching(there.file, names)]
        return {name: limit for table in tables for name, limit in table.limits().items()}

    def unused(self, files: Mapping[tuple[str, ...], set[str]]) -> list[str]:
        """Return the tables that hold for none of some files, as they are written.

        Args:
            files: targets on which each was measured, by what patterns are compared with.
        """
        targets = {target for measured in files.values() for target in measured}
        places = [(f"file.{key_toml(p)}", any(matches(p, names) for names in files)) for p in self.file]
        for target, table in self.target.items():
            places.append((f"target.{target}", target in targets))
            here = [names for names, measured in files.items() if target in measured]
            places += [(f"target.{target}.file.{key_toml(p)}", any(matches(p, n) for n in here)) for p in table.file]
        return [f"[{place}]" for place, used in places if not used]


def matches(pattern: str, names: tuple[str, ...]) -> bool:
    """Return whether a pattern with `*`, `?` and `[...]` fits one of a file's names as a whole."""
    return any(fnmatchcase(name, pattern) for name in names)


def _matching(tables: Mapping[str, LimitsTable], names: tuple[str, ...]) -> Iterator[LimitsTable]:
    return (table for pattern, table in tables.items() if matches(pattern, names))


def read_budget(path: Path) -> BudgetFile:
    """Read a budget.

    Raises:
        InputError: the file is missing, no TOML, or holds something else than bounds.
    """
    with recognised(path, "budget"):
        source = str(path)
        return read(BudgetFile, parse_toml(read_text(path, "budget"), source), source, "budget", versions=VERSIONS)
