"""The concatenation that a model ends in, taken away: what it joined are outputs of their own.

An int8 tensor has one scale. A concatenation gives the values of all its parts that scale, whatever their ranges;
without it each part has its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

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
    return tf_keras().Model(flat.inputs, _split(flat.outputs[0], axis, widths, model), name=flat.name)


def _split(tensor: SymbolicTensor, axis: int, widths: Sequence[int], model: KerasModel) -> list[SymbolicTensor]:
    """Return the parts of a tensor along an axis; each is moved and joined as the whole was."""
    layer, inputs = _made_by(tensor)
    layers = tf_keras().layers
    kind = type(layer).__name__
    if kind == "Permute":
        return [layers.Permute(layer.dims)(part) for part in _split(inputs[0], layer.dims[axis - 1], widths, model)]
    if kind == "Reshape" and (before := _axis_before(inputs[0].shape, tensor.shape, axis)):
        sizes = [[*tensor.shape[1:axis], width, *tensor.shape[axis + 1 :]] for width in widths]
        parts = _split(inputs[0], before, widths, model)
        return [layers.Reshape(size)(part) for size, part in zip(sizes, parts, strict=True)]
    if kind != "Concatenate":
        raise _refused(model, f"its last layer is {layer.name} ({kind})")
    along = layer.axis % len(tensor.shape)
    if along != axis:  # such as the boxes of several scales
        each = [_split(one, axis, widths, model) for one in inputs]
        return [layers.Concatenate(axis=along)(list(parts)) for parts in zip(*each, strict=True)]
    return _shared_out(inputs, axis, widths, layer.name, model)


def _axis_before(old: Sequence[int | None], new: Sequence[int | None], axis: int) -> int | None:
    """Return which axis in front of a Reshape has become `axis` as a whole; None if none has."""
    before, after = ([int(n or 0) for n in sizes] for sizes in (old, new))
    places = [place for place in range(1, len(before)) if prod(before[1:place]) == prod(after[1:axis])]
    return next((place for place in places if before[place] == after[axis]), None)


def _shared_out(
    inputs: Sequence[SymbolicTensor], axis: int, widths: Sequence[int], name: str, model: KerasModel
) -> list[SymbolicTensor]:
    """Return what a concatenation along the axis joins, one tensor a part."""
    parts = []
    left = list(inputs)
    for width in widths:
        own: list[SymbolicTensor] = []
        while left and sum(int(t.shape[axis]) for t in own) < width:
            own.append(left.pop(0))
        if sum(int(t.shape[axis]) for t in own) != width:
            sizes = ", ".join(str(t.shape[axis]) for t in inputs)
            raise _refused(model, f"{name} joins parts of {sizes} channels, which do not end where boxes do")
        parts.append(own[0] if len(own) == 1 else tf_keras().layers.Concatenate(axis=axis)(own))
    return parts


def _made_by(tensor: SymbolicTensor) -> tuple[KerasLayer, list[SymbolicTensor]]:
    """Return the layer that a tensor comes out of, and what went in."""
    history = tensor._keras_history
    return history.layer, list(history.layer._inbound_nodes[history.node_index].keras_inputs)


def _refused(model: KerasModel, why: str) -> InputError:
    return InputError(f"`--split-outputs`: `{model.name}` cannot be split: {why}", HINT, code="split-not-possible")
