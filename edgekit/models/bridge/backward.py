"""A Keras 2 (`tf_keras`) model as a Keras 3 model: layer by layer, weights copied, outputs proved equal.

This is the way back of `edgekit.models.bridge.forward`, so that what edgekit pruned can be trained on in Keras 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edgekit.errors import ConversionError
from edgekit.frameworks.layers.knowledge import ToKeras2, ToKeras3
from edgekit.frameworks.layers.register import known
from edgekit.frameworks.tensorflow import keras3, tensorflow
from edgekit.frameworks.types import KerasLayer, KerasModel, KerasNode, SymbolicTensor, Tensors
from edgekit.models.bridge.forward import Bridged
from edgekit.models.bridge.graph import reason
from edgekit.models.bridge.layers import Unsupported
from edgekit.models.bridge.proof import Pair, prove
from edgekit.models.bridge.unbridge_layers import untranslate
from edgekit.models.bridge.unbridge_ops import apply_operation, is_operation
from edgekit.models.keras.keras2_graph import calls, check_graph, flat, is_graph
from edgekit.progress import Progress

NEXT_STEP = "go on with the Keras 2 file, which tf_keras loads, or replace the layer before compressing"


def to_keras3(model: KerasModel, progress: Progress) -> Bridged:
    """Rebuild a Keras 2 model in Keras 3 and prove that it computes the same.

    Args:
        model: a built tf_keras Sequential or functional model, as edgekit leaves it; it is not changed.
        progress: gets what was changed.

    Raises:
        InputError: it has no graph.
        ConversionError: layers without a Keras 3 form, all of them named; or outputs that differ, with the first layer
            that differs.
    """
    check_graph(model)
    work = _Work()
    work.translate_model(model, "")
    if work.problems:
        listed = "; ".join(f"{', '.join(names)}: {why}" for why, names in work.problems.items())
        raise ConversionError(
            f"model `{model.name}` cannot be expressed in Keras 3: {listed}", NEXT_STEP, code="keras-form-missing"
        )
    made = work.wire(model)
    for note in work.notes:
        progress.notify(note)
    return Bridged(made, prove(made, model, work.pairs, made="Keras 3"), work.notes)


def copy_weights(source: KerasLayer, target: KerasLayer) -> None:
    """Copy the variables of one Keras 2 layer into its Keras 3 counterpart; both list them in the same order."""
    target.set_weights(source.get_weights())


def takes_joined_states(layer: KerasLayer) -> bool:
    """Return whether a Keras 2 layer takes initial states in one list with the sequence."""
    row = known(layer)
    return row is not None and isinstance(row.back, ToKeras3) and row.back.joined_states


def has_weights(layer: KerasLayer) -> bool:
    """Return whether the variables of a layer are copied; those of a Normalization are in its configuration."""
    row = known(layer)
    return row is None or not isinstance(row.bridge, ToKeras2) or row.bridge.copy_weights


@dataclass
class _Work:
    """One run; the keys of `layers` and `models` are `id()`s of Keras 2 objects, those of `pairs` of Keras 3 models."""

    problems: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    layers: dict[int, KerasLayer] = field(default_factory=dict)
    models: dict[int, KerasModel] = field(default_factory=dict)
    pairs: dict[int, list[Pair]] = field(default_factory=dict)

    def translate_model(self, model: KerasModel, path: str) -> None:
        """Make all layers of a model, and collect what cannot be made."""
        for layer in {id(node.layer): node.layer for node in calls(model)}.values():
            if id(layer) in self.layers or is_operation(layer):
                continue
            if is_graph(layer):
                self.translate_model(layer, f"{path}{layer.name}/")
                continue
            try:
                self.layers[id(layer)] = untranslate(layer, self.nested(f"{path}{layer.name}/"))
            except Unsupported as why:
                names = self.problems.setdefault(str(why), [])
                names.append(f"{path}{layer.name} ({type(layer).__name__})")

    def nested(self, path: str) -> Callable[[KerasLayer], KerasLayer]:
        """Return a function that makes what is inside a wrapper layer."""

        def make(layer: KerasLayer) -> KerasLayer:
            if is_graph(layer):
                before = sum(map(len, self.problems.values()))
                self.translate_model(layer, path)
                if sum(map(len, self.problems.values())) > before:
                    raise Unsupported("see the parts inside it")
                return self.wire(layer)
            try:
                return untranslate(layer, make)
            except Unsupported as why:
                raise Unsupported(f"{layer.name} ({type(layer).__name__}) inside it: {why}") from None

        return make

    def wire(self, model: KerasModel) -> KerasModel:
        """Connect the layers of a model and copy their weights."""
        if id(model) in self.models:
            return self.models[id(model)]
        keras, nest = keras3(), tensorflow().nest
        tensors: dict[int, SymbolicTensor] = {}
        for tensor in flat(model._nested_inputs):
            name = tensor._keras_history.layer.name
            tensors[id(tensor)] = keras.Input(batch_shape=tuple(tensor.shape), dtype=tensor.dtype.name, name=name)
        pairs: list[Pair] = []
        for node in calls(model):
            try:
                outputs = nest.flatten(self.call(node, tensors))
            except Unsupported as why:
                raise ConversionError(
                    f"`{node.layer.name}` ({type(node.layer).__name__}): {why}", NEXT_STEP, code="keras-form-missing"
                ) from None
            except (ValueError, TypeError, NotImplementedError, AttributeError) as error:
                raise ConversionError(
                    f"`{node.layer.name}` ({type(node.layer).__name__}) cannot be called in Keras 3: {reason(error)}",
                    NEXT_STEP,
                    code="keras-form-missing",
                ) from error
            tensors.update(zip(map(id, flat(node.outputs)), outputs, strict=True))
            pairs += [Pair(t._keras_history.operation, t, u) for t, u in zip(outputs, flat(node.outputs), strict=True)]
        self.copy(model)
        find = nest.map_structure
        inputs, outputs = (
            find(lambda t: tensors[id(t)], part) for part in (model._nested_inputs, model._nested_outputs)
        )
        made = self.models[id(model)] = keras.Model(inputs, outputs, name=model.name)
        self.pairs[id(made)] = pairs
        return made

    def call(self, node: KerasNode, tensors: dict[int, SymbolicTensor]) -> Tensors:
        """Repeat one call on Keras 3 tensors."""
        layer, nest = node.layer, tensorflow().nest
        args, kwargs = nest.map_structure(lambda v: tensors.get(id(v), v), (node.call_args, node.call_kwargs))
        if is_operation(layer):
            return apply_operation(layer, args, kwargs)
        if is_graph(layer):
            return self.wire(layer)(*args, **kwargs)
        if takes_joined_states(layer) and isinstance(args[0], (list, tuple)):
            sequence, *states = args[0]
            args, kwargs = (sequence,), {**kwargs, "initial_state": states}
        return self.layers[id(layer)](*args, **kwargs)

    def copy(self, model: KerasModel) -> None:
        """Copy the weights of the layers that are called in a model; nested models have copied theirs."""
        for layer in {id(node.layer): node.layer for node in calls(model)}.values():
            if id(layer) not in self.layers or is_graph(getattr(layer, "layer", None)) or not has_weights(layer):
                continue
            try:
                copy_weights(layer, self.layers[id(layer)])
            except ValueError as error:
                raise ConversionError(
                    f"the weights of `{layer.name}` ({type(layer).__name__}) do not fit its Keras 3 form: "
                    f"{reason(error)}",
                    NEXT_STEP,
                    code="keras-form-missing",
                ) from error
