"""Searches: the front, and what it is the front of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.bundle.budget import OPTIONS
from edgekit.bundle.search_result import Point as SearchPoint
from edgekit.bundle.search_result import SearchResult
from edgekit.reporting.html.markup import Markup, element, joined
from edgekit.reporting.html.points import Chosen, called, of_search
from edgekit.reporting.html.sections.limits import MOST_DRAWN, MOST_SOURCES, first
from edgekit.reporting.html.sections.overview import charts
from edgekit.reporting.html.sections.parts import Section, column_help, figures, paragraphs, table
from edgekit.reporting.search_table import shown_columns, summary
from edgekit.text.columns import Column

IDENTIFIER = "searches"


def searches(found: Mapping[str, SearchResult], chosen: Chosen) -> Section | None:
    """Return every search, with the files that were chosen marked; None: there is none."""
    if not found:
        return None
    shown, left = first(list(found.items()), MOST_SOURCES, "searches")
    parts = [
        _search(f"{IDENTIFIER}-{index}", name, result, chosen, drawn=index <= MOST_DRAWN)
        for index, (name, result) in enumerate(shown, 1)
    ]
    return Section(IDENTIFIER, "Searches", joined([*parts, paragraphs(left)]))


def _search(identifier: str, name: str, result: SearchResult, chosen: Chosen, *, drawn: bool) -> Markup:
    group = of_search(name, result, chosen)
    columns = shown_columns(result)
    return joined([
        element("h3", name),
        paragraphs([*summary(result), budget(result)]),
        figures(identifier, charts(group)) if drawn and group is not None else None,
        _table(name, result, columns, chosen) if result.front else None,
        column_help(columns) if result.front else None,
    ])  # fmt: skip


def _table(name: str, result: SearchResult, columns: Sequence[Column[SearchPoint]], chosen: Chosen) -> Markup:
    return table(
        columns,
        result.front,
        f"The front of {name}",
        sortable=True,
        marked=lambda point: "ship" * ((called(point), name) in chosen),
    )


def budget(result: SearchResult) -> str:
    """Return the bounds of a search as its options."""
    bounds = [
        f"`{option} {value:,}`" if isinstance(value, int) else f"`{option} {value:g}`"
        for field, option in OPTIONS.items()
        if (value := getattr(result.budget, field)) is not None
    ]
    return f"Budget: {', '.join(bounds)}" if bounds else "No budget was set."
