"""The command that holds the others: where defaults come from, and wrong usage as JSON."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import typer
from typer.core import TyperGroup

from edgekit.cli.command import FILE, SETTINGS
from edgekit.cli.entry import failure
from edgekit.cli.output import Output, ask, asked, show_json

HELP_WANTED = "edgekit.help"
HELPERS = (["explain"], ["doctor"])
"""Commands that help where something is wrong, such as the file of defaults: they do not read it."""
UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Of Typer, which does not export it."""


class Group(TyperGroup):
    """All of edgekit's commands."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for param in self.params:  # EDGEKIT_VERSION and the like are no wishes
            param.allow_from_autoenv = False  # type: ignore[attr-defined]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read what stands before the command; what it prints may be JSON from then on."""
        ask(Output(as_json="--json" in args))
        ctx.meta[HELP_WANTED] = args[:1] in HELPERS or any(word in args for word in SETTINGS["help_option_names"])
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run a command, whose options may have defaults in the user's `pyproject.toml`."""
        try:
            if not ctx.meta[HELP_WANTED]:
                _read_defaults(self, ctx)
            return super().invoke(ctx)
        except UsageError as error:
            if asked().as_json:
                show_json(failure("wrong-usage", getattr(error, "message", str(error))))
            raise


def _read_defaults(group: Group, ctx: Any) -> None:
    """Give the commands the defaults of `[tool.edgekit]`, and remember which file holds them."""
    from edgekit.bundle.defaults import find_pyproject, read_defaults

    if find_pyproject(Path.cwd()) is not None:
        defaults = read_defaults(Path.cwd(), _options(group))
        ctx.default_map = defaults.options
        ctx.meta[FILE] = defaults.path


def _options(command: Any) -> dict[str, Any]:
    """Return what the options of a command take, or of all commands of a group, by name."""
    from edgekit.bundle.defaults import Option

    if hasattr(command, "commands"):
        return {name: _options(below) for name, below in command.commands.items()}
    options = {}
    annotations = inspect.signature(command.callback).parameters
    for param in command.params:
        if param.param_type_name == "option" and param.name in annotations:
            kind = annotations[param.name].annotation
            kinds = [part for part in _parts(kind) if part in (bool, int, float, str, Path)]
            options[param.name] = Option(kinds[0], several=param.multiple)
    return options


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield the types in `Annotated[list[str] | None, ...]`, from the outside in."""
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)
