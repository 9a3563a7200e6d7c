"""The calls of a Keras 2 model in the order in which they can be computed."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import tensorflow
from edgekit.frameworks.types import Arguments, KerasLayer, KerasModel, Keywords, SymbolicTensor, Tensor, Tensors
from edgekit.models.keras.keras2_graph import calls, check_graph, flat, is_graph

__all__ = ["CallLayer", "Shape", "calls", "check_model", "flat", "inner_layers", "is_graph", "replay", "shape_of"]

Shape = tuple[int | None, ...]
CallLayer = Callable[[KerasLayer, Arguments, Keywords], Tensors]
"""Takes a layer, its positional and its keyword arguments, and returns its outputs."""


def check_model(model: KerasModel) -> None:
    """Refuse models whose layers cannot be followed at all, or that have nothing to compress.

    Raises:
        InputError: the model is subclassed, was never built, or has no weights.
    """
    check_graph(model)
    if not model.weights:
        raise InputError(
            f"model `{model.name}` has no weights, so there is nothing to compress",
            "give a model with trained layers",
            code="nothing-to-compress",
        )


def shape_of(tensor: SymbolicTensor) -> Shape:
    """Return the static shape of a symbolic tensor, batch first; () when even the rank is unknown."""
    shape = tensor.shape
    return () if shape.rank is None else tuple(shape.as_list())


def inner_layers(model: KerasModel) -> list[KerasLayer]:
    """Return the layers of a model and of the models nested in it, each once, without inputs and nested models."""
    found: dict[int, KerasLayer] = {}
    for layer in model.layers:
        for inner in inner_layers(layer) if is_graph(layer) else [layer]:
            if type(inner).__name__ != "InputLayer":
                found[id(inner)] = inner
    return list(found.values())


def replay(model: KerasModel, inputs: list[Tensor], call: CallLayer) -> Tensors:
    """Compute a model call by call.

    Args:
        model: a graph model.
        inputs: tensors, in the order of `tf.nest` over the model's inputs.
        call: does one call; nested models come to it as layers.

    Returns:
        The outputs, in the structure the model has.
    """
    nest = tensorflow().nest
    tensors = dict(zip(map(id, flat(model._nested_inputs)), inputs, strict=True))
    for node in calls(model):
        now = {id(tensor): tensors[id(tensor)] for tensor in node.keras_inputs}
        args, kwargs = nest.map_structure(
            lambda value, now=now: now.get(id(value), value), (node.call_args, node.call_kwargs)
        )
        outputs = call(node.layer, args, kwargs)
        tensors.update(zip(map(id, flat(node.outputs)), flat(outputs), strict=True))
    return nest.map_structure(lambda tensor: tensors[id(tensor)], model._nested_outputs)
