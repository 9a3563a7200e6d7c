"""`edgekit compress`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from edgekit.bundle.stages import STAGES
from edgekit.cli.options import CHANNELS_HELP, DATA_HELP, METRIC_HELP, TASK_HELP, preprocessing, shapes, values
from edgekit.cli.output import asked, look, progress, show_json
from edgekit.cli.terminal import message, show
from edgekit.errors.printable import lines, with_code

NAME = "compress"
HELP = """Compress a Keras model into a bundle of TFLite and ONNX files.

MODEL is a .keras or .h5 file of Keras 2 or Keras 3, or a SavedModel folder; without it the demo model is trained and
compressed. A float .tflite or .onnx file is taken, too: it gets post-training schemes, in its own format. Every file is
run and compared with the model it was made of, before the bundle appears: on test samples, or on validation samples
where stages train. A bundle that lost much of the model's quality is kept, and ends with exit code 3.
Stages train first: distill, prune, cluster, quantize, finetune. What an interrupted run has done is not done again."""
EXAMPLES = (
    "edgekit compress --data digits -o demo",
    "edgekit compress resnet8.keras --data cifar10 --recipe all-schemes -o resnet8-ptq",
    "edgekit compress model.h5 --data my.npz --scale 1 -o out",
    "edgekit compress vendor.tflite --data my.npz -o out",
    "edgekit compress model.keras --data my.npz --stage prune:amount=0.5 --stage quantize:epochs=3 -o small",
)

PANELS = {
    "Model": "input_shape input_value allow_unsafe custom",
    "Data": "data eval_samples calibration_samples metric task",
    "Preprocessing": "scale mean std layout channels normalize_outside",
    "Recipe": "recipe stage seed calibration_method fresh",
    "Output": "out anyway force",
}
"""Groups of options in `--help`, in its order."""


def command(
    model: Annotated[
        Path | None,
        typer.Argument(metavar="MODEL", help="A .keras, .h5, .tflite or .onnx file, or a SavedModel folder."),
    ] = None,
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
    scale: Annotated[
        str | None,
        typer.Option(
            help="Inputs are (x * SCALE - MEAN) / STD; e.g. 1/255; of several inputs: 'NAME=1/255;...'. "
            "[default: as trained]"
        ),
    ] = None,
    mean: Annotated[str | None, typer.Option(help="One number, or one per channel: 0.49,0.48,0.45.")] = None,
    std: Annotated[str | None, typer.Option(help="As --mean.")] = None,
    layout: Annotated[str | None, typer.Option(help="NHWC or NCHW, what the model expects.")] = None,
    channels: Annotated[str | None, typer.Option(help=CHANNELS_HELP)] = None,
    normalize_outside: Annotated[
        bool,
        typer.Option(
            "--normalize-outside", help="Move Rescaling and (Batch)Normalization of the model's start before the files."
        ),
    ] = False,
    input_shape: Annotated[
        list[str] | None,
        typer.Option("--input-shape", help="NAME=1,224,224,3 for an input with open sizes. [default: as the data]"),
    ] = None,
    input_value: Annotated[
        list[str] | None,
        typer.Option("--input-value", help="NAME=16000 for an input that holds one number: a constant from now on."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**32 - 1, help="Governs everything random. [default: the recipe's]"),
    ] = None,
    eval_samples: Annotated[
        int | None,
        typer.Option(min=0, max=2**31 - 1, help="Test samples in the bundle; 0: all. [default: the recipe's]"),
    ] = None,
    calibration_samples: Annotated[
        int | None,
        typer.Option(min=1, max=2**31 - 1, help="Samples that set quantization ranges. [default: the recipe's]"),
    ] = None,
    calibration_method: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            help="minmax, or percentile or mse, which let outliers saturate. [default: the recipe's]",
        ),
    ] = None,
    metric: Annotated[str | None, typer.Option("--metric", help=METRIC_HELP)] = None,
    task: Annotated[str, typer.Option("--task", help=TASK_HELP)] = "",
    allow_unsafe: Annotated[
        bool, typer.Option("--allow-unsafe", help="Load Lambda layers: they run code from the model file.")
    ] = False,
    custom: Annotated[
        list[str] | None,
        typer.Option("--custom", metavar="MODULE:NAME", help="A layer or function of yours; FILE.py:NAME, too."),
    ] = None,
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
    from edgekit.report.bundle_page import page, page_values

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
