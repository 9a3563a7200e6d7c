"""The effect ledger: one entry a stage, saying what the model would be like as a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgekit.stats import Interval


@dataclass(frozen=True)
class Entry:
    """The exported model after one stage.

    Attributes:
        stage: `source` or the stage's name.
        scheme: how it was exported, the recipe's last scheme.
        sha256: of the file that all numbers are about.
        correct, samples: right predictions of the file on validation samples.
        bytes, gzip_bytes: of the file.
        parameters, macs: as inspected; macs is None where not countable.
        zeros: share of the weights that mean zero, 0 to 1.
        unique: distinct stored values of each weight tensor of 32 and more elements.
        latency: ratio to the source's file, interleaved rounds: [value, low, high]; None for the source itself.
        seconds: spent in the stage by the run that finished it, without measuring.
    """

    stage: str
    scheme: str
    sha256: str
    correct: int
    samples: int
    bytes: int
    gzip_bytes: int
    parameters: int
    macs: int | None
    zeros: float
    unique: dict[str, int]
    latency: list[float] | None
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Entry:
        """Read the JSON form."""
        return cls(**value)

    def ratio(self) -> Interval | None:
        """Return the latency ratio with its interval."""
        return None if self.latency is None else Interval(*self.latency)
