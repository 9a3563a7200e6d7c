"""What is found by name from Python: recipes, stages, targets, codes; and the files to start from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.api.words import face
from edgekit.bundle.recipe import Recipe, StageSpec, named_recipes
from edgekit.bundle.recipe import load_recipe as read_recipe
from edgekit.devices.target import Target
from edgekit.devices.targets import all_targets
from edgekit.devices.targets import find_target as read_target
from edgekit.errors import InputError
from edgekit.errors.codes import Explanation, near, register

if TYPE_CHECKING:
    from edgekit.devices.this_machine import Machine


def Stage(use: str, **options: object) -> StageSpec:
    """Return a training stage: `Stage("prune", amount=0.5, epochs=5)`. Its options are checked when it is used."""
    return StageSpec(use, options)


def list_recipes() -> list[Recipe]:
    """Return the recipes that edgekit knows by name."""
    return [read_recipe(name) for name in named_recipes()]


@face
def load_recipe(recipe: str | Path) -> Recipe:
    """Return a recipe.

    Args:
        recipe: a name of `list_recipes`, or the path of a `.toml` file.

    Raises:
        InputError: there is none, or something in it is wrong.
    """
    return read_recipe(str(recipe))


@face
def list_targets() -> list[Target]:
    """Return the targets of `./targets`, of the user's configuration folder and of the package.

    Raises:
        InputError: something in one of them is wrong.
    """
    return all_targets()


@face
def find_target(target: str | Path, *, trust_target: bool = False) -> Target:
    """Return a target.

    Args:
        target: a name of `list_targets`, or the path of a `.toml` file.
        trust_target: use a file that is neither the user's own nor the package's, whatever it says.

    Raises:
        InputError: there is none, something in it is wrong, or it says what not everybody may.
    """
    return read_target(str(target), trust=trust_target)


@face
def explain(code: str) -> Explanation:
    """Return what a code of an error, a warning, a lint finding, a verdict reason or a check means.

    Raises:
        InputError: there is no such code.
    """
    known = register()
    if code not in known:
        names = " or ".join(f"`{name}`" for name in near(code))
        hint = f"did you mean {names}?" if names else "all of them: edgekit explain"
        raise InputError(f"unknown code `{code}`", hint, code="unknown-name")
    return known[code]


@face
def doctor() -> Machine:
    """Return the versions of what matters here, and what of it works: `checks`, and `broken`; about 3 s."""
    from edgekit.devices.this_machine import examine_here

    return examine_here()


@face
def init(folder: str | Path = ".", *, force: bool = False) -> list[Path]:
    """Write files to start from, `data.py` and `recipe.toml`, and return their paths.

    Args:
        folder: where to.
        force: replace them if they exist.

    Raises:
        OutputError: one exists, or cannot be written.
    """
    from edgekit.api.starter import write_starter

    return list(write_starter(Path(folder), force=force))
