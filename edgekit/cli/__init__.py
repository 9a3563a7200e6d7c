"""The command line. One file a command: parse, call one library function, print.

Nothing heavy is imported at module level here or in the commands, so that `--help` stays instant; and commands leave
`from __future__ import annotations` out: Typer needs annotations as objects, and evaluating texts takes time. This is
the only place that prints, and the only one that decides exit codes:

    0  done
    1  an explained failure (EdgekitError)
    2  wrong usage
    3  done in part: some of the measurements or checks failed; or a bundle that lost too much to be used
    4  `check` only: no bound is missed, and one or more cannot be told
    129, 130, 143  interrupted: the terminal was closed, Ctrl-C, SIGTERM; nothing is left half-written
    141  whoever read stdout is gone, as after `| head -1`
"""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer

from edgekit.cli import (
    bench,
    check,
    compare,
    compress,
    doctor,
    explain,
    history,
    init,
    push,
    recipes,
    report,
    search,
    sensitivity,
    targets,
    train,
)
from edgekit.cli import inspect as inspect_
from edgekit.cli.command import SETTINGS, VARIABLES, add
from edgekit.cli.entry import run
from edgekit.cli.group import Group
from edgekit.cli.terminal import show

WIDE = (compress, sensitivity, bench, compare, report, check, search)
"""Commands whose tables may be wider than a terminal."""

COMMANDS = (
    init, train, compress, sensitivity, search, bench, compare, push, inspect_, report, check, history, recipes,
    explain, doctor,
)  # fmt: skip
HELP = "From a trained Keras model to int8 files for a phone or a small board, every number measured on the file."
OVERVIEW: Final[tuple[list[str], ...]] = (["--help"], ["-h"], [])
"""What shows the names of commands only, and is quick because no option is looked at."""


def main() -> None:
    """Run the command line; `edgekit.__main__` is where a process starts."""
    sys.exit(run(overview() if sys.argv[1:] in OVERVIEW else app, "edgekit"))


def _print_version(wanted: bool) -> None:
    if wanted:
        from edgekit import __version__

        show(__version__)
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Hold the options that stand before a command."""


def _application() -> typer.Typer:
    """Return edgekit's command line without its commands."""
    made = typer.Typer(
        cls=Group,
        name="edgekit",
        help=HELP,
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={**SETTINGS, "auto_envvar_prefix": VARIABLES},
    )
    made.callback()(_root)
    return made


def overview() -> typer.Typer:
    """Return the command line with the commands' names and what they do, and none of their options."""
    made = _application()
    for module in COMMANDS:
        made.command(module.NAME, help=module.HELP)(_nothing)
    made.command(targets.NAME, help=targets.HELP)(_nothing)
    return made


def _nothing() -> None:
    """Stand for a command whose help alone is shown."""


app = _application()
for module in COMMANDS:
    add(
        app,
        module.NAME,
        module.command,
        help=module.HELP,
        examples=module.EXAMPLES,
        panels=getattr(module, "PANELS", {}),
        wide=module in WIDE,
    )
app.add_typer(targets.app, name=targets.NAME)
