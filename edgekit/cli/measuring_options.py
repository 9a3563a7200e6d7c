"""Options of the commands that measure files: what is fed to them, where they run, and for how long."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.options import (
    CHANNELS_HELP,
    DATA_HELP,
    HOST_HELP,
    IDENTITY_HELP,
    METRIC_HELP,
    TASK_HELP,
    TRUST_HELP,
)
from edgekit.schema.units import TIME_HELP

RECORDS = Path("edgekit-records")
Host = Annotated[str | None, typer.Option("--host", help=HOST_HELP)]
Identity = Annotated[Path | None, typer.Option("--identity", help=IDENTITY_HELP)]
TrustTarget = Annotated[bool, typer.Option("--trust-target", help=TRUST_HELP)]
Only = Annotated[
    list[str] | None, typer.Option("--only", help="Of bundles: tflite, onnx, int8, ...; may be given again.")
]
Data = Annotated[str | None, typer.Option("--data", help="Evaluate on this test set: " + DATA_HELP)]
Scale = Annotated[str | None, typer.Option(help="Of files no bundle describes: (x * SCALE - MEAN) / STD.")]
Mean = Annotated[str | None, typer.Option(help="One number, or one per channel.")]
Std = Annotated[str | None, typer.Option(help="As --mean.")]
Layout = Annotated[str | None, typer.Option(help="NHWC or NCHW, what the model expects.")]
Channels = Annotated[str | None, typer.Option(help=CHANNELS_HELP)]
Metric = Annotated[str | None, typer.Option("--metric", help=METRIC_HELP)]
Task = Annotated[str, typer.Option("--task", help=TASK_HELP)]
InputShape = Annotated[
    list[str] | None,
    typer.Option("--input-shape", help="NAME=1,224,224,3 for an input with dynamic sizes. Several: repeat it."),
]
InputValue = Annotated[
    list[str] | None,
    typer.Option("--input-value", help="NAME=16000 for an input that holds one number. Several: repeat it."),
]
MinSamples = Annotated[int, typer.Option(help="Timed samples per process, at least.")]
MinSeconds = Annotated[str, typer.Option(help=f"Timing per process, at least: {TIME_HELP}.")]
Timeout = Annotated[str, typer.Option(help="When a process is given up: as --min-seconds.")]
Runtime = Annotated[str | None, typer.Option(help="ai-edge-litert or tflite-runtime, for .tflite files.")]
RuntimeWheels = Annotated[
    Path | None, typer.Option(help="Folder of wheels for the board, where this machine has no internet.")
]
Python = Annotated[str | None, typer.Option(help="Another Python on the target.")]
Pin = Annotated[str | None, typer.Option(help="Keep the runner on these CPUs (taskset): 3 or 0-3.")]
Governor = Annotated[str | None, typer.Option(help="Set while measuring, where that is permitted: performance.")]
CoolBelow = Annotated[str | None, typer.Option(help="Before each process wait until cooler than: 60C.")]
CoolTimeout = Annotated[str, typer.Option(help="Wait for that at most: as --min-seconds.")]
Clean = Annotated[bool, typer.Option("--clean", help="Remove all of edgekit from the board afterwards.")]
Latency = Annotated[bool, typer.Option(help="Measure latency.")]
Memory = Annotated[bool, typer.Option(help="Measure memory.")]
Accuracy = Annotated[bool, typer.Option(help="Measure accuracy.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for the records.")]


def check_runtime(runtime: str | None) -> None:
    """Refuse a `--runtime` that is none for `.tflite` files.

    Raises:
        BadParameter: wrong usage.
    """
    if runtime not in (None, "ai-edge-litert", "tflite-runtime"):
        raise typer.BadParameter("expected ai-edge-litert or tflite-runtime", param_hint="--runtime")
