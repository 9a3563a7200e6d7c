"""The two sides of a comparison: which measurement of one is compared with which of the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.bundle.records import Measurement, Record, Subject
from edgekit.errors import InputError
from edgekit.errors.printable import quoted
from edgekit.reporting.rows import Row
from edgekit.reporting.unlike import Difference, unlike
from edgekit.stats.pairs import Contributions

Key = Callable[[Subject], object]
KEYS: tuple[Key, ...] = (
    lambda subject: None if subject.scheme is None else (subject.scheme, subject.format),
    lambda subject: subject.name,
    lambda subject: Path(subject.name).name,
    lambda subject: subject.sha256,
    lambda subject: subject.scheme,
)
"""By what files of two sides belong together, the surest first; None belongs to nothing."""
_SEVERAL = "say which with `--only`, such as `--only int8`, or give one file on either side"


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a measurement of a record.

    Attributes:
        record: that it is of.
        measurement: of the file.
        path: the file itself, where it is at hand; what a record says of paths is never opened.
        contributions: what every sample adds to its score, where that is no share of samples and was just measured.
    """

    record: Record = field(repr=False)
    measurement: Measurement = field(repr=False)
    path: Path | None = None
    contributions: Contributions | None = field(default=None, repr=False)

    @property
    def subject(self) -> Subject:
        """The file."""
        return self.record.subjects[self.measurement.subject]

    @property
    def row(self) -> Row:
        """Its numbers."""
        return Row(self.record, self.measurement, self.measurement)


@dataclass(frozen=True)
class Pair:
    """Two measurements that are compared.

    Attributes:
        here, there: A and B.
        together: whether one session measured both in rounds.
    """

    here: Side
    there: Side
    together: bool

    @property
    def threads(self) -> int:
        """Threads asked of the runtime, on the first side."""
        return self.here.measurement.threads

    @property
    def unlike(self) -> tuple[Difference, ...]:
        """Which conditions differ."""
        here, there = self.here, self.there
        other = here.record if self.together else there.record
        return unlike(here.record, other, (here.measurement, there.measurement))


def same_session(here: Record, there: Record) -> bool:
    """Return whether two records are of one session: the same one, or copies of it."""
    return here is there or (
        (here.created, here.target, here.command) == (there.created, there.target, there.command)
        and here.subjects == there.subjects
        and here.plan == there.plan
    )


def paired_subjects(
    here: Sequence[Subject], there: Sequence[Subject], only: Sequence[str] = ()
) -> list[tuple[int, int]]:
    """Return which files belong together, as indices into both lists, in the order of the first.

    One file on either side is compared whatever it is. Of several, those are compared that have the same scheme and
    format, else name, else bytes, else scheme, as long as that is not ambiguous.

    Args:
        here: files of one side.
        there: files of the other side.
        only: names, formats and schemes that are compared; empty: all.

    Raises:
        InputError: nothing is left, or nothing belongs together.
    """
    among = (*here, *there)
    ours, theirs = (kept_subjects(subjects, only, among) for subjects in (here, there))
    if len(ours) == len(theirs) == 1:
        return [(ours[0], theirs[0])]
    for key in KEYS:
        pairs = list(_alike(here, there, ours, theirs, key))
        if pairs:
            return pairs
    raise InputError(
        f"no file of one side belongs to one of the other: {_listed(here)}; and {_listed(there)}",
        _SEVERAL,
        code="compare-unpaired",
    )


def kept_subjects(subjects: Sequence[Subject], only: Sequence[str], among: Sequence[Subject] = ()) -> list[int]:
    """Return which files have one of the formats, one of the schemes and one of the names that are asked for.

    Args:
        subjects: the files of a side.
        only: names, formats and schemes; empty: all.
        among: the files of both sides, whose names and schemes may be asked for.

    Raises:
        InputError: there are none.
    """
    wanted, kept = set(only), list(range(len(subjects)))
    fields: tuple[Key, ...] = (lambda s: s.format, lambda s: s.scheme, lambda s: s.name)
    unknown = set(wanted)
    for of in fields:
        asked = {of(subject) for subject in among or subjects} & wanted
        unknown -= asked
        kept = [index for index in kept if not asked or of(subjects[index]) in asked]
    if unknown or not kept:
        raise InputError(
            f"`--only {', '.join(map(quoted, only))}`: one side has no such file",
            f"it has: {_listed(subjects)}",
            code="nothing-selected",
        )
    return kept


def _alike(
    here: Sequence[Subject], there: Sequence[Subject], ours: list[int], theirs: list[int], key: Key
) -> Iterator[tuple[int, int]]:
    counts = [Counter(key(subjects[i]) for i in kept) for subjects, kept in ((here, ours), (there, theirs))]
    places = {key(there[index]): index for index in theirs}
    for index in ours:
        value = key(here[index])
        if value is not None and all(count[value] == 1 for count in counts):
            yield index, places[value]


def _listed(subjects: Sequence[Subject]) -> str:
    names = [quoted(s.name) for s in subjects[:8]]
    return ", ".join([*names, *([f"{len(subjects) - 8} more"] if len(subjects) > 8 else [])])


def _by_subject(record: Record) -> dict[int, dict[int, Measurement]]:
    """Return the measurements of every file, by the number of threads; the first one counts."""
    found: dict[int, dict[int, Measurement]] = {}
    for measurement in record.measurements:
        found.setdefault(measurement.subject, {}).setdefault(measurement.threads, measurement)
    return found


def pairs_of(here: Record, there: Record, indices: Sequence[tuple[int, int]]) -> list[Pair]:
    """Return the measurements that are compared: of the same number of threads, else the only one of either side.

    Args:
        here: the record of A.
        there: the record of B, maybe the same one.
        indices: of the files that belong together.
    """
    together = same_session(here, there)
    found = []
    of_here, of_there = _by_subject(here), _by_subject(there)
    for first, second in indices:
        ours, theirs = of_here.get(first, {}), of_there.get(second, {})
        both = [count for count in ours if count in theirs] or list(ours)[-1:]
        for count in sorted(both):
            other = theirs.get(count) or next(iter(theirs.values()), None)
            if other is not None:
                found.append(Pair(Side(here, ours[count]), Side(there, other), together))
    return found
