"""Layers that compute factor * x + shift, per channel: BatchNormalization, Rescaling, Normalization, arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgekit.export.rewrites.view import View, is_a, is_linear
from edgekit.frameworks.layers.register import known, names
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.frameworks.types import KerasNode, Tensor
from edgekit.models.keras.calls import flat
from edgekit.tasks.samples import Array

FOLDED_BY_TENSORFLOW = names(lambda row: row.export.folds_norm)
"""Layers into which TensorFlow's converter folds a BatchNormalization that follows, if nothing is in between."""


@dataclass(frozen=True)
class Affine:
    """A chain of layers that together compute factor * x + shift.

    Attributes:
        nodes: their calls, one after the other.
        factor, shift: one value a channel (the last axis), float64.
    """

    nodes: tuple[KerasNode, ...]
    factor: Array
    shift: Array

    @property
    def input(self) -> Tensor:
        """The tensor it reads."""
        return self.nodes[0].keras_inputs[0]

    @property
    def output(self) -> Tensor:
        """The tensor it makes."""
        return flat(self.nodes[-1].outputs)[0]


def chains(view: View) -> list[Affine]:
    """Return the affine chains of a model, each as long as it gets."""
    made: list[Affine] = []
    inside: set[int] = set()
    for node in view.nodes:
        if id(node) in inside or (numbers := affine(view, node)) is None:
            continue
        nodes, (factor, shift) = [node], numbers
        while True:
            following = view.reader(flat(nodes[-1].outputs)[0])
            further = None if following is None else affine(view, following)
            if further is None:
                break
            nodes.append(following)
            factor, shift = factor * further[0], shift * further[0] + further[1]
        inside.update(map(id, nodes))
        made.append(Affine(tuple(nodes), factor, shift))
    return made


def folded_by_converter(view: View, chain: Affine) -> bool:
    """Return whether TensorFlow's converter folds a chain into the layer before it."""
    before = view.maker(chain.input)
    if before is None or view.reader(chain.input) is None:
        return False
    return is_a(before.layer, *FOLDED_BY_TENSORFLOW) and is_linear(before.layer)


def affine(view: View, node: KerasNode) -> tuple[Array, Array] | None:
    """Return factor and shift of a call, one value a channel each; None for another computation."""
    layer = node.layer
    if not view.simple(node):
        return None
    source, target = node.keras_inputs[0], flat(node.outputs)[0]
    channels = source.shape[-1]
    if channels is None or source.shape.rank < 2 or not source.dtype.is_floating or source.shape != target.shape:
        return None
    row = known(layer)
    if type(layer).__name__ == "TFOpLambda":
        numbers = _operation(node)
    elif row is not None and row.export.affine and is_a(layer, type(layer).__name__):
        numbers = LAYERS[row.export.affine](view, node)
    else:
        return None
    if numbers is None:
        return None
    factor, shift = (np.ravel(np.asarray(value, np.float64)) for value in numbers)
    if any(len(value) not in (1, channels) for value in (factor, shift)):
        return None
    factor, shift = np.broadcast_to(factor, channels), np.broadcast_to(shift, channels)
    return (factor, shift) if np.isfinite(factor).all() and np.isfinite(shift).all() else None


Numbers = tuple[Tensor, Tensor] | None


def _batch_normalization(view: View, node: KerasNode) -> Numbers:
    layer, rank = node.layer, node.keras_inputs[0].shape.rank
    axes = [axis % rank for axis in (layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis])]
    if axes != [rank - 1]:
        return None
    weights = [np.asarray(value, np.float64) for value in view.weights(layer)]
    gamma = weights.pop(0) if layer.scale else 1.0
    beta = weights.pop(0) if layer.center else 0.0
    mean, variance = weights[:2]
    factor = gamma / np.sqrt(variance + layer.epsilon)
    return factor, beta - mean * factor


def _rescaling(view: View, node: KerasNode) -> Numbers:
    return node.layer.scale, node.layer.offset


def _normalization(view: View, node: KerasNode) -> Numbers:
    layer, rank = node.layer, node.keras_inputs[0].shape.rank
    if any(axis % rank != rank - 1 for axis in layer.axis):
        return None
    mean, variance = np.asarray(layer.mean, np.float64), np.asarray(layer.variance, np.float64)
    std = np.maximum(np.sqrt(variance), tf_keras().backend.epsilon())
    return (std, mean) if layer.invert else (1 / std, -mean / std)


OPERATIONS: dict[str, Callable[[Array, Array, bool], Numbers]] = {
    "multiply": lambda c, zero, first: (c, zero),
    "add": lambda c, zero, first: (zero + 1, c),
    "subtract": lambda c, zero, first: (zero + 1, -c) if first else (zero - 1, c),
    "divide": lambda c, zero, first: (1 / c, zero) if first and (c != 0).all() else None,
}
OPERATIONS |= {
    "mul": OPERATIONS["multiply"],
    "sub": OPERATIONS["subtract"],
    "truediv": OPERATIONS["divide"],
    "negative": lambda c, zero, first: (zero - 1, zero),
}
"""By the last part of an operation's name: from the constant, zeros like it, and whether the tensor is the first
operand, to factor and shift."""


def _operation(node: KerasNode) -> Numbers:
    """Read an operation of a tensor and a constant."""
    rule = OPERATIONS.get(str(node.layer.symbol).rpartition(".")[2])
    arguments = [*node.call_args, *(value for key, value in node.call_kwargs.items() if key in ("x", "y"))]
    if rule is None or not 1 <= len(arguments) <= 2:
        return None
    tensor = node.keras_inputs[0]
    first = arguments[0] is tensor
    constants = [value for value in arguments if value is not tensor]
    if len(constants) != len(arguments) - 1:
        return None
    try:
        constant = np.asarray(constants[0] if constants else 0.0, np.float64)
    except (TypeError, ValueError):
        return None
    by_channel = constant.size == 1 or (constant.ndim <= tensor.shape.rank and constant.size == constant.shape[-1])
    return rule(constant, np.zeros_like(constant), first) if by_channel else None


LAYERS: dict[str, Callable[[View, KerasNode], Numbers]] = {
    "batch-normalization": _batch_normalization,
    "rescaling": _rescaling,
    "normalization": _normalization,
}
"""By the name in the register of layers: from a call to factor and shift, each a number or one a channel."""
