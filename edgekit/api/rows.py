"""What `edgekit.bench` and `edgekit.load_record` return: a record of measurements, and its rows."""

from __future__ import annotations

import html
from dataclasses import fields

import edgekit.bundle.records as records
from edgekit.text.printable import visible


class Record(records.Record):
    """A session of measurements that shows its table."""

    @classmethod
    def of(cls, record: records.Record) -> Record:
        """Return a record as this class."""
        return cls(**{f.name: getattr(record, f.name) for f in fields(record)})

    def table(self) -> str:
        """Return latency, memory and scores of every file, with verdicts and conditions."""
        from edgekit.report.bench_table import bench_table

        return bench_table(self)

    def __repr__(self) -> str:
        return f"Record({self.target!r}, {visible(self.created)})\n{self.table()}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"
