"""A model rebuilt with some of its channels."""

from __future__ import annotations

from edgekit.errors import ConversionError
from edgekit.frameworks.layers.knowledge import Role, Values
from edgekit.frameworks.layers.register import names
from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.frameworks.types import KerasConfig, KerasLayer, KerasModel, SymbolicTensor
from edgekit.models.keras.calls import flat, inner_layers, is_graph, replay
from edgekit.models.keras.rebuild import clone
from edgekit.techniques.channels import slicing
from edgekit.techniques.channels.groups import Analysis
from edgekit.techniques.channels.tracking import Kept

STATISTICS = names(lambda row: row.values is Values.NORMALIZES and row.role is Role.PREPROCESSING)
"""Layers whose weights are statistics of the data, not trained: a fresh model has them too."""


def resized(analysis: Analysis, kept: Kept, *, fresh: bool = False) -> KerasModel:
    """Build a model like the analysed one, with the channels that stay.

    Args:
        analysis: of the source model, which is left as it is.
        kept: from `Analysis.kept`.
        fresh: keep no weights, and let all layers be trainable.

    Returns:
        A tf_keras model of the same kind (Sequential or functional) with the same names, inputs and outputs, not
        compiled. Without `fresh`, its weights are those of the source, sliced.

    Raises:
        ConversionError: a layer cannot be made again from its configuration, or the result is not what the analysis
            says.
    """
    work = _Resized(analysis, kept, fresh)
    model = work.model(analysis.model)
    work.copy_weights()
    expected = analysis.parameters(kept)
    same = [tensor.shape.as_list() for tensor in model.outputs] == [t.shape.as_list() for t in analysis.model.outputs]
    if model.count_params() != expected or not same:
        raise ConversionError(
            f"removing channels of model `{model.name}` failed: {model.count_params():,} parameters and outputs "
            f"{model.output_shape}, expected {expected:,} and {analysis.model.output_shape}",
            "this is a bug in edgekit: choose fewer layers, and report the model",
            code="rewrite-not-equal",
        )
    return model


class _Resized:
    """One rebuilding; the keys of dicts are `id()`s of objects that the analysis keeps alive."""

    def __init__(self, analysis: Analysis, kept: Kept, fresh: bool) -> None:
        self.analysis, self.kept, self.fresh = analysis, kept, fresh
        self.entries = {id(entry.layer): entry for entry in analysis.layers.values()}
        self.made: dict[int, KerasLayer] = {}

    def model(self, source: KerasModel) -> KerasModel:
        """Rebuild a model, or one nested in it."""
        keras = tf_keras()
        inputs = [self.input(tensor) for tensor in flat(source._nested_inputs)]
        for tensor, ids in zip(inputs, self.analysis.nested.get(id(source), []), strict=False):
            if len(ids):
                self.narrow(tensor, int(self.kept[ids].sum()))
        layers = [keras.layers.InputLayer.from_config(config) for config in inputs]
        if isinstance(source, keras.Sequential):
            inside = [layer for layer in source.layers if type(layer).__name__ != "InputLayer"]
            return keras.Sequential([layers[0], *map(self.again, inside)], name=source.name)
        tensors = [layer.output for layer in layers]
        outputs = replay(source, tensors, lambda layer, args, kwargs: self.again(layer)(*args, **kwargs))
        packed = tensorflow().nest.pack_sequence_as(source._nested_inputs, tensors)
        return keras.Model(packed, outputs, name=source.name)

    def input(self, tensor: SymbolicTensor) -> KerasConfig:
        """Return the configuration of the layer behind an input."""
        return dict(tensor._keras_history.layer.get_config())

    def narrow(self, config: KerasConfig, channels: int) -> None:
        """Give an input of a nested model fewer channels."""
        config["batch_input_shape"] = (*config["batch_input_shape"][:-1], channels)

    def again(self, layer: KerasLayer) -> KerasLayer:
        """Return the new layer for an old one; shared layers stay shared."""
        if id(layer) not in self.made:
            self.made[id(layer)] = self.model(layer) if is_graph(layer) else self.layer(layer)
        return self.made[id(layer)]

    def layer(self, source: KerasLayer) -> KerasLayer:
        """Make a layer again, with fewer channels."""
        changes = slicing.config(self.entries[id(source)], self.kept) if id(source) in self.entries else {}
        return clone(source, **changes, **({"trainable": True} if self.fresh else {}))

    def copy_weights(self) -> None:
        """Give every new layer the weights of the channels that stay."""
        for source in inner_layers(self.analysis.model):
            if not source.weights or (self.fresh and type(source).__name__ not in STATISTICS):
                continue
            entry = self.entries.get(id(source))
            values = source.get_weights() if entry is None else slicing.weights(entry, self.kept)
            self.made[id(source)].set_weights(values)
