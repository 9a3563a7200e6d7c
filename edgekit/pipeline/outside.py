"""`--normalize-outside`: normalization at a model's start, done by the preprocessing; where that is no option."""

from __future__ import annotations

from pathlib import Path

from edgekit.bundle.recipe import Recipe
from edgekit.errors import InputError
from edgekit.tasks.task import Task


def check_outside(recipe: Recipe, task: Task | None) -> None:
    """Raise `InputError` if other inputs of the model would make a run mean something else.

    Args:
        recipe: what is to be done.
        task: what the outputs are for; None where that is not known yet.
    """
    if task is not None and task.main.kind == "reconstruction":
        raise InputError(
            "--normalize-outside: not for autoencoders, because it changes their target",
            "leave the option out",
            code="normalize-outside-unsuitable",
        )
    named = {value for spec in recipe.stages for key, value in spec.options.items() if key in ("teacher", "student")}
    files = sorted(value for value in named if Path(str(value)).suffix)
    if files:
        raise InputError(
            f"--normalize-outside: {', '.join(files)} would get the new inputs of the model, not those of its training",
            "leave the option out, or distil first, into a bundle whose .keras file is compressed with it",
            code="normalize-outside-unsuitable",
        )


def may_move(recipe: Recipe, task: Task) -> bool:
    """Return whether nothing but the model itself stands against it."""
    try:
        check_outside(recipe, task)
    except InputError:
        return False
    return True
