"""The concatenation that a model ends in, taken away: what it joined are outputs of their own.

An int8 tensor has one scale. A concatenation gives the values of all its parts that scale, whatever their ranges;
without it each part has its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.frameworks.types import KerasLayer, KerasModel, SymbolicTensor
from edgekit.models.keras.rebuild import rebuild

HINT = "let the model end in its parts, or in a Concatenate of them along the channels"


def split_end(model: KerasModel, axis: int, widths: Sequence[int]) -> KerasModel:
    """Return the model with an output for each part of its only output, before they were joined.

    Args:
        model: a tf_keras model with one output; it is left as it is.
        axis: of the output, along which it is split; the batch is 0.
        widths: of the parts along it, in their order.

    Raises:
        InputError: the model does not end in a concatenation of such parts, or of parts of these.
    """
    flat = rebuild(model)
    tensor, moves = flat.outputs[0], list[KerasLayer]()
    layer, inputs = _made_by(tensor)
    while type(layer).__name__ == "Permute":
        axis = layer.dims[axis - 1] if axis else 0
        moves.insert(0, layer)
        layer, inputs = _made_by(inputs[0])
    if type(layer).__name__ != "Concatenate":
        raise _refused(model, f"its last layer is {layer.name} ({type(layer).__name__})")
    rank = len(inputs[0].shape)
    if layer.axis % rank != axis:
        raise _refused(model, f"its last layer {layer.name} concatenates along axis {layer.axis % rank}, not {axis}")
    parts = []
    left = list(inputs)
    for width in widths:
        own: list[SymbolicTensor] = []
        while left and sum(int(t.shape[axis]) for t in own) < width:
            own.append(left.pop(0))
        if sum(int(t.shape[axis]) for t in own) != width:
            sizes = ", ".join(str(t.shape[axis]) for t in inputs)
            raise _refused(model, f"{layer.name} joins parts of {sizes} channels, which do not end where boxes do")
        parts.append(_moved(own[0] if len(own) == 1 else tf_keras().layers.Concatenate(axis=axis)(own), moves))
    return tf_keras().Model(flat.inputs, parts, name=flat.name)


def _made_by(tensor: SymbolicTensor) -> tuple[KerasLayer, list[SymbolicTensor]]:
    """Return the layer that a tensor comes out of, and what went in."""
    history = tensor._keras_history
    return history.layer, list(history.layer._inbound_nodes[history.node_index].keras_inputs)


def _moved(tensor: SymbolicTensor, moves: Sequence[KerasLayer]) -> SymbolicTensor:
    for layer in moves:
        tensor = tf_keras().layers.Permute(layer.dims)(tensor)
    return tensor


def _refused(model: KerasModel, why: str) -> InputError:
    return InputError(f"`--split-outputs`: `{model.name}` cannot be split: {why}", HINT, code="split-not-possible")
