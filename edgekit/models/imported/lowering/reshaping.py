"""Reshape and Permute. A Permute of the file costs nothing; a Reshape needs one where it joins axes stored apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgekit.models.imported.graph import Permute, Reshape
from edgekit.models.imported.lowering.builder import Builder, Operand
from edgekit.models.imported.lowering.value import Value, big
from edgekit.models.imported.operators import Shape, Unsupported


def permute(op: Permute, inputs: Sequence[Operand], b: Builder) -> Value:
    """Call the axes otherwise, and leave them where they are."""
    x = b.plain(b.computed(inputs[0]))
    new = {old: i for i, old in enumerate(op.order)}
    return Value(
        x.tensor,
        tuple(x.shape[old] for old in op.order),
        tuple(new[axis] for axis in x.order),
        None if x.batch is None else new[x.batch],
        positive=x.positive,
    )


def reshape(op: Reshape, inputs: Sequence[Operand], b: Builder) -> Value:
    """Split and join axes where they are stored; what is joined has to stand together first.

    An image that is flattened is flattened as it is stored: whoever multiplies it with weights sorts those.
    """
    x, target = b.computed(inputs[0]), op.shape
    if math.prod(x.shape) != math.prod(target):
        raise Unsupported(f"from {list(x.shape)} to {list(target)}")
    batch = 0 if target[:1] == (1,) else None
    long = big(target, range(len(target)))
    if x.mix is not None and [x.shape[a] for a in big(x.shape, x.order)] == [target[a] for a in long]:
        tensor = b.resized(x.tensor, [target[axis] for axis in range(len(target)) if axis != batch])
        order = tuple(axis for axis in range(len(target)) if axis != batch)
        return replace(x, tensor=tensor, shape=target, order=order, batch=batch)
    x = b.plain(x)
    groups = _groups(x.shape, target)
    stored = big(x.shape, x.order)
    if len(groups) == 1 and len(groups[0][1]) == 1 and stored != sorted(stored):
        return _flattened(x, target, batch, b)
    if not all(_together(axes, stored) for axes, _ in groups):
        if len(long) <= 2:
            stored = sorted(stored)
        else:
            groups = sorted(groups, key=lambda group: min(map(stored.index, group[0])))
            stored = [axis for axes, _ in groups for axis in axes]
        rest = [axis for axis in x.order if x.shape[axis] == 1]
        x = b.arranged(x, (*stored, *rest), x.batch)
    ordered = sorted(groups, key=lambda group: stored.index(group[0][0]))
    order = _with_short([axis for _, axes in ordered for axis in axes], target, batch)
    tensor = b.resized(x.tensor, [target[axis] for axis in order])
    return Value(tensor, target, order, batch, positive=x.positive)


def _flattened(x: Value, target: Shape, batch: int | None, b: Builder) -> Value:
    stored, sizes = big(x.shape, x.order), [x.shape[axis] for axis in big(x.shape, range(x.rank))]
    natural = sorted(stored)
    places = np.arange(math.prod(sizes)).reshape(sizes).transpose([natural.index(axis) for axis in stored]).ravel()
    order = tuple(axis for axis in range(len(target)) if axis != batch)
    tensor = b.resized(x.tensor, [target[axis] for axis in order])
    return Value(tensor, target, order, batch, places, x, x.positive)


def _groups(before: Shape, after: Shape) -> list[tuple[list[int], list[int]]]:
    """Return which axes, of those longer than 1, become which others: the fewest that hold the same values."""
    old, new = big(before, range(len(before))), big(after, range(len(after)))
    groups, i, j = [], 0, 0
    while i < len(old):
        left, right, a, c = before[old[i]], after[new[j]], i + 1, j + 1
        while left != right:
            if left < right:
                left, a = left * before[old[a]], a + 1
            else:
                right, c = right * after[new[c]], c + 1
        groups.append((old[i:a], new[j:c]))
        i, j = a, c
    return groups


def _together(axes: Sequence[int], stored: Sequence[int]) -> bool:
    start = stored.index(axes[0])
    return list(stored[start : start + len(axes)]) == list(axes)


def _with_short(order: list[int], target: Shape, batch: int | None) -> Shape:
    """Return the stored axes with those of size 1: in their own place if the others are, else in front."""
    short = [axis for axis in range(len(target)) if target[axis] == 1 and axis != batch]
    return tuple(sorted([*order, *short])) if order == sorted(order) else (*short, *order)
