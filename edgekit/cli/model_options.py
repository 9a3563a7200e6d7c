"""Options of the commands that open a model with its data: how it is fed, what its outputs are for, what may be run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.options import CHANNELS_HELP, METRIC_HELP, TASK_HELP

Model = typer.Argument(metavar="MODEL", help="A .keras, .h5, .tflite, .onnx or .pt2 file, or a SavedModel folder.")
Scale = Annotated[
    str | None,
    typer.Option(
        help="Inputs are (x * SCALE - MEAN) / STD; e.g. 1/255; of several inputs: 'NAME=1/255;...'. "
        "[default: as trained]"
    ),
]
Mean = Annotated[str | None, typer.Option(help="One number, or one per channel: 0.49,0.48,0.45.")]
Std = Annotated[str | None, typer.Option(help="As --mean.")]
Layout = Annotated[str | None, typer.Option(help="NHWC or NCHW, what the model expects.")]
LayoutOut = Annotated[
    str | None,
    typer.Option(
        "--layout-out", help="NHWC or NCHW, what the files of a rebuilt .onnx or .tflite take. [default: NHWC]"
    ),
]
Channels = Annotated[str | None, typer.Option(help=CHANNELS_HELP)]
NormalizeOutside = Annotated[
    bool,
    typer.Option(
        "--normalize-outside", help="Move Rescaling and (Batch)Normalization of the model's start before the files."
    ),
]
InputShape = Annotated[
    list[str] | None,
    typer.Option("--input-shape", help="NAME=1,224,224,3 for an input with open sizes. [default: as the data]"),
]
InputValue = Annotated[
    list[str] | None,
    typer.Option("--input-value", help="NAME=16000 for an input that holds one number: a constant from now on."),
]
CalibrationSamples = Annotated[
    int | None,
    typer.Option(min=1, max=2**31 - 1, help="Samples that set quantization ranges. [default: the recipe's]"),
]
CalibrationMethod = Annotated[
    str | None,
    typer.Option(
        metavar="METHOD",
        help="minmax, or percentile or mse, which let outliers saturate. [default: the recipe's]",
    ),
]
Metric = Annotated[str | None, typer.Option("--metric", help=METRIC_HELP)]
Task = Annotated[str, typer.Option("--task", help=TASK_HELP)]
AllowUnsafe = Annotated[
    bool, typer.Option("--allow-unsafe", help="Load Lambda layers: they run code from the model file.")
]
Custom = Annotated[
    list[str] | None,
    typer.Option("--custom", metavar="MODULE:NAME", help="A layer or function of yours; FILE.py:NAME, too."),
]
OptionalModel = Annotated[Path | None, Model]
RequiredModel = Annotated[Path, Model]
