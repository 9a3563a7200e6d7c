"""Factors and shifts per channel, taken into the weights of a layer before or behind them."""

from __future__ import annotations

import numpy as np

from edgekit.export.rewrites.view import View, channels_last, is_a, is_homogeneous, is_linear
from edgekit.frameworks.layers.knowledge import Role
from edgekit.frameworks.layers.register import of_role
from edgekit.frameworks.types import KerasLayer
from edgekit.tasks.samples import Array

CONVOLUTIONS, DEPTHWISE, SEPARABLE, TRANSPOSED, DENSE = (
    of_role(role) for role in (Role.CONVOLUTION, Role.DEPTHWISE, Role.SEPARABLE, Role.TRANSPOSED, Role.DENSE)
)
WEIGHTED = (*DENSE, *CONVOLUTIONS, *DEPTHWISE, *SEPARABLE, *TRANSPOSED)


def can_give(view: View, layer: KerasLayer, factor: Array, shift: Array) -> bool:
    """Return whether a layer can multiply what it computes by a factor, and add a shift, in its weights.

    Args:
        view: of the model.
        layer: any.
        factor: one value a channel of the layer's output.
        shift: the same.
    """
    if not view.called_once(layer) or view.is_replaced(layer):
        return False
    if is_a(layer, "BatchNormalization"):
        return bool(layer.axis in ([-1], [layer.input_spec.ndim - 1]))
    if not is_a(layer, *WEIGHTED) or not channels_last(layer):
        return False
    return is_linear(layer) or (is_homogeneous(layer) and bool((factor > 0).all()) and not shift.any())


def give(view: View, layer: KerasLayer, factor: Array, shift: Array) -> None:
    """Do what `can_give` allowed."""
    weights = [np.asarray(value, np.float64) for value in view.weights(layer)]
    if is_a(layer, "BatchNormalization"):
        ones = np.ones_like(weights[-1])
        gamma = weights.pop(0) if layer.scale else ones
        beta = weights.pop(0) if layer.center else 0 * ones
        view.set(layer, [gamma * factor, beta * factor + shift, *weights], scale=True, center=True)
        return
    *kernels, kernel = weights[: _kernels(layer)]
    bias = [value * factor + shift for value in weights[_kernels(layer) :]]
    shaped = factor
    if is_a(layer, *TRANSPOSED):
        shaped = factor[:, None]
    elif is_a(layer, *DEPTHWISE):
        shaped = factor.reshape(kernel.shape[-2:])
    if not bias and shift.any():
        bias = [shift]
    view.set(layer, [*kernels, kernel * shaped, *bias], use_bias=bool(bias))


def can_take(view: View, layer: KerasLayer, shift: Array) -> bool:
    """Return whether a layer can compute from x what it computes now from factor * x + shift, in its weights.

    Zeros that it pads with are not shifted.

    Args:
        view: of the model.
        layer: any.
        shift: one value a channel of the layer's input.
    """
    if not view.called_once(layer) or not is_a(layer, *WEIGHTED) or not channels_last(layer):
        return False
    padded = is_a(layer, *TRANSPOSED) or getattr(layer, "padding", "valid") != "valid"
    return not (padded and shift.any())


def take(view: View, layer: KerasLayer, factor: Array, shift: Array) -> None:
    """Do what `can_take` allowed."""
    weights = [np.asarray(value, np.float64) for value in view.weights(layer)]
    first, *kernels = weights[: _kernels(layer)]
    bias = weights[_kernels(layer) :]
    if shift.any():
        more = (first * _by_channel(layer, first, shift)).sum(axis=tuple(range(first.ndim - 2)))
        more = more.reshape(-1) if is_a(layer, *DEPTHWISE, *SEPARABLE) else more.sum(axis=0)
        if is_a(layer, *SEPARABLE):
            more = more @ kernels[0].reshape(len(more), -1)
        bias = [more + (bias[0] if bias else 0.0)]
    view.set(layer, [first * _by_channel(layer, first, factor), *kernels, *bias], use_bias=bool(bias))


def _kernels(layer: KerasLayer) -> int:
    return 2 if is_a(layer, *SEPARABLE) else 1


def _by_channel(layer: KerasLayer, kernel: Array, values: Array) -> Array:
    """Return values per input channel in the shape that multiplies a layer's (first) kernel."""
    if is_a(layer, *TRANSPOSED):
        return values
    groups = getattr(layer, "groups", 1)
    if groups > 1 and is_a(layer, *CONVOLUTIONS):
        return np.repeat(values.reshape(groups, -1).T, kernel.shape[-1] // groups, axis=1)
    return values[:, None]
