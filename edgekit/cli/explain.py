"""`edgekit explain`."""

import dataclasses
from typing import Annotated

import typer

from edgekit.cli.output import asked, show_json
from edgekit.cli.terminal import show

NAME = "explain"
HELP = """Explain the code of an error, a warning, a lint finding, a verdict reason or a check, or list all codes.

Messages end with their code in brackets, and JSON output carries it. A code never changes its meaning."""
EXAMPLES = ("edgekit explain wrong-usage", "edgekit explain", "edgekit explain --json > codes.json")


def command(
    code: Annotated[str | None, typer.Argument(metavar="CODE", help="As it stands in a message: wrong-usage.")] = None,
) -> None:
    """Print one code, or all of them by room.

    Raises:
        BadParameter: there is no such code.
    """
    from edgekit.errors.codes import near, register
    from edgekit.errors.codes.pages import listed, page

    known = register()
    if code is None:
        if asked().as_json:
            show_json({"codes": [dataclasses.asdict(entry) for entry in known.values()]})
        else:
            show(listed(known.values()))
        return
    if code not in known:
        names = " or ".join(f"`{name}`" for name in near(code))
        like = f"; did you mean {names}?" if names else "; all: edgekit explain"
        raise typer.BadParameter(f"there is no code `{code[:100]}`{like}", param_hint="CODE")
    if asked().as_json:
        show_json(dataclasses.asdict(known[code]))
    else:
        show(page(known[code]))
