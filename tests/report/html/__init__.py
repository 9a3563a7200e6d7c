"""What the tests of the page share: collections without a clock, and one in which a stranger named everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgekit.bundle.collection import Collection, Skipped
from edgekit.bundle.manifest import Bundle
from edgekit.bundle.records import DeviceSession, Measurement, Record, Throttled
from edgekit.bundle.runs import MachineState, SampledRun
from edgekit.bundle.search_result import SearchResult
from tests.report.reports import collection

HOSTILE = (
    "<script>document.title='taken'</script>", "</script><script>document.title='taken'</script>", "<!--<script>",
    "<img src=x onerror=\"document.title='taken'\">", "\"'><b title=`x`>", "&lt;b&gt;&amp;", "\u202egnp.elif",
    "\x1b[2J\x1b[31mred", "a\nb\r\nc", "\u2028line\u2029", "javascript:alert(1)", "${1+1}{{1+1}}", "=datum.x",
    "\u05d0\u05d1.tflite", "x" * 200,
)  # fmt: skip
"""Names that a stranger may give: HTML, scripts, direction marks, escapes of a terminal, expressions."""


def strangers(names: Sequence[str] = HOSTILE) -> Collection:
    """Return a collection in which every text is a stranger's."""
    found = collection()
    [record], [bundle], [search] = found.records.values(), found.bundles.values(), found.searches.values()
    return Collection(
        {name: _record(record, name) for name in names},
        {f"bundle {name}": _bundle(bundle, name) for name in names},
        {f"search {name}": _search(search, name) for name in names},
        tuple(Skipped(name, "not-json", name) for name in names),
    )


def _record(record: Record, name: str) -> Record:
    subjects = tuple(
        replace(s, name=f"{name}{i}", path=name, sha256=f"{name}{i}") for i, s in enumerate(record.subjects)
    )
    assert record.evaluation is not None
    return replace(
        record,
        subjects=subjects,
        host=replace(record.host, cpu_model=name, os=name, kernel=name),
        created=name,
        edgekit=name,
        command=["bench", name],
        target=name,
        evaluation=replace(record.evaluation, source=name, sha256=name),
    )


def _bundle(bundle: Bundle, name: str) -> Bundle:
    manifest = bundle.manifest
    artifacts = tuple(replace(a, file=f"{name}{i}", made_by=name) for i, a in enumerate(manifest.artifacts))
    ledger = tuple(replace(entry, stage=name) for entry in manifest.ledger)
    data = {**manifest.data, "name": name, "sha256": name}
    packages = {name: name}
    changed = replace(
        manifest, name=name, recipe=name, artifacts=artifacts, ledger=ledger, data=data, packages=packages, created=name
    )
    return replace(bundle, manifest=changed)


def _search(result: SearchResult, name: str) -> SearchResult:
    front = tuple(replace(p, trial=replace(p.trial, name=name, description=name), recipe=name) for p in result.front)
    return replace(result, front=front, target=name)


def busy(record: Record) -> Record:
    """Return a record whose machine grows hot, slows down and is throttled."""
    count = 0

    def warmed(run: SampledRun) -> SampledRun:
        nonlocal count
        count += 1
        before = MachineState(1.0, (1_800_000,), {"cpu": 50.0 + count}, 0, 0)
        after = MachineState(1.0, (1_800_000 - 50_000 * count,), {"cpu": 52.0 + count}, 0, 0)
        return replace(run, state_before=before, state_after=after)

    def measured(m: Measurement) -> Measurement:
        return replace(m, latency=tuple(warmed(run) if isinstance(run, SampledRun) else run for run in m.latency))

    measurements = tuple(map(measured, record.measurements))
    bits = Throttled(0, tuple(0x4 if n == 3 else 0 for n in range(count)))
    return replace(record, measurements=measurements, device=DeviceSession(throttled=bits))
