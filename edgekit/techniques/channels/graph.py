"""The calls of a Keras 2 model in the order in which they can be computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgekit.backend import tensorflow, tf_keras
from edgekit.errors import InputError

Shape = tuple[int | None, ...]
CallLayer = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]
"""Takes a layer, its positional and its keyword arguments, and returns its outputs."""


def check_model(model: Any) -> None:
    """Refuse models whose layers cannot be followed at all.

    Raises:
        InputError: the model is subclassed, was never built, or has no weights.
    """
    name, kind = getattr(model, "name", "?"), type(model).__name__
    if not isinstance(model, tf_keras().Model):
        raise InputError(
            f"stages work on tf_keras (Keras 2) models, this is a {kind}",
            "load it with edgekit.models.loader, which turns Keras 3 models into Keras 2 ones",
        )
    if isinstance(model, tf_keras().Sequential) and not (model.built and model.inputs):
        raise InputError(f"model {name} was never built, so it has no input shape", "add an Input layer first")
    if not is_graph(model):
        raise InputError(
            f"model {name} ({kind}) is subclassed; what it computes is not in its graph",
            "rewrite it with Sequential or the functional API, and copy the weights with set_weights",
        )
    if not model.weights:
        raise InputError(
            f"model {name} has no weights, so there is nothing to compress", "give a model with trained layers"
        )


def is_graph(layer: Any) -> bool:
    """Return whether a layer is a built Sequential or functional model, whose graph is all it computes."""
    keras = tf_keras()
    kinds = (keras.Sequential, keras.src.engine.functional.Functional)
    own_call = getattr(type(layer), "call", None) in [kind.call for kind in kinds]
    return isinstance(layer, kinds) and own_call and bool(getattr(layer, "_nodes_by_depth", None))


def calls(model: Any) -> list[Any]:
    """Return the nodes of a model, in the order in which they can be computed, without its inputs."""
    by_depth = model._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth] if not node.is_input]


def flat(structure: Any) -> list[Any]:
    """Return the leaves of a structure of tensors, in the order of `tf.nest`."""
    return list(tensorflow().nest.flatten(structure))


def shape_of(tensor: Any) -> Shape:
    """Return the static shape of a symbolic tensor, batch first; () when even the rank is unknown."""
    shape = tensor.shape
    return () if shape.rank is None else tuple(shape.as_list())


def inner_layers(model: Any) -> list[Any]:
    """Return the layers of a model and of the models nested in it, each once, without inputs and nested models."""
    found: dict[int, Any] = {}
    for layer in model.layers:
        for inner in inner_layers(layer) if is_graph(layer) else [layer]:
            if type(inner).__name__ != "InputLayer":
                found[id(inner)] = inner
    return list(found.values())


def replay(model: Any, inputs: list[Any], call: CallLayer) -> Any:
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
