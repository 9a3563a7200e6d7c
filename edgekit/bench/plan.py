"""How much is measured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from edgekit.bundle.records import CPUS
from edgekit.errors import InputError
from edgekit.text.printable import clipped, quoted

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
        processes: fresh runner processes per file and thread count; the interval needs several. None: 5, but 1 where
            the CPU is emulated, whose latency tells nothing.
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

    def __post_init__(self) -> None:
        if any(not 1 <= t <= 1024 for t in self.threads):
            raise InputError(f"--threads {', '.join(map(quoted, self.threads))}: expected numbers from 1 to 1024")
        if len(set(self.threads)) != len(self.threads):
            raise InputError(f"--threads {','.join(map(str, self.threads))}: a number is given twice")
        for option, value, low, high in (
            ("--processes", 1 if self.processes is None else self.processes, 1, MOST_PROCESSES),
            ("--min-samples", self.min_samples, 1, self.max_samples),
            ("--min-seconds", self.min_seconds, 0.0, 3600),
            ("--timeout", self.timeout, 0.001, LONGEST),
            ("--cool-timeout", self.cool_timeout, 0.001, LONGEST),
        ):
            if not low <= value <= high:
                unit = " seconds" if isinstance(low, float) else ""
                raise InputError(f"{option} {quoted(value)}{unit}: expected {low:g} to {high:g}{unit}")
        if self.pin and not CPUS.fullmatch(self.pin):
            raise InputError(f"--pin {clipped(self.pin)}: expected CPU numbers to 9999, such as 3 or 0-3 or 0,2")
        if self.governor and not re.fullmatch(r"[a-z_]+", self.governor):
            raise InputError(f"--governor {self.governor}: expected a governor's name such as performance")
        if self.cool_below_c is not None and not (0 < self.cool_below_c < 150 and self.cool_timeout > 0):
            raise InputError("--cool-below takes degrees Celsius, such as 60C, and --cool-timeout a time, such as 5m")
        for name, shape in self.input_shapes.items():
            if not all(1 <= size <= LARGEST_SIZE for size in shape) or len(shape) > MAX_AXES:
                sizes = ",".join(map(quoted, shape[: MAX_AXES + 1]))
                raise InputError(
                    f"--input-shape {name}={sizes}: expected up to {MAX_AXES} sizes from 1 to {LARGEST_SIZE}"
                )
        if not (self.latency or self.memory or self.accuracy):
            raise InputError("every pass is switched off: there is nothing to measure")
