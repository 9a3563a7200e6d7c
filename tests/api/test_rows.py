"""Records as Python shows them, of a stored session."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import edgekit
from edgekit.api.rows import Record
from tests.support.raised import raised

SESSION = Path(__file__).parents[1] / "report" / "session.json"


@pytest.fixture
def record() -> Record:
    return edgekit.load_record(SESSION)


def test_rows_have_numbers_with_units(record: Record) -> None:
    assert len(record.rows) == len(record.measurements)
    for row in record.rows:
        assert row.bytes == row.subject.bytes
        if row.measurement.latency:
            assert row.median_ms is not None and row.p90_ms is not None and row.p99_ms is not None
            assert row.median_ms <= row.p90_ms <= row.p99_ms
            assert min(row.samples_ns) / 1e6 <= row.median_ms <= max(row.samples_ns) / 1e6
        assert bool(row.reasons) == (row.verdict != "valid")
        assert all(reason.code for reason in row.reasons)
    baseline = record.rows[0]
    assert baseline.vs_baseline is not None
    assert baseline.vs_baseline.value == 1.0


def test_the_table_says_the_same(record: Record) -> None:
    frame = record.to_pandas()
    assert list(frame["file"]) == [row.file for row in record.rows]
    assert list(frame["verdict"]) == [row.verdict for row in record.rows]
    assert {"median_ms", "memory_mib", "score"} <= set(frame.columns)
    assert record.table() in repr(record)


def test_a_row_is_found_by_what_it_is(record: Record) -> None:
    first = record.rows[0]
    assert record[first.file, first.threads] is first
    assert first in record.select(first.format)
    with raised("nothing-selected", "'int3'", first.file):
        record["int3", 1]


def test_of_several_rows_none_is_guessed(record: Record) -> None:
    first = record.measurements[0]
    other = dataclasses.replace(first, threads=first.threads + 1)
    several = Record.of(dataclasses.replace(record, measurements=(*record.measurements, other)))
    name = several.rows[0].file
    with raised("row-not-one", name):
        several[name]
    assert several[name, other.threads].measurement == other


def test_an_emulated_cpu_has_no_latency(record: Record) -> None:
    emulated = Record.of(dataclasses.replace(record, host=dataclasses.replace(record.host, emulated="QEMU")))
    for row in emulated.rows:
        times = (row.median_ms, row.interval_ms, row.p90_ms, row.init_ms, row.first_inference_ms, row.vs_baseline)
        assert times == (None,) * 6
