"""The fewest operators to revert, by asking a judge few times: each answer may take a whole evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isqrt

from edgekit.export.mixed.regions import Region

Judge = Callable[[frozenset[int]], bool]
"""Whether the file with these operators in float passes."""

_DOUBLINGS = 4
"""Prefixes of 1, 2, 4 and 8 regions are tried before everything is."""
MOST_CALLS = 6


@dataclass(frozen=True)
class Tried:
    """What a judge said.

    Attributes:
        regions: how many, from the first; None: all operators.
        operators: indices of those that computed in float.
        passed: its answer.
    """

    regions: int | None
    operators: frozenset[int]
    passed: bool


@dataclass(frozen=True)
class Choice:
    """The operators to revert.

    Attributes:
        operators: the fewest that passed; if none did, all of them, the nearest to the float file that there is.
        reached: whether they passed.
        tried: every set that was judged, in order.
    """

    operators: frozenset[int]
    reached: bool
    tried: tuple[Tried, ...]


def shortest(order: Sequence[Region], everything: Iterable[int], judge: Judge, most_calls: int = MOST_CALLS) -> Choice:
    """Return the shortest prefix of regions that passes.

    Prefixes double in length until one passes; where 8 regions do not, all operators are judged, which says whether
    any number would do. What calls are left halve the gap between the longest that failed and the shortest that passed.

    Args:
        order: the regions, to be reverted one after the other.
        everything: indices of all operators that can be.
        judge: asked at most once of a set.
        most_calls: how often it may be asked, at least 1.
    """
    prefixes = _prefixes(order)
    whole = frozenset(everything) | (prefixes[-1] if prefixes else frozenset())
    if not prefixes or prefixes[-1] != whole:
        prefixes.append(whole)
    tried: list[Tried] = []
    passing, failing = len(prefixes), 0  # numbers of prefixes, counted from 1; `passing` is not known yet

    def passes(count: int) -> bool:
        operators = prefixes[count - 1]
        tried.append(Tried(None if operators == whole else count, operators, judge(operators)))
        return tried[-1].passed

    steps = [2**k for k in range(_DOUBLINGS) if 2**k < len(prefixes)][: most_calls - 1]
    for count in [*steps, len(prefixes)]:
        if passes(count):
            passing = count
            break
        failing = count
    else:
        return Choice(whole, False, tuple(tried))
    while passing - failing > 1 and len(tried) < most_calls:
        middle = _between(failing, passing)
        passing, failing = (middle, failing) if passes(middle) else (passing, middle)
    return Choice(prefixes[passing - 1], True, tuple(tried))


def _prefixes(order: Sequence[Region]) -> list[frozenset[int]]:
    """Return the operators of the first region, of the first two, and so on, without repetitions."""
    found: list[frozenset[int]] = []
    union: frozenset[int] = frozenset()
    for region in order:
        if not region.operators <= union:
            union |= region.operators
            found.append(union)
    return found


def _between(failing: int, passing: int) -> int:
    """Return a number between two: the middle, or where they are far apart, the middle of their logarithms."""
    middle = (failing + passing) // 2 if passing <= 2 * failing + 2 else isqrt(max(failing, 1) * passing)
    return min(max(middle, failing + 1), passing - 1)
