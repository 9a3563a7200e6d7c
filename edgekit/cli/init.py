"""`edgekit init`."""

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.output import asked, show_json
from edgekit.cli.terminal import show
from edgekit.errors.printable import visible

NAME = "init"
HELP = """Write files to start from: data.py, recipe.toml, budget.toml, and a workflow for GitHub.

data.py is a function that gives edgekit your data, budget.toml is for `edgekit check`, and edgekit.yml is a workflow
for GitHub Actions that runs the check on an emulated board. All have comments."""
EXAMPLES = (
    "edgekit init project",
    "edgekit compress model.keras --data project/data.py:load --recipe project/recipe.toml -o out",
)


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace the files if they exist.")] = False,
) -> None:
    """Write the files."""
    from edgekit.api.starter import write_starter

    written = write_starter(folder, force=force)
    if asked().as_json:
        show_json({"written": list(map(str, written))})
        return
    for path in written:
        show(f"written: {visible(str(path))}")
