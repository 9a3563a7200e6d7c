"""What `--json`, `--wide`, `--quiet` and `--verbose` ask for, for the command that runs."""

from __future__ import annotations

import os
import shutil
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli.terminal import message, show

if TYPE_CHECKING:
    from edgekit.api.console import Console
    from edgekit.text.columns import Look

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, nothing else.")]
Wide = Annotated[bool, typer.Option("--wide", help="All columns, however narrow the terminal.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr; warnings stay.")]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Name where settings come from, and more details."),
]


@dataclass(frozen=True)
class Output:
    """How results and progress are shown."""

    as_json: bool = False
    wide: bool = False
    quiet: bool = False
    verbose: bool = False


_DEFAULT = Output()
_asked: ContextVar[Output] = ContextVar("output")


def ask(output: Output) -> None:
    """Set what the rest of this run follows."""
    _asked.set(output)


def asked() -> Output:
    """Return what this run follows."""
    return _asked.get(_DEFAULT)


def progress() -> Console:
    """Return the progress of a command, as far as it is wanted."""
    from edgekit.api.console import Console

    return Console(quiet=asked().quiet)


def detail(text: str) -> None:
    """Print a line on stderr that only `--verbose` wants."""
    if asked().verbose:
        message(text)


def show_json(value: Any) -> None:
    """Print the one JSON document of a command: ASCII, so that no terminal or locale changes it."""
    import json

    show(json.dumps(value, indent=2))


def look() -> Look:
    """Return how tables are shown: to fit a terminal, whole in a pipe, in a file or with `--wide`.

    Colours are for a terminal that nobody asked to stay plain (https://no-color.org).
    """
    from edgekit.text.columns import PLAIN, Look

    if not sys.stdout.isatty():
        return PLAIN
    width = None if asked().wide else shutil.get_terminal_size().columns
    return Look(width, colours=not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")
