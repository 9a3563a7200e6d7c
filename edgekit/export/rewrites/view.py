"""What a rewrite sees of a model, and how it makes another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.frameworks.types import ConfigValue, KerasConfig, KerasLayer, KerasModel, KerasNode, Tensor, Tensors
from edgekit.models.keras.calls import calls, flat
from edgekit.models.keras.rebuild import TRAINING_ONLY, Part, clone, rebuild
from edgekit.tasks.samples import Array

BATCH = 32


class View:
    """A model whose nested models were flattened, and the changes that a rewrite makes to it.

    Layers that are called more than once, or belong to Keras only by inheritance, are never changed: rewrites ask for
    them with `simple`, `called_once` and `is_a`.

    Attributes:
        model: a functional or Sequential tf_keras model without nested ones.
        nodes: its calls, in the order in which they can be computed.

    Args:
        model: the model.
        samples: inputs of it, one array each, in its dtypes.
    """

    def __init__(self, model: KerasModel, samples: Sequence[Array] = ()) -> None:
        self.model = model
        self._samples = samples
        self.nodes = calls(model)
        self._made_by = {id(tensor): node for node in self.nodes for tensor in flat(node.outputs)}
        self._calls: dict[int, int] = {}
        self._readers: dict[int, list[KerasNode]] = {}
        for node in self.nodes:
            self._calls[id(node.layer)] = self._calls.get(id(node.layer), 0) + 1
            for tensor in node.keras_inputs:
                self._readers.setdefault(id(tensor), []).append(node)
        self._outputs = {id(tensor) for tensor in flat(model.outputs)}
        self._weights: dict[str, list[Array]] = {}
        self._configs: dict[str, KerasConfig] = {}
        self._chains: dict[str, list[Part]] = {}

    def batches(self) -> Iterator[Tensors]:
        """Yield the samples in batches, as the model takes them."""
        for first in range(0, len(self._samples[0]), BATCH):
            some = [array[first : first + BATCH] for array in self._samples]
            yield some if len(some) > 1 else some[0]

    def maker(self, tensor: Tensor) -> KerasNode:
        """Return the call that computes a tensor; None for an input of the model."""
        return self._made_by.get(id(tensor))

    def readers(self, tensor: Tensor) -> list[KerasNode]:
        """Return the calls that read a tensor."""
        return self._readers.get(id(tensor), [])

    def is_output(self, tensor: Tensor) -> bool:
        """Return whether a tensor is an output of the model."""
        return id(tensor) in self._outputs

    def reader(self, tensor: Tensor) -> KerasNode:
        """Return the only call that reads a tensor; None if there are more or less, or it is an output as well."""
        readers = self.readers(tensor)
        return readers[0] if len(readers) == 1 and not self.is_output(tensor) else None

    def simple(self, node: KerasNode) -> bool:
        """Return whether a call is the only one of its layer, of one tensor to one tensor."""
        return self._calls[id(node.layer)] == 1 and len(node.keras_inputs) == 1 and len(flat(node.outputs)) == 1

    def called_once(self, layer: KerasLayer) -> bool:
        """Return whether a layer is called once in the model."""
        return self._calls[id(layer)] == 1

    def is_replaced(self, layer: KerasLayer) -> bool:
        """Return whether other layers are in a layer's place already."""
        return layer.name in self._chains

    def weights(self, layer: KerasLayer) -> list[Array]:
        """Return a layer's weights as they are after the changes so far."""
        return self._weights[layer.name] if layer.name in self._weights else layer.get_weights()

    def set(self, layer: KerasLayer, weights: Sequence[Array], **config: ConfigValue) -> None:
        """Give a layer other weights, and other values of its configuration."""
        self._weights[layer.name] = list(weights)
        self._configs.setdefault(layer.name, {}).update(config)

    def replace(self, layer: KerasLayer, chain: list[Part]) -> None:
        """Put other layers in the place of one; none for nothing."""
        self._chains[layer.name] = chain

    def build(self) -> KerasModel:
        """Return the changed model."""

        def part(layer: KerasLayer) -> list[Part] | None:
            if layer.name in self._chains:
                return self._chains[layer.name]
            if layer.name in self._weights:
                return [Part(clone(layer, **self._configs[layer.name]), self._weights[layer.name])]
            return None

        return rebuild(self.model, part)


def is_a(layer: KerasLayer, *kinds: str) -> bool:
    """Return whether a layer is one of Keras's own of these names, not one derived from it."""
    layers = tf_keras().layers
    return any(type(layer) is getattr(layers, kind, None) for kind in kinds)


def is_linear(layer: KerasLayer) -> bool:
    """Return whether a layer has no activation of its own."""
    return getattr(layer, "activation", None) in (None, tf_keras().activations.linear)


def is_homogeneous(layer: KerasLayer) -> bool:
    """Return whether f(s * x) = s * f(x) for every s > 0, for an activation layer or the activation of a layer."""
    nn = tensorflow().nn
    if is_a(layer, "ReLU"):
        return layer.max_value is None and not layer.threshold
    if is_a(layer, "LeakyReLU", "PReLU"):
        return True
    if is_linear(layer):
        return is_a(layer, "Activation", *TRAINING_ONLY) or hasattr(layer, "activation")
    return layer.activation in (tf_keras().activations.relu, nn.relu, nn.leaky_relu) or is_homogeneous(layer.activation)


def channels_last(layer: KerasLayer) -> bool:
    """Return whether a layer takes the last axis for the channels."""
    return getattr(layer, "data_format", None) in (None, "channels_last")
