"""From importances and an amount to the channels that go."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgekit.errors import InputError
from edgekit.techniques.channels.criteria import Scores
from edgekit.techniques.channels.groups import Group
from edgekit.techniques.matching import SCOPES

ALMOST = 1e-9


@dataclass(frozen=True)
class Rounding:
    """How many channels may stay.

    Attributes:
        multiple_of: a group with at least twice as many channels keeps a multiple of this, the nearest one, and
            the larger of two equally near; but where that is none, the exact number stays. Where less than half a
            channel is to go, all stay. 1 rounds nothing.
        minimum: at least so many stay, if there are as many.
        up: keep the multiple above in place of the nearest, for all rounds of pruning but the last.
        sizes: of groups before the first round, by name: an amount is a share of these. By default as they are.
    """

    multiple_of: int = 8
    minimum: int = 1
    up: bool = False
    sizes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.multiple_of < 1 or self.minimum < 1:
            raise InputError(
                f"`multiple_of` is {self.multiple_of}, the minimum {self.minimum}, expected at least 1 of both",
                code="value-out-of-range",
            )

    def size(self, group: Group) -> int:
        """Return how many units a group had before the first round."""
        return self.sizes.get(group.name, group.size)

    def kept(self, group: Group, wanted: float) -> int:
        """Return how many units of a group stay where `wanted` should; it never falls while `wanted` rises."""
        count = math.floor(wanted + 0.5 + ALMOST)
        if count >= group.size:
            return group.size
        step = self.multiple_of // math.gcd(self.multiple_of, *group.multiplicities)
        if self.size(group) >= 2 * step:
            multiple = step * (
                math.ceil(wanted / step - ALMOST) if self.up else math.floor(wanted / step + 0.5 + ALMOST)
            )
            count = min(multiple, group.size) if multiple else count
        return max(count, min(self.minimum, group.size))


@dataclass(frozen=True)
class Selection:
    """What goes.

    Attributes:
        removed: group name to the units that go, as positions.
        notes: sentences on groups that would have lost every channel.
    """

    removed: dict[str, list[int]]
    notes: tuple[str, ...]


def select(
    groups: Sequence[Group], scores: Mapping[str, Scores], amount: float, scope: str, rounding: Rounding
) -> Selection:
    """Choose the least important units.

    Args:
        groups: those that may lose channels.
        scores: importance of every unit, by group name.
        amount: share of the units that goes, from 0 to below 1.
        scope: `local`: of every group the same share. `global`: the least important of all groups together, as many
            as bring the total, after rounding, nearest to the amount.
        rounding: what may stay.

    Raises:
        InputError: amount or scope are out of range.
    """
    check_amount(amount, scope)
    if scope == "local":
        wanted = {group.name: rounding.size(group) * (1 - amount) for group in groups}
    else:
        wanted = _global(groups, scores, amount, rounding)
    removed, notes = {}, []
    for group in groups:
        count = rounding.kept(group, wanted[group.name])
        if wanted[group.name] < 0.5 - ALMOST:
            notes.append(f"{group.name}: none of {group.size} channels would be left, so {count} stay")
        order = np.argsort(scores[group.name], kind="stable")
        removed[group.name] = sorted(order[: group.size - count].tolist())
    return Selection(removed, tuple(notes))


def check_amount(amount: float, scope: str) -> None:
    """Raise InputError unless the amount is in [0, 1) and the scope one of `SCOPES`."""
    if not 0 <= amount < 1:
        raise InputError(
            f"`amount` is {amount}, expected a share of the channels, from 0 to below 1", code="value-out-of-range"
        )
    if scope not in SCOPES:
        raise InputError(f"unknown scope `{scope}`", f"one of: {', '.join(SCOPES)}", code="unknown-name")


def _global(
    groups: Sequence[Group], scores: Mapping[str, Scores], amount: float, rounding: Rounding
) -> dict[str, float]:
    """Return how many units stay in every group, before rounding."""
    owner = np.repeat(np.arange(len(groups)), [group.size for group in groups])
    ranked = owner[np.argsort(np.concatenate([scores[group.name] for group in groups]), kind="stable")]

    def wanted(lowest: int) -> list[int]:
        lost = np.bincount(ranked[:lowest], minlength=len(groups))
        return [group.size - int(count) for group, count in zip(groups, lost, strict=True)]

    def total(lowest: int) -> int:
        left = wanted(lowest)
        return sum(group.size - rounding.kept(group, count) for group, count in zip(groups, left, strict=True))

    before = sum(rounding.size(group) for group in groups)
    goal, low, high = len(ranked) - (1 - amount) * before, 0, len(ranked)
    while low < high:  # the smallest number whose total reaches the goal
        middle = (low + high) // 2
        low, high = (low, middle) if total(middle) >= goal - ALMOST else (middle + 1, high)
    if low and goal - total(low - 1) < total(low) - goal:
        low -= 1
    return {group.name: float(count) for group, count in zip(groups, wanted(low), strict=True)}
