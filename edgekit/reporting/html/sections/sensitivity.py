"""Which layers int8 hurts."""

from __future__ import annotations

from collections.abc import Mapping

from edgekit.bundle.sensitivity import Sensitivity
from edgekit.reporting.html.charts.sensitivity import sensitivity
from edgekit.reporting.html.markup import element, joined
from edgekit.reporting.html.sections.parts import Figure, Section, column_help, details, figures, paragraphs, table
from edgekit.reporting.sensitivity_table import COLUMNS, conclusion, notes, rows

IDENTIFIER = "sensitivity"


def sensitivities(found: Mapping[str, Sensitivity]) -> Section | None:
    """Return the layers of every int8 file that was looked at; None: none was."""
    if not found:
        return None
    parts = []
    for index, (name, one) in enumerate(found.items(), 1):
        chart = Figure("SQNR along the net", sensitivity(one), wide=True)
        whole = table(COLUMNS, rows(one, one.ranked), f"Layers of {name}", sortable=True)
        parts += [
            element("h3", name),
            paragraphs([f"{conclusion(one)}.", *notes(one)]),
            figures(f"{IDENTIFIER}-{index}", [chart]),
            details(f"All {len(one.layers)} layers", whole, column_help(COLUMNS)),
        ]
    return Section(IDENTIFIER, "Layers that int8 hurts", joined(parts))
