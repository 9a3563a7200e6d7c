"""Texts of strangers in Markdown: shown as they are, whatever they hold, and never as markup.

Written for GitHub's comments (https://github.github.com/gfm/): neither HTML, links, images, mentions and references to
issues nor cells of a table begin or end inside of such a text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from edgekit.errors.printable import lines, visible
from edgekit.text.columns import Column

_PLAIN_CODE = re.compile(r"[A-Za-z0-9_.,+=%()\[\]/-][A-Za-z0-9_.,+=%()\[\] /-]*(?<! )")
_MARKS = re.compile(
    r"[\\`*_<>#|~@&$]"  # code, emphasis, HTML, headings and issues, cells, mentions, references, formulas
    r"|\](?=[(\[:])"  # links and their definitions
    r"|:(?=//)|(?<=www)\.|(?<=mailto):",  # addresses
    re.IGNORECASE,
)


def code(name: str) -> str:
    """Return a name as code."""
    shown = visible(name)
    if _PLAIN_CODE.fullmatch(shown):
        return f"`{shown}`"
    return f"<code>{''.join(c if c.isalnum() or c in ' -' else f'&#{ord(c)};' for c in shown)}</code>"


def plain(text: str) -> str:
    """Return a text as a text of one line; what would mark something stands as a character reference."""
    return _MARKS.sub(lambda match: f"&#{ord(match[0])};", visible(text))


def prose(text: str) -> str:
    """Return a text of one line as `plain` does, and what stands in backticks in it as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one is left open
        parts[-2:] = ["`".join(parts[-2:])]
    return "".join(code(part) if index % 2 and part else plain(part) for index, part in enumerate(parts))


def table(columns: Sequence[Column[Any]], rows: Sequence[Any], names: Sequence[str] = ()) -> str:
    """Return a table.

    Args:
        columns: of it.
        rows: of it.
        names: columns whose cells are names, and so code.
    """
    shown = [_line([plain(column.header) for column in columns])]
    shown.append(_line([":---" if column.left else "---:" for column in columns]))
    for row in rows:
        cells = [(column.text(row), column.name in names) for column in columns]
        shown.append(_line([code(cell) if cell and named else plain(cell) for cell, named in cells]))
    return lines(shown)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
