"""Factors and shifts taken into the layers that read them, where nothing pads with zeros in between."""

from __future__ import annotations

import numpy as np

from edgekit.export.rewrites.affine import chains, folded_by_converter
from edgekit.export.rewrites.behind import passes
from edgekit.export.rewrites.scaling import can_take, take
from edgekit.export.rewrites.view import View, channels_last, is_a
from edgekit.frameworks.types import KerasLayer, Tensor
from edgekit.models.keras.calls import flat
from edgekit.tasks.samples import Array

UNLIKE = 4.0
"""Largest ratio of two channels' factors that weights take in: their steps are per output, not per input channel."""

Change = tuple[KerasLayer, Array, Array]


def fold_ahead(view: View) -> int:
    """Fold factors and shifts into the layers that read them; return how many chains of layers went."""
    places = 0
    for chain in chains(view):
        sizes = np.abs(chain.factor[chain.factor != 0])
        if folded_by_converter(view, chain) or sizes.max(initial=0.0) > UNLIKE * sizes.min(initial=np.inf):
            continue
        changes = _changes(view, chain.output, chain.factor, chain.shift)
        if changes is None or len({id(layer) for layer, _, _ in changes}) < len(changes):
            continue
        for change in changes:
            take(view, *change)
        for node in chain.nodes:
            view.replace(node.layer, [])
        places += 1
    return places


def _changes(view: View, tensor: Tensor, factor: Array, shift: Array) -> list[Change] | None:
    """Return the changes for all readers of a tensor that is x in place of factor * x + shift; None without any."""
    if view.is_output(tensor) or not view.readers(tensor):
        return None
    changes: list[Change] = []
    for node in view.readers(tensor):
        if not view.simple(node) or view.is_replaced(node.layer):
            return None
        layer, target = node.layer, flat(node.outputs)[0]
        if can_take(view, layer, shift):
            changes.append((layer, factor, shift))
            continue
        further = None
        if is_a(layer, "Flatten") and channels_last(layer) and target.shape[-1]:
            times = target.shape[-1] // len(factor)
            further = _changes(view, target, np.tile(factor, times), np.tile(shift, times))
        elif passes(layer, factor, shift):
            further = _changes(view, target, factor, shift)
        if further is None:
            return None
        changes += further
    return changes
