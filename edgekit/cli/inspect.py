"""`edgekit inspect`."""

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.output import asked, show_json
from edgekit.cli.terminal import show

NAME = "inspect"
HELP = """Show what .tflite and .onnx files hold: inputs, outputs, operators, parameters, MACs, weights.

For every weight tensor: shape, type, bytes, share of zeros, distinct values and quantization; and how much of all
weights is stored in 8 bits or fewer. Size is given as it is and after gzip -9. Needs no TensorFlow."""
EXAMPLES = (
    "edgekit inspect model.tflite",
    "edgekit inspect a.tflite b.onnx --json > facts.json",
    "edgekit inspect detector.onnx --input-shape images=1,3,640,640",
)


def command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="One or more .tflite or .onnx files.")],
    input_shape: Annotated[
        list[str] | None,
        typer.Option("--input-shape", help="NAME=1,3,224,224: count MACs for these sizes of an ONNX file's input."),
    ] = None,
) -> None:
    """Show what model files hold."""
    from edgekit.api.files import inspect
    from edgekit.api.words import as_command
    from edgekit.cli.options import shapes
    from edgekit.reporting.model_page import facts, render

    given = shapes(input_shape or ())
    infos = [as_command(inspect)(path, input_shapes=given) for path in files]
    if asked().as_json:
        show_json([facts(info) for info in infos])
    else:
        show("\n\n".join(render(info) for info in infos))
