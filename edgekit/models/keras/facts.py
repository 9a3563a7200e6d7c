"""What the first layers of a Keras model, of Keras 2 or 3, tell about the values it expects."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.data.lint.model_facts import ModelFacts, ModelInput
from edgekit.frameworks.types import KerasLayer, KerasModel
from edgekit.models.keras.steps import layer_step
from edgekit.tasks.samples import dtype_name


def keras_facts(model: KerasModel) -> ModelFacts:
    """Look at a Keras model, of Keras 2 or 3, sequential, functional or nested."""
    layers = list(flat_layers(model))
    inside = {id(layer) for layer in layers}
    names = list(getattr(model, "input_names", None) or [])
    tensors = list(model.inputs)
    inputs = []
    for index, tensor in enumerate(tensors):
        name = names[index] if index < len(names) else str(tensor.name).partition(":")[0]
        start = next((layer for layer in layers if _kind(layer) == "InputLayer" and layer.name == name), None)
        order = layers if len(tensors) == 1 else list(_after(start, inside))
        shape = tuple(None if n is None else int(n) for n in tuple(tensor.shape)[1:])
        steps = (layer_step(layer) for layer in order if _kind(layer) != "InputLayer")
        inputs.append(ModelInput.before(name if len(tensors) > 1 else "", shape, dtype_name(tensor), steps))
    return ModelFacts(tuple(inputs), any(_kind(layer).endswith("BatchNormalization") for layer in layers))


def flat_layers(model: KerasModel) -> Iterator[KerasLayer]:
    """Yield the layers of a Keras model, those of nested models in place of these."""
    # Keras 3 keeps arithmetic between layers out of `layers`.
    for layer in getattr(model, "operations", None) or model.layers:
        if getattr(layer, "layers", None):
            yield from flat_layers(layer)
        else:
            yield layer


def _after(start: KerasLayer | None, inside: set[int]) -> Iterator[KerasLayer]:
    """Yield the layers that follow an input layer, nearest first; several where it is used more than once."""
    waiting, seen = [start] if start is not None else [], set()
    while waiting:
        layer = waiting.pop(0)
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        if getattr(layer, "layers", None):
            yield from flat_layers(layer)
            continue
        yield layer
        for node in getattr(layer, "_outbound_nodes", ()):
            follower = getattr(node, "operation", None) or getattr(node, "outbound_layer", None)
            if follower is not None and (id(follower) in inside or getattr(follower, "layers", None)):
                waiting.append(follower)


def _kind(layer: KerasLayer) -> str:
    return type(layer).__name__
