"""`edgekit report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.terminal import show
from edgekit.printable import visible

NAME = "report"
HELP = """Print the table of run records again. Statistics are computed from the raw samples in the records."""
EPILOG = """Example: edgekit report edgekit-records/*.json"""


def command(
    records: Annotated[list[Path], typer.Argument(metavar="RECORD...", help="JSON files that edgekit bench wrote.")],
) -> None:
    """Print records."""
    from edgekit.records import read_record
    from edgekit.report.bench_table import bench_table

    for index, path in enumerate(records):
        if index:
            show()
        if len(records) > 1:
            show(f"{visible(str(path))}\n")
        show(bench_table(read_record(path)))
