"""Inputs that only look up rows of Embedding layers, declared as integers.

Keras declares an input float32 by default, and an Embedding takes whole numbers of any type. In an int8 file such an
input would get one scale: tokens up to 2,000 in steps of 8. As an int32 input it is what it was, exactly: the layer
itself casts to int32 before it looks anything up.
"""

from __future__ import annotations

from edgekit.errors import ConversionError, InputError
from edgekit.frameworks.layers.knowledge import Values
from edgekit.frameworks.layers.register import names
from edgekit.frameworks.types import KerasModel, SymbolicTensor
from edgekit.models.keras.calls import calls, flat, is_graph
from edgekit.models.keras.rebuild import rebuild

_LOOK_UPS = names(lambda row: row.values is Values.LOOKS_UP)
_MOVING = names(lambda row: row.values in (Values.MOVES, Values.REPEATS))
"""Layers that hand on whole numbers as they are."""


def with_integer_tokens(model: KerasModel) -> tuple[KerasModel, list[str]]:
    """Return a model that takes token numbers as int32, and the names of the inputs that changed.

    Args:
        model: a tf_keras model; left as it is.

    Returns:
        The model itself, and no names, where there is no such input, or where it cannot be built again.
    """
    if not is_graph(model):
        return model, []
    tensors = flat(model._nested_inputs)
    names = [
        name
        for name, tensor in zip(model.input_names, tensors, strict=True)
        if tensor.dtype.is_floating and _only_looks_up(model, tensor)
    ]
    if not names:
        return model, []
    try:
        return rebuild(model, input_dtypes=dict.fromkeys(names, "int32")), names
    except (ConversionError, InputError, TypeError, ValueError):  # Keras raises what it likes for types
        return model, []


def _only_looks_up(model: KerasModel, tensor: SymbolicTensor) -> bool:
    """Return whether all that is computed from a tensor are rows of Embedding layers."""
    if any(output is tensor for output in flat(model.outputs)):
        return False
    is_read = False
    for node in calls(model):
        places = [i for i, item in enumerate(node.keras_inputs) if item is tensor]
        if not places:
            continue
        layer = node.layer
        if is_graph(layer):
            inner = flat(layer._nested_inputs)
            right = len(inner) == len(node.keras_inputs) and all(_only_looks_up(layer, inner[i]) for i in places)
        elif type(layer).__name__ in _LOOK_UPS:
            right = True
        else:
            right = type(layer).__name__ in _MOVING and all(_only_looks_up(model, t) for t in flat(node.outputs))
        if not right:
            return False
        is_read = True
    return is_read
