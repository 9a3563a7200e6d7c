"""A file and a bound: pass, fail, or cannot tell, decided on the 95 % interval and not on the point."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edgekit.bundle.budget_file import Limits
from edgekit.bundle.reason import Reason
from edgekit.reporting.amounts import number, with_interval
from edgekit.reporting.checking.bounds import BOUNDS, Bound
from edgekit.reporting.checking.files import Baselines, CheckedFile
from edgekit.reporting.checking.readings import Reading
from edgekit.reporting.unlike import ACCURACY, Difference, unlike

PASS, FAIL, CANNOT_TELL = "pass", "fail", "cannot tell"
_SLACK = 1e-9
"""Relative: a limit that was written in decimals is not missed by their rounding."""


@dataclass(frozen=True)
class Check:
    """What came of one bound on one file.

    Attributes:
        file: that was checked.
        bound: on it.
        limit: of the bound.
        word: `pass`, `fail` or `cannot tell`.
        reading: what was decided on; None where there is none.
        code: of the reason; empty for `pass`.
        sentence: the reason; empty for `pass`.
        against: name of the baseline that it was compared with, for relative bounds.
        unlike: conditions that are not those of the baseline, and were passed over as asked.
    """

    file: CheckedFile
    bound: Bound
    limit: float
    word: str
    reading: Reading | None = None
    code: str = ""
    sentence: str = ""
    against: str = ""
    unlike: tuple[Difference, ...] = ()

    @property
    def margin(self) -> float | None:
        """How far the number itself is from its limit, in its unit as limits count; negative beyond it."""
        if self.reading is None or not math.isfinite(self.reading.interval.value):
            return None
        room = self.limit - self.reading.interval.value
        return -room if self.bound.at_least else room


@dataclass(frozen=True)
class Checks:
    """All bounds on all files.

    Attributes:
        checks: in the order of the files, then of the bounds.
        unread: files of folders that could not be read, each with the reason: whether they keep their bounds is open.
    """

    checks: tuple[Check, ...]
    unread: tuple[Reason, ...] = ()

    @property
    def word(self) -> str:
        """`fail` if any bound is missed; else `cannot tell` if any is open; else `pass`."""
        words = {check.word for check in self.checks} | ({CANNOT_TELL} if self.unread else set())
        return next((word for word in (FAIL, CANNOT_TELL) if word in words), PASS)

    def count(self, word: str) -> int:
        """Return how many checks came to a word."""
        return sum(check.word == word for check in self.checks)

    @property
    def summary(self) -> str:
        """One sentence: `fail: 1 of 6 checks; 1 cannot be told`."""
        total = len(self.checks)
        parts = [f"{self.count(word)} {word}" for word in (PASS, FAIL, CANNOT_TELL) if self.count(word)]
        unread = f"; {len(self.unread)} unread" if self.unread else ""
        return f"{self.word}: {total} check{'s' * (total != 1)}: {', '.join(parts)}{unread}"


def check(
    files: Sequence[CheckedFile],
    limits_of: Callable[[CheckedFile], Limits],
    baselines: Baselines,
    *,
    force: bool = False,
) -> tuple[Check, ...]:
    """Check files; what does not depend on how a file was measured, such as its size, once for all thread counts.

    Args:
        files: to check.
        limits_of: the bounds on a file.
        baselines: what files are compared with.
        force: compare also where conditions differ.

    Raises:
        InputError: a bound is none for a file's metric.
    """
    found = (one for file in files for one in _of_file(file, limits_of(file), baselines, force))
    return tuple({(_once(one), one.bound.name): one for one in found}.values())


def _once(check: Check) -> tuple[str | int | None, ...]:
    """Return what a check is on."""
    file = check.file
    return (file.source, file.name, *((file.threads,) if check.bound.of else ()))


def _of_file(file: CheckedFile, limits: Limits, baselines: Baselines, force: bool) -> Iterator[Check]:
    for bound in (bound for bound in BOUNDS if bound.name in limits):
        limit = limits[bound.name]
        against = baselines.of(file) if bound.relative else None
        differences: tuple[Difference, ...] = ()
        if bound.relative and against is None:
            continue  # the file is the baseline
        if isinstance(against, Reason):
            yield Check(file, bound, limit, CANNOT_TELL, code=against.code, sentence=against.sentence)
            continue
        if against is not None:
            differences = tuple(_unlike(file, against, bound.of))
            if differences and not force:
                listed = "; ".join(map(str, differences))
                sentence = f"conditions differ from those of {against.source}: {listed}"
                yield Check(file, bound, limit, CANNOT_TELL, None, "unlike-conditions", sentence, against.source)
                continue
        reading = bound.read(file, against, limit)
        name = against.source if against is not None else ""
        if isinstance(reading, Reason):
            yield Check(file, bound, limit, CANNOT_TELL, None, reading.code, reading.sentence, name)
        else:
            word, reason = decide(reading, bound, limit)
            yield Check(file, bound, limit, word, reading, reason.code, reason.sentence, name, differences)


def decide(reading: Reading, bound: Bound, limit: float) -> tuple[str, Reason]:
    """Return whether a number keeps a bound, and the reason, which is empty where it does.

    It does if its whole 95 % interval does, and does not if no part of the interval does; so a file at its limit passes
    by chance in at most 2.5 % of sessions, and fails by chance as rarely.
    """
    interval = reading.interval
    text, wanted = with_interval(interval, reading.unit), number(limit, reading.unit)
    side = "at least" if bound.at_least else "at most"
    if math.isnan(interval.value):
        return FAIL, Reason(bound.code, f"{bound.noun} is no finite number, {side} {wanted} is asked")
    if math.isnan(interval.low) or math.isnan(interval.high):
        return CANNOT_TELL, Reason("interval-missing", f"{bound.noun} {text} has no interval")
    low, high = interval.low, interval.high
    worst, best, edge = (-low, -high, -limit) if bound.at_least else (high, low, limit)
    slack = _SLACK * max(1.0, abs(limit))
    if worst <= edge + slack:
        return PASS, Reason("", "")
    if best > edge + slack:
        return FAIL, Reason(bound.code, f"{bound.noun} {text}, {side} {wanted} is allowed")
    return CANNOT_TELL, Reason(
        "interval-holds-limit", f"{bound.noun} {text}: the limit of {wanted} lies within the interval"
    )


def _unlike(file: CheckedFile, against: CheckedFile, of: str) -> Iterator[Difference]:
    """Yield the conditions of a comparison that differ."""
    if not of:
        return
    if file.row is not None and against.row is not None:
        pair = (file.row.measurement, against.row.measurement)
        found = unlike(file.row.record, against.row.record, pair)
        yield from (difference for difference in found if of in difference.affects)
    elif of == ACCURACY and (not file.samples or file.samples != against.samples):
        yield Difference("samples", *(one.samples or "unknown" for one in (file, against)))
