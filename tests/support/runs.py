"""Runs that no runner did, for what only reads them."""

from __future__ import annotations

import dataclasses
from typing import Any

from edgekit.bundle.runs import MachineState, ResidentRun, ResidentSet, Runtime, SampledRun

CALM = MachineState(load_1min=0.5, frequencies_khz=None, temperatures_c=None, swap_pages=7, steal_ticks=100)
LITERT = Runtime("ai-edge-litert", "2.3.0", "XNNPACK (1 partition)")


def latency_run(
    level: int = 1000, before: dict[str, Any] | None = None, after: dict[str, Any] | None = None, **fields: Any
) -> SampledRun:
    """A run of 100 samples of `level` ns, with a state of the machine before and after it."""
    run = SampledRun(
        runtime=LITERT,
        init_ns=10 * level,
        first_ns=2 * level,
        state_before=dataclasses.replace(CALM, **(before or {})),
        warmup_ns=(level,) * 10,
        plateau=True,
        calls_per_sample=1,
        samples_ns=(level,) * 100,
        state_after=dataclasses.replace(CALM, **(after or {})),
    )
    return dataclasses.replace(run, **fields)


def memory_run(used_kib: int = 1000) -> ResidentRun:
    """A run that took so much memory."""
    return ResidentRun(runtime=LITERT, rss_kib=ResidentSet(after_imports=40_000, peak=40_000 + used_kib))
