"""Parse, call, print."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.entry import run

from . import budgets
from . import rows as table
from .records import Record, check_writable

RESULTS = Path(__file__).with_name("results")
COMMANDS = ("run", "latency", "report")

app = typer.Typer(
    name="python -m benchmarks.study",
    help="The study of Khan and Mandal (arXiv 2305.08075), reproduced with edgekit's own stages.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Data = Annotated[str, typer.Argument(metavar="DATA", help="mnist or cifar10")]
Seeds = Annotated[int, typer.Option(help="How often everything is trained, with seeds 0, 1, ...; up to 10.")]
Quick = Annotated[bool, typer.Option("--quick", help="6,000 training samples, few epochs, fewer levels, one seed.")]
Work = Annotated[Path | None, typer.Option(help="Models, files and records. [default: ~/.cache/edgekit/study/DATA]")]
Only = Annotated[str, typer.Option(help="Rows or families by pattern, e.g. 'prune-*-conv-*,qat'.")]
Rounds = Annotated[int, typer.Option(help="Fresh processes for each file, in turns with the baseline.")]
Out = Annotated[Path, typer.Option(help="Where the results are written.")]


@app.command("run", help="Train, compress and evaluate every row, or what a killed run left. DATA alone does this.")
def run_command(
    data: Data, seeds: Seeds = 3, quick: Quick = False, work: Work = None, only: Only = "*", out: Out = RESULTS
) -> None:
    """Run the rows that are not done, then write the results."""
    from edgekit.api.console import Console
    from edgekit.data.loading import load_data

    from .report import write_results
    from .run import items, run

    budget, seeds = budgets.find(data, quick), _seeds(seeds, quick)
    folder = work or _default_work(data)
    known = table.rows(budget)
    chosen = table.choose(known, only)
    items(chosen, seeds, budget, "", folder)
    check_writable(folder, "--work")
    check_writable(out, "--out")
    console = Console()
    dataset = load_data(data)
    records = run(dataset, budget, items(chosen, seeds, budget, dataset.fingerprint, folder), folder, console)
    typer.echo(write_results(out, budget, quick, dataset, _all(budget, dataset.fingerprint, folder)))
    if any(record.failure for record in records):
        raise typer.Exit(3)


@app.command("latency", help="Time the files of seed 0 against the baseline's, interleaved. Needs a quiet machine.")
def latency_command(
    data: Data, quick: Quick = False, work: Work = None, out: Out = RESULTS, rounds: Rounds = 5
) -> None:
    """Time what is not timed yet, then write the results."""
    from edgekit.api.console import Console
    from edgekit.data.loading import load_data

    from .latency import time_files
    from .report import write_results
    from .run import items

    budget = budgets.find(data, quick)
    folder = work or _default_work(data)
    check_writable(folder, "--work")
    check_writable(out, "--out")
    dataset = load_data(data)
    first = items(table.rows(budget), 1, budget, dataset.fingerprint, folder)
    time_files(first, dataset, folder, rounds, Console())
    typer.echo(write_results(out, budget, quick, dataset, _all(budget, dataset.fingerprint, folder)))


@app.command("report", help="Write the tables, the plot and the findings again, from the records.")
def report_command(data: Data, quick: Quick = False, work: Work = None, out: Out = RESULTS) -> None:
    """From the committed records; with --work, from those of an unfinished run."""
    from edgekit.data.loading import load_data

    from .report import render_results, write_results

    budget = budgets.find(data, quick)
    if work is None:
        typer.echo(render_results(out, budget, quick))
        return
    check_writable(out, "--out")
    dataset = load_data(data)
    typer.echo(write_results(out, budget, quick, dataset, _all(budget, dataset.fingerprint, work)))


def _seeds(seeds: int, quick: bool) -> int:
    return 1 if quick and seeds > 1 else seeds


def _all(budget: budgets.Budget, data_key: str, work: Path) -> list[Record]:
    """Return every record there is, also of rows and seeds that were left out this time."""
    from .run import MOST_SEEDS, collect, items

    return collect(items(table.rows(budget), MOST_SEEDS, budget, data_key, work))


def _default_work(data: str) -> Path:
    from edgekit.files.whole import work_base

    return work_base() / "study" / data


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code: 0, 1 an explained failure, 2 usage, 3 in part, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] not in COMMANDS and not given[0].startswith("-"):
        given.insert(0, "run")
    return run(app, "study", given)
