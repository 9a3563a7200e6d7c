"""How much of something a page shows, so that a browser can still show it; other formats have everything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

MOST_POINTS = 400
"""Of a chart; those of the Pareto front come first."""
MOST_ROWS = 2_000
"""Of a table."""
MOST_SOURCES = 200
"""Records, bundles or searches whose making is told."""
MOST_DRAWN = 24
"""Records, bundles or searches with charts of their own."""
MOST_PLACES = 30
"""Files that a reason of a verdict names."""


def first(found: Sequence[T], most: int, noun: str) -> tuple[Sequence[T], list[str]]:
    """Return the first ones, and a sentence about the others where there are any.

    Args:
        found: all of them.
        most: to keep.
        noun: what they are, in the plural.
    """
    left = len(found) - most
    return found[:most], [f"{left:,} more {noun} are not shown here; `--format csv` has them."] if left > 0 else []
