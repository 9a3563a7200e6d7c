"""Text from elsewhere in Markdown as GitHub reads it.

It stands in code spans: GitHub takes no markup, link, formula or HTML out of them, and, unlike in text whose characters
are escaped, no mention of a user either.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgekit.errors.printable import visible


def code(text: str, *, cell: bool = True) -> str:
    r"""Return text as a code span on one line.

    Args:
        text: from anywhere.
        cell: whether it stands in a cell of a table, which `|` would end also inside of code, and `\|` behind a
            backslash, too: there it is shown as `\x7c`.
    """
    shown = visible(text).replace("|", "\\x7c" if cell else "|")
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    space = " " if not shown.strip() or shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{space}{shown}{space}{fence}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
