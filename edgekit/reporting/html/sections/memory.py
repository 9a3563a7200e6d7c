"""The memory passes."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.reporting.html.charts.memory import FIRST, LOADED, Footprint, memory
from edgekit.reporting.html.markup import Markup, element, joined
from edgekit.reporting.html.sections.labels import labels
from edgekit.reporting.html.sections.parts import Figure, Section, figures, plain_table
from edgekit.reporting.rows import Row

IDENTIFIER = "memory"
MOST = 60


def memory_passes(rows: Sequence[Row]) -> Section | None:
    """Return the charts, by device; None: no memory was measured."""
    measured = [row for row in rows if row.memory_mib is not None][:MOST]
    if not measured:
        return None
    devices = list(dict.fromkeys(row.record.target for row in measured))
    charts = []
    for device in devices:
        here = [row for row in measured if row.record.target == device]
        named = zip(here, labels(here), strict=True)
        found = [one for row, label in named if (one := Footprint.of_run(label, row.measurement.memory))]
        charts.append(Figure(device, memory(found), numbers=_numbers(found), wide=len(devices) == 1))
    how = "A process of its own loads the file, runs it once, and runs on; what its imports needed is subtracted."
    return Section(IDENTIFIER, "Memory", joined([element("p", how), figures(IDENTIFIER, charts)]))


def _numbers(found: Sequence[Footprint]) -> Markup:
    def text(mib: float | None) -> str:
        return "-" if mib is None else f"{mib:.1f} MiB"

    rows = [(one.label, text(one.loaded_mib), text(one.first_mib), text(one.peak_mib)) for one in found]
    return plain_table("Resident set over that after the imports", ["file", LOADED, FIRST, "peak"], rows)
