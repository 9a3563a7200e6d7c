"""What a Keras 2 (`tf_keras`) model computes, read from its graph."""

from __future__ import annotations

from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.frameworks.types import KerasLayer, KerasModel, KerasNode, Tensor, Tensors


def check_graph(model: KerasModel) -> None:
    """Refuse models whose layers cannot be followed at all.

    Raises:
        InputError: the model is subclassed, or was never built.
    """
    name, kind = getattr(model, "name", "?"), type(model).__name__
    if not isinstance(model, tf_keras().Model):
        raise InputError(
            f"stages work on tf_keras (Keras 2) models, this is a {kind}",
            "load it with edgekit.models.files.loader, which turns Keras 3 models into Keras 2 ones",
            code="model-without-graph",
        )
    if isinstance(model, tf_keras().Sequential) and not (model.built and model.inputs):
        raise InputError(
            f"model `{name}` was never built, so it has no input shape",
            "add an Input layer first",
            code="model-without-graph",
        )
    if not is_graph(model):
        raise InputError(
            f"model `{name}` ({kind}) is subclassed; what it computes is not in its graph",
            "rewrite it with Sequential or the functional API, and copy the weights with set_weights",
            code="model-without-graph",
        )


def is_graph(layer: KerasLayer) -> bool:
    """Return whether a layer is a built Sequential or functional model, whose graph is all it computes."""
    keras = tf_keras()
    kinds = (keras.Sequential, keras.src.engine.functional.Functional)
    own_call = getattr(type(layer), "call", None) in [kind.call for kind in kinds]
    return isinstance(layer, kinds) and own_call and bool(getattr(layer, "_nodes_by_depth", None))


def calls(model: KerasModel) -> list[KerasNode]:
    """Return the nodes of a model, in the order in which they can be computed, without its inputs."""
    by_depth = model._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth] if not node.is_input]


def flat(structure: Tensors) -> list[Tensor]:
    """Return the leaves of a structure of tensors, in the order of `tf.nest`."""
    return list(tensorflow().nest.flatten(structure))
