"""`edgekit history`."""

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.options import parts
from edgekit.cli.output import asked, look, progress, show_json
from edgekit.cli.terminal import show

NAME = "history"
HELP = """Show a metric of every file over the dates of records, and where its level changed.

Records whose conditions are unlike (another device, runtime, governor, set of samples) are not joined: each has a
series of its own, which names what differs. A change is marked where the values before and behind it differ by more
than values in random order do in 99 of 100 cases; of sizes, every other value is one."""
EXAMPLES = (
    "edgekit history edgekit-records",
    "edgekit history edgekit-records --metric accuracy --only int8",
    "edgekit history records --metric size --markdown history.md",
)
PANELS = {"What": "metric only", "Output": "markdown"}
"""Groups of options in `--help`, in its order."""


def command(
    records: Annotated[list[Path], typer.Argument(metavar="FOLDER|RECORD", help="Records of edgekit bench.")],
    metric: Annotated[
        str, typer.Option("--metric", help="latency, latency-ratio (to the first file), size, accuracy or memory.")
    ] = "latency",
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", help="Files whose name, format or scheme is: int8, '*-int8.tflite'; may be given again."
        ),
    ] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Append the history there, too.")] = None,
) -> None:
    """Show the history of files."""
    console = progress()
    from edgekit.api.histories import history
    from edgekit.api.words import as_command
    from edgekit.reporting.history.texts import document, history_text

    with console.events() as shown:
        found = as_command(history)(records, metric=metric, only=parts(only), markdown=markdown, progress=shown)
    if asked().as_json:
        show_json(document(found))
    else:
        show(history_text(found, look().width))
