"""`edgekit report`."""

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.output import asked, look, show_json
from edgekit.cli.terminal import show

NAME = "report"
HELP = """Print the table of run records again; of several records one table, to compare them.

Statistics are computed from the raw samples in the records. The first file of the first record is what all others are
compared with; what makes two records hard to compare stands below the table."""
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
    from edgekit.report.comparison import comparison, comparison_values

    stems = [path.stem for path in records]
    names = stems if len(set(stems)) == len(stems) else list(map(str, records))
    by_name = {name: read_record(path) for name, path in zip(names, records, strict=True)}
    if asked().as_json:
        show_json(comparison_values(by_name))
    elif len(by_name) > 1:
        show(comparison(by_name, look()))
    else:
        show(bench_table(*by_name.values(), look=look()))
