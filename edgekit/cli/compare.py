"""`edgekit compare`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli import measuring_options as options
from edgekit.cli.options import TARGET_HELP, integers, parts, preprocessing, shapes, values
from edgekit.cli.output import asked, look, progress, show_json
from edgekit.cli.terminal import show
from edgekit.schema.units import celsius, seconds

NAME = "compare"
HELP = """Compare two files, bundles or records: by what factor, and with which certainty.

Files are measured in turns, a fresh process each time, and the rounds are paired; of records the rounds are paired if
one session measured both. Says "2.7x faster [2.6, 2.8]", or which change would have been seen; tests accuracy sample by
sample (McNemar). Conditions that differ are listed and refused. Exit code 0 whatever the difference: `edgekit check` is
the gate; 1 if refused, 3 if a measurement failed."""
EXAMPLES = (
    "edgekit compare before.tflite after.tflite",
    "edgekit compare base.tflite small.tflite --data cifar10 --scale 1",
    "edgekit compare demo-before demo --only int8 --target rpi4 --host pi@192.168.1.7",
    "edgekit compare before.json after.json --only int8",
    "edgekit compare demo",
)

PANELS = {
    "What": "only data scale mean std layout channels metric task input_shape input_value latency memory accuracy",
    "Where": "target host identity trust_target runtime runtime_wheels python pin governor clean",
    "How long": "threads processes min_samples min_seconds timeout cool_below cool_timeout",
    "Output": "out force",
}
"""Groups of options in `--help`, in its order."""


def command(
    a: Annotated[Path, typer.Argument(metavar="A", help="A bundle, a .tflite or .onnx file, or a record.")],
    b: Annotated[
        Path | None, typer.Argument(metavar="B", help="Another. Without it, the first file of A and its others.")
    ] = None,
    target: Annotated[str, typer.Option("--target", help=TARGET_HELP)] = "desktop",
    host: options.Host = None,
    identity: options.Identity = None,
    trust_target: options.TrustTarget = False,
    threads: Annotated[str, typer.Option("--threads", help="Thread counts: 1 or 1,2,4.")] = "1",
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Of bundles and records: tflite, onnx, int8, ...; may be given again."),
    ] = None,
    data: options.Data = None,
    scale: options.Scale = None,
    mean: options.Mean = None,
    std: options.Std = None,
    layout: options.Layout = None,
    channels: options.Channels = None,
    metric: options.Metric = None,
    task: options.Task = "",
    input_shape: options.InputShape = None,
    input_value: options.InputValue = None,
    processes: Annotated[
        int | None,
        typer.Option(help="Rounds, each a fresh process of either. [default: 15 to 100, until 3 % would be seen]"),
    ] = None,
    min_samples: options.MinSamples = 50,
    min_seconds: options.MinSeconds = "0.1s",
    timeout: options.Timeout = "10m",
    runtime: options.Runtime = None,
    runtime_wheels: options.RuntimeWheels = None,
    python: options.Python = None,
    pin: options.Pin = None,
    governor: options.Governor = None,
    cool_below: options.CoolBelow = None,
    cool_timeout: options.CoolTimeout = "5m",
    clean: options.Clean = False,
    latency: options.Latency = True,
    memory: options.Memory = True,
    accuracy: options.Accuracy = True,
    force: Annotated[
        bool, typer.Option("--force", help="Compare although conditions differ; they are listed.")
    ] = False,
    out: options.Out = options.RECORDS,
) -> None:
    """Compare files.

    Raises:
        Exit: with code 3, a measurement is invalid.
    """
    options.check_runtime(runtime)
    from edgekit.api.compared import compared
    from edgekit.files.destinations import check_default
    from edgekit.files.temporary import claim
    from edgekit.reporting.comparing.document import comparison_text, comparison_values

    if out == options.RECORDS:
        check_default(out)
    how = preprocessing(scale, mean, std, layout, channels)
    counts = integers(threads, "--threads")
    claim()
    console = progress()
    with console.events() as shown:
        found = compared(
            how, command=sys.argv[1:], a=a, b=b, target=target, host=host, identity=identity,
            trust_target=trust_target, threads=counts, only=parts(only), data=data, metric=metric, task=task,
            input_shapes=shapes(input_shape or ()), input_values=values(input_value or ()), processes=processes,
            min_samples=min_samples, min_seconds=seconds(min_seconds, "--min-seconds"),
            timeout=seconds(timeout, "--timeout"), runtime=runtime, runtime_wheels=runtime_wheels, python=python,
            pin=pin or "", governor=governor or "",
            cool_below_c=celsius(cool_below, "--cool-below") if cool_below else None,
            cool_timeout=seconds(cool_timeout, "--cool-timeout"), clean=clean, latency=latency, memory=memory,
            accuracy=accuracy, force=force, out=out, progress=shown,
        )  # fmt: skip
    if asked().as_json:
        show_json({"record": None if found.path is None else str(found.path), **comparison_values(found)})
    else:
        show(comparison_text(found, look()))
        if found.path is not None:
            show(f"\nrecord: {found.path}")
    if found.failed:
        raise typer.Exit(3)
