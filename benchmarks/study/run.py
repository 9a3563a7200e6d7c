"""Run every row with every seed; what is done already is taken from the work folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.data.dataset import Dataset
from edgekit.errors import EdgekitError, InputError
from edgekit.files.whole import write_json
from edgekit.progress import Progress

from . import rows as table
from .budgets import Budget
from .measure import measure, write_test_samples
from .models import Workshop, shared_keys, splits_of
from .records import Record, baseline_key, read_record, record_path, row_key
from .rows import Row

MOST_SEEDS = 10


@dataclass(frozen=True)
class Item:
    """A row with a seed, the key of its result and where its record belongs."""

    row: Row
    seed: int
    key: str
    path: Path


def items(rows: Sequence[Row], seeds: int, budget: Budget, data_key: str, work: Path) -> list[Item]:
    """Return what a study consists of: all rows of seed 0, then all of seed 1, and so on; refused rows are left out.

    Raises:
        InputError: no seeds, or too many.
    """
    if not 1 <= seeds <= MOST_SEEDS:
        raise InputError(f"--seeds {seeds}: expected 1 to {MOST_SEEDS}")
    found = []
    for seed in range(seeds):
        baseline = baseline_key(budget, data_key, seed)
        for row in rows:
            if not row.refusal():
                key = row_key(row, baseline)
                found.append(Item(row, seed, key, record_path(work, row, seed, key)))
    return found


def collect(wanted: Sequence[Item]) -> list[Record]:
    """Return the records that are there.

    Raises:
        InputError: one is damaged.
    """
    return [record for item in wanted if (record := read_record(item.path)) is not None]


def run(dataset: Dataset, budget: Budget, wanted: Sequence[Item], work: Path, progress: Progress) -> list[Record]:
    """Do the rows that have no record yet, or whose record says that they failed.

    Args:
        dataset: with its whole test part.
        budget: of the data set.
        wanted: what to do, in order.
        work: the folder of models, files and records.
        progress: told of every row.

    Returns:
        The records of all of them. A row that edgekit cannot do has a record that says why.

    Raises:
        InputError: a record in the work folder is damaged.
    """
    known = {item.path: read_record(item.path) for item in wanted}
    left = [item for item in wanted if (record := known[item.path]) is None or record.failure]
    progress.notify(f"{len(wanted)} rows with seeds, {len(wanted) - len(left)} done already")
    if left:
        baselines = [baseline_key(budget, dataset.fingerprint, seed) for seed in {item.seed for item in wanted}]
        # Of all rows, not of those wanted now: what is shared must not depend on --only.
        shared = shared_keys([row for row in table.rows(budget) if not row.refusal()], baselines)
        splits = splits_of(dataset, budget)
        samples = write_test_samples(dataset, work / "test.npz")
        workshop = Workshop(dataset, splits, budget, work, shared, progress)
        for number, item in enumerate(left, 1):
            progress.notify(f"[{number}/{len(left)}] seed {item.seed}: {item.row.label}")
            record = _do(item, workshop, samples)
            write_json(item.path, record.to_dict())
            _tell(record, progress)
    return collect(wanted)


def _do(item: Item, workshop: Workshop, samples: Path) -> Record:
    started = time.monotonic()
    try:
        state, lineage = workshop.after(item.row.stages, item.seed)
        stem = item.path.with_suffix("")
        files = measure(state, item.row.schemes, stem, workshop.dataset, workshop.splits, samples)
    except EdgekitError as error:
        return Record(item.row.id, item.seed, item.key, failure=error.message)
    seconds = round(time.monotonic() - started, 1)
    return Record(item.row.id, item.seed, item.key, files, seconds=seconds, lineage=lineage)


def _tell(record: Record, progress: Progress) -> None:
    if record.failure:
        progress.warn(f"{record.row}: {record.failure}")
    for file in record.files:
        progress.notify(f"  {file.scheme}: {file.accuracy:.2%}, {file.bytes:,} bytes, row took {record.seconds:.0f} s")
