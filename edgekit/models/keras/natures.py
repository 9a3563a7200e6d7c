"""What the outputs of a model are, seen from some answers and from its last layers, before any work is put into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgekit.data.fitting import INTEGERS
from edgekit.models.keras.asking import predicted
from edgekit.samples import dtype_name, evenly
from edgekit.tasks.nature import SAMPLES, Nature, nature_of
from edgekit.tasks.preprocessing import Preprocessing


def natures_of(model: Any, preprocessing: Preprocessing) -> Callable[[Any], tuple[Nature, ...]]:
    """Return a function from stored samples to the nature of every output; of nothing if the model fails on them.

    A few samples, evenly spaced, are enough, and it hardly matters whether they are scaled as the model was trained:
    a softmax adds up to 1 whatever comes in.

    Args:
        model: a tf_keras model, or what behaves like one.
        preprocessing: from stored samples to model inputs.
    """

    def look(x: Any) -> tuple[Nature, ...]:
        rows = evenly(len(x), SAMPLES)
        inputs = preprocessing.apply(x[rows])
        try:
            outputs = predicted(model, inputs)
        except Exception:  # said with its cause where the model is asked for good
            return ()
        return tuple(
            nature_of(output.astype(np.float64), integers=is_integer(tensor), activation=last_activation(tensor))
            for output, tensor in zip(outputs, model.outputs, strict=True)
        )

    return look


def is_integer(tensor: Any) -> bool:
    """Return whether an output of a model holds integers or truth values."""
    return dtype_name(tensor) in INTEGERS


def last_activation(tensor: Any) -> str:
    """Return the name of the activation that a Keras tensor comes out of; empty if that is not known."""
    layer: Any = getattr(getattr(tensor, "_keras_history", None), "layer", None)
    while getattr(layer, "layers", None) and getattr(layer, "outputs", None):  # a model as the last layer
        if len(layer.outputs) > 1:
            return ""
        layer = getattr(getattr(layer.outputs[0], "_keras_history", None), "layer", None)
    function = getattr(layer, "activation", None)
    name = getattr(function, "__name__", "") if function is not None else ""
    return {"softmax_v2": "softmax", "sigmoid_v2": "sigmoid"}.get(name, name)
