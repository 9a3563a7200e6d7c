"""What charts call the rows of the table: as short as they can be told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edgekit.reporting.html.points import clipped
from edgekit.reporting.rows import Row
from edgekit.text.columns import without_prefix

LONGEST = 36


def labels(rows: Sequence[Row]) -> list[str]:
    """Return a label for every row, none twice: the file, and as far as it needs the threads, device and record."""
    short = without_prefix([row.file for row in rows])
    found = [clipped(short[row.file], LONGEST) for row in rows]
    if len({row.threads for row in rows}) > 1:
        found = [label + f", {row.threads} thr." * (row.threads > 1) for label, row in zip(found, rows, strict=True)]
    for more in (_device, _record):
        several = {label for label, count in Counter(found).items() if count > 1}
        if several and len(set(map(more, rows))) > 1:
            told = zip(found, rows, strict=True)
            found = [f"{label} ({clipped(more(row))})" if label in several else label for label, row in told]
    return _numbered(found)


def _device(row: Row) -> str:
    return row.record.target


def _record(row: Row) -> str:
    return row.name


def _numbered(found: Sequence[str]) -> list[str]:
    taken: set[str] = set()
    unique = []
    for label in found:
        name, number = label, 2
        while name in taken:
            name, number = f"{label} #{number}", number + 1
        taken.add(name)
        unique.append(name)
    return unique
