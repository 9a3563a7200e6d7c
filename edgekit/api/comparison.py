"""What `edgekit.compare` returns."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path

import edgekit.reporting.comparing.document as document
from edgekit.schema.types import JsonObject


@dataclass(frozen=True, repr=False)
class Comparison(document.Comparison):
    """What `edgekit.compare` found: `changes`, a pair of files each, and the conditions that are `unlike`.

    `changes[0].latency` has the ratio with its interval, whether a difference is `shown`, and the change that would
    have been `detectable`; `changes[0].score` has the difference of the scores and McNemar's test.

    Attributes:
        path: where the record of the measurements is, or None.
    """

    path: Path | None = None

    @property
    def failed(self) -> bool:
        """Whether a measurement is invalid."""
        return "invalid" in document.verdicts(self.changes)

    @property
    def sentences(self) -> list[str]:
        """What the comparison says, a sentence a subject, pair by pair."""
        from edgekit.reporting.comparing.sentences import sentences

        return [sentence for changes in self.changes for sentence in sentences(changes)]

    def table(self) -> str:
        """Return the sentences, the table, and what to beware of."""
        return document.comparison_text(self)

    def to_dict(self) -> JsonObject:
        """Return what `--json` prints."""
        return {"record": None if self.path is None else str(self.path), **document.comparison_values(self)}

    def __repr__(self) -> str:
        return f"Comparison\n{self.table()}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"
