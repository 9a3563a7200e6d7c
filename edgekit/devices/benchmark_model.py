"""TFLite's own `benchmark_model`, for phones without Python: its log becomes a run of the latency pass.

The program (google-ai-edge/LiteRT, `tflite/tools/benchmark`) prints, in microseconds, a line of statistics for the
warm-up and one for the runs, and a summary; it keeps no single samples. Lines may begin with `INFO: `.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from edgekit.bundle.runs import LATENCY, SummarisedRun
from edgekit.devices.device import Device
from edgekit.devices.jobs import LatencySettings
from edgekit.devices.transports.base import OnLine
from edgekit.errors import InputError, RunnerCrashed, RunnerError, RunnerTimeout
from edgekit.schema.gate import read
from edgekit.schema.types import JsonObject

RUNTIME = "benchmark_model"
PUBLISHED = (
    "https://storage.googleapis.com/tensorflow-nightly-public/prod/tensorflow/release/lite/tools/nightly/latest/"
    "android_aarch64_benchmark_model"
)
"""Where TensorFlow's documentation (measurement.md) says that the program for 64-bit phones is."""
_NUMBER = r"([0-9.]+(?:e[+-]?\d+)?)"
_STATS = re.compile(r"count=(\d+)((?:(?:\(all same\))? \w+=[0-9.e+-]+)+)")
_SUMMARY = re.compile(
    rf"Inference timings in us: Init: {_NUMBER}, First inference: {_NUMBER}, Warmup \(avg\): {_NUMBER}"
)
_OLD_SUMMARY = re.compile(rf"Average inference timings in us: Warmup: {_NUMBER}, Init: {_NUMBER}")
_MEMORY = re.compile(rf"Memory footprint delta from the start of the tool \(MB\): init={_NUMBER} overall={_NUMBER}")
_PROBLEM = re.compile(
    r"^(?:ERROR: |FATAL: )?(.*(?:failed|Failed|error:|not found|No such file|Permission denied).*)$", re.M
)


def run(
    device: Device,
    model: Path,
    threads: int,
    settings: LatencySettings,
    *,
    timeout: float,
    on_line: OnLine | None = None,
) -> SummarisedRun:
    """Measure a `.tflite` file once.

    Args:
        device: one whose `python` is the path of the program there.
        model: the file here.
        threads: asked of the runtime.
        settings: how long.
        timeout: seconds.
        on_line: called with every line of its log.

    Returns:
        A run of the latency pass, with a summary in place of samples.

    Raises:
        RunnerCrashed: a signal killed it, or it printed no result.
        RunnerTimeout: it did not finish in time.
        RunnerError: it says that it failed.
    """
    device.work.renew()
    argv = [
        *device.prefix,
        device.python,
        f"--graph={device.work.push(model)}",
        f"--num_threads={threads}",
        f"--num_runs={settings.min_samples}",
        f"--min_secs={settings.min_seconds}",
        f"--warmup_min_secs={settings.warmup_seconds}",
        f"--max_secs={max(1, int(timeout / 3))}",
    ]
    try:
        done = device.transport.run(argv, timeout=timeout, on_line=on_line)
    except TimeoutError as error:
        raise RunnerTimeout(
            f"{model.name}: benchmark_model was stopped after {timeout:g} s",
            "a larger --timeout waits longer",
            code="runner-timeout",
        ) from error
    log = f"{done.stdout}\n{done.stderr}"
    if done.returncode < 0:
        message = f"{model.name}: benchmark_model was killed by signal {-done.returncode}"
        raise RunnerCrashed(message, _last(log), code="runner-killed")
    if done.returncode != 0:
        problem = _PROBLEM.search(log)
        reason = problem[1].strip() if problem else _last(log)
        raise RunnerError(f"{model.name}: benchmark_model: {reason}", code="file-not-runnable")
    try:
        run: SummarisedRun = read(SummarisedRun, parse(log), "log", "result")
        return dataclasses.replace(run, mode=LATENCY.name, threads=threads)
    except (ValueError, KeyError, OverflowError, InputError) as error:
        message = f"{model.name}: benchmark_model printed no result: {error}"
        raise RunnerCrashed(message, _last(log), code="runner-without-result") from error


def parse(log: str) -> JsonObject:
    """Read a log.

    Returns:
        `init_ns` and `first_ns`; `summary_ns` with what it printed of count, min, max, avg, std, p5, median, p95 (times
        in ns); `memory_kib`, the growth of the process, or None; `runtime` with the delegate as far as it is told.

    Raises:
        ValueError: a line is missing: the program did not finish, or is another of the same name.
    """
    stats = [_stats(match) for match in _STATS.finditer(log)]
    if len(stats) < 2:
        raise ValueError("no line of statistics for the runs")
    new, old = _SUMMARY.search(log), _OLD_SUMMARY.search(log)
    if new:
        init, first = float(new[1]), float(new[2])
    elif old:
        init, first = float(old[2]), stats[0].get("first", stats[0].get("curr", 0.0)) / 1000
    else:
        raise ValueError("no line of timings; LiteRT has another program of this name, which prints milliseconds")
    memory = _MEMORY.search(log)
    return {
        "init_ns": round(init * 1000),
        "first_ns": round(first * 1000),
        "summary_ns": stats[1],
        "memory_kib": round(float(memory[2]) * 1024) if memory else None,
        "runtime": {"name": RUNTIME, "version": "unknown", "delegate": _delegate(log)},
    }


def _stats(match: re.Match[str]) -> dict[str, float]:
    """Read one line, in ns; where all runs took as long, only `curr` is printed."""
    found = {key: float(value) * 1000 for key, value in re.findall(r"(\w+)=([0-9.e+-]+)", match[2])}
    if "avg" not in found:
        found |= dict.fromkeys(("min", "max", "avg"), found["curr"])
    return {"count": int(match[1]), **found}


def _delegate(log: str) -> str:
    if re.search("XNNPACK delegate", log):
        return "XNNPACK"
    return "unknown"


def _last(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return " | ".join(lines[-3:])[-500:]
