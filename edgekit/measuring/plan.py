"""How much is measured."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from edgekit.bundle.facts import HostFacts
from edgekit.bundle.records import CPUS, MOST_THREADS, Settings
from edgekit.devices.jobs import LatencySettings
from edgekit.errors import InputError
from edgekit.errors.printable import clipped, quoted

PROCESSES, EMULATED_PROCESSES = 5, 1
MAX_AXES = 8
LARGEST_SIZE = 2**31 - 1
MOST_PROCESSES = 1000
LONGEST = 7 * 24 * 3600
"""Seconds; a longer wait is a slip of the keyboard."""


@dataclass(frozen=True)
class Plan:
    """The settings of a session.

    Attributes:
        threads: thread counts to measure with, each in turn; empty: as the target says.
        processes: fresh runner processes per file and thread count; the interval needs several. None: as many as
            `default_processes`, but 1 where the CPU is emulated, whose latency tells nothing.
        min_samples: timed samples per process, at least.
        min_seconds: seconds of timing per process, at least.
        max_samples: when `min_seconds` would give more samples than this, several runs share a sample.
        warmup_seconds: seconds of warm-up per process, at least; it goes on until the latency is level.
        timeout: seconds after which a runner process is given up.
        latency, memory, accuracy: which passes to do.
        pin: CPUs to keep the runner on, as `taskset -c` takes them; empty: wherever the device puts it.
        governor: to set on the device while measuring, where that is permitted; empty: as it is.
        cool_below_c: wait before every latency process until the device is cooler than this; None: do not wait.
        cool_timeout: seconds to wait for that at most.
        input_shapes: name of an input -> its sizes, batch included, for files with dynamic dimensions.
        input_values: name of an input -> the number that it holds at every inference, such as a sampling rate.
        default_processes: without a number of processes; a record keeps what came of it.
    """

    threads: tuple[int, ...] = (1,)
    processes: int | None = None
    min_samples: int = 100
    min_seconds: float = 0.5
    max_samples: int = 10_000
    warmup_seconds: float = 0.2
    timeout: float = 600.0
    latency: bool = True
    memory: bool = True
    accuracy: bool = True
    pin: str = ""
    governor: str = ""
    cool_below_c: float | None = None
    cool_timeout: float = 300.0
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    input_values: Mapping[str, float] = field(default_factory=dict)
    default_processes: int = PROCESSES

    def __post_init__(self) -> None:
        if any(not 1 <= t <= MOST_THREADS for t in self.threads):
            raise InputError(
                f"--threads {', '.join(map(quoted, self.threads))}: expected numbers from 1 to {MOST_THREADS}",
                code="value-out-of-range",
            )
        if len(set(self.threads)) != len(self.threads):
            raise InputError(
                f"--threads {','.join(map(str, self.threads))}: a number is given twice", code="given-twice"
            )
        for option, value, low, high in (
            ("--processes", 1 if self.processes is None else self.processes, 1, MOST_PROCESSES),
            ("--min-samples", self.min_samples, 1, self.max_samples),
            ("--min-seconds", self.min_seconds, 0.0, 3600),
            ("--timeout", self.timeout, 0.001, LONGEST),
            ("--cool-timeout", self.cool_timeout, 0.001, LONGEST),
        ):
            if not low <= value <= high:
                unit = " seconds" if isinstance(low, float) else ""
                raise InputError(
                    f"{option} {quoted(value)}{unit}: expected {low:g} to {high:g}{unit}", code="value-out-of-range"
                )
        if self.pin and not CPUS.fullmatch(self.pin):
            raise InputError(
                f"--pin {clipped(self.pin)}: expected CPU numbers to 9999, such as 3 or 0-3 or 0,2",
                code="value-not-valid",
            )
        if self.governor and not re.fullmatch(r"[a-z_]+", self.governor):
            raise InputError(
                f"--governor {self.governor}: expected a governor's name such as performance", code="value-not-valid"
            )
        if self.cool_below_c is not None and not 0 < self.cool_below_c < 150:
            raise InputError(
                f"--cool-below {self.cool_below_c:g}C: expected 1 to 149 degrees Celsius", code="value-out-of-range"
            )
        for name, shape in self.input_shapes.items():
            if not all(1 <= size <= LARGEST_SIZE for size in shape) or len(shape) > MAX_AXES:
                sizes = ",".join(map(quoted, shape[: MAX_AXES + 1]))
                raise InputError(
                    f"--input-shape {name}={sizes}: expected up to {MAX_AXES} sizes from 1 to {LARGEST_SIZE}",
                    code="value-out-of-range",
                )
        if not (self.latency or self.memory or self.accuracy):
            raise InputError(
                "latency, memory and accuracy are all switched off", "leave one of them on", code="nothing-to-measure"
            )

    @property
    def latency_settings(self) -> LatencySettings:
        """How long one process of the latency pass takes."""
        return LatencySettings(self.min_samples, self.max_samples, self.min_seconds, self.warmup_seconds)

    def settled(self, threads: tuple[int, ...], facts: HostFacts) -> Plan:
        """Return the plan with what it leaves to the device.

        Args:
            threads: thread counts that its target names; empty: 1 and all cores.
            facts: of the device.
        """
        cores = facts.cores
        default = (1, cores) if isinstance(cores, int) and 1 < cores <= MOST_THREADS else (1,)
        processes = EMULATED_PROCESSES if isinstance(facts.emulated, str) else self.default_processes
        return dataclasses.replace(
            self, threads=self.threads or threads or default, processes=self.processes or processes
        )

    def recorded(self) -> Settings:
        """Return what a record keeps of it."""
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name in Settings.__annotations__}
        shapes = {name: list(shape) for name, shape in self.input_shapes.items()}
        return Settings(**{**own, "input_shapes": shapes, "input_values": dict(self.input_values)})
