"""From records to the files of a result: `.json`, `.md`, `.csv`, `.svg` and `.html`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgekit.data.dataset import Dataset
from edgekit.devices.device import open_device
from edgekit.devices.facts import read_facts
from edgekit.errors import InputError
from edgekit.files.whole import atomic_file, write_json
from edgekit.schema.gate import read_json
from edgekit.schema.tables import written
from edgekit.version import __version__

from .budgets import Budget
from .compare import Study
from .findings import KEPT, answer_all
from .page import page
from .plot import draw
from .records import SCHEMA, Record
from .rows import rows
from .summary import Line, best, budget_sentences, lines, not_done
from .tables import answers_table, csv_table, results_table

BEST = 5
QUICK = "The quick form trains far too little for its answers to mean anything: it shows that every row can be made."
ONE_SEED = "One seed: every answer holds for this one training, not for training as such."


def write_results(out: Path, budget: Budget, quick: bool, dataset: Dataset, records: Sequence[Record]) -> str:
    """Write all records into `OUT/DATA.json` and render them; return what to print.

    Args:
        out: the folder of results.
        budget: of the study.
        quick: whether it is the quick form, whose files are called `DATA-quick`.
        dataset: its digest and test size are noted.
        records: of all rows and seeds that are done.

    Raises:
        InputError: there are no records yet, or the result that is there holds some that these do not.
    """
    if not records:
        raise InputError("there are no records yet", "run the study first, or give its --work folder")
    _check_fuller(out / f"{_name(budget, quick)}.json", budget, records)
    with open_device() as device:
        host = read_facts(device.transport)
    write_json(
        out / f"{_name(budget, quick)}.json",
        {
            "schema": SCHEMA,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "edgekit": __version__,
            "host": written(host),
            "data": {"name": dataset.name, "sha256": dataset.fingerprint, "test_samples": len(dataset.y_test)},
            "budget": budget.to_dict(),
            "records": [record.to_dict() for record in records],
        },
    )
    return render_results(out, budget, quick)


def _check_fuller(path: Path, budget: Budget, records: Sequence[Record]) -> None:
    """Raise if a result of the same budget holds rows and seeds that would be lost."""
    if not path.exists():
        return
    document = read_json(path, "result of the study")
    if not isinstance(document, dict) or document.get("budget") != budget.to_dict():
        return
    done = {(record.row, record.seed) for record in records}
    lost = [r for r in _records(document, str(path), budget) if (r.row, r.seed) not in done]
    if lost:
        raise InputError(
            f"{path}: holds {len(lost)} results that this work folder does not, {lost[0].row} of seed {lost[0].seed} "
            "for one",
            "finish the run in this work folder first, or give another --out",
        )


def render_results(out: Path, budget: Budget, quick: bool) -> str:
    """Write the Markdown page, the CSV, the plot and the HTML page from `OUT/DATA.json`; return what to print.

    Raises:
        InputError: there is no such file, it is damaged, or it was made with other budgets.
    """
    name = _name(budget, quick)
    source = out / f"{name}.json"
    document = read_json(source, "result of the study")
    records = _records(document, str(source), budget)
    study = Study.of(records)
    found = lines(study, rows(budget))
    markdown = _page(document, study, found, records, budget, name)
    _write(out / f"{name}.csv", csv_table(found))
    draw(found, f"{budget.data}: {budget.model}, {_seeds(records)}", out / f"{name}.svg")
    _write(out / f"{name}.md", markdown)
    _write(out / f"{name}.html", page(document, records))
    answers = answer_all(study, budget)
    told = [f"{a.question}: {a.verdict}. {a.numbers}" for a in answers]
    return "\n".join([*told, f"written: {out / name}.md .csv .svg .html .json"])


def _records(document: Any, source: str, budget: Budget) -> list[Record]:
    if not isinstance(document, dict) or document.get("schema") != SCHEMA or "records" not in document:
        raise InputError(f"{source}: not a result of the study", "run the study again")
    if document.get("budget") != budget.to_dict():
        raise InputError(f"{source}: was made with other budgets than those in budgets.py", "run the study again")
    return [Record.from_dict(value, source) for value in document["records"]]


def _page(
    document: dict[str, Any], study: Study, found: list[Line], records: Sequence[Record], budget: Budget, name: str
) -> str:
    data = document["data"]
    failures = {record.row: record.failure for record in records if record.failure}
    left = not_done(study, rows(budget), failures)
    small = best(found, study, KEPT)[:BEST]
    parts = [
        f"# The study on {budget.data}",
        f"Made by `python -m benchmarks.study {budget.data}{' --quick' * name.endswith('-quick')}`; "
        f"`python -m benchmarks.study report` makes this page again from [{name}.json]({name}.json). "
        f"{_seeds(records)}. {budget_sentences(budget)}",
        "Accuracy is of the TFLite file on the whole test part "
        f"({data['test_samples']:,} samples). Its interval is a t interval over seeds, which holds what training anew "
        "changes; with a single seed it is Wilson's, like the binomial column, over samples. Differences are paired: "
        "same seed, same test samples. Intervals are 95 %, not corrected for their number. %/KiB is the study's "
        "efficiency. `int8` of a row without quantization-aware training is post-training. Latency: one thread, first "
        "seed, interleaved with the baseline's float32 file; `busy` marks those taken beside other work.",
        *([QUICK] if name.endswith("-quick") else []),
        *([ONE_SEED] if len({record.seed for record in records}) == 1 else []),
        "## Answers",
        answers_table(answer_all(study, budget)),
        "## All files",
        f"![accuracy against size]({name}.svg)",
        results_table(found),
    ]
    if small:
        parts += [f"## The smallest that lose at most {100 * KEPT:g} point", results_table(small)]
    if left:
        parts += ["## Rows without results", "\n".join(f"- {label}: {reason}" for label, reason in left)]
    host = document["host"]
    parts.append(f"edgekit {document['edgekit']}, {document['created']}, {host['cpu_model']}, {host['cores']} cores.")
    return "\n\n".join(parts) + "\n"


def _seeds(records: Sequence[Record]) -> str:
    count = len({record.seed for record in records})
    return f"{count} seed{'s' * (count != 1)}"


def _name(budget: Budget, quick: bool) -> str:
    return budget.data + "-quick" * quick


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
