"""Logs of TFLite's `benchmark_model`.

The figures are those of published logs (`android.json` names each source); the lines around them are written here, in
the forms that the program's source gives (google-ai-edge/LiteRT, `tflite/tools/benchmark`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgekit.devices import benchmark_model
from edgekit.devices.device import Device, open_device
from edgekit.devices.jobs import LatencySettings
from edgekit.devices.target import Target, parse
from edgekit.errors import InputError, RunnerCrashed, RunnerError, RunnerTimeout
from edgekit.measuring.candidates import candidates
from edgekit.measuring.plan import Plan
from edgekit.measuring.several import measure
from edgekit.measuring.verdict import judge
from edgekit.reporting.bench_table import bench_table
from tests.support import vendor_tflite
from tests.support.pretended import pretend
from tests.support.raised import raised
from tests.support.tiny_onnx import tiny_onnx
from tests.support.tiny_tflite import tiny_tflite

PUBLISHED: list[dict[str, Any]] = json.loads(Path(__file__).with_name("android.json").read_text())["benchmark_model"]
WARMUP = "count=15 first=49060 curr=33682 min=32825 max=49060 avg=34825.1 std=3930"
RUNS = "count=50 first=32891 curr=33978 min=32641 max=34005 avg=33209.4 std=450"
SUMMARY = "Inference timings in us: Init: 855, First inference: 49060, Warmup (avg): 34825.1, Inference (avg): 33209.4"
LOG = f"STARTING!\nInitialized session in 0.855ms.\n{WARMUP}\n\n{RUNS}\n\n{SUMMARY}\n"


def log_of(published: dict[str, Any]) -> str:
    """Write the lines of a published log from its figures."""
    prefix = published.get("line_prefix", "")
    lines = []
    for fact in published["facts"]:
        kind = fact["kind"]
        if kind == "stats":
            words = [f"{key}={fact[key]}" for key in ("count", "first", "curr", "min", "max", "avg", "std")]
            lines.append(" ".join(words))
        elif kind == "stats_one":
            lines.append(f"count={fact['count']} curr={fact['curr']}")
        elif kind == "timings":
            lines.append(
                f"Inference timings in us: Init: {fact['init']}, First inference: {fact['first_inference']}, "
                f"Warmup (avg): {fact['warmup_avg']}, Inference (avg): {fact['inference_avg']}"
            )
        elif kind == "timings_old":
            last = f"Inference: {fact['inference']}" if "inference" in fact else f"no stats: {fact['no_stats']}"
            lines.append(f"Average inference timings in us: Warmup: {fact['warmup']}, Init: {fact['init']}, {last}")
    return "".join(f"{prefix}{line}\n" for line in lines)


COMPLETE = [p for p in PUBLISHED if sum(f["kind"].startswith("stats") for f in p["facts"]) == 2
            and any(f["kind"].startswith("timings") for f in p["facts"])]  # fmt: skip


def test_there_are_published_figures() -> None:
    assert len(COMPLETE) >= 3


@pytest.mark.parametrize("published", COMPLETE, ids=lambda p: p["version"][:40])
def test_published_figures(published: dict[str, Any]) -> None:
    found = benchmark_model.parse(log_of(published))
    stats = [f for f in published["facts"] if f["kind"].startswith("stats")][1]
    timings = next(f for f in published["facts"] if f["kind"].startswith("timings"))
    assert found["summary_ns"]["count"] == int(stats["count"])
    assert found["summary_ns"]["avg"] == pytest.approx(1000 * float(stats.get("avg", stats["curr"])))
    assert found["init_ns"] == pytest.approx(1000 * float(timings["init"]), abs=1)


def test_what_a_log_tells() -> None:
    found = benchmark_model.parse(LOG)
    assert (found["init_ns"], found["first_ns"], found["memory_kib"]) == (855_000, 49_060_000, None)
    assert found["summary_ns"]["min"] == 32_641_000
    newer = LOG.replace("std=450", "std=450 p5=32700 median=33100 p95=33900").replace("STARTING", "INFO: STARTING")
    newer += "INFO: Memory footprint delta from the start of the tool (MB): init=1.5 overall=3.25\n"
    newer += "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
    found = benchmark_model.parse(newer)
    assert (found["summary_ns"]["median"], found["memory_kib"]) == (33_100_000, 3328)
    assert found["runtime"]["delegate"] == "XNNPACK"
    same = LOG.replace(RUNS, "count=50 curr=100(all same) p5=100 median=100 p95=100")
    assert benchmark_model.parse(same)["summary_ns"] == {
        "count": 50, "curr": 1e5, "p5": 1e5, "median": 1e5, "p95": 1e5, "min": 1e5, "max": 1e5, "avg": 1e5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("", "no line of statistics"),
        (WARMUP, "no line of statistics"),
        (f"{WARMUP}\n{RUNS}\nBENCHMARK RESULTS\n", "another program of this name"),
        ("\x00\xff count= first=", "no line of statistics"),
    ],
)
def test_logs_without_a_result(log: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        benchmark_model.parse(log)


@pytest.fixture
def board(home: Path) -> Target:
    return parse('schema = 1\ntransport = "ssh"\nhost = "pi@board"\nthreads = [1, 2]\n', "phone", "test")


@pytest.fixture
def device(board: Target) -> Iterator[Device]:
    with open_device(board) as opened:
        yield opened


def program(tmp_path: Path, text: str) -> Path:
    return pretend(tmp_path / "given", "benchmark_model", f"#!/bin/sh\n{text}\n")


def test_a_session_without_python(board: Target, tmp_path: Path) -> None:
    """The program given stands for the real one: it prints its log if it finds the model and knows the flags."""
    native = program(
        tmp_path,
        f'for a; do case "$a" in --graph=*) [ -f "${{a#--graph=}}" ] || exit 1;; --num_threads=[12]);; '
        f"--num_runs=20|--num_runs=10|--min_secs=0*|--warmup_min_secs=0*|--max_secs=*);; *) exit 2;; esac; done\n"
        f"printf '{LOG}'",
    )
    files = [tiny_tflite(tmp_path / "a.tflite"), tiny_onnx(tmp_path / "b.onnx")]
    plan = Plan(processes=3, min_samples=20, min_seconds=0.01)
    (record,) = measure([board], candidates(files), plan, native=native).records
    tflite, onnx = (next(m for m in record.measurements if m.subject == i) for i in (0, 1))
    assert len(tflite.latency) == 3
    assert tflite.failures == ()
    assert "runs .tflite files only" in str(onnx.failures[0])
    assert record.device.runtimes[0].sha256
    verdict = judge(tflite, record)
    assert verdict.word == "suspect"
    assert verdict.reasons[0].code == "summaries-only"
    table = bench_table(record)
    assert "33.2 ms" in table
    assert "benchmark_model" in table


def test_dynamic_sizes_are_the_files_own_or_refused(board: Target, tmp_path: Path) -> None:
    native = program(tmp_path, f"printf '{LOG}'")
    path = tmp_path / "v.tflite"
    path.write_bytes(vendor_tflite.dynamic_batch())
    (record,) = measure([board], candidates([path]), Plan(processes=1), native=native).records
    assert [m.failures for m in record.measurements] == [()]
    chosen = Plan(processes=1, input_shapes={"x": (2, 4)})
    (record,) = measure([board], candidates([path]), chosen, native=native).records
    [measurement] = record.measurements
    assert "benchmark_model gets no --input-shape" in str(measurement.failures[0])


@pytest.mark.parametrize(
    ("text", "kind", "code", "name"),
    [
        ("echo 'ERROR: Failed to load model x'; exit 1", RunnerError, "file-not-runnable", "Failed to load model x"),
        ("echo nothing", RunnerCrashed, "runner-without-result", "nothing"),
        ("kill -ILL $$", RunnerCrashed, "runner-killed", "signal 4"),
        ("exec sleep 30", RunnerTimeout, "runner-timeout", "1 s"),
        ("exit 127", RunnerError, "file-not-runnable", "benchmark_model"),
    ],
)
def test_troubles(device: Device, tmp_path: Path, text: str, kind: type[RunnerError], code: str, name: str) -> None:
    import dataclasses

    path = device.work.push(program(tmp_path, text))
    Path(path).chmod(0o700)
    there = dataclasses.replace(device, python=path)
    with raised(code, "m.tflite", name, kind=kind):
        benchmark_model.run(there, tiny_tflite(tmp_path / "m.tflite"), 1, LatencySettings(), timeout=1)


def test_what_is_given_must_be_there(board: Target, tmp_path: Path) -> None:
    files = candidates([tiny_tflite(tmp_path / "a.tflite")])
    with raised("file-missing", "--benchmark-model", kind=InputError):
        measure([board], files, Plan(), native=tmp_path / "none")
    with pytest.raises(InputError, match="is for other devices"):
        from edgekit.devices.target import DESKTOP

        measure([DESKTOP], files, Plan(), native=Path(sys.executable))
