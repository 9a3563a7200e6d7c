"""Files of a record on the axes of accuracy and bytes: the front, and for every other file the one that beats it.

    python benchmarks/front.py RECORD.json

A file beats another if it has no more bytes and at least its accuracy, on the samples of the record. Intervals of 95 %
are printed beside: where they overlap, another sample might order the files in another way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.bundle.records import read_record
from edgekit.reporting.rows import Row, rows_of
from edgekit.tasks.metrics import Score


def score(row: Row) -> Score:
    """Return the score of a row's file."""
    if row.accuracy is None:
        raise SystemExit(f"{row.file}: the record has no accuracy")
    return row.accuracy


def beats(one: Row, other: Row) -> bool:
    """Return whether a file is at least as good in both, and better in one."""
    better = (one.bytes, score(one).value) != (other.bytes, score(other).value)
    return better and one.bytes <= other.bytes and score(one).value >= score(other).value


def main(record: Annotated[Path, typer.Argument(help="Of `edgekit bench`, with one number of threads.")]) -> None:
    """Print the files from the largest to the smallest."""
    rows = sorted(rows_of(read_record(record)), key=lambda row: row.bytes, reverse=True)
    width = max(len(row.file) for row in rows)
    for row in rows:
        low, high = score(row).interval.low, score(row).interval.high
        ahead = max((other for other in rows if beats(other, row)), key=lambda one: score(one).value, default=None)
        place = "on the front" if ahead is None else f"beaten by {ahead.file}"
        print(f"{row.file:{width}} {row.bytes:>9,} B  {score(row).value:.2%} [{low:.1%}, {high:.1%}]  {place}")


if __name__ == "__main__":
    typer.run(main)
