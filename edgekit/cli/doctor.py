"""`edgekit doctor`."""

import dataclasses

import typer

from edgekit.cli.output import asked, show_json
from edgekit.cli.terminal import show
from edgekit.errors.printable import lines

NAME = "doctor"
HELP = """Show versions and what works on this machine: what to send with a bug report.

Exit code 1 if something that is installed does not work. Devices have `edgekit targets check`."""
EXAMPLES = ("edgekit doctor", "edgekit doctor --json")


def command() -> None:
    """Print what is here.

    Raises:
        Exit: with code 1, something is broken.
    """
    from edgekit import __version__
    from edgekit.devices import this_machine

    machine = this_machine.examine_here()
    if asked().as_json:
        show_json({"edgekit": __version__, **dataclasses.asdict(machine)})
    else:
        show(lines([f"edgekit {__version__}", *this_machine.lines(machine)]))
    if machine.broken:
        raise typer.Exit(1)
