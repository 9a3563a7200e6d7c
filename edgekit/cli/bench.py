"""`edgekit bench`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.options import DATA_HELP, integers, preprocessing

NAME = "bench"
HELP = """Measure latency, memory and accuracy of bundles, .tflite and .onnx files.

Every measurement runs in a fresh process; the files take turns, and the first one is what the others are compared
with. Every raw sample goes into a JSON record."""
EPILOG = """Examples: edgekit bench demo ·
edgekit bench resnet8-ptq --only tflite --threads 1,2 ·
edgekit bench mine.tflite theirs.tflite --data cifar10 --scale 1"""


def command(
    paths: Annotated[list[Path], typer.Argument(metavar="BUNDLE|FILE...", help="Bundles, .tflite or .onnx files.")],
    target: Annotated[str, typer.Option("--target", help="Where to measure: desktop.")] = "desktop",
    threads: Annotated[str, typer.Option("--threads", help="Thread counts: 1 or 1,2,4.")] = "1",
    only: Annotated[
        str | None, typer.Option("--only", help="Of bundles: tflite, onnx, int8, ... with commas between.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", help="Evaluate on this test set: " + DATA_HELP)] = None,
    scale: Annotated[str | None, typer.Option(help="Of files no bundle describes: (x * SCALE - MEAN) / STD.")] = None,
    mean: Annotated[str | None, typer.Option(help="One number, or one per channel.")] = None,
    std: Annotated[str | None, typer.Option(help="As --mean.")] = None,
    layout: Annotated[str | None, typer.Option(help="NHWC or NCHW, what the model expects.")] = None,
    processes: Annotated[int, typer.Option(help="Fresh processes per file and thread count.")] = 5,
    min_samples: Annotated[int, typer.Option(help="Timed samples per process, at least.")] = 100,
    min_seconds: Annotated[float, typer.Option(help="Seconds of timing per process, at least.")] = 0.5,
    timeout: Annotated[float, typer.Option(help="Seconds after which a process is given up.")] = 600,
    runtime: Annotated[str | None, typer.Option(help="ai-edge-litert or tflite-runtime, for .tflite files.")] = None,
    python: Annotated[str | None, typer.Option(help="Another Python that has the runtime and numpy.")] = None,
    latency: Annotated[bool, typer.Option(help="Measure latency.")] = True,
    memory: Annotated[bool, typer.Option(help="Measure memory.")] = True,
    accuracy: Annotated[bool, typer.Option(help="Measure accuracy.")] = True,
    out: Annotated[Path, typer.Option("--out", help="Folder for the record.")] = Path("edgekit-records"),
) -> None:
    """Measure files."""
    from edgekit.bench.plan import Plan
    from edgekit.cli.console import Console

    if runtime not in (None, "ai-edge-litert", "tflite-runtime"):
        raise typer.BadParameter("expected ai-edge-litert or tflite-runtime", param_hint="--runtime")
    plan = Plan(
        threads=integers(threads, "--threads"),
        processes=processes,
        min_samples=min_samples,
        min_seconds=min_seconds,
        timeout=timeout,
        latency=latency,
        memory=memory,
        accuracy=accuracy,
    )
    how = preprocessing(scale, mean, std, layout)
    console = Console()
    console.say(f"Measuring on {target}: {', '.join(map(str, paths))}")

    from edgekit.bench.session import bench
    from edgekit.bench.subjects import candidates
    from edgekit.data.loading import load_data
    from edgekit.devices.device import open_device
    from edgekit.records import record_path, write_record
    from edgekit.report.bench_table import bench_table, failed

    subjects = candidates(paths, tuple(only.split(",")) if only else (), runtime)
    dataset = load_data(data) if data else None
    with open_device(target, python) as device:
        record = bench(subjects, plan, device, data=dataset, preprocessing=how, command=sys.argv[1:], progress=console)
    path = record_path(out, record)
    write_record(path, record)
    typer.echo(bench_table(record))
    typer.echo(f"\nrecord: {path}")
    if failed(record):
        raise typer.Exit(3)
