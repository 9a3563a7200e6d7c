"""`edgekit sensitivity`."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.model_options import (
    AllowUnsafe,
    CalibrationMethod,
    CalibrationSamples,
    Channels,
    Custom,
    InputShape,
    InputValue,
    Layout,
    Mean,
    Metric,
    NormalizeOutside,
    RequiredModel,
    Scale,
    Std,
    Task,
)
from edgekit.cli.options import DATA_HELP, preprocessing, shapes, values
from edgekit.cli.output import asked, look, progress, show_json
from edgekit.cli.terminal import show
from edgekit.errors.printable import lines

NAME = "sensitivity"
HELP = """Show what int8 does in every layer of a model, and which layer breaks the int8 file.

MODEL and --data are those of `edgekit compress`. The float file and the int8 file that would be made of the model are
run on validation samples; the noise at the outputs is followed back to where it is made, and the first candidates are
reverted to float on the file, to measure what that gains. A layer is reverted alone, or with those that read its
output: a bad range is cured only where both ends are float. Nothing is written but the plot."""
EXAMPLES = (
    "edgekit sensitivity model.keras --data my.npz",
    "edgekit sensitivity vendor.tflite --data my.npz --top 0 --plot layers.svg",
    "edgekit sensitivity model.keras --data my.npz --json | jq .conclusion",
)

PANELS = {
    "Model": "input_shape input_value allow_unsafe custom",
    "Data": "data samples calibration_samples metric task",
    "Preprocessing": "scale mean std layout channels normalize_outside",
    "Quantization": "calibration_method",
    "Output": "top plot anyway force",
}
"""Groups of options in `--help`, in its order."""


def command(
    model: RequiredModel,
    data: Annotated[str, typer.Option("--data", help=DATA_HELP)],
    samples: Annotated[
        int | None,
        typer.Option(min=1, max=4096, help="Validation samples to run. [default: 32, and 16 of a large model]"),
    ] = None,
    top: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Rows of the table; 0: all layers.")] = 10,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="A .png or .svg file: SQNR per layer along the net.")
    ] = None,
    scale: Scale = None,
    mean: Mean = None,
    std: Std = None,
    layout: Layout = None,
    channels: Channels = None,
    normalize_outside: NormalizeOutside = False,
    input_shape: InputShape = None,
    input_value: InputValue = None,
    calibration_samples: CalibrationSamples = None,
    calibration_method: CalibrationMethod = None,
    metric: Metric = None,
    task: Task = "",
    allow_unsafe: AllowUnsafe = False,
    custom: Custom = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Go on where edgekit finds the model or its files worthless.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file at --plot.")] = False,
) -> None:
    """Show what int8 does in every layer."""
    from edgekit.api.sensitivity import Sensitivity, check_place
    from edgekit.files.temporary import claim

    if plot is not None:
        check_place(plot, model, data, force=force)
    how = preprocessing(scale, mean, std, layout, channels)
    sizes, numbers = shapes(input_shape or ()), values(input_value or ())
    claim()
    console = progress()
    console.notify(f"Looking into the int8 file of {model} (starting TensorFlow takes a few seconds)")

    from edgekit.pipeline.input_sizes import InputOptions
    from edgekit.pipeline.sensitivity import sensitivity
    from edgekit.reporting.sensitivity_table import document, sensitivity_table

    found = sensitivity(
        model,
        data,
        preprocessing=how,
        normalize_outside=normalize_outside,
        calibration_samples=calibration_samples,
        calibration_method=calibration_method,
        metric=metric,
        task=task,
        allow_unsafe=allow_unsafe,
        custom=custom or (),
        anyway=anyway,
        inputs=InputOptions(sizes, numbers),
        samples=samples,
        progress=console,
    )
    if plot is not None:
        Sensitivity.of(found).plot(plot, force=force)
    if asked().as_json:
        show_json({**document(found), "plot": None if plot is None else str(plot)})
        return
    show(sensitivity_table(found, look(), top))
    command = ["edgekit", "compress", str(model), "--data", data]
    after = [f"plot: {plot}"] if plot is not None else []
    show("\n" + lines([*after, f"next: {shlex.join([*command, *(['--max-drop', '0.5'] if found.culprit else [])])}"]))
