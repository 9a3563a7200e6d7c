"""Is this measurement worth anything? `valid`, `suspect`, `invalid` or `emulated`, with reasons that have codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgekit.bundle.facts import Unavailable
from edgekit.bundle.reason import Reason
from edgekit.bundle.records import CPUS, Measurement, Record
from edgekit.bundle.runs import LatencyRun, SampledRun
from edgekit.devices.health import appeared, unseen
from edgekit.measuring.host import disagreement
from edgekit.stats import percentile
from edgekit.stats.medians import median_interval

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
    reasons: tuple[Reason, ...] = ()


def judge(measurement: Measurement, record: Record) -> Verdict:
    """Judge the measurement of one file with one number of threads."""
    invalid = list(faults(measurement, record))
    if invalid:
        return Verdict("invalid", tuple(invalid))
    outputs = list(_outputs(measurement, "suspect"))
    if record.emulated_by:
        emulated = Reason("emulated-cpu", f"{record.emulated_by}: its latency tells nothing about a board")
        return Verdict("emulated", (emulated, *outputs))
    suspect = [*_latency(measurement.latency), *_machine(measurement, record), *outputs]
    return Verdict("suspect", tuple(suspect)) if suspect else Verdict("valid")


def faults(measurement: Measurement, record: Record) -> Iterator[Reason]:
    """Yield what makes a measurement invalid; without looking at samples."""
    for failure in measurement.failures:
        yield Reason(failure.code or "pass-failed", str(failure))
    yield from _outputs(measurement, "invalid")
    if record.plan.latency and not measurement.latency and not measurement.failures:
        yield Reason("no-latency", "no latency was measured")


def _outputs(measurement: Measurement, word: str) -> Iterator[Reason]:
    """Yield the reason why the outputs alone make a measurement `word`."""
    if measurement.agreement is not None:
        score = measurement.accuracy.score if measurement.accuracy else None
        judged, reason = disagreement(measurement.agreement, score is not None and score.correct is not None)
        if judged == word and reason is not None:
            yield reason


def _latency(runs: Sequence[LatencyRun]) -> Iterator[Reason]:
    """Yield what makes the samples themselves suspect."""
    if not runs:
        return
    if len(runs) < MIN_PROCESSES:
        few = f"{len(runs)} process{'es' * (len(runs) > 1)}"
        yield Reason("too-few-processes", f"{few}; an interval needs at least {MIN_PROCESSES}")
    summed = next((run for run in runs if not isinstance(run, SampledRun)), None)
    if summed is not None:
        name = summed.runtime.name
        yield Reason("summaries-only", f"{name} reports summaries only; machine state not recorded")
    fewest = min(run.count for run in runs)
    if fewest < MIN_SAMPLES:
        yield Reason("too-few-samples", f"a process has {fewest} samples, expected at least {MIN_SAMPLES}")
    interval = median_interval([run.median_ns for run in runs])
    width = (interval.high - interval.low) / interval.value if interval.value else 0.0
    if width > WIDTH_LIMIT:
        wide = f"the 95 % interval of the median is {100 * width:.0f} % wide"
        yield Reason("run-to-run-variation", f"run-to-run variation: {wide}")
    if any(isinstance(run, SampledRun) and not run.plateau for run in runs):
        yield Reason("no-steady-state", "no steady state after warm-up")


def _machine(measurement: Measurement, record: Record) -> Iterator[Reason]:
    """Yield what the machine did meanwhile that makes a latency suspect."""
    if not measurement.latency:
        return
    runs = [run for run in measurement.latency if isinstance(run, SampledRun)]
    yield from _settings(measurement.threads, record)
    yield from _disturbances(runs, measurement.threads, record)
    bits = record.device.throttled
    if bits:
        seen = appeared(bits.before, bits.during)
        hidden = [name for name in unseen(bits.before) if name not in seen]
        if seen:
            yield Reason("throttled", f"while measuring: {', '.join(seen)}")
        if hidden:
            sticky = f"{', '.join(hidden)} before measuring: sticky since boot; a recurrence cannot be detected"
            yield Reason("throttled-since-boot", sticky)
    if isinstance(record.host.emulated, Unavailable):
        yield Reason("emulation-unknown", "it is not known whether the CPU is emulated")


def throttling(record: Record) -> list[list[str]]:
    """Return what limited the CPU, process by process of the latency pass; nothing where such bits cannot be read."""
    bits = record.device.throttled
    if bits is None:
        return []
    before = [bits.before, *bits.during]
    return [appeared(earlier, [now]) for earlier, now in zip(before, bits.during, strict=False)]


def _settings(threads: int, record: Record) -> Iterator[Reason]:
    governor = record.host.governor
    if isinstance(governor, str) and governor != "performance":
        yield Reason("governor-not-performance", f"governor is {governor}")
    cores, pinned = record.host.cores, pinned_cpus(record.plan.pin or "")
    if pinned and threads > len(pinned):
        cpus = f"{len(pinned)} CPU{'s' * (len(pinned) > 1)}"
        yield Reason("too-many-threads", f"{threads} threads pinned to {cpus}")
    elif isinstance(cores, int) and threads > cores:
        yield Reason("too-many-threads", f"{threads} threads on {cores} cores")


def _disturbances(runs: Sequence[SampledRun], threads: int, record: Record) -> Iterator[Reason]:
    cores = record.host.cores if isinstance(record.host.cores, int) else None
    # The load average counts the runner itself; what is above its own threads is somebody else's.
    loads = [run.state_before.load_1min for run in runs if run.state_before.load_1min is not None]
    if loads and cores is not None and percentile(loads, 50) > threads + 0.5 * cores:
        yield Reason("other-load", f"other load on the machine ({percentile(loads, 50):.1f} on {cores} cores)")
    if any(_grown(run.state_before.swap_pages, run.state_after.swap_pages) for run in runs):
        yield Reason("swapped", "the machine swapped")
    drift = max((_frequency_drift(run) for run in runs), default=0.0)
    if drift > DRIFT_LIMIT:
        yield Reason("frequency-drift", f"CPU frequency changed by {100 * drift:.0f} %")
    steal = max((_steal(run, cores) for run in runs), default=0.0) if cores is not None else 0.0
    if steal > STEAL_LIMIT:
        yield Reason("steal-time", f"the virtual machine waited {100 * steal:.0f} % of the time for a CPU")


def pinned_cpus(text: str) -> set[int]:
    """Read what `taskset -c` takes: `3`, `0-3`, `0,2`; nothing of what `edgekit.bundle.records.CPUS` does not match."""
    cpus: set[int] = set()
    for part in text.split(",") if CPUS.fullmatch(text) else []:
        first, _, last = part.partition("-")
        cpus |= set(range(int(first), int(last or first) + 1))
    return cpus


def _grown(before: int | None, after: int | None) -> int:
    """Return by how much a counter changed; 0 where it cannot be read."""
    return 0 if before is None or after is None else after - before


def _frequency_drift(run: SampledRun) -> float:
    before, after = run.state_before.frequencies_khz, run.state_after.frequencies_khz
    if not before or not after or not max(before):
        return 0.0
    return abs(max(after) - max(before)) / max(before)


def _steal(run: SampledRun, cores: int) -> float:
    ticks = _grown(run.state_before.steal_ticks, run.state_after.steal_ticks)
    seconds = (sum(run.samples_ns) + sum(run.warmup_ns)) / 1e9
    return ticks / TICKS_PER_SECOND / max(seconds, 0.1) / cores
