"""The register of bounds: what a budget can hold files to.

A new bound is a function in `edgekit.reporting.checking.readings` and an entry here; a test then asks for its key in
`budget.toml` (`edgekit.bundle.budget_file`), its option and its parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgekit.bundle.reason import Reason
from edgekit.reporting.checking import readings
from edgekit.reporting.checking.files import CheckedFile
from edgekit.reporting.checking.readings import Reading
from edgekit.reporting.unlike import ACCURACY, LATENCY, MEMORY
from edgekit.schema.units import BYTES, MILLISECONDS, NUMBER, SHARE, Quantity


@dataclass(frozen=True)
class Bound:
    """A bound.

    Attributes:
        name: key in `budget.toml`; the option is it with dashes.
        noun: what is bounded.
        quantity: how a limit is written.
        read: the number that it is on, of a file and of what the file is compared with.
        code: of what misses it, a slug of `edgekit.errors.codes`.
        at_least: whether it bounds from below.
        relative: whether it is on a comparison, so that it holds for no baseline, and its limit may be 0.
        of: the pass that the number comes from, whose conditions must be alike for a comparison; empty: none.
    """

    name: str
    noun: str
    quantity: Quantity
    read: Callable[[CheckedFile, CheckedFile | None, float], Reading | Reason]
    code: str
    at_least: bool = False
    relative: bool = False
    of: str = ""

    @property
    def option(self) -> str:
        """What is typed."""
        return f"--{self.name.replace('_', '-')}"


BOUNDS: tuple[Bound, ...] = (
    Bound("max_size", "size", BYTES, readings.size, "size-above-limit"),
    Bound("max_latency", "median latency", MILLISECONDS, readings.latency, "latency-above-limit", of=LATENCY),
    Bound("max_latency_p90", "p90 latency", MILLISECONDS, readings.latency_p90, "latency-p90-above-limit", of=LATENCY),
    Bound("max_memory", "memory", BYTES, readings.memory, "memory-above-limit", of=MEMORY),
    Bound("min_accuracy", "accuracy", SHARE, readings.accuracy, "accuracy-below-limit", at_least=True, of=ACCURACY),
    Bound("max_error", "error", NUMBER, readings.error, "error-above-limit", of=ACCURACY),
    Bound("max_drop", "drop of accuracy", NUMBER, readings.drop, "drop-above-limit", relative=True, of=ACCURACY),
    Bound("max_slowdown", "slowdown", SHARE, readings.slowdown, "slowdown-above-limit", relative=True, of=LATENCY),
    Bound("max_growth", "growth of size", SHARE, readings.growth, "growth-above-limit", relative=True),
)
