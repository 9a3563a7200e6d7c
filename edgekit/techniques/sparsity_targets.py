"""How many weights every layer keeps, so that the whole has the sparsity asked for. Pure NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgekit.tasks.samples import Array

Magnitudes = npt.NDArray[np.float64]

FLOOR = 0.1
"""Under a global threshold every layer keeps at least this share of what it would keep under a local one."""


def magnitudes(kernel: Array, block: tuple[int, int]) -> tuple[Magnitudes, Magnitudes]:
    """Return what TFMOT ranks when it prunes, and how many weights each item stands for.

    Args:
        kernel: float32; of rank 2 where the block is not (1, 1).
        block: height and width of a block.

    Returns:
        Mean absolute value and number of weights of every block, flat, float64. Blocks at the edge are smaller.
    """
    absolute = np.abs(kernel.astype(np.float64))
    if block == (1, 1):
        return absolute.reshape(-1), np.ones(kernel.size)
    height, width = block
    rows, columns = kernel.shape
    padding = ((0, -rows % height), (0, -columns % width))
    shape = (-(-rows // height), height, -(-columns // width), width)
    sums, sizes = (
        np.pad(values, padding).reshape(shape).sum(axis=(1, 3)).reshape(-1)
        for values in (absolute, np.ones(kernel.shape))
    )
    return sums / sizes, sizes


def local_keeps(layers: Sequence[tuple[Magnitudes, Magnitudes]], sparsity: float) -> list[int]:
    """Return how many items (weights or blocks) each layer keeps when all get the same sparsity."""
    return [_at_most_nonzero(values, max(1, round((1 - sparsity) * len(values)))) for values, _ in layers]


def global_keeps(layers: Sequence[tuple[Magnitudes, Magnitudes]], sparsity: float) -> tuple[list[int], list[int]]:
    """Return how many items each layer keeps under one magnitude threshold over all layers.

    A layer that would keep fewer than `FLOOR` of its local share keeps that many, and the threshold of the others rises
    accordingly, so that the total stays what was asked.

    Args:
        layers: per layer what `magnitudes` returned.
        sparsity: share of all weights to become zero, from 0 up to below 1.

    Returns:
        The number of kept items per layer, and the indices of the layers that the floor held up.
    """
    budget = (1 - sparsity) * sum(float(sizes.sum()) for _, sizes in layers)
    floors = [max(1, round(FLOOR * (1 - sparsity) * len(values))) for values, _ in layers]
    keeps, held = [0] * len(layers), list[int]()
    free = list(range(len(layers)))
    while free:
        spent = sum(_weight(layers[i], floors[i]) for i in held)
        for index, count in zip(free, _cut([layers[i] for i in free], budget - spent), strict=True):
            keeps[index] = count
        low = [i for i in free if keeps[i] < floors[i]]
        if not low:
            break
        held += low
        free = [i for i in free if i not in low]
    for index in held:
        keeps[index] = floors[index]
    return [_at_most_nonzero(values, k) for (values, _), k in zip(layers, keeps, strict=True)], sorted(held)


def _cut(layers: Sequence[tuple[Magnitudes, Magnitudes]], budget: float) -> list[int]:
    """Keep the items of largest magnitude over all layers until their weights fill the budget."""
    values = np.concatenate([v for v, _ in layers])
    sizes = np.concatenate([s for _, s in layers])
    owners = np.repeat(np.arange(len(layers)), [len(v) for v, _ in layers])
    order = np.argsort(-values, kind="stable")
    kept = int(np.searchsorted(np.cumsum(sizes[order]), budget + 0.5 * sizes.min()))
    counts: list[int] = np.bincount(owners[order[:kept]], minlength=len(layers)).tolist()
    return counts


def _weight(layer: tuple[Magnitudes, Magnitudes], count: int) -> float:
    """Return how many weights the `count` largest items of a layer stand for."""
    values, sizes = layer
    return float(sizes[np.argsort(-values, kind="stable")[:count]].sum())


def _at_most_nonzero(values: Magnitudes, count: int) -> int:
    """Never count zeros as kept: TFMOT would let them grow again."""
    return max(1, min(count, int(np.count_nonzero(values))))
