"""`edgekit compress`."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from edgekit.bundle.stages import STAGES
from edgekit.cli.model_options import (
    AllowUnsafe,
    CalibrationMethod,
    CalibrationSamples,
    Channels,
    Custom,
    InputShape,
    InputValue,
    Layout,
    LayoutOut,
    Mean,
    Metric,
    NormalizeOutside,
    OptionalModel,
    Scale,
    Std,
    Task,
)
from edgekit.cli.options import DATA_HELP, preprocessing, shapes, values
from edgekit.cli.output import asked, look, progress, show_json
from edgekit.cli.terminal import message, show
from edgekit.errors.printable import lines, with_code

NAME = "compress"
HELP = f"""Compress a Keras model into a bundle of TFLite and ONNX files.

MODEL is a .keras or .h5 file of Keras 2 or Keras 3, or a SavedModel folder; without it the demo model is trained and
compressed. A float .onnx, or a .pt2 of torch.export, is rebuilt as layers, and so is a float .tflite where a recipe
trains; else it gets post-training schemes, in its own format. Every file is run and compared with the model it was made
of, before the bundle appears: on test samples, or on validation samples where stages train. A bundle that lost much of
the model's quality is kept, and ends with exit code 3.
Stages come first: {", ".join(STAGES)}. What an interrupted run has done is not done again."""
EXAMPLES = (
    "edgekit compress --data digits -o demo",
    "edgekit compress resnet8.keras --data cifar10 --recipe all-schemes -o resnet8-ptq",
    "edgekit compress model.h5 --data my.npz --scale 1 -o out",
    "edgekit compress vendor.tflite --data my.npz -o out",
    "edgekit compress net.onnx --data my.npz --recipe qat --layout-out NCHW -o out",
    "edgekit compress model.keras --data my.npz --max-drop 0.5 -o safe",
    "edgekit compress detector.onnx --data data.yaml --split-outputs -o boxes",
    "edgekit compress model.keras --data my.npz --stage prune:amount=0.5 --stage quantize:epochs=3 -o small",
)

PANELS = {
    "Model": "input_shape input_value split_outputs allow_unsafe custom",
    "Data": "data eval_samples calibration_samples metric task",
    "Preprocessing": "scale mean std layout layout_out channels normalize_outside",
    "Recipe": "recipe stage max_drop seed calibration_method fresh",
    "Output": "out anyway force",
}
"""Groups of options in `--help`, in its order."""


def command(
    model: OptionalModel = None,
    data: Annotated[str, typer.Option("--data", help=DATA_HELP)] = "digits",
    recipe: Annotated[str, typer.Option("--recipe", help="A name of `edgekit recipes`, or a .toml file.")] = "int8",
    stage: Annotated[
        list[str] | None,
        typer.Option(
            "--stage",
            help=f"NAME:key=value,... after the recipe's: {', '.join(STAGES)}.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The folder to create. [default: MODEL-RECIPE]")
    ] = None,
    scale: Scale = None,
    mean: Mean = None,
    std: Std = None,
    layout: Layout = None,
    layout_out: LayoutOut = None,
    channels: Channels = None,
    normalize_outside: NormalizeOutside = False,
    input_shape: InputShape = None,
    input_value: InputValue = None,
    split_outputs: Annotated[
        bool,
        typer.Option(
            "--split-outputs", help="Give boxes and scores of a detector as outputs of their own, each with its scale."
        ),
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**32 - 1, help="Governs everything random. [default: the recipe's]"),
    ] = None,
    eval_samples: Annotated[
        int | None,
        typer.Option(min=0, max=2**31 - 1, help="Test samples in the bundle; 0: all. [default: the recipe's]"),
    ] = None,
    calibration_samples: CalibrationSamples = None,
    calibration_method: CalibrationMethod = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            "--max-drop",
            metavar="POINTS",
            help="What int8 may lose: 0.5 is half a point of accuracy, or 0.5 % of an error. Other ranges, some float "
            "operators and training are tried, the cheapest first. [default: int8 in one way, whatever it loses]",
        ),
    ] = None,
    metric: Metric = None,
    task: Task = "",
    allow_unsafe: AllowUnsafe = False,
    custom: Custom = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over, in place of going on where an interrupted run stopped.")
    ] = False,
    anyway: Annotated[
        bool,
        typer.Option(
            "--anyway", help="Go on, and end with exit code 0, where edgekit finds the model or the files worthless."
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the bundle at --out.")] = False,
) -> None:
    """Compress a model."""
    import dataclasses

    from edgekit.bundle.manifest import MANIFEST, strangers
    from edgekit.bundle.recipe import load_recipe, parse_stage
    from edgekit.files.destinations import prove_bundle
    from edgekit.files.temporary import claim

    chosen = load_recipe(recipe).with_stages(map(parse_stage, stage or ()))
    chosen = chosen.changed(
        seed=seed,
        eval_samples=eval_samples,
        calibration_samples=calibration_samples,
        calibration_method=calibration_method,
        max_drop=max_drop,
        layout_out=layout_out,
    )
    chosen = dataclasses.replace(chosen, normalize_outside=normalize_outside or chosen.normalize_outside)
    how = preprocessing(scale, mean, std, layout, channels)
    sizes, numbers = shapes(input_shape or ()), values(input_value or ())
    folder = out or chosen.default_folder(model)
    prove_bundle(folder, model, data, recipe, force=force, marker=MANIFEST, strangers=strangers)
    claim()
    console = progress()
    console.notify(f"Compressing {model or 'the demo model'} with {chosen.name}: {chosen.description}")
    console.notify("(starting TensorFlow takes a few seconds)")

    from edgekit.pipeline.input_sizes import InputOptions
    from edgekit.pipeline.run import compress
    from edgekit.reporting.bundle_page import page, page_values

    bundle = compress(
        model,
        data,
        chosen,
        folder,
        preprocessing=how,
        metric=metric,
        task=task,
        allow_unsafe=allow_unsafe,
        custom=custom or (),
        force=force,
        fresh=fresh,
        anyway=anyway,
        inputs=InputOptions(sizes, numbers),
        split_outputs=split_outputs,
        progress=console,
    )
    stopped = bool(bundle.refusal) and not anyway
    if asked().as_json:
        show_json({**page_values(bundle), "usable": not stopped, "lost": list(bundle.lost), "advice": bundle.advice})
    else:
        show(page(bundle, look()))
    for sentence in bundle.lost[1:] if stopped else bundle.lost:
        console.warn(sentence, "quality-lost")
    if bundle.advice and not stopped:
        console.warn(f"for less loss {bundle.advice}", "quality-lost")
    if not asked().as_json:
        show("\n" + lines([f"bundle: {bundle.path}", f"next:   edgekit bench {shlex.quote(str(bundle.path))}"]))
    if stopped:
        message(f"edgekit: {with_code(bundle.refusal, 'quality-lost')}")
        message(f"  hint: {bundle.advice}; --anyway accepts it")
        raise typer.Exit(3)
