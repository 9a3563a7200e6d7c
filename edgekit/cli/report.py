"""`edgekit report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.terminal import show

NAME = "report"
HELP = """Print the table of run records again; of several records one table, to compare them.

Statistics are computed from the raw samples in the records. The first file of the first record is what all others are
compared with; what makes two records hard to compare is said below the table."""
EXAMPLES = (
    "edgekit report edgekit-records/*.json",
    "edgekit report before.json after.json",
)


def command(
    records: Annotated[list[Path], typer.Argument(metavar="RECORD", help="JSON files that edgekit bench wrote.")],
) -> None:
    """Print records."""
    from edgekit.bundle.records import read_record
    from edgekit.report.bench_table import bench_table
    from edgekit.report.comparison import comparison

    found = [read_record(path) for path in records]
    stems = [path.stem for path in records]
    names = stems if len(set(stems)) == len(stems) else list(map(str, records))
    show(comparison(dict(zip(names, found, strict=True))) if len(set(names)) > 1 else bench_table(found[0]))
