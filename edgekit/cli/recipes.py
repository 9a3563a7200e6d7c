"""`edgekit recipes`."""

from __future__ import annotations

from typing import Annotated

import typer

from edgekit.cli.terminal import show

NAME = "recipes"
HELP = """List the named recipes, or print one as TOML to start your own from."""
EPILOG = """Example: edgekit recipes int8 > mine.toml"""


def command(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Print this recipe, resolved.")] = None,
) -> None:
    """List or print recipes."""
    from edgekit.bundle.recipe import load_recipe, named_recipes

    if name:
        show(load_recipe(name).to_toml(), nl=False)
        return
    names = named_recipes()
    width = max(map(len, names)) + 2
    for known in names:
        show(f"{known:<{width}}{load_recipe(known).description}")
