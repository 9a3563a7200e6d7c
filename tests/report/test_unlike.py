"""Which conditions of two records differ, from a recorded session: no clock involved."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from edgekit.bundle.facts import Unavailable
from edgekit.bundle.records import EvaluatedOn, Measurement, Record, read_record
from edgekit.bundle.runs import Runtime
from edgekit.reporting.unlike import CONDITIONS, Difference, affected, unlike

RECORD = read_record(Path(__file__).parent / "session.json")
OTHER = dataclasses.replace(RECORD)
"""Another session that is like it in everything."""


def host(**facts: Any) -> Record:
    return dataclasses.replace(RECORD, host=dataclasses.replace(RECORD.host, **facts))


def plan(**settings: Any) -> Record:
    return dataclasses.replace(RECORD, plan=dataclasses.replace(RECORD.plan, **settings))


def files(**fields: Any) -> Record:
    return dataclasses.replace(RECORD, subjects=tuple(dataclasses.replace(s, **fields) for s in RECORD.subjects))


def measured(change: Any) -> Record:
    return dataclasses.replace(RECORD, measurements=tuple(map(change, RECORD.measurements)))


def under(name: str, version: str = "2.3.0", delegate: str | None = None) -> Record:
    """Return the record as another runtime would have given it."""

    def runtime(run: Any) -> Any:
        kept = run.runtime.delegate if delegate is None else delegate
        return dataclasses.replace(run, runtime=Runtime(name, version, kept))

    def change(m: Measurement) -> Measurement:
        passes = {name: runtime(run) for name in ("memory", "accuracy") if (run := getattr(m, name))}
        return dataclasses.replace(m, latency=tuple(map(runtime, m.latency)), **passes)

    return measured(change)


def with_threads(count: int) -> Record:
    return measured(lambda m: dataclasses.replace(m, threads=count))


WHERE = "the bundle's evaluation samples"
CASES: list[tuple[Record, Record, list[Difference]]] = [
    (RECORD, RECORD, []),
    (RECORD, OTHER, []),
    (RECORD, dataclasses.replace(RECORD, edgekit="1.4.0"), [Difference("edgekit", "0", "1")]),
    (RECORD, dataclasses.replace(RECORD, edgekit="0.9.1"), []),
    (RECORD, dataclasses.replace(RECORD, target="rpi4"), [Difference("device", "desktop", "rpi4")]),
    (RECORD, host(cpu_model="Cortex-A72", cores=4, os="Debian 13"),
     [Difference("cpu", "AMD EPYC", "Cortex-A72"), Difference("cores", "2", "4"),
      Difference("os", "Debian GNU/Linux 12 (bookworm)", "Debian 13")]),
    (host(emulated=False), host(emulated="QEMU"), [Difference("emulation", "none", "QEMU")]),
    (host(emulated=False), host(emulated=None), []),
    (RECORD, host(governor=Unavailable("another reason")), []),
    (RECORD, host(governor="powersave"), [Difference("governor", "unknown", "powersave")]),
    (plan(pin=""), plan(pin=None), []),
    (RECORD, plan(pin="0-1"), [Difference("pin", "none", "0-1")]),
    (plan(input_shapes={}), plan(input_shapes={"a": [1, 8]}), [Difference("input-shapes", "as in the file", "a 1×8")]),
    (plan(input_values={"sr": 8000.0}), plan(input_values={"sr": 16000.0}),
     [Difference("input-values", "sr = 8000", "sr = 16000")]),
    (files(input_shapes={"a": [1, 8]}), files(input_shapes={"a": [1, 9]}),
     [Difference("input-shapes", "a 1×8", "a 1×9")]),
    (RECORD, with_threads(4), [Difference("threads", "1", "4")]),
    (RECORD, under("tflite-runtime"), [Difference("runtime", "ai-edge-litert", "tflite-runtime")]),
    (RECORD, under("ai-edge-litert", "2.4"),
     [Difference("runtime-version", "ai-edge-litert 2.3.0", "ai-edge-litert 2.4")]),
    (RECORD, under("ai-edge-litert", delegate="none"), [Difference("delegate", "XNNPACK (1 partition)", "none")]),
    (RECORD, under("ai-edge-litert", delegate=""), []),
    (RECORD, dataclasses.replace(RECORD, evaluation=EvaluatedOn("other.npz", 50, "0" * 64)),
     [Difference("samples", f"1,000, {WHERE}", "50, other.npz")]),
    (RECORD, dataclasses.replace(RECORD, evaluation=EvaluatedOn(WHERE, 1000, "0" * 64)),
     [Difference("samples", f"1,000, {WHERE} (cdcdcdcdcdcd)", f"1,000, {WHERE} (000000000000)")]),
    (RECORD, dataclasses.replace(RECORD, evaluation=None), []),
]  # fmt: skip


@pytest.mark.parametrize(("here", "there", "expected"), CASES)
def test_records(here: Record, there: Record, expected: list[Difference]) -> None:
    assert list(unlike(here, there)) == expected
    turned = [Difference(d.what, d.there, d.here) for d in expected]
    assert list(unlike(there, here)) == turned
    pair = (here.measurements[0], there.measurements[0])
    assert list(unlike(here, there, pair)) == expected


def test_a_runtime_belongs_to_a_format() -> None:
    onnx = dataclasses.replace(
        under("onnxruntime", "1.32.0", "CPUExecutionProvider"), subjects=files(format="onnx", sha256="1" * 64).subjects
    )
    assert unlike(RECORD, onnx) == ()


def test_how_much_a_delegate_takes_belongs_to_the_file() -> None:
    others = dataclasses.replace(under("ai-edge-litert", delegate="none"), subjects=files(sha256="1" * 64).subjects)
    assert unlike(RECORD, others) == ()


def test_within_a_session_only_the_measurements_count() -> None:
    one, two = RECORD.measurements[0], dataclasses.replace(RECORD.measurements[1], threads=2)
    assert unlike(RECORD, RECORD, (one, two)) == (Difference("threads", "1", "2"),)


def test_every_condition_is_tried() -> None:
    assert {difference.what for *_, expected in CASES for difference in expected} == set(CONDITIONS)


def test_what_is_affected() -> None:
    assert affected(CONDITIONS["samples"].affects) == "accuracy"
    assert affected(CONDITIONS["cpu"].affects) == "latency and memory"
    assert str(Difference("cores", "2", "4")) == "not of the same number of cores: 2, 4"
