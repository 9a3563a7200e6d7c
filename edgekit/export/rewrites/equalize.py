"""Channels of unlike ranges made alike before a depthwise convolution.

An int8 tensor has one step for all channels, as large as the widest channel needs. A scale per channel moves freely
from a layer through an activation into a depthwise convolution, whose weights have a step for each channel:
s * relu(z) = relu(s * z). Between other layers it costs steps of weights (Nagel et al. 2019, arXiv 1906.04721, 4.1).
"""

from __future__ import annotations

import numpy as np

from edgekit.export.rewrites.behind import Change, changes_behind
from edgekit.export.rewrites.scaling import DEPTHWISE, can_take, give, take
from edgekit.export.rewrites.view import View, is_a
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.frameworks.types import KerasNode, Tensor
from edgekit.tasks.samples import Array

HEADROOM = 0.75
"""Share of the widest channel's range to which others are widened: what was not seen in samples has room above."""
WORTH = 2.0
"""A tensor is left alone unless some channel uses less than this part of the widest one's range."""


def equalize(view: View) -> int:
    """Equalize what depthwise convolutions read; return for how many."""
    depthwise = [node for node in view.nodes if is_a(node.layer, *DEPTHWISE) and view.simple(node)]
    candidates = [
        node for node in depthwise if _changes(view, node, np.ones(node.keras_inputs[0].shape[-1])) is not None
    ]
    if not candidates:
        return 0
    places = 0
    for node, sizes in zip(candidates, _sizes(view, [node.keras_inputs[0] for node in candidates]), strict=True):
        used = sizes > 0
        widest = sizes.max(initial=0.0)
        factor = np.where(used, np.maximum(HEADROOM * widest / np.where(used, sizes, 1.0), 1.0), 1.0)
        changes = _changes(view, node, factor)
        if factor.max() * HEADROOM < WORTH or changes is None:
            continue
        for change in changes:
            give(view, *change)
        take(view, node.layer, 1 / factor, 0 * factor)
        places += 1
    return places


def _changes(view: View, node: KerasNode, factor: Array) -> list[Change] | None:
    if not can_take(view, node.layer, 0 * factor):
        return None
    return changes_behind(view, node.keras_inputs[0], factor, 0 * factor)


def _sizes(view: View, tensors: list[Tensor]) -> list[Array]:
    """Return the largest magnitude of each channel of each tensor over the samples."""
    model = tf_keras().Model(view.model.inputs, tensors)
    sizes = [np.zeros(tensor.shape[-1]) for tensor in tensors]
    for batch in view.batches():
        outputs = model(batch, training=False)
        for size, output in zip(sizes, outputs if len(tensors) > 1 else [outputs], strict=True):
            seen = np.abs(np.asarray(output, np.float64)).max(axis=tuple(range(len(output.shape) - 1)))
            np.maximum(size, seen, out=size)
    return sizes
