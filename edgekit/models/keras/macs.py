"""About how many multiplications the layers of a Keras model take."""

from __future__ import annotations

import math

from edgekit.frameworks.types import KerasLayer, KerasModel
from edgekit.models.keras.facts import flat_layers


def about_macs(model: KerasModel) -> float:
    """Return multiplications of one sample, from the shapes of weights and outputs."""
    return sum(map(_of_layer, flat_layers(model)))


def _of_layer(layer: KerasLayer) -> float:
    weights = sum(math.prod(weight.shape) for weight in getattr(layer, "weights", ()) if len(weight.shape) > 1)
    try:
        shapes = [tuple(layer.output_shape), tuple(layer.input_shape)]
        positions = max(math.prod(size or 1 for size in shape[1:-1]) for shape in shapes if len(shape) > 2)
    except (AttributeError, TypeError, ValueError):  # several outputs, or none yet
        return float(weights)
    return float(weights * positions)
