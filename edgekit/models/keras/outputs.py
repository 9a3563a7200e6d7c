"""What the tensors that leave a Keras model are."""

from __future__ import annotations

from edgekit.data.fitting import INTEGERS
from edgekit.frameworks.types import KerasLayer, Tensor
from edgekit.tasks.samples import dtype_name


def is_integer(tensor: Tensor) -> bool:
    """Return whether an output of a model holds integers or truth values."""
    return dtype_name(tensor) in INTEGERS


def last_activation(tensor: Tensor) -> str:
    """Return the name of the activation that a Keras tensor comes out of; empty if that is not known."""
    layer: KerasLayer = getattr(getattr(tensor, "_keras_history", None), "layer", None)
    while getattr(layer, "layers", None) and getattr(layer, "outputs", None):  # a model as the last layer
        if len(layer.outputs) > 1:
            return ""
        layer = getattr(getattr(layer.outputs[0], "_keras_history", None), "layer", None)
    function = getattr(layer, "activation", None)
    name = getattr(function, "__name__", "") if function is not None else ""
    return {"softmax_v2": "softmax", "sigmoid_v2": "sigmoid"}.get(name, name)
