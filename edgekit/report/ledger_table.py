"""The effect ledger as text: a line a stage."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.bundle.ledger import Entry
from edgekit.tasks.scores import score_text, title
from edgekit.text.tables import ratio_with_interval, table

HEADER = (
    "stage", "val {}", "bytes", "x", "gzip -9", "x", "parameters", "MACs", "zeros", "unique max",
    "latency vs source", "seconds",
)  # fmt: skip


def ledger_table(entries: Sequence[Entry]) -> str:
    """Return the whole ledger; sizes and latency are against the first entry, the source."""
    columns = [name.format(title(entries[0].score.metric)) for name in HEADER]
    return table(columns, [_cells(entry, entries[0]) for entry in entries])


def _cells(entry: Entry, source: Entry) -> tuple[str, ...]:
    ratio = entry.ratio()
    return (
        entry.stage,
        score_text(entry.score),
        f"{entry.bytes:,}",
        f"{entry.bytes / source.bytes:.2f}x",
        f"{entry.gzip_bytes:,}",
        f"{entry.gzip_bytes / source.gzip_bytes:.2f}x",
        f"{entry.parameters:,}",
        "-" if entry.macs is None else f"{entry.macs:,}",
        f"{entry.zeros:.1%}",
        str(max(entry.unique.values(), default=0)),
        "1.00x" if ratio is None else ratio_with_interval(ratio),
        f"{entry.seconds:.0f}",
    )
