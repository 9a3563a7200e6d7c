"""A report as Markdown that fits a comment on a pull request: what is decided, short tables, and the rest folded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from edgekit.errors.printable import lines
from edgekit.reporting import bench_columns, bundle_table, ledger_table, search_table
from edgekit.reporting.bench_table import TARGET, reasons
from edgekit.reporting.choosing import Name, Sentence
from edgekit.reporting.comparison import RECORD
from edgekit.reporting.conditions import conditions
from edgekit.reporting.contents import Contents
from edgekit.reporting.formats.marked import code, plain, prose, table
from edgekit.reporting.formats.terminal import skipped_count, skipped_lines
from edgekit.text.columns import Column

LONGEST = 60_000
"""Characters; GitHub takes 65,536."""
MOST_ROWS = 50
"""Of a table that is not folded."""
SHORT = ("file", "threads", "bytes", "vs_baseline", "score", "verdict")
"""Columns of the table of measurements that is not folded."""
NAMES = ("record", "file", "target", "stage", "bundle")


def text(contents: Contents) -> str:
    """Return the report."""
    shown, folded = list(_shown(contents)), list(_folded(contents))
    left_out = 0
    while folded and len("\n\n".join([*shown, *folded])) > LONGEST:
        folded.pop()
        left_out += 1
    if left_out:
        folded.append(f"Left out, so that this fits a comment: {left_out} more section{'s' * (left_out != 1)}.")
    whole = "\n\n".join([*shown, *folded])
    return f"{whole}\n" if len(whole) <= LONGEST else f"{_cut(shown)}\n"


def _cut(parts: Sequence[str]) -> str:
    """Return the first parts, as many as fit."""
    kept: list[str] = []
    for part in parts:
        if len("\n\n".join([*kept, part])) > LONGEST:
            return "\n\n".join([*kept, "The rest is too long for a comment."])
        kept.append(part)
    return "\n\n".join(kept)


def _shown(contents: Contents) -> Iterator[str]:
    for decision in contents.decisions:
        notes = [_sentence(note) for note in decision.choice.notes]
        yield " ".join([f"**{_sentence(decision.choice.sentence)}**", *notes])
    if contents.rows:
        columns = bench_columns.columns_for(contents.rows)
        yield _table([*_before(contents), *(c for c in columns if c.name in SHORT)], contents.rows)
    if contents.cautions:
        yield _list(contents.cautions)
    for name, bundle in contents.collection.bundles.items():
        rows = bundle_table.rows(bundle.manifest)
        tested = ["test_score"] * any(row.tested for row in rows)
        shown = [c for c in bundle_table.shown_columns(bundle) if c.name in ("file", "bytes", "score", *tested)]
        yield f"Bundle {code(name)}\n\n{_table(shown, rows)}"
    for name, result in contents.collection.searches.items():
        kept = ("trial", "score", "test", "bytes", "latency_ms", "bundle")
        shown_columns = [c for c in search_table.shown_columns(result) if c.name in kept]
        said = "\n\n".join(map(prose, search_table.summary(result)))
        yield f"Search {code(name)}\n\n{_table(shown_columns, result.front)}\n\n{said}"
    if contents.collection.skipped:
        yield plain(f"{skipped_count(contents.collection.skipped).rstrip(':')}.".capitalize())


def _folded(contents: Contents) -> Iterator[str]:
    records = contents.collection.records
    if contents.rows:
        columns = bench_columns.columns_for(contents.rows)
        yield _fold("All numbers", _table([*_before(contents), *columns], contents.rows))
        why = reasons(contents.rows, _before(contents))
        if why:
            yield _fold("Why verdicts are not valid", _list(why.splitlines()))
        yield from (_fold(f"Conditions of {name}", _list(conditions(r).splitlines())) for name, r in records.items())
    for name, bundle in contents.collection.bundles.items():
        entries = bundle.manifest.ledger
        if entries:
            columns_of_ledger = ledger_table.shown_columns(entries)
            yield _fold(f"Effect ledger of {name}", _table(columns_of_ledger, ledger_table.rows(entries)))
        rows = bundle_table.rows(bundle.manifest)
        yield _fold(f"Files of {name}", _table(bundle_table.shown_columns(bundle), rows))
    for name, result in contents.collection.searches.items():
        yield _fold(f"Front of {name}", _table(search_table.shown_columns(result), result.front))
    if contents.collection.skipped:
        yield _fold("Skipped", _list(line.strip() for line in skipped_lines(contents.collection.skipped)[1:]))


def _before(contents: Contents) -> list[Column[Any]]:
    """Return the columns that tell records and devices apart, where there are several."""
    several = [RECORD] if len(contents.collection.records) > 1 else []
    devices = {row.record.target for row in contents.rows}
    return [*several, *([TARGET] if len(devices) > 1 else [])]


def _table(columns: Sequence[Column[Any]], rows: Sequence[Any]) -> str:
    left = len(rows) - MOST_ROWS
    more = f"\n\n{left:,} more row{'s' * (left != 1)}" if left > 0 else ""
    return f"{table(columns, rows[:MOST_ROWS], NAMES)}{more}"


def _fold(title: str, inside: str) -> str:
    """Return what is shown when its title is chosen."""
    return f"<details><summary>{plain(title)}</summary>\n\n{inside}\n\n</details>"


def _list(items: Iterable[str]) -> str:
    return lines(f"- {prose(item)}" for item in items)


def _sentence(sentence: Sentence) -> str:
    return "".join(code(part) if isinstance(part, Name) else prose(part) for part in sentence.parts)
