"""What `edgekit.bench` and `edgekit.load_record` return: a record of measurements, and its rows."""

from __future__ import annotations

import html
from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING

import edgekit.bundle.records as records
from edgekit.api.frames import data_frame
from edgekit.errors import InputError
from edgekit.errors.printable import visible
from edgekit.reporting.rows import Row, rows_of

if TYPE_CHECKING:
    import pandas


class Record(records.Record):
    """A session of measurements: `record["int8", 1]` is the row of the int8 file with one thread."""

    @classmethod
    def of(cls, record: records.Record) -> Record:
        """Return a record as this class."""
        return cls(**{f.name: getattr(record, f.name) for f in fields(record)})

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """A row a file and thread count, in the order in which they were measured; the first file is the baseline."""
        return tuple(rows_of(self))

    def select(self, *only: str | int) -> tuple[Row, ...]:
        """Return the rows of which all of these hold.

        Args:
            only: names of files, formats, schemes, and thread counts.
        """
        return tuple(row for row in self.rows if set(only) <= {row.file, row.format, row.scheme, row.threads})

    def __getitem__(self, key: str | int | tuple[str | int, ...]) -> Row:
        """Return the row of which all of the key holds; of an int8 file in both formats, the `.tflite`'s.

        Args:
            key: a file's name, format or scheme, or a thread count, or several of these.

        Raises:
            InputError: there is no such row, or there are several.
        """
        only = key if isinstance(key, tuple) else (key,)
        chosen = self.select(*only)
        if len(chosen) > 1:
            chosen = tuple(row for row in chosen if row.format == "tflite") or chosen
        if len(chosen) != 1:
            there = ", ".join(f"{row.file} with {row.threads} thread{'s' * (row.threads != 1)}" for row in self.rows)
            asked = ", ".join(map(repr, only))
            raise InputError(
                f"record: {len(chosen) or 'no'} row{'s' * (len(chosen) != 1)} for {asked}",
                f"the rows are {there}",
                code="row-not-one" if chosen else "nothing-selected",
            )
        return chosen[0]

    def table(self) -> str:
        """Return latency, memory and scores of every file, with verdicts and conditions."""
        from edgekit.reporting.bench_table import bench_table

        return bench_table(self)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row a file and thread count.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        from edgekit.reporting.bench_table import row_values

        return data_frame([row_values(row) for row in self.rows])

    def __repr__(self) -> str:
        return f"Record({self.target!r}, {visible(self.created)})\n{self.table()}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"
