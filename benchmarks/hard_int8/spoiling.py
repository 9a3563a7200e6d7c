"""Changes of trained models after which they compute the same in float, and not in int8."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from edgekit.tasks.samples import Array


def uneven(model: Any, kind: str) -> Iterator[tuple[Any, Array]]:
    """Yield the layers of a kind, each with a factor for every channel of its input."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if type(layer).__name__ == kind:
            yield layer, np.exp(1.5 * rng.normal(size=layer.input.shape[-1])).astype(np.float32)


def uneven_channels(model: Any) -> None:
    """Scale channels before depthwise convolutions up and down, and undo it in those: the same outputs."""
    for layer, factor in uneven(model, "DepthwiseConv2D"):
        relu = layer.input._keras_history.layer
        normalization = relu.input._keras_history.layer
        gamma, beta, *rest = normalization.get_weights()
        normalization.set_weights([gamma * factor, beta * factor, *rest])
        layer.set_weights([layer.get_weights()[0] / factor[:, None]])


def uneven_scales(model: Any) -> None:
    """Scale channels after a relu in a convolution, and undo it in the BatchNormalization behind: the same outputs."""
    for layer, factor in uneven(model, "BatchNormalization"):
        before = layer.input._keras_history.layer
        before.set_weights([weight * factor for weight in before.get_weights()])
        gamma, beta, mean, variance = layer.get_weights()
        wider = np.sqrt((variance * factor**2 + layer.epsilon) / (variance + layer.epsilon))
        layer.set_weights([gamma * wider / factor, beta, mean * factor, variance * factor**2])


def larger(model: Any) -> None:
    """Scale the branches that cancel out up: the same outputs."""
    for layer in model.layers:
        if layer.name.startswith("large"):
            layer.set_weights([weight * 40 for weight in layer.get_weights()])


def uneven_bottleneck(model: Any) -> None:
    """Scale the channels of one linear bottleneck up and down, and undo it in the convolution that reads them."""
    project = [layer for layer in model.layers if layer.name.startswith("project")][1]
    normalization = project.outbound_nodes[0].outbound_layer
    reader = normalization.outbound_nodes[0].outbound_layer
    factor = np.exp(1.5 * np.random.default_rng(0).normal(size=project.filters)).astype(np.float32)
    gamma, beta, *rest = normalization.get_weights()
    normalization.set_weights([gamma * factor, beta * factor, *rest])
    reader.set_weights([reader.get_weights()[0] / factor[:, None]])


def massive(model: Any) -> None:
    """Move two channels of the last sum far from zero, and undo it in the BatchNormalization behind.

    Trained residual networks do that in a few channels (massive activations: Sun et al. 2024, arXiv 2402.17762).
    """
    branch = [layer for layer in model.layers if layer.name.startswith("branch")][-1]
    normalization = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"][-1]
    offset = np.zeros(branch.filters, np.float32)
    offset[[3, 11]] = 500, -300
    kernel, bias = branch.get_weights()
    branch.set_weights([kernel, bias + offset])
    gamma, beta, mean, variance = normalization.get_weights()
    normalization.set_weights([gamma, beta, mean + offset, variance])


def uneven_units(model: Any) -> None:
    """Scale what the units of an LSTM with relu hold up and down, and undo it where it is read: the same outputs.

    The cell and the output of a unit are linear in its candidate, and relu(s * z) = s * relu(z).
    """
    [lstm] = [layer for layer in model.layers if type(layer).__name__ == "LSTM"]
    units, factor = lstm.units, np.exp(np.random.default_rng(0).normal(size=lstm.units)).astype(np.float32)
    candidate = np.ones(4 * units, np.float32)
    candidate[2 * units : 3 * units] = factor  # behind the gates i and f, before o
    kernel, recurrent, bias = lstm.get_weights()
    lstm.set_weights([kernel * candidate, recurrent * candidate / factor[:, None], bias * candidate])
    reader = lstm.outbound_nodes[0].outbound_layer
    weights, bias = reader.get_weights()
    reader.set_weights([weights / factor[:, None], bias])
