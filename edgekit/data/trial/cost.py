"""About how many multiplications a model takes: enough to say on how many samples a trial may run it."""

from __future__ import annotations

import math
from typing import Any

from edgekit.data.lint.model_facts import flat_layers

PER_SAMPLE = 3e6
"""What calling costs besides, in multiplications of the same time; of a file, run sample by sample, `PER_RUN`."""
PER_RUN = 1e7
SLOWER = 4.0
"""A file runs on one thread."""
REUSED = 100
"""How often a weight is used, where nothing tells."""


def about_macs(model: Any) -> float:
    """Return multiplications of one sample, with what calling costs."""
    if hasattr(model, "layers"):
        return PER_SAMPLE + sum(map(_of_layer, flat_layers(model)))
    macs = getattr(model, "macs", None)
    if macs is not None:
        return PER_RUN + SLOWER * float(macs)
    return PER_SAMPLE + REUSED * float(model.count_params())


def _of_layer(layer: Any) -> float:
    weights = sum(math.prod(weight.shape) for weight in getattr(layer, "weights", ()) if len(weight.shape) > 1)
    try:
        shapes = [tuple(layer.output_shape), tuple(layer.input_shape)]
        positions = max(math.prod(size or 1 for size in shape[1:-1]) for shape in shapes if len(shape) > 2)
    except (AttributeError, TypeError, ValueError):  # several outputs, or none yet
        return float(weights)
    return float(weights * positions)
