"""The effect ledger as text: a line a stage."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.ledger import Entry
from edgekit.report.scores import score_text, title
from edgekit.report.text import ratio_with_interval, table

HEADER = (
    "stage", "val {}", "bytes", "x", "gzip -9", "x", "parameters", "MACs", "zeros", "unique max",
    "latency vs source", "seconds",
)  # fmt: skip


def ledger_table(entries: Sequence[Entry]) -> str:
    """Return the whole ledger; sizes and latency are against the first entry, the source."""
    columns = [name.format(title(entries[0].score.metric)) for name in HEADER]
    return table(columns, [_cells(entry, entries[0]) for entry in entries])


def ledger_line(entry: Entry, source: Entry) -> str:
    """Return one entry as a line that reads by itself."""
    cells = dict(zip(HEADER, _cells(entry, source), strict=False))
    small = f"{entry.bytes / source.bytes:.2f}x, gzip {entry.gzip_bytes / source.gzip_bytes:.2f}x"
    return (
        f"{entry.stage} as {entry.scheme}: {cells['val {}']}, {entry.bytes:,} bytes ({small}), "
        f"{cells['MACs']} MACs, zeros {cells['zeros']}, at most {cells['unique max']} distinct weights a layer, "
        f"latency {cells['latency vs source']}, {entry.seconds:.0f} s"
    )


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
