"""A report as text: what is decided, the tables, and accuracy against size and latency as a drawing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgekit.bundle.collection import Skipped
from edgekit.errors.printable import lines, visible
from edgekit.reporting import bundle_page, search_table
from edgekit.reporting.bench_table import bench_table
from edgekit.reporting.clouds import clouds
from edgekit.reporting.comparison import comparison
from edgekit.reporting.contents import Contents
from edgekit.reporting.deciding import Decision
from edgekit.reporting.scatter import scatter
from edgekit.text.columns import PLAIN, Look

MOST_SKIPPED = 20
"""Files that are named of those that were skipped."""


def text(contents: Contents, look: Look = PLAIN) -> str:
    """Return the report.

    Args:
        contents: of it.
        look: where it is shown.
    """
    collection = contents.collection
    parts = [decided(contents.decisions), *_records(contents, look)]
    for name, bundle in collection.bundles.items():
        parts.append(f"bundle {visible(name)}\n\n{bundle_page.page(bundle, look)}")
    for name, result in collection.searches.items():
        parts.append(f"search {visible(name)}\n\n{search_table.search_table(result, look)}")
    parts += [scatter(cloud, look.width) for cloud in clouds(contents)]
    parts.append(lines(skipped_lines(collection.skipped)))
    return "\n\n".join(filter(None, parts))


def decided(decisions: Sequence[Decision]) -> str:
    """Return decisions: the sentence of each, and indented below it what it costs."""
    choices = [decision.choice for decision in decisions]
    return lines(text for c in choices for text in (str(c.sentence), *(f"  {note}" for note in c.notes)))


def _records(contents: Contents, look: Look) -> Iterator[str]:
    records = contents.collection.records
    if len(records) == 1:
        yield bench_table(*records.values(), look=look, rows=contents.rows)
    elif records:
        yield comparison(records, look, contents.rows)


def skipped_lines(skipped: Sequence[Skipped]) -> list[str]:
    """Return how many files were skipped, and which and why, as far as they are not too many."""
    if not skipped:
        return []
    named = [f"  {one.path}: {one.message} [{one.code}]" for one in skipped[:MOST_SKIPPED]]
    more = len(skipped) - len(named)
    return [skipped_count(skipped), *named, *([f"  and {more:,} more"] if more else [])]


def skipped_count(skipped: Sequence[Skipped]) -> str:
    """Return `skipped 3 files:`."""
    return f"skipped {len(skipped):,} file{'s' * (len(skipped) != 1)}:"
