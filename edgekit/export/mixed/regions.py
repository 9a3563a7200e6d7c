"""Which operators to revert together, and in which order: by the share of the noise that goes with them.

An operator alone gets rid of the noise of its weights; with the readers of its output, of that of its output, too. So
these are the two kinds of regions. They are taken one after the other, always the one that removes most of the noise
that is left for the operators that it adds: neighbours of what is reverted already become cheap that way.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgekit.export.mixed.flow import Flow
from edgekit.export.mixed.origin import Origin

_LEFT = 1e-4
"""Share of the noise below which no gain is told from another: 40 dB."""
_SUDDEN = 3
"""Operators that are tried because their inputs do not explain their noise."""
_LARGER = 3
"""Regions that are tried because they hold one that clearly gains."""
_SMALLER = 2
"""Regions that are tried because one that clearly gains holds them."""


@dataclass(frozen=True)
class Region:
    """Operators that are reverted together.

    Attributes:
        lead: index of the operator that is taken for the cause.
        operators: indices, `lead` among them, and with them those that only move values between them.
        share: of the noise at the outputs that goes with them alone, about, 0 to 1.
    """

    lead: int
    operators: frozenset[int]
    share: float


class _Shares:
    """What share of the noise goes with a set of operators."""

    def __init__(self, flow: Flow, origin: Origin) -> None:
        self._weights = origin.weights
        needed = {n: flow.downstream(n) for operator in flow.operators for n in operator.outputs}
        self._rounding = [
            (frozenset({flow.maker[n].index}) | readers, origin.rounding[n])
            for n, readers in needed.items()
            if readers is not None and origin.rounding.get(n, 0.0) > 0
        ]
        self._of: dict[int, list[int]] = {}
        for place, (operators, _) in enumerate(self._rounding):
            for index in operators:
                self._of.setdefault(index, []).append(place)

    def more(self, added: Collection[int], chosen: frozenset[int] = frozenset()) -> float:
        """Return what goes with operators in addition to those that are chosen already."""
        both = chosen | frozenset(added)
        share = sum(self._weights.get(index, 0.0) for index in added if index not in chosen)
        places = {place for index in added for place in self._of.get(index, ())}
        for place in places:
            operators, own = self._rounding[place]
            if operators <= both and not operators <= chosen:
                share += own
        return share

    def touched(self, added: Collection[int]) -> frozenset[int]:
        """Return the operators whose regions may be worth more with others reverted."""
        return frozenset(
            index for one in added for place in self._of.get(one, ()) for index in self._rounding[place][0]
        ) | frozenset(added)


def regions(flow: Flow, origin: Origin) -> Iterator[Region]:
    """Yield every operator that rounds something, alone and with the readers of each of its outputs."""
    shares = _Shares(flow, origin)
    for operator in flow.operators:
        if operator.index in flow.exact:
            continue
        alone = frozenset({operator.index})
        sets = [alone]
        for number in operator.outputs:
            readers = flow.downstream(number)
            sets += [alone | readers] if readers is not None else []
        for operators in dict.fromkeys(sets):
            yield Region(operator.index, operators, shares.more(operators))


def ranked(flow: Flow, origin: Origin) -> list[Region]:
    """Return regions in the order in which they are best reverted, until nothing is left to gain."""
    shares = _Shares(flow, origin)
    waiting = {region: region.share for region in regions(flow, origin)}
    chosen: frozenset[int] = frozenset()
    left, order = 1.0, list[Region]()
    while waiting:
        best = max(waiting, key=lambda region: _worth(region, waiting[region], chosen | flow.exact, left))
        gain = waiting.pop(best)
        if gain <= 0:
            break
        order.append(best)
        touched = shares.touched(best.operators - chosen)
        chosen |= best.operators
        left = max(left - gain, _LEFT)
        for region in [region for region in waiting if region.operators & touched]:
            if region.operators <= chosen:
                del waiting[region]
            else:
                waiting[region] = shares.more(region.operators, chosen)
    return order


def _worth(region: Region, gain: float, free: frozenset[int], left: float) -> tuple[float, float]:
    """Return how many dB of what is left a region removes, for each operator that it adds and that is not free."""
    return -10 * math.log10(max(1 - gain / left, _LEFT)) / max(1, len(region.operators - free)), gain


def candidates(flow: Flow, origin: Origin, order: Sequence[Region], most: int) -> list[Region]:
    """Return the regions whose gain is to be measured on the file: the first, and operators that noise begins in.

    Args:
        flow: of the operators.
        origin: of the noise.
        order: of `ranked`.
        most: how many.
    """
    there = {region.operators for region in order[:most]}
    sudden = sorted(origin.sudden, key=lambda index: -origin.sudden[index])
    suspects = [i for i in sudden if origin.sudden[i] > 0.01 and frozenset({i}) not in there and i not in flow.exact]
    alone = [Region(index, frozenset({index}), origin.sudden[index]) for index in suspects[:_SUDDEN]]
    return [*order[: max(1, most - len(alone))], *alone][:most]


def larger(flow: Flow, origin: Origin, region: Region, known: Collection[Region]) -> list[Region]:
    """Return regions that hold another one and more, at most three, those first that are expected to gain most.

    What breaks a layer's weights may be the range of what it reads, and the other way round.

    Args:
        flow: of the operators.
        origin: of the noise.
        region: that clearly gains.
        known: those that were measured already.
    """
    found = [r for r in _unmeasured(flow, origin, known) if region.operators < r.operators]
    return sorted(found, key=lambda r: -r.share)[:_LARGER]


def smaller(flow: Flow, origin: Origin, region: Region, known: Collection[Region]) -> list[Region]:
    """Return regions inside of another one, at most two, the largest first.

    Noise that cancels out behind, as where what is added is subtracted again, is counted where it is made all the same.
    Arguments as of `larger`.
    """
    found = [r for r in _unmeasured(flow, origin, known) if r.operators < region.operators]
    return sorted(found, key=lambda r: (-len(r.operators), -r.share))[:_SMALLER]


def _unmeasured(flow: Flow, origin: Origin, known: Collection[Region]) -> list[Region]:
    there = {one.operators for one in known}
    return [region for region in regions(flow, origin) if region.operators not in there]


def reordered(order: Sequence[Region], gains_db: Mapping[Region, float]) -> list[Region]:
    """Return regions in the order of what was measured, as far as that tells them apart.

    Those that clearly helped come first, by dB an operator. A gain is hidden where another cause makes nearly all of
    the noise: regions of which not much was expected either stay in their order. Those that were expected to help, and
    did not, come last.

    Args:
        order: of `ranked`.
        gains_db: what reverting a region alone gained on the file.
    """
    every = list(dict.fromkeys([*order, *gains_db]))
    clear = [region for region in every if gains_db.get(region, 0.0) >= CLEAR_DB]
    clear.sort(key=lambda region: -gains_db[region] / len(region.operators))
    refuted = [r for r in every if r in gains_db and r not in clear and _expected_db(r) >= 2 * CLEAR_DB]
    settled = {*clear, *refuted}
    return [*clear, *(region for region in every if region not in settled), *refuted]


CLEAR_DB = 0.3
"""A gain that is one: of the noise, 7 %."""


def _expected_db(region: Region) -> float:
    return -10 * math.log10(max(1 - region.share, _LEFT))
