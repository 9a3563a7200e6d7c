"""`edgekit targets`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli.command import SETTINGS, add
from edgekit.cli.options import HOST_HELP, IDENTITY_HELP, TRUST_HELP
from edgekit.cli.output import asked, progress, show_json
from edgekit.cli.terminal import show
from edgekit.errors.printable import lines

if TYPE_CHECKING:
    from edgekit.devices.emulated.board import Running
    from edgekit.devices.target import Target

NAME = "targets"
HELP = """The devices to measure on: describe, check, emulate."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="A target of `edgekit targets list`, or a .toml file.")]
_FLAGGED = " (needs --trust-target)"

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None, context_settings=SETTINGS)
emulate = typer.Typer(
    help="An ARM64 board without hardware, for accuracy and memory: built from Debian packages, run by QEMU.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings=SETTINGS,
)
app.add_typer(emulate, name="emulate")


def list_command() -> None:
    """Print a line for each."""
    from edgekit.devices.targets import all_targets, distrusted
    from edgekit.text.tables import table

    known = all_targets()
    if asked().as_json:
        show_json({"targets": [_facts(target, distrusted(target)) for target in known]})
        return
    rows = [
        [t.name, t.transport, t.host or t.serial or "-", t.description, t.source + _FLAGGED * bool(distrusted(t))]
        for t in known
    ]
    show(table(["target", "by", "address", "description", "file"], rows))


def show_command(name: Name) -> None:
    """Print the file as it is."""
    from edgekit.devices.targets import distrusted, read_target, target_text, where_from

    target = read_target(name)
    text = target_text(target).rstrip()
    if asked().as_json:
        show_json({**_facts(target, distrusted(target)), "text": text})
        return
    show(lines([f"# {where_from(target) or target.source}"]))
    show(lines([f"# needs --trust-target: {what}" for what in distrusted(target)]), nl=bool(distrusted(target)))
    show(text)


def init_command(
    name: Name,
    to: Annotated[str | None, typer.Option("--as", help="Its new name. [default: the same]")] = None,
    host: Annotated[str | None, typer.Option("--host", help=HOST_HELP)] = None,
) -> None:
    """Write ./targets/NAME.toml."""
    from edgekit.devices.targets import copy_target

    path = copy_target(name, Path("targets"), to, host)
    if asked().as_json:
        show_json({"written": [str(path)]})
    else:
        show(lines([f"written: {path}"]))


def check_command(
    name: Name,
    host: Annotated[str | None, typer.Option("--host", help=HOST_HELP)] = None,
    identity: Annotated[Path | None, typer.Option("--identity", help=IDENTITY_HELP)] = None,
    trust_target: Annotated[bool, typer.Option("--trust-target", help=TRUST_HELP)] = False,
    python: Annotated[str | None, typer.Option(help="Another Python on the target.")] = None,
    runtime_wheels: Annotated[
        Path | None, typer.Option(help="Folder of wheels for the board, where this machine has no internet.")
    ] = None,
) -> None:
    """Print findings as they are made; exit code 1 if nothing can be measured."""
    from edgekit.cli.options import targets

    console = progress()
    (target,) = targets([name], host, identity, console, trust=trust_target)
    console.notify(f"Checking {target.name}: {target.host or target.description}")

    from edgekit.devices.doctor import examine

    looked = []
    for finding in examine(target, python=python, wheels=runtime_wheels, progress=console):
        looked.append(finding)
        if asked().as_json:
            continue
        show(lines([f"{finding.state:>8}  {finding.what}: {finding.text}"]))
        if finding.fix and finding.state != "ok":
            show(lines([f"{'':>8}  → {finding.fix}"]))
    if asked().as_json:
        show_json({"target": target.name, "findings": [dataclasses.asdict(finding) for finding in looked]})
    if any(finding.state == "error" for finding in looked):
        raise typer.Exit(1)


def up_command(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Of 127.0.0.1. [default: a free one]")] = None,
) -> None:
    """Start it and print how it is reached."""
    from edgekit.devices.emulated import board

    running = board.up(progress(), port)
    if asked().as_json:
        show_json(_board(running))
        return
    show(f"up: {running.destination}:{running.port}, process {running.pid}")
    show("measure there with: edgekit bench BUNDLE --target rpi4-emulated")
    show(f"or as any board:    --target rpi4 --host {running.destination}:{running.port} --identity {running.identity}")


def down_command(
    remove: Annotated[bool, typer.Option("--remove", help="Delete its files, too.")] = False,
) -> None:
    """Stop it."""
    from edgekit.devices.emulated import board

    stopped = board.down(remove=remove)
    if asked().as_json:
        show_json({"stopped": stopped})
    else:
        show("stopped" if stopped else "was not running")


def status_command() -> None:
    """Exit code 1 if it is not."""
    from edgekit.devices.emulated import board

    running = board.status()
    if asked().as_json:
        show_json(_board(running))
        if running is None:
            raise typer.Exit(1)
    elif running is None:
        show("not running; start it with: edgekit targets emulate up")
        raise typer.Exit(1)
    else:
        show(f"up: {running.destination}:{running.port}, process {running.pid}, files in {board.folder()}")


def _facts(target: Target, flagged: Sequence[str]) -> dict[str, Any]:
    """Return what JSON output holds of a target."""
    address = target.host or target.serial or None
    facts = {"name": target.name, "transport": target.transport, "address": address, "file": target.source}
    return {**facts, "description": target.description, "needs_trust": list(flagged)}


def _board(running: Running | None) -> dict[str, Any]:
    """Return what JSON output holds of an emulated board."""
    if running is None:
        return {"running": False}
    address = f"{running.destination}:{running.port}"
    return {"running": True, "address": address, "process": running.pid, "identity": str(running.identity)}


LISTED = "Show all targets: ./targets, then your own, then the package's."
INIT = ("edgekit targets init rpi4", "edgekit targets init rpi4 --as lab --host pi@192.168.1.7")
CHECKED = "Look at a device and report what stands in the way of a good measurement."
STATUS = ["edgekit targets emulate status"]
UP = ("edgekit targets emulate up", "edgekit bench demo --target rpi4-emulated")

add(app, "list", list_command, help=LISTED, examples=["edgekit targets list"])
add(app, "show", show_command, help="Print a target's file.", examples=["edgekit targets show rpi4"])
add(app, "init", init_command, help="Copy a target into ./targets, to be changed there.", examples=INIT)
add(app, "check", check_command, help=CHECKED, examples=["edgekit targets check rpi4 --host pi@192.168.1.7"])
add(emulate, "up", up_command, help="Build the board if there is none (10 to 60 s), and start it.", examples=UP)
add(emulate, "down", down_command, help="Stop the board.", examples=["edgekit targets emulate down --remove"])
add(emulate, "status", status_command, help="Show whether the board is up.", examples=STATUS)
