"""`edgekit check`."""

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.options import parts
from edgekit.cli.output import asked, look, progress, show_json
from edgekit.cli.terminal import message, show
from edgekit.schema.units import LATENCY_HELP, SIZE_HELP, milliseconds, share, size

NAME = "check"
FAILED, OPEN = 3, 4
"""Exit codes beside 0."""
HELP = """Check records and bundles against a budget: pass, fail, or cannot tell.

Every bound is decided on the 95 % interval of its number: pass if the whole interval keeps it, fail if none of it does,
and cannot tell if the limit lies inside, or if the number was not measured. Bounds are options, or stand in a
budget.toml, for all files, per target and per pattern of files. Exit codes: 0 pass, 3 fail, 4 cannot tell; 1 and 2 as
always: nothing was decided."""
EXAMPLES = (
    "edgekit check edgekit-records/*.json --max-size 100kB --max-latency-p90 20ms --min-accuracy 0.985",
    "edgekit check edgekit-records --budget budget.toml --junit checks.xml",
    "edgekit check new.json --baseline baseline.json --max-slowdown 5% --max-drop 0.5 --max-growth 2%",
    'edgekit check new.json --budget budget.toml --github --markdown "$GITHUB_STEP_SUMMARY"',
)
PANELS = {
    "Bounds": "budget max_size max_latency max_latency_p90 max_memory min_accuracy max_error",
    "Against a baseline": "baseline max_drop max_slowdown max_growth force",
    "What": "only",
    "Output": "junit sarif markdown github",
}
"""Groups of options in `--help`, in its order."""
LATENCY = f"{LATENCY_HELP}."


def command(
    records: Annotated[
        list[Path], typer.Argument(metavar="RECORD|BUNDLE|FOLDER", help="Records, bundles, or folders of them.")
    ],
    budget: Annotated[Path | None, typer.Option("--budget", help="A budget.toml; options win over it.")] = None,
    max_size: Annotated[str | None, typer.Option("--max-size", help=f"Of the file: {SIZE_HELP}.")] = None,
    max_latency: Annotated[str | None, typer.Option("--max-latency", help=f"Median: {LATENCY}")] = None,
    max_latency_p90: Annotated[
        str | None,
        typer.Option("--max-latency-p90", help="What 90 % of a process's inferences stay below: as --max-latency."),
    ] = None,
    max_memory: Annotated[
        str | None, typer.Option("--max-memory", help="Peak of file and runtime: as --max-size.")
    ] = None,
    min_accuracy: Annotated[
        str | None, typer.Option("--min-accuracy", help="0.985 or 98.5%; of another metric where more is better.")
    ] = None,
    max_error: Annotated[
        float | None, typer.Option("--max-error", help="Of a metric where less is better, such as mae.")
    ] = None,
    baseline: Annotated[
        list[Path] | None,
        typer.Option(
            "--baseline",
            help="Records or bundles to compare with, by the files' names; may be given again. "
            "[default: the first file of each record]",
        ),
    ] = None,
    max_drop: Annotated[
        float | None, typer.Option("--max-drop", help="Of accuracy: 0.5 is half a point; of an error in percent.")
    ] = None,
    max_slowdown: Annotated[
        str | None, typer.Option("--max-slowdown", help="Of the median latency: 5% or 0.05.")
    ] = None,
    max_growth: Annotated[str | None, typer.Option("--max-growth", help="Of the file: 2% or 0.02.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Compare also where runtime, device, threads or samples differ.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", help="Files whose name, format or scheme is: int8, '*-int8.tflite'; may be given again."
        ),
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML there.")] = None,
    sarif: Annotated[Path | None, typer.Option("--sarif", help="Write SARIF 2.1.0 there.")] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Append a summary there, such as to $GITHUB_STEP_SUMMARY.")
    ] = None,
    github: Annotated[
        bool, typer.Option("--github", help="Print annotations for GitHub Actions, too (::error file=...).")
    ] = False,
) -> None:
    """Check files.

    Raises:
        Exit: with code 3 a bound is missed, with code 4 one cannot be told.
    """
    limits = {
        "max_size_bytes": None if max_size is None else size(max_size, "--max-size"),
        "max_latency_ms": None if max_latency is None else milliseconds(max_latency, "--max-latency"),
        "max_latency_p90_ms": None if max_latency_p90 is None else milliseconds(max_latency_p90, "--max-latency-p90"),
        "max_memory_bytes": None if max_memory is None else size(max_memory, "--max-memory"),
        "min_accuracy": None if min_accuracy is None else share(min_accuracy, "--min-accuracy"),
        "max_slowdown": None if max_slowdown is None else share(max_slowdown, "--max-slowdown"),
        "max_growth": None if max_growth is None else share(max_growth, "--max-growth"),
    }
    console = progress()
    import secrets

    from edgekit.api.checking import check
    from edgekit.api.words import as_command
    from edgekit.reporting.checking.annotations import annotated, muted, unmuted
    from edgekit.reporting.checking.checks import FAIL, PASS
    from edgekit.reporting.checking.table import check_table, document

    say = message if asked().as_json else show
    token = secrets.token_hex(16)
    if github:  # names of files and records are no commands
        say(muted(token))
    try:
        with console.events() as shown:
            gate = as_command(check)(
                records, budget=budget, baseline=baseline or (), **limits, max_error=max_error, max_drop=max_drop,
                only=parts(only), force=force, junit=junit, sarif=sarif, markdown=markdown, progress=shown,
            )  # fmt: skip
        if asked().as_json:
            show_json(document(gate))
        else:
            show(check_table(gate, look()))
    finally:
        if github:
            say(unmuted(token))
    for line in annotated(gate) if github else ():
        say(line)
    if gate.word != PASS:
        raise typer.Exit(FAILED if gate.word == FAIL else OPEN)
