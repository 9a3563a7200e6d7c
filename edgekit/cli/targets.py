"""`edgekit targets`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.entry import Command
from edgekit.cli.options import HOST_HELP, IDENTITY_HELP, TRUST_HELP
from edgekit.cli.terminal import show
from edgekit.text.printable import lines

NAME = "targets"
HELP = """The devices to measure on: describe, check, emulate."""
EPILOG = """Examples: edgekit targets list · edgekit targets check rpi4 --host pi@192.168.1.7 ·
edgekit targets init rpi4 · edgekit targets emulate up"""

Name = Annotated[str, typer.Argument(metavar="NAME", help="A target of `edgekit targets list`, or a .toml file.")]
_FLAGGED = " (needs --trust-target)"
_SETTINGS = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(help=HELP, epilog=EPILOG, no_args_is_help=True, rich_markup_mode=None, context_settings=_SETTINGS)
emulate = typer.Typer(
    help="An ARM64 board without hardware, for accuracy and memory: built from Debian packages, run by QEMU.",
    epilog="Example: edgekit targets emulate up && edgekit bench demo --target rpi4-emulated",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings=_SETTINGS,
)
app.add_typer(emulate, name="emulate")


@app.command("list", cls=Command, help="Show all targets: ./targets, then your own, then the package's.")
def list_command() -> None:
    """Print a line for each."""
    from edgekit.devices.targets import all_targets, distrusted
    from edgekit.text.tables import table

    found = all_targets()
    rows = [
        [t.name, t.transport, t.host or t.serial or "-", t.description, t.source + _FLAGGED * bool(distrusted(t))]
        for t in found
    ]
    show(table(["target", "by", "address", "description", "file"], rows))


@app.command("show", cls=Command, help="Print a target's file.")
def show_command(name: Name) -> None:
    """Print the file as it is."""
    from edgekit.devices.targets import distrusted, read_target, where_from
    from edgekit.schema.document import read_text

    target = read_target(name)
    show(lines([f"# {where_from(target) or target.source}"]))
    show(lines([f"# needs --trust-target: {what}" for what in distrusted(target)]), nl=bool(distrusted(target)))
    show(read_text(Path(target.source), "target").rstrip())


@app.command("init", cls=Command, help="Copy a target into ./targets, to be changed there.")
def init_command(
    name: Name,
    to: Annotated[str | None, typer.Option("--as", help="Its new name. [default: the same]")] = None,
    host: Annotated[str | None, typer.Option("--host", help=HOST_HELP)] = None,
) -> None:
    """Write ./targets/NAME.toml."""
    from edgekit.devices.targets import copy_target

    show(lines([f"written: {copy_target(name, Path('targets'), to, host)}"]))


@app.command("check", cls=Command, help="Look at a device and say what stands in the way of a good measurement.")
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
    from edgekit.api.console import Console
    from edgekit.cli.options import targets

    console = Console()
    (target,) = targets([name], host, identity, console, trust=trust_target)
    console.notify(f"Checking {target.name}: {target.host or target.description}")

    from edgekit.devices.doctor import examine

    states = []
    for finding in examine(target, python=python, wheels=runtime_wheels, progress=console):
        show(lines([f"{finding.state:>8}  {finding.what}: {finding.text}"]))
        if finding.fix and finding.state != "ok":
            show(lines([f"{'':>8}  → {finding.fix}"]))
        states.append(finding.state)
    if "error" in states:
        raise typer.Exit(1)


@emulate.command("up", cls=Command, help="Build the board if there is none (10 to 60 s), and start it.")
def up_command(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Of 127.0.0.1. [default: a free one]")] = None,
) -> None:
    """Start it and say how it is reached."""
    from edgekit.api.console import Console
    from edgekit.devices.emulated import board

    running = board.up(Console(), port)
    show(f"up: {running.destination}:{running.port}, process {running.pid}")
    show("measure there with: edgekit bench BUNDLE --target rpi4-emulated")
    show(f"or as any board:    --target rpi4 --host {running.destination}:{running.port} --identity {running.identity}")


@emulate.command("down", cls=Command, help="Stop the board.")
def down_command(
    remove: Annotated[bool, typer.Option("--remove", help="Delete its files, too.")] = False,
) -> None:
    """Stop it."""
    from edgekit.devices.emulated import board

    show("stopped" if board.down(remove=remove) else "was not running")


@emulate.command("status", cls=Command, help="Say whether the board is up.")
def status_command() -> None:
    """Exit code 1 if it is not."""
    from edgekit.devices.emulated import board

    running = board.status()
    if running is None:
        show("not running; start it with: edgekit targets emulate up")
        raise typer.Exit(1)
    show(f"up: {running.destination}:{running.port}, process {running.pid}, files in {board.folder()}")
