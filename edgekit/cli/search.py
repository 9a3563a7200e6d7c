"""`edgekit search`."""

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.options import (
    CHANNELS_HELP,
    DATA_HELP,
    HOST_HELP,
    IDENTITY_HELP,
    METRIC_HELP,
    TARGET_HELP,
    TASK_HELP,
    TRUST_HELP,
    preprocessing,
    shapes,
    values,
)
from edgekit.cli.output import asked, look, progress, show_json
from edgekit.cli.terminal import show
from edgekit.errors.printable import lines
from edgekit.schema.units import COUNT_HELP, SIZE_HELP, TIME_HELP, count, milliseconds, seconds, share, size

NAME = "search"
HELP = """Search for the files that are best under a budget.

Recipes are tried one after the other: students of other widths, pruned channels, ways to int8. What is best in
accuracy, bytes, and latency (or MACs) is the front: a bundle and a recipe for each of its files. Ctrl-C stops; the same
command goes on where it stopped. With `--storage` any number of workers on any number of machines `--join`. Files are
chosen by validation samples; test samples are read once, for the front. Exit code 3 if no file keeps to the budget."""
EXAMPLES = (
    "edgekit search resnet8.keras --data cifar10 --max-size 60kB --min-accuracy 0.85 --time 2h",
    "edgekit search model.keras --data my.npz --target rpi4 --max-latency 5ms --trials 40 -o found",
    "edgekit search model.keras --data my.npz --storage postgresql://me@server/searches --join --time 8h",
)
PANELS = {
    "Budget": "max_size max_latency max_macs max_memory min_accuracy max_error gzip",
    "How long": "time trials effort trial_timeout",
    "What is tried": "student teacher augment scheme sampler seed",
    "Model": "input_shape input_value allow_unsafe custom",
    "Data": "data metric task",
    "Preprocessing": "scale mean std layout layout_out channels normalize_outside",
    "Where": "target host identity trust_target",
    "Workers": "storage study join cache_size",
    "Output": "out fresh anyway",
}
"""Groups of options in `--help`, in its order."""


def command(
    model: Annotated[
        Path | None,
        typer.Argument(metavar="MODEL", help="A .keras, .h5, .tflite or .onnx file, or a SavedModel folder."),
    ] = None,
    data: Annotated[str, typer.Option("--data", help=DATA_HELP)] = "digits",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the search. [default: MODEL-search]")
    ] = None,
    max_size: Annotated[str | None, typer.Option("--max-size", help=f"Of the file: {SIZE_HELP}.")] = None,
    max_latency: Annotated[
        str | None, typer.Option("--max-latency", help="Median on the target: 5ms, 800us; a number alone is ms.")
    ] = None,
    max_macs: Annotated[str | None, typer.Option("--max-macs", help=f"Of one inference: {COUNT_HELP}.")] = None,
    max_memory: Annotated[
        str | None, typer.Option("--max-memory", help="Of activations needed at the same time: as --max-size.")
    ] = None,
    min_accuracy: Annotated[
        str | None,
        typer.Option("--min-accuracy", help="0.85 or 85%; of another metric where more is better, a number."),
    ] = None,
    max_error: Annotated[
        float | None, typer.Option("--max-error", help="Of a metric where less is better, such as mae.")
    ] = None,
    time: Annotated[
        str | None, typer.Option("--time", help=f"Search so long, earlier runs included: {TIME_HELP}.")
    ] = None,
    trials: Annotated[int | None, typer.Option("--trials", help="So many trials, earlier runs included.")] = None,
    trial_timeout: Annotated[str, typer.Option("--trial-timeout", help="When one trial is given up.")] = "24h",
    target: Annotated[
        str | None, typer.Option("--target", help=TARGET_HELP + " [default: MACs stand in for latency]")
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help=HOST_HELP)] = None,
    identity: Annotated[Path | None, typer.Option("--identity", help=IDENTITY_HELP)] = None,
    trust_target: Annotated[bool, typer.Option("--trust-target", help=TRUST_HELP)] = False,
    gzip: Annotated[
        bool, typer.Option("--gzip", help="Sizes count after gzip; tries zeros and clusters, too.")
    ] = False,
    effort: Annotated[float, typer.Option("--effort", help="Factor on all epochs; 0.25 for a quick look.")] = 1.0,
    student: Annotated[
        list[str] | None,
        typer.Option("--student", help="A reference model or a model file that may learn; may be given again."),
    ] = None,
    teacher: Annotated[
        Path | None, typer.Option("--teacher", help="A model file that teaches students, in place of MODEL.")
    ] = None,
    augment: Annotated[
        str | None, typer.Option("--augment", help="flip, crop or flip-crop, tried beside none.")
    ] = None,
    scheme: Annotated[
        list[str] | None, typer.Option("--scheme", help="int8, int4-dense or int4; may be given again. [default: int8]")
    ] = None,
    sampler: Annotated[str, typer.Option("--sampler", help="tpe; or gp, which needs PyTorch.")] = "tpe",
    storage: Annotated[
        str | None,
        typer.Option("--storage", help="A database's URL or a journal file. [default: a file in --out]"),
    ] = None,
    study: Annotated[str, typer.Option("--study", help="Name of the search in its storage.")] = "edgekit",
    join: Annotated[
        bool, typer.Option("--join", help="Take part in a search that is there, with the budget that it has.")
    ] = False,
    cache_size: Annotated[
        str, typer.Option("--cache-size", help="Of finished stages that trials share: as --max-size.")
    ] = "4GiB",
    scale: Annotated[str | None, typer.Option(help="As for `edgekit compress`.")] = None,
    mean: Annotated[str | None, typer.Option(help="Likewise.")] = None,
    std: Annotated[str | None, typer.Option(help="Likewise.")] = None,
    layout: Annotated[str | None, typer.Option(help="NHWC or NCHW, what the model expects.")] = None,
    layout_out: Annotated[str | None, typer.Option("--layout-out", help="As for `edgekit compress`.")] = None,
    channels: Annotated[str | None, typer.Option(help=CHANNELS_HELP)] = None,
    normalize_outside: Annotated[bool, typer.Option("--normalize-outside", help="As for `edgekit compress`.")] = False,
    input_shape: Annotated[
        list[str] | None, typer.Option("--input-shape", help="NAME=1,224,224,3 for an input with open sizes.")
    ] = None,
    input_value: Annotated[
        list[str] | None, typer.Option("--input-value", help="NAME=16000 for an input that holds one number.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Governs everything random in the recipes.")] = 0,
    metric: Annotated[str | None, typer.Option("--metric", help=METRIC_HELP)] = None,
    task: Annotated[str, typer.Option("--task", help=TASK_HELP)] = "",
    allow_unsafe: Annotated[
        bool, typer.Option("--allow-unsafe", help="Load Lambda layers: they run code from the model file.")
    ] = False,
    custom: Annotated[
        list[str] | None,
        typer.Option("--custom", metavar="MODULE:NAME", help="A layer or function of yours; FILE.py:NAME, too."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw away what is at --out, and start over.")] = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Go on where the model is worthless, and end with exit code 0.")
    ] = False,
) -> None:
    """Search.

    Raises:
        Exit: with code 3, no file keeps to the budget.
    """
    sizes, numbers = shapes(input_shape or ()), values(input_value or ())
    how = preprocessing(scale, mean, std, layout, channels)
    given = {
        "max_size_bytes": None if max_size is None else size(max_size, "--max-size"),
        "max_latency_ms": None if max_latency is None else milliseconds(max_latency, "--max-latency"),
        "max_macs": None if max_macs is None else count(max_macs, "--max-macs"),
        "max_memory_bytes": None if max_memory is None else size(max_memory, "--max-memory"),
        "min_accuracy": None if min_accuracy is None else share(min_accuracy, "--min-accuracy"),
        "seconds": None if time is None else seconds(time, "--time"),
        "trial_timeout": seconds(trial_timeout, "--trial-timeout"),
        "cache_bytes": size(cache_size, "--cache-size"),
    }
    console = progress()
    from edgekit.api.search import searched
    from edgekit.reporting.search_table import nearest_text, search_table, search_values

    with console.events() as shown:
        found = searched(
            how, model=model, data=data, out=out, progress=shown, **given, max_error=max_error, trials=trials,
            target=target, host=host, identity=identity, trust_target=trust_target, gzip=gzip, effort=effort,
            students=student or (), teacher=teacher, augment=augment, schemes=scheme or ("int8",), sampler=sampler,
            storage=storage, study=study, join=join, normalize_outside=normalize_outside, input_shapes=sizes,
            input_values=numbers, layout_out=layout_out, seed=seed, metric=metric, task=task,
            allow_unsafe=allow_unsafe, custom=custom or (), fresh=fresh, anyway=anyway,
        )  # fmt: skip
    if asked().as_json:
        show_json({"out": str(found.path), **search_values(found.result)})
    else:
        show(search_table(found.result, look()))
        bundles = [str(point.bundle_path) for point in found.front if point.bundle_path is not None]
        show("\n" + lines([f"search: {found.path}", *(f"bundle: {path}" for path in bundles)]))
    if not found.met:
        console.warn(nearest_text(found.result), "budget-not-met")
        if not anyway:
            raise typer.Exit(3)
