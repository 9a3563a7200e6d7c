"""How channels pass through layers with one input."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekit.frameworks.types import KerasLayer
from edgekit.techniques.channels.activations import obstacle
from edgekit.techniques.channels.tracking import CARRIES, MAKES, Call, Ids, Slices, Tracker

Flow = Callable[[Call, Tracker], list[Ids]]
"""Takes one call of a layer, ties, fixes and notes channels, and returns the ids of the output channels."""

KERNEL = {-2: "in", -1: "out"}
BIAS = {-1: "out"}

CONV = Slices(MAKES, {"kernel": KERNEL, "bias": BIAS}, "filters", "kernel")
CONV_TRANSPOSE = Slices(MAKES, {"kernel": {-2: "out", -1: "in"}, "bias": BIAS}, "filters", "kernel")
DENSE = Slices(MAKES, {"kernel": KERNEL, "bias": BIAS}, "units", "kernel")
SEPARABLE = Slices(
    MAKES,
    {"depthwise_kernel": {-2: "in"}, "pointwise_kernel": {-2: "between", -1: "out"}, "bias": BIAS},
    "filters",
    "pointwise_kernel",
)
DEPTHWISE = Slices(CARRIES, {"depthwise_kernel": {-2: "in"}, "bias": BIAS}, kernel="depthwise_kernel")
BATCH_NORM = Slices(CARRIES, {name: {-1: "in"} for name in ("gamma", "beta", "moving_mean", "moving_variance")})
PRELU = Slices(CARRIES, {"alpha": {-1: "in"}})
RESHAPE = Slices(CARRIES)
DROPOUT = Slices(CARRIES)


def keep(call: Call, tracker: Tracker) -> list[Ids]:
    """Every channel stays what it is: element by element, or position by position within a channel."""
    if len(call.ids) != 1 or [shape[-1:] for shape in call.output_shapes] != [(len(call.ids[0]),)]:
        return tracker.keep_all(call, "which changes the number of channels")
    return call.ids


def dropout(call: Call, tracker: Tracker) -> list[Ids]:
    """Dropout: every channel stays what it is; the rate depends on how many there are, at the layer's first call."""
    if call.path not in tracker.book:
        tracker.enter(call, DROPOUT, call.ids[0], call.ids[0])
    return keep(call, tracker)


def activation(call: Call, tracker: Tracker) -> list[Ids]:
    """Activation."""
    why = obstacle(call.layer.activation)
    return tracker.keep_all(call, why) if why else keep(call, tracker)


def softmax(call: Call, tracker: Tracker) -> list[Ids]:
    """Softmax: over positions it acts within a channel, over channels it ties them all."""
    axes = call.layer.axis if isinstance(call.layer.axis, (list, tuple)) else [call.layer.axis]
    rank = len(call.shapes[0])
    if any(axis % rank in (0, rank - 1) for axis in axes):
        return tracker.keep_all(call, "which sets every channel against the others")
    return keep(call, tracker)


def rescaling(call: Call, tracker: Tracker) -> list[Ids]:
    """Rescaling by scalars."""
    if np.ndim(call.layer.scale) or np.ndim(call.layer.offset):
        return tracker.keep_all(call, "which scales every channel by a number of its own")
    return keep(call, tracker)


def permute(call: Call, tracker: Tracker) -> list[Ids]:
    """Permute: fine as long as channels stay last."""
    if call.layer.dims[-1] != len(call.layer.dims):
        return tracker.keep_all(call, "which moves the channel axis")
    return keep(call, tracker)


def mix(slices: Slices) -> Flow:
    """Return the flow of a layer that makes new channels, each from all it reads."""

    def flow(call: Call, tracker: Tracker) -> list[Ids]:
        ids = call.ids[0]
        made = tracker.enter(call, slices, ids)
        groups = getattr(call.layer, "groups", 1)
        if groups > 1 and whole_groups(call.layer):  # a group goes with all it reads and makes
            blocks = np.concatenate([ids.reshape(groups, -1), made.reshape(groups, -1)], axis=1)
            tracker.tie(blocks[:, :-1].ravel(), blocks[:, 1:].ravel())
        elif groups > 1:  # every group loses the same positions, so that groups stay equal
            for blocks in (ids.reshape(groups, -1), made.reshape(groups, -1)):
                tracker.tie(blocks[:-1].ravel(), blocks[1:].ravel())
        return _activated(call, tracker, made)

    return flow


def whole_groups(layer: KerasLayer) -> bool:
    """Return whether a grouped convolution loses whole groups, because a group reads or makes one channel only."""
    return 1 in (int(layer.kernel.shape[-2]), layer.filters // layer.groups)


def depthwise(call: Call, tracker: Tracker) -> list[Ids]:
    """DepthwiseConv: every input channel makes `depth_multiplier` output channels, which go with it."""
    ids = call.ids[0]
    return _activated(call, tracker, tracker.enter(call, DEPTHWISE, ids, np.repeat(ids, call.layer.depth_multiplier)))


def batch_norm(call: Call, tracker: Tracker) -> list[Ids]:
    """BatchNormalization over the last axis: four numbers a channel."""
    if list(call.layer.axis) != [len(call.shapes[0]) - 1]:
        return tracker.keep_all(call, "which normalises along another axis than the last")
    return [tracker.enter(call, BATCH_NORM, call.ids[0], call.ids[0])]


def prelu(call: Call, tracker: Tracker) -> list[Ids]:
    """PReLU: slopes per channel, unless they are shared over the channel axis."""
    if len(call.shapes[0]) - 1 in (call.layer.shared_axes or ()):
        return keep(call, tracker)
    return [tracker.enter(call, PRELU, call.ids[0], call.ids[0])]


def reshape(call: Call, tracker: Tracker) -> list[Ids]:
    """Flatten and Reshape: fine where the new last axis holds the same channels at every position."""
    ids, after = call.ids[0], call.output_shapes[0][1:]
    if after and after[-1] == len(ids):  # rows of channels stay rows
        made = ids
    else:
        before = [size for size in call.shapes[0][1:] if size is not None]
        count = after[-1] if after else None
        if count is None or len(before) < len(call.shapes[0]) - 1:
            return tracker.keep_all(call, "whose shape is not known")
        rows = np.broadcast_to(ids, before).reshape(-1, count)
        if (rows != rows[0]).any():
            return tracker.keep_all(call, "which mixes channels and positions")
        made = rows[0]
    if getattr(call.layer, "target_shape", (-1,))[-1] == -1:
        return [made]
    return [tracker.enter(call, RESHAPE, made, made)]


def refuse(why: str) -> Flow:
    """Return the flow of a layer that keeps all channels it touches from being removed."""
    return lambda call, tracker: tracker.keep_all(call, why)


def _activated(call: Call, tracker: Tracker, made: Ids) -> list[Ids]:
    why = obstacle(getattr(call.layer, "activation", None))
    if why:
        tracker.fix(made, f"its channels come from {call.label}, {why}")
    return [made]
