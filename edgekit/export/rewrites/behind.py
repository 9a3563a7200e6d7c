"""Factors and shifts taken into the layers before them, through what lets them pass.

relu(z) * s = relu(z * s) for every s > 0: where a BatchNormalization follows an activation, its scale belongs into the
layer before the activation. What is left of it is a sign and a shift. Without that, the scales per channel are an int8
vector with one step for all of them.
"""

from __future__ import annotations

import numpy as np

from edgekit.export.rewrites.affine import Affine, chains, folded_by_converter
from edgekit.export.rewrites.scaling import can_give, give
from edgekit.export.rewrites.view import View, channels_last, is_a, is_homogeneous, is_linear
from edgekit.frameworks.layers.knowledge import Scale
from edgekit.frameworks.layers.register import known
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.frameworks.types import KerasLayer, Tensor
from edgekit.models.keras.rebuild import Part
from edgekit.tasks.samples import Array

TINY = 1e-12
"""A factor below it is not divided by."""

Change = tuple[KerasLayer, Array, Array]
"""A layer, and the factor and shift that its outputs get."""


def fold_behind(view: View) -> int:
    """Fold factors and shifts into the layers before; return how many chains of layers were folded."""
    places = 0
    for chain in chains(view):
        if folded_by_converter(view, chain):
            continue
        factor, shift = chain.factor, chain.shift
        changes = changes_behind(view, chain.input, factor, shift)
        rest = np.ones_like(factor), np.zeros_like(shift)
        if changes is None:
            usable = np.abs(factor) > TINY
            scale = np.where(usable, np.abs(factor), 1.0)
            if np.allclose(scale, 1.0, rtol=1e-6, atol=0):
                continue
            changes = changes_behind(view, chain.input, scale, 0 * shift)
            rest = np.where(usable, np.sign(factor), 0.0), shift
        if changes is None:
            continue
        for change in changes:
            give(view, *change)
        put(view, chain, *rest)
        places += 1
    return places


def put(view: View, chain: Affine, factor: Array, shift: Array) -> None:
    """Put factor * x + shift into a chain's place, or nothing if that is x."""
    first, *others = (node.layer for node in chain.nodes)
    for layer in others:
        view.replace(layer, [])
    if (factor == 1).all() and not shift.any():
        view.replace(first, [])
        return
    layer = tf_keras().layers.BatchNormalization(name=first.name)
    zeros = np.zeros(len(factor), np.float32)
    view.replace(first, [Part(layer, [factor, shift, zeros, zeros + np.float32(1 - layer.epsilon)])])


def passes(layer: KerasLayer, factor: Array, shift: Array) -> bool:
    """Return whether a layer of one tensor gives factor * f(x) + shift where it is given factor * x + shift."""
    if not channels_last(layer):
        return False
    row = known(layer)
    how = row.export.scale if row is not None and is_a(layer, type(layer).__name__) else Scale.NO
    if how is Scale.HOMOGENEOUS and is_homogeneous(layer):
        identity = is_a(layer, "Activation") and is_linear(layer)
        return identity or (bool((factor > 0).all()) and not shift.any())
    if how is Scale.POSITIVE:
        return bool((factor > 0).all())
    return how is Scale.PASSES or (how is Scale.NO_SHIFT and not shift.any())


def changes_behind(view: View, tensor: Tensor, factor: Array, shift: Array) -> list[Change] | None:
    """Return the changes that make a tensor factor * x + shift; None if that cannot be.

    Args:
        view: of the model.
        tensor: that only one call reads, and that is no output.
        factor: one value a channel.
        shift: the same.
    """
    node = view.maker(tensor)
    if node is None or view.reader(tensor) is None or not view.called_once(node.layer):
        return None
    layer, sources = node.layer, node.keras_inputs
    if can_give(view, layer, factor, shift):
        return [(layer, factor, shift)]
    if len(sources) == 1:
        return changes_behind(view, sources[0], factor, shift) if passes(layer, factor, shift) else None
    if is_a(layer, "Concatenate") and layer.axis in (-1, tensor.shape.rank - 1):
        ends = np.cumsum([source.shape[-1] for source in sources])[:-1]
        parts = zip(sources, np.split(factor, ends), np.split(shift, ends), strict=True)
        branches = [changes_behind(view, source, *part) for source, *part in parts]
    elif is_a(layer, "Add") and all(source.shape == tensor.shape for source in sources):
        branches = [changes_behind(view, s, factor, 0 * shift if i else shift) for i, s in enumerate(sources)]
    else:
        return None
    return [change for changes in branches for change in changes or ()] if all(branches) else None
