"""`edgekit bench`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli import measuring_options as options
from edgekit.cli.entry import failure
from edgekit.cli.options import TARGET_HELP, integers, parts, preprocessing, shapes, values
from edgekit.cli.output import asked, look, progress, show_json
from edgekit.cli.terminal import show
from edgekit.errors.printable import lines
from edgekit.schema.units import celsius, seconds

NAME = "bench"
HELP = """Measure latency, memory and accuracy of bundles, .tflite and .onnx files, here or on a board.

Every measurement runs in a fresh process; the files take turns, and the first one is what the others are compared
with. Every raw sample goes into a JSON record. A board needs Python 3 and ssh, nothing else: the runtime is copied
there, and --clean removes all of it."""
EXAMPLES = (
    "edgekit bench demo",
    "edgekit bench resnet8-ptq --only tflite --threads 1,2",
    "edgekit bench mine.tflite theirs.tflite --data cifar10 --scale 1",
    "edgekit bench demo --target rpi4 --host pi@192.168.1.7",
    "edgekit bench demo --target rpi4 --target rpi5 --target desktop",
)

PANELS = {
    "What": "only data scale mean std layout channels metric task input_shape input_value latency memory accuracy",
    "Where": "target host identity trust_target runtime runtime_wheels benchmark_model python pin governor clean",
    "How long": "threads processes min_samples min_seconds timeout cool_below cool_timeout",
    "Output": "out",
}
"""Groups of options in `--help`, in its order."""


def command(
    paths: Annotated[list[Path], typer.Argument(metavar="BUNDLE|FILE", help="Bundles, .tflite or .onnx files.")],
    target: Annotated[list[str], typer.Option("--target", help=TARGET_HELP + " Several: side by side.")] = ["desktop"],  # noqa: B006
    host: options.Host = None,
    identity: options.Identity = None,
    trust_target: options.TrustTarget = False,
    threads: Annotated[
        str | None, typer.Option("--threads", help="Thread counts: 1 or 1,2,4. [default: as the target says]")
    ] = None,
    only: options.Only = None,
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
        int | None, typer.Option(help="Fresh processes per file and thread count. [default: 5; 1 if emulated]")
    ] = None,
    min_samples: options.MinSamples = 100,
    min_seconds: options.MinSeconds = "0.5s",
    timeout: options.Timeout = "10m",
    runtime: options.Runtime = None,
    runtime_wheels: options.RuntimeWheels = None,
    benchmark_model: Annotated[
        Path | None, typer.Option(help="TFLite's program of this name, for devices without Python.")
    ] = None,
    python: options.Python = None,
    pin: options.Pin = None,
    governor: options.Governor = None,
    cool_below: options.CoolBelow = None,
    cool_timeout: options.CoolTimeout = "5m",
    clean: options.Clean = False,
    latency: options.Latency = True,
    memory: options.Memory = True,
    accuracy: options.Accuracy = True,
    out: options.Out = options.RECORDS,
) -> None:
    """Measure files."""
    from edgekit.cli.options import targets as read_targets
    from edgekit.measuring.plan import Plan

    options.check_runtime(runtime)
    plan = Plan(
        threads=integers(threads, "--threads") if threads else (),
        processes=processes,
        min_samples=min_samples,
        min_seconds=seconds(min_seconds, "--min-seconds"),
        timeout=seconds(timeout, "--timeout"),
        latency=latency,
        memory=memory,
        accuracy=accuracy,
        pin=pin or "",
        governor=governor or "",
        cool_below_c=celsius(cool_below, "--cool-below") if cool_below else None,
        cool_timeout=seconds(cool_timeout, "--cool-timeout"),
        input_shapes=shapes(input_shape or ()),
        input_values=values(input_value or ()),
    )
    how = preprocessing(scale, mean, std, layout, channels)
    console = progress()
    chosen = read_targets(target, host, identity, console, trust=trust_target)
    from edgekit.bundle.manifest import MANIFEST
    from edgekit.files.destinations import check_apart, check_default, prove
    from edgekit.files.temporary import claim

    check_apart(out, [path for path in paths if (path / MANIFEST).is_file()], "--out", replaced=False)
    if out == options.RECORDS:
        check_default(out)
    prove(out, into=True)
    claim()
    console.notify(f"Measuring on {', '.join(target)}: {', '.join(map(str, paths))}")

    from edgekit.bundle.records import Record, record_text, save_record
    from edgekit.data.fitting import shape_of
    from edgekit.data.loading import load_data
    from edgekit.measuring.candidates import candidates
    from edgekit.measuring.inputs import fed_ports
    from edgekit.measuring.several import measure
    from edgekit.reporting.bench_table import bench_table, row_values
    from edgekit.reporting.rows import rows_of

    saved: dict[str, tuple[Path | None, Record]] = {}
    troubles: list[str] = []

    def keep(record: Record) -> None:
        path, trouble = save_record(out, record)
        saved[record.target] = path, record
        troubles.extend([trouble] if trouble else [])

    subjects = candidates(paths, parts(only), runtime)
    measured = measure(
        chosen,
        subjects,
        plan,
        python=python,
        clean=clean,
        keep=keep,
        data=load_data(data, shape_of(fed_ports(subjects[0], plan.input_values)), console)
        if data is not None
        else None,
        preprocessing=how,
        metric=metric,
        kinds=task,
        forced=runtime is not None,
        wheels=runtime_wheels,
        native=benchmark_model,
        command=sys.argv[1:],
        progress=console,
    )
    rows = [row for target, (path, record) in saved.items() for row in rows_of(record, str(path or target))]
    if asked().as_json:
        whole = [record.to_dict() for path, record in saved.values() if path is None]  # better here than nowhere
        errors = [{"target": t, **failure(e.code, e.message, e.hint)["error"]} for t, e in measured.errors.items()]
        paths_written = [str(path) for path, _ in saved.values() if path]
        show_json({"records": paths_written, "rows": list(map(row_values, rows)), "unsaved": whole, "errors": errors})
    else:
        show(bench_table(*measured.records, look=look()))
        show("\n" + lines(f"record: {path}" for path, _ in saved.values() if path))
        for path, record in saved.values():
            if path is None:  # better here than nowhere
                show(record_text(record, ascii_only=True), nl=False)
    for trouble in troubles:
        console.warn(trouble, "record-not-saved")
    for name, error in measured.errors.items():
        hint = f" ({error.hint})" if error.hint else ""
        console.warn(f"{name}: {error.message}{hint}", error.code or "target-failed")
    if measured.errors or troubles or any(row.verdict == "invalid" for row in rows):
        raise typer.Exit(3)
