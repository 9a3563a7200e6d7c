"""Normalisations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgekit.models.imported.graph import BatchNormalization, GroupNormalization, LayerNormalization
from edgekit.models.imported.lowering.builder import Builder, Operand
from edgekit.models.imported.lowering.value import Value


def batch(op: BatchNormalization, inputs: Sequence[Operand], b: Builder) -> Value:
    """BatchNormalization over the last axis; of a flattened input its numbers are sorted."""
    x = b.computed(inputs[0])
    x = b.channels_last(x, op.channels) if x.rank > 2 else b.last(x)
    weights = [op.gamma, op.beta, op.mean, op.variance]
    weights = weights if x.mix is None else [values[x.mix] for values in weights]
    made = b.weighted("BatchNormalization", x.tensor, weights, epsilon=op.epsilon)
    return replace(x, tensor=made, origin=None, positive=False)


def layer(op: LayerNormalization, inputs: Sequence[Operand], b: Builder) -> Value:
    """LayerNormalization over the last axes."""
    x = b.plain(b.computed(inputs[0]))
    axes = tuple(range(op.first, x.rank))
    if x.batch in axes:
        x = b.explicit(x)
    if x.order[len(x.order) - len(axes) :] != axes:
        x = b.arranged(x, (*(axis for axis in x.order if axis not in axes), *axes), x.batch)
    weights = [op.gamma] if op.beta is None else [op.gamma, op.beta]
    options = {"axis": list(range(-len(axes), 0)), "epsilon": op.epsilon, "center": op.beta is not None}
    tensor = b.weighted("LayerNormalization", x.tensor, weights, **options)
    return replace(x, tensor=tensor, positive=False)


def group(op: GroupNormalization, inputs: Sequence[Operand], b: Builder) -> Value:
    """GroupNormalization over groups of channels, which are last."""
    x = b.channels_last(inputs[0], op.channels)
    options = {"groups": op.groups, "epsilon": op.epsilon}
    tensor = b.weighted("GroupNormalization", x.tensor, [op.gamma, op.beta], **options)
    return replace(x, tensor=tensor, positive=False)
