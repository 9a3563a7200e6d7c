"""A layer with only some of its channels: its configuration, its weights, how many parameters it has."""

from __future__ import annotations

import numpy as np

from edgekit.frameworks.types import KerasConfig, Variable
from edgekit.tasks.samples import Array
from edgekit.techniques.channels.flows import DROPOUT, whole_groups
from edgekit.techniques.channels.tracking import Kept, LayerChannels


def sides(entry: LayerChannels, kept: Kept) -> dict[str, Kept]:
    """Return which positions of every side stay; the sides are those of `Slices.axes`."""
    layer, inside, out = entry.layer, kept[entry.ids_in], kept[entry.ids_out]
    between = np.repeat(inside, getattr(layer, "depth_multiplier", 1))
    groups = getattr(layer, "groups", 1)
    if groups > 1:  # the kernel has the channels of one group only, and all groups lose the same
        inside = inside[: len(inside) // groups]
        if whole_groups(layer):
            inside = np.ones_like(inside)
    return {"in": inside, "out": out, "between": between}


def config(entry: LayerChannels, kept: Kept) -> KerasConfig:
    """Return what changes in the configuration of a layer.

    Dropout loses of its rate what it loses of its channels: a model with fewer needs less of it (Han et al. 2015,
    arXiv 1506.02626, section 3.2; the root of the share of connections is the share of channels where both sides of a
    layer lose alike).
    """
    layer, out = entry.layer, int(kept[entry.ids_out].sum())
    changed: KerasConfig = {entry.slices.size: out} if entry.slices.size else {}
    groups = getattr(layer, "groups", 1)
    if groups > 1 and whole_groups(layer):
        changed["groups"] = out * groups // len(entry.ids_out)
    if type(layer).__name__ == "Reshape":  # -1 at the end is not among the layers that depend on channels
        changed["target_shape"] = (*layer.target_shape[:-1], out)
    if entry.slices is DROPOUT:
        changed["rate"] = layer.rate * out / len(entry.ids_out)
    return changed


def weights(entry: LayerChannels, kept: Kept) -> list[Array]:
    """Return the weights of the channels that stay, in the order of `layer.get_weights()`."""
    positions = sides(entry, kept)
    sliced = []
    for variable, value in zip(entry.layer.weights, entry.layer.get_weights(), strict=True):
        for axis, side in _axes(entry, variable).items():
            value = np.compress(positions[side], value, axis=axis)
        sliced.append(value)
    return sliced


def parameters(entry: LayerChannels, kept: Kept) -> int:
    """Return how many parameters the layer will have, without making it."""
    positions, total = sides(entry, kept), 0
    for variable in entry.layer.weights:
        shape = list(variable.shape)
        for axis, side in _axes(entry, variable).items():
            shape[axis] = int(positions[side].sum())
        total += int(np.prod(shape))
    return total


def filters(entry: LayerChannels) -> Array:
    """Return the filters a layer has, one row an output channel, all numbers of a filter in a row."""
    variable = getattr(entry.layer, entry.slices.kernel)
    kernel = variable.numpy()
    if entry.slices.kernel == "depthwise_kernel":  # (*spatial, in, multiplier), output channels in that order
        return np.asarray(kernel.reshape(-1, len(entry.ids_out)).T)
    axis = next(axis for axis, side in _axes(entry, variable).items() if side == "out")
    return np.asarray(np.moveaxis(kernel, axis, 0).reshape(len(entry.ids_out), -1))


def _axes(entry: LayerChannels, variable: Variable) -> dict[int, str]:
    for attribute, axes in entry.slices.axes.items():
        if getattr(entry.layer, attribute, None) is variable:
            return dict(axes)
    return {}
