"""Is this measurement worth anything? `valid`, `suspect` or `invalid`, always with reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.bench.disagreement import disagreement
from edgekit.bundle.records import CPUS, Measurement, Record
from edgekit.devices.health import appeared, unseen
from edgekit.stats import between_processes, percentile

WIDTH_LIMIT = 0.10  # of the interval of the median between processes, relative to the median
DRIFT_LIMIT = 0.10  # of the CPU frequency during a process, relative
STEAL_LIMIT = 0.02  # share of the time for which a virtual machine got no CPU
MIN_PROCESSES = 3
MIN_SAMPLES = 50
TICKS_PER_SECOND = 100


@dataclass(frozen=True)
class Verdict:
    """`word` is valid, suspect, invalid or emulated; `reasons` is empty only for valid."""

    word: str
    reasons: tuple[str, ...] = ()


def judge(measurement: Measurement, record: Record) -> Verdict:
    """Judge the measurement of one file with one number of threads."""
    invalid = list(_faults(measurement, record))
    if invalid:
        return Verdict("invalid", tuple(invalid))
    emulated = record.host.get("emulated")
    outputs = list(_outputs(measurement, "suspect"))
    if isinstance(emulated, str):
        return Verdict("emulated", (f"{emulated}: its latency tells nothing about a board", *outputs))
    suspect = [*_doubts(measurement, record), *outputs]
    return Verdict("suspect", tuple(suspect)) if suspect else Verdict("valid")


def _faults(measurement: Measurement, record: Record) -> Iterator[str]:
    yield from measurement.failures
    yield from _outputs(measurement, "invalid")
    if record.plan["latency"] and not measurement.latency and not measurement.failures:
        yield "no latency was measured"


def _outputs(measurement: Measurement, word: str) -> Iterator[str]:
    """Give the reason why the outputs alone make a measurement `word`."""
    if measurement.agreement is not None:
        found, reason = disagreement(measurement.agreement, "correct" in (measurement.accuracy or {}))
        if found == word:
            yield reason


def _doubts(measurement: Measurement, record: Record) -> Iterator[str]:
    runs = measurement.latency
    if not runs:
        return
    if len(runs) < MIN_PROCESSES:
        yield f"{len(runs)} process{'es' * (len(runs) > 1)}, {MIN_PROCESSES} are needed for an interval"
    sampled = all("samples_ns" in run for run in runs)
    if not sampled:
        summed = next(run for run in runs if "samples_ns" not in run)
        yield f"{summed['runtime']['name']} keeps no single samples, and nothing is known of the machine meanwhile"
    fewest = min(len(run["samples_ns"]) if "samples_ns" in run else run["summary_ns"]["count"] for run in runs)
    if fewest < MIN_SAMPLES:
        yield f"only {fewest:g} samples in a process"
    interval = between_processes([process_median_ns(run) for run in runs])
    width = (interval.high - interval.low) / interval.value if interval.value else 0.0
    if width > WIDTH_LIMIT:
        yield f"the processes disagree: the interval of the median spans {width:.0%}"
    if sampled and not all(run["plateau"] for run in runs):
        yield "warm-up did not become level"
    yield from _machine(runs if sampled else [], measurement.threads, record)
    bits = record.device.get("throttled")
    if bits:
        seen = appeared(bits["before"], bits["during"])
        hidden = [name for name in unseen(bits["before"]) if name not in seen]
        if seen:
            yield f"while measuring: {', '.join(seen)}"
        if hidden:
            yield f"before measuring, since boot: {', '.join(hidden)}; whether it came again cannot be told"
    if record.device and isinstance(record.host.get("emulated"), dict):
        yield "whether the CPU is emulated is not known"


def _machine(runs: list[dict[str, Any]], threads: int, record: Record) -> Iterator[str]:
    host = record.host
    governor = host.get("governor")
    if isinstance(governor, str) and governor != "performance":
        yield f"governor is {governor}"
    cores, pinned = host.get("cores"), pinned_cpus(record.plan.get("pin", ""))
    if pinned and threads > len(pinned):
        yield f"{threads} threads pinned to {len(pinned)} CPU{'s' * (len(pinned) > 1)}"
    elif isinstance(cores, int) and threads > cores:
        yield f"{threads} threads on {cores} cores"
    # The load average counts the runner itself; what is above its own threads is somebody else's.
    loads = [run["state_before"]["load_1min"] for run in runs if run["state_before"]["load_1min"] is not None]
    if loads and isinstance(cores, int) and percentile(loads, 50) > threads + 0.5 * cores:
        yield f"other load on the machine ({percentile(loads, 50):.1f} on {cores} cores)"
    if any(_changed(run, "swap_pages") for run in runs):
        yield "the machine swapped"
    drift = max((_frequency_drift(run) for run in runs), default=0.0)
    if drift > DRIFT_LIMIT:
        yield f"CPU frequency moved by {drift:.0%}"
    steal = max((_steal(run, cores) for run in runs), default=0.0) if isinstance(cores, int) else 0.0
    if steal > STEAL_LIMIT:
        yield f"the virtual machine waited {steal:.0%} of the time for a CPU"


def pinned_cpus(text: str) -> set[int]:
    """Read what `taskset -c` takes: `3`, `0-3`, `0,2`; nothing of what `edgekit.bundle.records.CPUS` does not match."""
    found: set[int] = set()
    for part in text.split(",") if CPUS.fullmatch(text) else []:
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def process_median_ns(run: Mapping[str, Any]) -> float:
    """Return the median latency of one inference in one process, in ns; the mean where a tool tells no more."""
    if "samples_ns" not in run:
        summary = run["summary_ns"]
        return float(summary.get("median", summary["avg"]))
    return percentile(run["samples_ns"], 50) / float(run["calls_per_sample"])


def _changed(run: Mapping[str, Any], key: str) -> bool:
    before, after = run["state_before"][key], run["state_after"][key]
    return before is not None and after is not None and before != after


def _frequency_drift(run: Mapping[str, Any]) -> float:
    before, after = run["state_before"]["frequencies_khz"], run["state_after"]["frequencies_khz"]
    if not before or not after or not max(before):
        return 0.0
    return float(abs(max(after) - max(before)) / max(before))


def _steal(run: Mapping[str, Any], cores: int) -> float:
    if not _changed(run, "steal_ticks"):
        return 0.0
    seconds = (sum(run["samples_ns"]) + sum(run["warmup_ns"])) / 1e9
    ticks = run["state_after"]["steal_ticks"] - run["state_before"]["steal_ticks"]
    return float(ticks / TICKS_PER_SECOND / max(seconds, 0.1) / cores)
