"""What a runner answers, pass by pass: declarations for `edgekit.schema.gate`.

The same tables stand in records, so the declarations hold for files of older runners, too: what came later is
`NotRequired`. An answer may tell more than is declared.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

from edgekit.schema.gate import read
from edgekit.schema.rules import Choosing, Count, Natural, Range, Sized, Through
from edgekit.tasks.metrics import Counted, ScoreForm, Valued, share


class Runtime(TypedDict):
    """What ran a file."""

    name: str
    version: str
    delegate: str


class State(TypedDict):
    """What changes on a machine; None where it cannot be read."""

    load_1min: float | None
    frequencies_khz: list[Count] | None
    temperatures_c: dict[str, float] | None
    swap_pages: int | None
    steal_ticks: int | None


class Answer(TypedDict):
    """Of every pass."""

    runtime: Runtime
    mode: NotRequired[str]
    threads: NotRequired[Count]
    python: NotRequired[str]
    numpy: NotRequired[str]
    import_ns: NotRequired[Count]
    ok: NotRequired[bool]


class Sampled(Answer):
    """Latency with every sample."""

    init_ns: Count
    first_ns: Count
    warmup_ns: list[Count]
    plateau: bool
    calls_per_sample: Natural
    samples_ns: Annotated[list[Count], Sized(1)]
    state_before: State
    state_after: State
    clock_resolution_ns: NotRequired[Count]
    cooled_to_c: NotRequired[float]


class Summary(TypedDict):
    """Latency as `benchmark_model` sums it up, in ns."""

    count: Count
    avg: Annotated[float, Range(0)]
    median: NotRequired[Annotated[float, Range(0)]]


class Summarised(Answer):
    """Latency without samples."""

    init_ns: Count
    first_ns: Count
    summary_ns: Summary
    memory_kib: NotRequired[Count | None]
    cooled_to_c: NotRequired[float]


class Resident(TypedDict):
    """The resident set at each step, in KiB."""

    after_imports: Count
    after_load: NotRequired[Count | None]
    after_first: NotRequired[Count | None]
    peak: Count | None


class Memory(Answer):
    """Memory of a runner."""

    rss_kib: Resident


class NativeMemory(Answer):
    """Memory as `benchmark_model` tells it."""

    memory_kib: Count | None


class Evaluated(Answer):
    """Accuracy: what the runner counted, and behind it the score."""

    init_ns: NotRequired[Count]
    samples: Natural
    predictions_sha256: NotRequired[str]
    heads: NotRequired[dict[str, ScoreForm]]


class _CountedAnswer(Evaluated, Counted):
    pass


class _ValuedAnswer(Evaluated, Valued):
    pass


LatencyForm = Annotated[dict[str, Any], Choosing((("summary_ns", Summarised), ("", Sampled)))]
MemoryForm = Annotated[dict[str, Any], Choosing((("rss_kib", Memory), ("memory_kib", NativeMemory), ("", Memory)))]
AccuracyForm = Annotated[
    dict[str, Any],
    Choosing((("correct", _CountedAnswer), ("value", _ValuedAnswer), ("", Evaluated))),
    Through(share),
]
FORMS: dict[str, Any] = {"latency": LatencyForm, "memory": MemoryForm, "accuracy": AccuracyForm}


class Refused(TypedDict):
    """The answer of a runner that could not do the job."""

    ok: bool
    error: str
    message: str


def read_answer(value: Any, mode: str, source: str) -> dict[str, Any]:
    """Return a runner's answer to a job, of its declared type.

    Args:
        value: as JSON gave it.
        mode: of the job.
        source: names the answer in messages.

    Raises:
        InputError: it is not of this type.
    """
    done = isinstance(value, dict) and value.get("ok") is True
    found: dict[str, Any] = read(FORMS[mode] if done else Refused, value, source, "runner's answer")
    return found
