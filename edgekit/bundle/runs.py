"""What a runner process returns, pass by pass, as a record keeps it. Units stand in the names.

The classes hold for files of older runners, too: what came later is None there. A runner may return more than this
edgekit knows; that is left out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Generic, NotRequired, TypedDict, TypeVar, cast

from edgekit.bundle.flags import Flags, Packed
from edgekit.errors import InputError
from edgekit.schema.gate import read
from edgekit.schema.rules import Choosing, Count, Natural, Range, Sized, Through
from edgekit.schema.tables import fields_written, open_ended
from edgekit.schema.types import Declaration, JsonMapping, JsonObject, JsonValue
from edgekit.stats import percentile
from edgekit.tasks.metrics import Counted, Score, ScoreForm, Valued, share


@open_ended
@dataclass(frozen=True)
class Runtime:
    """What ran a file: a runtime of this version, with this delegate."""

    name: str
    version: str
    delegate: str


@open_ended
@dataclass(frozen=True)
class MachineState:
    """What changes on a machine; None where it cannot be read."""

    load_1min: float | None
    frequencies_khz: tuple[Count, ...] | None
    temperatures_c: dict[str, float] | None
    swap_pages: int | None
    steal_ticks: int | None


@dataclass(frozen=True, kw_only=True)
class Run:
    """One runner process.

    Attributes:
        runtime: what ran the file.
        mode: the pass.
        threads: asked of the runtime.
        python, numpy: versions there.
        import_ns: what importing the runtime took.
    """

    runtime: Runtime
    mode: str | None = None
    threads: Count | None = None
    python: str | None = None
    numpy: str | None = None
    import_ns: Count | None = None


@dataclass(frozen=True, kw_only=True)
class LatencyRun(Run, ABC):
    """One process of the latency pass.

    Attributes:
        init_ns: loading the file.
        first_ns: the first inference.
        cooled_to_c: temperature before it started, where the session waited for that.
        place: of the process in the latency pass, from 1, in the order of time; None: before edgekit noted it, when
            every round had the order of the record's measurements.
    """

    init_ns: Count
    first_ns: Count
    cooled_to_c: float | None = None
    place: Natural | None = None

    @property
    @abstractmethod
    def median_ns(self) -> float:
        """Median latency of one inference; the mean where the program prints no median."""

    @property
    @abstractmethod
    def count(self) -> int:
        """Timed samples."""


@open_ended
@dataclass(frozen=True, kw_only=True)
class SampledRun(LatencyRun):
    """Latency with every sample.

    Attributes:
        state_before, state_after: of the machine.
        warmup_ns: every inference of the warm-up.
        plateau: whether the warm-up came to a steady state.
        clock_resolution_ns: smallest step of the clock.
        calls_per_sample: inferences that share a sample.
        samples_ns: every sample.
    """

    state_before: MachineState
    warmup_ns: tuple[Count, ...]
    plateau: bool
    clock_resolution_ns: Count | None = None
    calls_per_sample: Natural
    samples_ns: Annotated[tuple[Count, ...], Sized(1)]
    state_after: MachineState

    @cached_property
    def median_ns(self) -> float:
        """Median latency of one inference."""
        return percentile(self.samples_ns, 50) / self.calls_per_sample

    @property
    def count(self) -> int:
        """Timed samples."""
        return len(self.samples_ns)

    @property
    def inferences_ns(self) -> list[float]:
        """Every sample as the latency of one inference."""
        return [sample / self.calls_per_sample for sample in self.samples_ns]


Nanoseconds = Annotated[float, Range(0)]


@open_ended
@dataclass(frozen=True)
class Summary:
    """Latencies as `benchmark_model` sums them up, in ns; None where it prints no such number."""

    count: Count
    avg: Nanoseconds
    median: Nanoseconds | None = None
    min: Nanoseconds | None = None
    max: Nanoseconds | None = None
    std: Nanoseconds | None = None
    p5: Nanoseconds | None = None
    p95: Nanoseconds | None = None


@open_ended
@dataclass(frozen=True, kw_only=True)
class SummarisedRun(LatencyRun):
    """Latency without samples, of `benchmark_model`; `memory_kib` is how much its process grew."""

    summary_ns: Summary
    memory_kib: Count | None = None

    @property
    def median_ns(self) -> float:
        """Median latency of one inference, or the mean."""
        return self.summary_ns.avg if self.summary_ns.median is None else self.summary_ns.median

    @property
    def count(self) -> int:
        """Timed inferences."""
        return self.summary_ns.count

    def footprint(self) -> FootprintRun:
        """Return what the same process says of memory."""
        return FootprintRun(runtime=self.runtime, mode=MEMORY.name, threads=self.threads, memory_kib=self.memory_kib)


@open_ended
@dataclass(frozen=True)
class ResidentSet:
    """The resident set of a process at each step, in KiB; None where it cannot be read."""

    after_imports: Count
    peak: Count | None
    after_load: Count | None = None
    after_first: Count | None = None


@dataclass(frozen=True, kw_only=True)
class MemoryRun(Run, ABC):
    """The process of the memory pass."""

    @property
    @abstractmethod
    def used_kib(self) -> int | None:
        """What the model and the runtime's buffers take; None where it cannot be read."""


@open_ended
@dataclass(frozen=True, kw_only=True)
class ResidentRun(MemoryRun):
    """Memory as a runner reads it; `peak_was_reset` says whether the kernel forgot the peak of the imports."""

    rss_kib: ResidentSet
    peak_was_reset: bool | None = None

    @property
    def used_kib(self) -> int | None:
        """Peak of the resident set over what it was after the imports."""
        return None if self.rss_kib.peak is None else self.rss_kib.peak - self.rss_kib.after_imports


@open_ended
@dataclass(frozen=True, kw_only=True)
class FootprintRun(MemoryRun):
    """Memory as `benchmark_model` prints it: how much its process grew."""

    memory_kib: Count | None

    @property
    def used_kib(self) -> int | None:
        """What it printed; nothing where it printed 0."""
        return self.memory_kib or None


class _Evaluated(TypedDict):
    """The JSON form of an `AccuracyRun` without its score, whose keys stand beside these."""

    runtime: Runtime
    mode: NotRequired[str]
    threads: NotRequired[Count]
    python: NotRequired[str]
    numpy: NotRequired[str]
    import_ns: NotRequired[Count]
    init_ns: NotRequired[Count]
    samples: Natural
    predictions_sha256: NotRequired[str]
    right: NotRequired[Packed]
    heads: NotRequired[dict[str, ScoreForm]]


class _CountedForm(_Evaluated, Counted):
    pass


class _ValuedForm(_Evaluated, Valued):
    pass


@dataclass(frozen=True, kw_only=True)
class AccuracyRun(Run):
    """The process of the accuracy pass, and how good its outputs are.

    Attributes:
        samples: how many it ran.
        init_ns: loading the file.
        score: of the first output; None until the outputs are judged.
        heads: by name the scores of all outputs, where there are several.
        predictions_sha256: of a classifier's decisions.
        right: of a score that is a share of samples, which ones are right; None in older records.
    """

    samples: int
    init_ns: int | None = None
    score: Score | None = None
    heads: Mapping[str, Score] = field(default_factory=dict)
    predictions_sha256: str | None = None
    right: Flags | None = None

    def to_dict(self) -> JsonObject:
        """Return the JSON form: the keys of the score stand beside the others."""
        own = {key: value for key, value in fields_written(self).items() if value not in (None, {}) and key != "score"}
        return {**own, **(self.score.to_dict() if self.score else {})}

    @classmethod
    def declared(cls) -> Declaration:
        """Return the declaration of the JSON form."""
        kinds = Choosing((("correct", _CountedForm), ("value", _ValuedForm), ("", _Evaluated)))
        return Annotated[JsonObject, kinds, Through(share), Through(_accuracy_run)]


def _accuracy_run(form: JsonMapping) -> AccuracyRun:
    own = {key: form[key] for key in _Evaluated.__annotations__ if key in form and key not in ("heads", "right")}
    if "right" in form:
        own["right"] = Flags.read(form["right"], form["samples"], form.get("correct"))
    score = Score.from_dict(form) if "correct" in form or "value" in form else None
    heads = {name: Score.from_dict(value) for name, value in form.get("heads", {}).items()}
    return AccuracyRun(**own, score=score, heads=heads)


AnyLatencyRun = Annotated[LatencyRun, Choosing((("summary_ns", SummarisedRun), ("", SampledRun)))]
AnyMemoryRun = Annotated[
    MemoryRun, Choosing((("rss_kib", ResidentRun), ("memory_kib", FootprintRun), ("", ResidentRun)))
]
"""As records hold them: which class it is shows in the keys."""

R = TypeVar("R", bound=Run, covariant=True)


@dataclass(frozen=True)
class Mode(Generic[R]):
    """What a runner process is asked to do: a pass by `name`, and the class of what it returns."""

    name: str
    returns: type[R]

    def __str__(self) -> str:
        return self.name


LATENCY = Mode("latency", SampledRun)
MEMORY = Mode("memory", ResidentRun)
ACCURACY = Mode("accuracy", AccuracyRun)


@open_ended
@dataclass(frozen=True)
class Refused:
    """What a runner returns that could not do the job: the class of the exception, and its message."""

    error: str
    message: str


def read_run(value: JsonValue, mode: Mode[R], source: str) -> R | Refused:
    """Return what a runner wrote, typed.

    Args:
        value: as JSON gave it.
        mode: of the job.
        source: names it in messages.

    Raises:
        InputError: it is of another type.
    """
    if not isinstance(value, dict) or not isinstance(value.get("ok"), bool):
        message = f"{source}: not a runner's result: `ok` is missing, expected true or false"
        raise InputError(message, code="key-missing")
    return cast("R | Refused", read(mode.returns if value["ok"] else Refused, value, source, "runner's result"))
