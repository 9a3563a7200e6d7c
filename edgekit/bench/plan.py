"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.errors import InputError


@dataclass(frozen=True)
class Plan:
    """The settings of a session.

    Attributes:
        threads: thread counts to measure with, each in turn.
        processes: fresh runner processes per file and thread count; the interval needs several.
        min_samples: timed samples per process, at least.
        min_seconds: seconds of timing per process, at least.
        max_samples: when `min_seconds` would give more samples than this, several runs share a sample.
        warmup_seconds: seconds of warm-up per process, at least; it goes on until the latency is level.
        timeout: seconds after which a runner process is given up.
        latency, memory, accuracy: which passes to do.
    """

    threads: tuple[int, ...] = (1,)
    processes: int = 5
    min_samples: int = 100
    min_seconds: float = 0.5
    max_samples: int = 10_000
    warmup_seconds: float = 0.2
    timeout: float = 600.0
    latency: bool = True
    memory: bool = True
    accuracy: bool = True

    def __post_init__(self) -> None:
        if not self.threads or any(not 1 <= t <= 1024 for t in self.threads):
            raise InputError(f"--threads {self.threads}: expected numbers from 1 to 1024")
        if len(set(self.threads)) != len(self.threads):
            raise InputError(f"--threads {','.join(map(str, self.threads))}: a number is given twice")
        if self.processes < 1 or self.min_samples < 1 or self.max_samples < self.min_samples:
            raise InputError("the numbers of processes and samples must be at least 1")
        if not (0 <= self.min_seconds <= 3600 and self.timeout > 0):
            raise InputError("the seconds of a measurement must be between 0 and 3600")
        if not (self.latency or self.memory or self.accuracy):
            raise InputError("every pass is switched off: there is nothing to measure")
