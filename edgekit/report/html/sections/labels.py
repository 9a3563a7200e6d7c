"""What charts call the rows of the table: as short as they can be told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edgekit.report.html.points import clipped
from edgekit.report.rows import Row
from edgekit.text.columns import without_prefix

LONGEST = 36


def labels(rows: Sequence[Row]) -> list[str]:
    """Return a label for every row, none twice: the file, and as far as it needs the threads and the record."""
    short = without_prefix([row.file for row in rows])
    found = [clipped(short[row.file], LONGEST) for row in rows]
    if len({row.threads for row in rows}) > 1:
        found = [
            f"{label}, {row.threads} thr." if row.threads > 1 else label for label, row in zip(found, rows, strict=True)
        ]
    for more in (lambda row: row.record.target, lambda row: row.name):
        several = {label for label, count in Counter(found).items() if count > 1}
        if several and len(set(map(more, rows))) > 1:
            found = [
                f"{label} ({clipped(more(row))})" if label in several else label
                for label, row in zip(found, rows, strict=True)
            ]
    return _numbered(found)


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
