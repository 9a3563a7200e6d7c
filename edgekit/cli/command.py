"""What all commands share: paths that are checked, options in panels, defaults with their origin, examples."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from edgekit.cli.output import Json, Output, Quiet, Verbose, Wide, ask, detail

FILE = "edgekit.defaults"
"""Under which a context remembers the file that defaults come from."""
LONGEST_NAME, LONGEST_PATH = 255, 4095
"""Bytes that Linux takes."""
SETTINGS = {"help_option_names": ["-h", "--help"]}
OUTPUT = "Output"
SHARED = ("as_json", "wide", "quiet", "verbose", "help")
"""Options of every command, which stand in that panel."""
VARIABLES = "EDGEKIT"
"""Environment variables of options begin with it, then the command: `EDGEKIT_BENCH_THREADS`."""


class Command(TyperCommand):
    """A command whose paths are such before it begins, and whose help is in panels."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Raises:
            BadParameter: a path is one that no system call takes.
        """
        given = {name: bool(ctx.params.get(name)) for name in ("as_json", "wide", "quiet", "verbose")}
        ask(Output(**given))
        for line in _origins(self, ctx):
            detail(line)
        for name, value in ctx.params.items():
            for path in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(path, Path) and (fault := _fault(path)):
                    raise typer.BadParameter(fault, param_hint=name)
        return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, then options by panel."""
        named: Mapping[str, str] = getattr(self.callback, "panels", {})
        panel_of = {option: panel for panel, options in named.items() for option in options.split()}
        panels: dict[str, list[tuple[str, str]]] = {"Arguments": [], **{panel: [] for panel in named}}
        for param in self.get_params(ctx):
            param.show_envvar = False  # type: ignore[attr-defined]  # named once, below the options
            record = param.get_help_record(ctx)
            if record is not None:
                own = "Arguments" if param.param_type_name == "argument" else "Options"
                panels.setdefault(OUTPUT if param.name in SHARED else panel_of.get(param.name, own), []).append(record)
        for panel, records in ((panel, records) for panel, records in panels.items() if records):
            with formatter.section(panel):
                formatter.write_dl(records)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write examples, a line each, as they are typed."""
        if self.epilog:
            with formatter.section("Examples"):
                for line in self.epilog.splitlines():
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
        option = next((p for p in self.get_params(ctx) if p.param_type_name == "option" and p.name != "help"), None)
        if option is not None:
            variable = f"{ctx.auto_envvar_prefix}_{str(option.name).upper()}"
            formatter.write_paragraph()
            formatter.write_text(
                f"Every option may also be set by an environment variable, such as {variable}, or in [tool.edgekit."
                f"{'.'.join(_path(ctx))}] of pyproject.toml. Options win over variables, variables over the file."
            )


def add(
    app: typer.Typer,
    name: str,
    function: Callable[..., None],
    *,
    help: str,
    examples: Sequence[str] = (),
    panels: Mapping[str, str] | None = None,
    as_json: bool = True,
    wide: bool = False,
) -> None:
    """Add a command to an application, with the options that all have.

    Args:
        app: where.
        name: what is typed.
        function: the command; the options of `edgekit.cli.output` are not handed to it.
        help: what it does.
        examples: command lines.
        panels: names of options by the panel of the help that they stand in.
        as_json: whether it shows results, and so takes `--json`.
        wide: whether its results are tables that a terminal may be too narrow for.
    """
    shared = {"wide": Wide} if wide else {}
    shared |= {"as_json": Json} if as_json else {}
    shared |= {"quiet": Quiet, "verbose": Verbose}
    signature = inspect.signature(function, eval_str=True)
    more = [
        inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for option, kind in shared.items()
    ]
    whole = signature.replace(parameters=[*signature.parameters.values(), *more])

    @functools.wraps(function)
    def command(**given: Any) -> None:
        function(**{option: value for option, value in given.items() if option not in shared})

    command.__signature__ = whole  # type: ignore[attr-defined]
    command.panels = panels or {}  # type: ignore[attr-defined]
    command.__annotations__ = {option: parameter.annotation for option, parameter in whole.parameters.items()}
    app.command(name, cls=Command, help=help, epilog="\n".join(examples))(command)


def _origins(command: Command, ctx: Any) -> Iterator[str]:
    """Yield where options come from that were not simply typed, and what has no effect beside what was."""
    for param in command.params:
        source = ctx.get_parameter_source(param.name)
        if param.param_type_name != "option" or source is None or source.name == "DEFAULT":
            continue
        variable = f"{ctx.auto_envvar_prefix}_{str(param.name).upper()}"
        origins = [variable] if os.environ.get(variable) else []
        origins += (
            [f"[tool.edgekit.{'.'.join(_path(ctx))}] of {ctx.meta[FILE]}"]
            if param.name in (ctx.default_map or {})
            else []
        )
        if source.name == "COMMANDLINE":
            origins.insert(0, "the command line")
        if origins and origins != ["the command line"]:
            without = f"; no effect: {', '.join(origins[1:])}" if origins[1:] else ""
            yield f"{param.opts[0]} {_text(ctx.params[param.name])}: from {origins[0]}{without}"


def _path(ctx: Any) -> list[str]:
    """Return the words of a command: `targets`, `check`."""
    return [*_path(ctx.parent), str(ctx.info_name)] if ctx.parent is not None else []


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _fault(path: Path) -> str | None:
    whole = os.fsencode(path)
    if b"\0" in whole:
        return "a path holds no NUL"
    longest = max(map(len, map(os.fsencode, path.parts)), default=0)
    if longest > LONGEST_NAME or len(whole) > LONGEST_PATH:
        sizes = f"a name of {longest} bytes in a path of {len(whole)}"
        return f"{sizes}, at most {LONGEST_NAME} and {LONGEST_PATH} are possible"
    return None
