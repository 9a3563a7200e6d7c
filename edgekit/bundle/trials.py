"""What a search has tried: a record a trial, whether it was finished, stopped early or failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from edgekit.schema.gate import read
from edgekit.schema.rules import AnyFloat, Count, Digest, Line, Natural, Range, Seconds, Sized, one_of
from edgekit.schema.tables import fields_written
from edgekit.schema.types import JsonMapping, JsonObject
from edgekit.schema.versions import Versions
from edgekit.stats import Interval
from edgekit.tasks.metrics import Score, ScoreForm

VERSIONS = Versions("trial", 1)
COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"
STATES = (COMPLETE, PRUNED, FAILED)


@dataclass(frozen=True)
class Measured:
    """What a file is like.

    Attributes:
        sha256: of the file that all numbers are about.
        score: on validation samples (`edgekit.tasks.metrics.Score`).
        bytes, gzip_bytes: of the file.
        parameters: numbers in its weights.
        macs: of one inference; None where they cannot be counted.
        memory_bytes: of activations that are needed at the same time; None where the file does not tell.
        latency: against the reference file, round by round: value, low and high; None where it was not measured.
        latency_ms: the same as a time: the ratio times the reference's latency.
    """

    sha256: Digest
    score: ScoreForm
    bytes: Natural
    gzip_bytes: Natural
    parameters: Count
    macs: Count | None = None
    memory_bytes: Count | None = None
    latency: Annotated[tuple[AnyFloat, ...], Sized(3, 3)] | None = None
    latency_ms: AnyFloat | None = None

    @property
    def scored(self) -> Score:
        """The score."""
        return Score.from_dict(self.score)

    def ratio(self) -> Interval | None:
        """Return the latency ratio with its interval."""
        return None if self.latency is None else Interval(*self.latency)


@dataclass(frozen=True)
class Known:
    """What is known of a file before training, from an untrained one of the same shapes.

    Attributes:
        bytes, parameters: about as many as the trained file will have: an untrained bias is zero, and left out.
        macs, memory_bytes: as many.
    """

    bytes: Natural
    parameters: Count
    macs: Count | None = None
    memory_bytes: Count | None = None


@dataclass(frozen=True)
class Rung:
    """What a trial was like after a share of its epochs.

    Attributes:
        share: of the epochs.
        score: on validation samples.
        bytes: of the file, as the search counts sizes.
        cost: latency in ms, or MACs.
    """

    share: Annotated[float, Range(0, 1)]
    score: ScoreForm
    bytes: Natural
    cost: AnyFloat

    @property
    def scored(self) -> Score:
        """The score."""
        return Score.from_dict(self.score)


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        number: of the trial in its search, from 0.
        state: `complete`; `pruned`, stopped because it could not get anywhere; or `failed`.
        name: of the recipe, such as `channels-qat` of the package or `trial-7`.
        description: what the recipe does.
        recipe_sha256: of the recipe's TOML.
        measured: of the file; None where none was made.
        known: what was known of the file before training.
        rungs: after shares of the epochs.
        reason, code: why it is not complete.
        same_as: an earlier trial with the same recipe, whose numbers these are.
        worker: the machine and process that ran it.
        seconds: in all.
        trained_seconds: of these in stages.
    """

    number: Count
    state: Annotated[str, one_of(*STATES)]
    name: Line
    description: Line
    recipe_sha256: Digest
    measured: Measured | None = None
    known: Known | None = None
    rungs: tuple[Rung, ...] = ()
    reason: Line = ""
    code: Line = ""
    same_as: Count | None = None
    worker: Line = ""
    seconds: Seconds = 0.0
    trained_seconds: Seconds = 0.0

    def to_dict(self) -> JsonObject:
        """Return the JSON form."""
        return {"schema": VERSIONS.newest, **fields_written(self)}

    @classmethod
    def from_dict(cls, value: JsonMapping, source: str) -> Trial:
        """Read the JSON form; `source` names it in messages.

        Raises:
            InputError: it is of another form.
        """
        return read(cls, value, source, "trial", versions=VERSIONS)
