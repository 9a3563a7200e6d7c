"""`edgekit recipes`."""

from typing import Annotated

import typer

from edgekit.cli.output import asked, show_json
from edgekit.cli.terminal import show

NAME = "recipes"
HELP = """List the named recipes, or print one as TOML to start your own from."""
EXAMPLES = ("edgekit recipes int8 > mine.toml",)


def command(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Print this recipe, resolved.")] = None,
) -> None:
    """List or print recipes."""
    from edgekit.bundle.recipe import load_recipe, named_recipes

    if name:
        recipe = load_recipe(name)
        if asked().as_json:
            show_json({"name": recipe.name, "description": recipe.description, "toml": recipe.to_toml()})
        else:
            show(recipe.to_toml(), nl=False)
        return
    names = named_recipes()
    if asked().as_json:
        show_json({"recipes": [{"name": known, "description": load_recipe(known).description} for known in names]})
        return
    width = max(map(len, names)) + 2
    for known in names:
        show(f"{known:<{width}}{load_recipe(known).description}")
