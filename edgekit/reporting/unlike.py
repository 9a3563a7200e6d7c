"""Which conditions of two records, or of two of their measurements, differ, so that their numbers may not compare.

The one module that determines it: the cautions of `edgekit report`, the refusals of `edgekit compare`, the gates and
the history come from here. Texts are as the records hold them: whoever shows them makes them visible.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from edgekit.bundle.facts import Unavailable
from edgekit.bundle.records import Measurement, Record, Subject
from edgekit.bundle.runs import Runtime

LATENCY, MEMORY, ACCURACY = "latency", "memory", "accuracy"
MACHINE: Final = frozenset({LATENCY, MEMORY})
ALL: Final = frozenset({LATENCY, MEMORY, ACCURACY})
UNKNOWN = "unknown"
AS_IN_THE_FILE = "as in the file"


@dataclass(frozen=True)
class Condition:
    """One thing that has to be alike.

    Attributes:
        noun: what a sentence calls it: `not of the same NOUN`.
        affects: the passes whose numbers depend on it.
    """

    noun: str
    affects: frozenset[str]


CONDITIONS: Final[Mapping[str, Condition]] = {
    "edgekit": Condition("major version of edgekit", ALL),
    "device": Condition("target", MACHINE),
    "cpu": Condition("CPU", MACHINE),
    "cores": Condition("number of cores", MACHINE),
    "os": Condition("operating system", MACHINE),
    "emulation": Condition("emulation of the CPU", MACHINE),
    "governor": Condition("governor", frozenset({LATENCY})),
    "pin": Condition("pinning to CPUs", frozenset({LATENCY})),
    "threads": Condition("number of threads", MACHINE),
    "runtime": Condition("runtime", ALL),
    "runtime-version": Condition("version of the runtime", ALL),
    "delegate": Condition("delegate", ALL),
    "samples": Condition("evaluation samples", frozenset({ACCURACY})),
    "input-shapes": Condition("input sizes", ALL),
    "input-values": Condition("input values", ALL),
}
"""By the slug of a `Difference`, in the order in which differences are listed."""


@dataclass(frozen=True)
class Difference:
    """A condition that is not the same on both sides.

    Attributes:
        what: a key of `CONDITIONS`.
        here, there: what it is on either side, as text.
    """

    what: str
    here: str
    there: str

    @property
    def noun(self) -> str:
        """What a sentence calls it."""
        return CONDITIONS[self.what].noun

    @property
    def affects(self) -> frozenset[str]:
        """The passes whose numbers it makes hard to compare: of `latency`, `memory` and `accuracy`."""
        return CONDITIONS[self.what].affects

    def __str__(self) -> str:
        return f"not of the same {self.noun}: {self.here}, {self.there}"


def affected(passes: frozenset[str]) -> str:
    """Return passes as a phrase: `latency and memory`."""
    *most, last = (name for name in (LATENCY, MEMORY, ACCURACY) if name in passes)
    return f"{', '.join(most)} and {last}" if most else last


Pair = tuple[Measurement, Measurement]


def unlike(here: Record, there: Record, pair: Pair | None = None) -> tuple[Difference, ...]:
    """Return which conditions differ between two records, or between a measurement of either.

    What an older edgekit did not ask is no difference; what could not be read on one side only is one. That a
    `.tflite` and an `.onnx` file have different runtimes is none: the runtime belongs to what is compared then. Within
    one session all files have the same machine, runtimes and settings, so only what belongs to a measurement counts.

    Args:
        here: a record.
        there: another, or the same one for two measurements of its session.
        pair: a measurement of `here` and one of `there`; None: all of both, of which runtimes, thread counts and
            inputs are looked at as far as both have them.
    """
    found: list[Difference] = []
    if here is not there:
        found += _sessions(here, there)
    if pair is None:
        found += _between_all(here, there)
    else:
        found += _between_two(here, there, pair)
    order = list(CONDITIONS)
    return tuple(sorted(dict.fromkeys(found), key=lambda difference: order.index(difference.what)))


def _sessions(here: Record, there: Record) -> Iterator[Difference]:
    """Yield what differs between two sessions as such."""
    for name, own, other in (
        ("edgekit", _major(here.edgekit), _major(there.edgekit)),
        ("device", here.target, there.target),
        ("cpu", here.host.cpu_model, there.host.cpu_model),
        ("cores", here.host.cores, there.host.cores),
        ("os", here.host.os, there.host.os),
        ("emulation", _emulation(here), _emulation(there)),
        ("governor", here.host.governor, there.host.governor),
        ("pin", here.plan.pin or "none", there.plan.pin or "none"),
        ("input-shapes", _asked_shapes(here), _asked_shapes(there)),
        ("input-values", _asked_values(here), _asked_values(there)),
    ):
        yield from _differing(name, own, other)
    ours, theirs = here.evaluation, there.evaluation
    if ours and theirs and ours.sha256 != theirs.sha256:
        texts = [f"{on.samples:,}, {on.source}" for on in (ours, theirs)]
        if texts[0] == texts[1]:
            texts = [f"{t} ({on.sha256[:12]})" for t, on in zip(texts, (ours, theirs), strict=True)]
        yield Difference("samples", *texts)


def _differing(
    what: str, here: str | int | Unavailable | None, there: str | int | Unavailable | None
) -> Iterator[Difference]:
    """Yield the difference of a fact; None was not asked for by an older edgekit."""
    if here is None or there is None:
        return
    own, other = (UNKNOWN if isinstance(fact, Unavailable) else str(fact) for fact in (here, there))
    if own != other:
        yield Difference(what, own, other)


def _major(version: str) -> str:
    return version.partition(".")[0]


def _emulation(record: Record) -> str | Unavailable | None:
    emulated = record.host.emulated
    return ("emulated" if emulated else "none") if isinstance(emulated, bool) else emulated


def _asked_shapes(record: Record) -> str | None:
    return None if record.plan.input_shapes is None else _shapes(record.plan.input_shapes)


def _asked_values(record: Record) -> str | None:
    return None if record.plan.input_values is None else _values(record.plan.input_values)


def _shapes(shapes: Mapping[str, Iterable[int]] | None) -> str:
    given = sorted(f"{name} {'×'.join(map(str, sizes))}".rstrip() for name, sizes in (shapes or {}).items())
    return ", ".join(given) or AS_IN_THE_FILE


def _values(values: Mapping[str, float] | None) -> str:
    return ", ".join(sorted(f"{name} = {value:g}" for name, value in (values or {}).items())) or "none"


def _between_two(here: Record, there: Record, pair: Pair) -> Iterator[Difference]:
    """Yield what differs between two measurements."""
    own, other = pair
    yield from _differing("threads", own.threads, other.threads)
    mine, theirs = here.subjects[own.subject], there.subjects[other.subject]
    yield from _inputs(mine, theirs)
    if here is not there:
        yield from _runtimes(_used(here, [own]), _used(there, [other]))


def _between_all(here: Record, there: Record) -> Iterator[Difference]:
    """Yield what differs between all that two records measured."""
    own, other = ({m.threads for m in record.measurements} for record in (here, there))
    if own and other and not own & other:
        yield Difference("threads", *(", ".join(map(str, sorted(counts))) for counts in (own, other)))
    for mine in here.subjects:
        for theirs in there.subjects:
            if mine.sha256 == theirs.sha256:
                yield from _inputs(mine, theirs)
    yield from _runtimes(_used(here, here.measurements), _used(there, there.measurements))


def _inputs(mine: Subject, theirs: Subject) -> Iterator[Difference]:
    """Yield the sizes and values of inputs that both files have, and that differ."""
    sizes, others = mine.input_shapes or {}, theirs.input_shapes or {}
    both = [name for name in sizes if name in others and sizes[name] != others[name]]
    if both:
        yield Difference("input-shapes", *(_shapes({name: of[name] for name in both}) for of in (sizes, others)))
    values, other_values = mine.input_values or {}, theirs.input_values or {}
    unequal = [name for name in values if name in other_values and values[name] != other_values[name]]
    if unequal:
        given = (_values({name: of[name] for name in unequal}) for of in (values, other_values))
        yield Difference("input-values", *given)


Used = tuple[str, str, Runtime]
"""A file's format, its SHA-256, and a runtime that ran it."""


def _used(record: Record, measurements: Iterable[Measurement]) -> list[Used]:
    return [
        (subject.format, subject.sha256, run.runtime)
        for measurement in measurements
        for subject in (record.subjects[measurement.subject],)
        for run in measurement.runs()
    ]


def _runtimes(ours: list[Used], theirs: list[Used]) -> Iterator[Difference]:
    """Yield runtimes, versions and delegates that differ where the same kind of file, or the same file, was run."""
    for kind in dict.fromkeys(kind for kind, _, _ in ours):
        names = _unequal({r.name for k, _, r in ours if k == kind}, {r.name for k, _, r in theirs if k == kind})
        yield from (Difference("runtime", *texts) for texts in names)
    for name in dict.fromkeys(runtime.name for _, _, runtime in ours):
        versions = _unequal(_versions(ours, name), _versions(theirs, name))
        yield from (Difference("runtime-version", *texts) for texts in versions)
    files = {(digest, r.name) for _, digest, r in ours} & {(digest, r.name) for _, digest, r in theirs}
    for digest, name in sorted(files):  # how much of a file a delegate takes depends on the file
        delegates = _unequal(_delegates(ours, digest, name), _delegates(theirs, digest, name))
        yield from (Difference("delegate", a, b) for a, b in delegates)


def _versions(used: list[Used], name: str) -> set[str]:
    return {f"{name} {runtime.version}" for _, _, runtime in used if runtime.name == name}


def _delegates(used: list[Used], digest: str, name: str) -> set[str]:
    """Return with which delegates a file was run; runs of which that is not known are left out."""
    return {r.delegate for _, of, r in used if (of, r.name) == (digest, name) and r.delegate}


def _unequal(ours: set[str], theirs: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the two sets as text where both hold something and they are not equal."""
    if ours and theirs and ours != theirs:
        yield ", ".join(sorted(ours)), ", ".join(sorted(theirs))
