"""`edgekit push`."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.options import HOST_HELP, IDENTITY_HELP, TARGET_HELP, TRUST_HELP, parts
from edgekit.cli.output import asked, progress, show_json
from edgekit.cli.terminal import show

NAME = "push"
HELP = """Copy a bundle, or a .tflite or .onnx file, to a board, a phone or a mounted folder.

Every file is verified there by its SHA-256 and replaces the old one in one step. A copy that was interrupted goes on
where it stopped, and what is there already is not sent again. The external data of an ONNX file goes with it."""
EXAMPLES = (
    "edgekit push demo --target rpi4 --host pi@192.168.1.7",
    "edgekit push demo --target rpi4 --dest /opt/models --only tflite",
    "edgekit push vendor.onnx --target rpi4",
    "edgekit push demo --target desktop --dest /media/usb/models",
)

PANELS = {
    "What": "only",
    "Where": "target host identity trust_target dest",
}
"""Groups of options in `--help`, in its order."""


def command(
    source: Annotated[Path, typer.Argument(metavar="BUNDLE|FILE", help="A bundle, or one file.")],
    target: Annotated[str, typer.Option("--target", help=TARGET_HELP)],
    dest: Annotated[
        str | None, typer.Option("--dest", help="Folder there. [default: models/NAME in the home folder]")
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help=HOST_HELP)] = None,
    identity: Annotated[Path | None, typer.Option("--identity", help=IDENTITY_HELP)] = None,
    trust_target: Annotated[bool, typer.Option("--trust-target", help=TRUST_HELP)] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="tflite, onnx, int8, ...; may be given again.")
    ] = None,
) -> None:
    """Copy and report what is where."""
    from edgekit.cli.options import targets

    console = progress()
    (chosen,) = targets([target], host, identity, console, trust=trust_target)
    console.notify(f"Copying {source} to {chosen.name}")

    from edgekit.devices.push import push
    from edgekit.text.tables import table

    copies = push(source, chosen, dest, only=parts(only), progress=console)
    if asked().as_json:
        show_json({"target": chosen.name, "files": [dataclasses.asdict(copy) for copy in copies]})
        return
    rows = [[c.path, f"{c.bytes:,}", c.sha256[:16], f"{c.sent:,} bytes" if c.sent else "already there"] for c in copies]
    show(table(["file", "bytes", "sha256", "sent"], rows))
