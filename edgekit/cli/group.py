"""The command that holds the others: where defaults come from, and wrong usage as JSON."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from edgekit.cli.entry import failure
from edgekit.cli.output import Output, ask, asked, show_json

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
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            if asked().as_json:
                show_json(failure("wrong-usage", getattr(error, "message", str(error))))
            raise
