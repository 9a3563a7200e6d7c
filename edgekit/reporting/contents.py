"""What every format of a report shows: computed once, so that all of them have the same numbers."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.bundle.collection import Collection
from edgekit.reporting.comparison import cautions, rows_of_several
from edgekit.reporting.deciding import Decision, decide
from edgekit.reporting.rows import Row


@dataclass(frozen=True)
class Contents:
    """A report before it is written down.

    Attributes:
        collection: records, bundles and searches, and what was skipped.
        rows: of all records, compared with the first file of the first one.
        cautions: what makes records hard to compare with the first one, a sentence each.
        decisions: which file to ship, for each device, bundle and search.
    """

    collection: Collection
    rows: tuple[Row, ...]
    cautions: tuple[str, ...]
    decisions: tuple[Decision, ...]

    @classmethod
    def of(cls, collection: Collection) -> Contents:
        """Return the contents of a report about a collection."""
        records = collection.records
        rows = tuple(rows_of_several(records)) if records else ()
        found = tuple(cautions(records)) if records else ()
        return cls(collection, rows, found, decide(collection, rows))
