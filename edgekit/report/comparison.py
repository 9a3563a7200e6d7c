"""Several run records in one table, each row compared with the first, and what stands in the way of comparing them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgekit.bundle.records import Record
from edgekit.report.bench_table import Row, conditions, reasons, rows_table
from edgekit.text.printable import lines


def comparison(records: Mapping[str, Record]) -> str:
    """Return the table of several records, the reasons of the verdicts, what to beware of, and the conditions.

    Args:
        records: by what the table calls them, such as the file's name.
    """
    rows, names = [], {}
    start = next(iter(records.values()))
    firsts = {m.threads: m for m in reversed(start.measurements) if m.subject == 0}
    usual = next(iter(firsts.values()), None)
    for name, record in records.items():
        names[id(record)] = name
        for measurement in record.measurements:
            first = firsts.get(measurement.threads, usual)
            rows.append(Row(record, measurement, first or measurement, None if record is start else start))
    before = {"record": lambda row: names[id(row.record)]}
    if len({record.target for record in records.values()}) > 1:
        before["target"] = lambda row: row.record.target
    parts = [rows_table(rows, before), reasons(rows, before["record"]), lines(_cautions(records))]
    return "\n\n".join([*filter(None, parts), *(f"{name}\n{conditions(record)}" for name, record in records.items())])


def _cautions(records: Mapping[str, Record]) -> Iterator[str]:
    """Yield what makes numbers of different records hard to compare."""
    measured = {name: record.evaluation for name, record in records.items() if record.evaluation}
    if len({on.sha256 for on in measured.values()}) > 1:
        each = "; ".join(f"{name}: {on.samples:,}, {on.source}" for name, on in measured.items())
        yield f"accuracy: not of the same samples: {each}"
    machines = {str((record.host.cpu_model, record.host.cores, record.host.os)) for record in records.values()}
    if len(machines) > 1:
        yield "latency and memory: not of the same machine"
    runtimes = {
        (run.runtime.name, run.runtime.version)
        for record in records.values()
        for measurement in record.measurements
        for run in measurement.runs()
    }
    for name in sorted({name for name, _ in runtimes}):
        versions = sorted(version for of, version in runtimes if of == name)
        if len(versions) > 1:
            yield f"{name}: not of the same version: {', '.join(versions)}"
    files: dict[str, set[str]] = {}
    for record in records.values():
        for subject in record.subjects:
            files.setdefault(subject.name, set()).add(subject.sha256)
    yield from (f"{name}: not the same file everywhere" for name, digests in files.items() if len(digests) > 1)
