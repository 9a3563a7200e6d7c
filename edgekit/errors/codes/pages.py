"""Codes as text: one explained, all listed, and the page of the documentation."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby

from edgekit.errors.codes import Explanation

WIDTH = 100


def page(entry: Explanation) -> str:
    """Return what a code means, why it matters and how to mend it."""
    parts = [f"{entry.code} ({entry.kind}, {entry.room})"]
    for title, text in (("meaning", entry.means), ("why it matters", entry.why), ("what to do", entry.mend)):
        parts.append(f"{title}\n{textwrap.fill(text, WIDTH, initial_indent='  ', subsequent_indent='  ')}")
    return "\n\n".join(parts)


def listed(entries: Iterable[Explanation]) -> str:
    """Return all codes with their meaning, by room."""
    parts = []
    for room, group in _rooms(entries):
        width = max(len(entry.code) for entry in group)
        texts = [f"  {entry.code:<{width}}  {entry.kind:<14}  {entry.means}" for entry in group]
        parts.append("\n".join([room, *texts]))
    return "\n\n".join(parts)


def markdown(entries: Iterable[Explanation]) -> str:
    """Return the page of the documentation."""
    text = [
        "# Codes",
        "Every error, warning, lint finding, verdict reason and missed bound has a code that never changes its "
        "meaning. It stands in brackets behind the message and in JSON output; `edgekit explain CODE` prints these "
        "texts.",
    ]
    for room, group in _rooms(entries):
        text.append(f"## {room}")
        for entry in group:
            text.append(f"### `{entry.code}`")
            text.append(f"*{entry.kind}* · {entry.means}")
            text.append(f"**Why it matters:** {entry.why}")
            text.append(f"**What to do:** {entry.mend}")
    return "\n\n".join(text) + "\n"


def _rooms(entries: Iterable[Explanation]) -> Iterator[tuple[str, list[Explanation]]]:
    """Yield the codes of every room, both in alphabetical order."""
    for room, group in groupby(sorted(entries, key=lambda entry: (entry.room, entry.code)), lambda entry: entry.room):
        yield room, list(group)
