"""A tf_keras model built again from its graph, nested models flattened, single layers replaced by others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgekit.errors import ConversionError
from edgekit.frameworks.layers.knowledge import Acts, Role
from edgekit.frameworks.layers.register import is_batch_normalization, names
from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.frameworks.types import Arguments, ConfigValue, KerasLayer, KerasModel, Keywords, Tensors
from edgekit.models.keras.calls import CallLayer, check_model, flat, is_graph, replay
from edgekit.tasks.samples import Array

TRAINING_ONLY = names(lambda row: row.acts is Acts.TRAINING and row.role is Role.REGULARIZATION)
"""Layers that do nothing outside training."""


@dataclass(frozen=True)
class Part:
    """A new layer with its weights; None leaves them as the layer has them."""

    layer: KerasLayer
    weights: Sequence[Array] | None = None


Replace = Callable[[KerasLayer], list[Part] | None]
"""Takes a layer and returns the chain of layers in its place ([] for nothing at all), or None to clone it."""


def rebuild(
    model: KerasModel, replace: Replace = lambda layer: None, *, input_dtypes: Mapping[str, str] | None = None
) -> KerasModel:
    """Build a functional model that computes what `model` does, and leave `model` as it is.

    Nested models are flattened: their layers stand in the new model by their own names, with the nested model's name
    before them where two names are the same. Where a nested model is called with `training=False`, its dropout goes
    and its BatchNormalization is frozen, which is what that means. Shared layers stay shared.

    Args:
        model: a Sequential or functional tf_keras model with weights.
        replace: asked once for every layer.
        input_dtypes: by name, of inputs that are to take another type.

    Returns:
        A tf_keras functional model with the same inputs, outputs and names, not compiled.

    Raises:
        InputError: the model has no graph, or no weights.
        ConversionError: a layer cannot be made again from its configuration.
    """
    check_model(model)
    return _Rebuild(replace, input_dtypes or {}).model(model)


def clone(layer: KerasLayer, **changes: ConfigValue) -> KerasLayer:
    """Make a layer again from its configuration, without its weights.

    Args:
        layer: a tf_keras layer.
        changes: configuration values that differ.

    Raises:
        ConversionError: the layer has no usable configuration.
    """
    keras = tf_keras()
    try:
        config = {**layer.get_config(), **changes}
        for key in ("batch_input_shape", "input_shape"):
            config.pop(key, None)
        if type(layer) is keras.layers.Lambda:  # the function itself, not its byte code
            config |= {"function": layer.function, "output_shape": None, "mask": layer.mask}
            return keras.layers.Lambda(**{k: config[k] for k in ("function", "mask", "arguments", "name", "dtype")})
        return type(layer).from_config(config)
    except (NotImplementedError, TypeError, ValueError, KeyError) as error:
        raise ConversionError(
            f"`{layer.name}` ({type(layer).__name__}) cannot be made again from its configuration: {error}",
            "give the layer get_config, as saving needs it too",
            code="layer-not-rebuilt",
        ) from error


def transfer(source: KerasModel, target: KerasModel) -> None:
    """Copy weights from layer to layer of the same name; both have the same layers.

    Raises:
        ConversionError: they have not.
    """
    names = {layer.name for layer in source.layers}
    for layer in target.layers:
        if layer.weights and layer.name not in names:
            raise ConversionError(
                f"layer `{layer.name}` is missing from model `{source.name}`", code="layer-not-rebuilt"
            )
        if layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())


class _Rebuild:
    """One rebuilding."""

    def __init__(self, replace: Replace, input_dtypes: Mapping[str, str]) -> None:
        self._replace, self._input_dtypes = replace, input_dtypes
        self._made: dict[tuple[int, bool], list[Part]] = {}
        self._names: set[str] = set()

    def model(self, source: KerasModel) -> KerasModel:
        keras, nest = tf_keras(), tensorflow().nest
        inputs = [t._keras_history.layer for t in flat(source._nested_inputs)]
        self._names |= {layer.name for layer in inputs}
        types = [{"dtype": self._input_dtypes[n]} if n in self._input_dtypes else {} for n in source.input_names]
        configs = [layer.get_config() | changed for layer, changed in zip(inputs, types, strict=True)]
        tensors = [keras.layers.InputLayer.from_config(config).output for config in configs]
        outputs = replay(source, tensors, self._call("", False))
        model = keras.Model(nest.pack_sequence_as(source._nested_inputs, tensors), outputs, name=source.name)
        for parts in self._made.values():
            for part in parts:
                if part.weights is not None and part.layer.weights:
                    part.layer.set_weights(part.weights)
        return model

    def _call(self, path: str, frozen: bool) -> CallLayer:
        def call(layer: KerasLayer, args: Arguments, kwargs: Keywords) -> Tensors:
            if is_graph(layer):
                inside = frozen or kwargs.get("training") is False
                return replay(layer, flat(args[0]), self._call(f"{path}{layer.name}_", inside))
            parts = self._parts(layer, path, frozen)
            if type(layer).__name__ == "TFOpLambda" and not (parts and type(parts[0].layer) is type(layer)):
                # What takes an operation's place takes its tensor, which may be its second operand: 1 + x.
                given = tensorflow().nest.flatten((args, kwargs))
                args, kwargs = tuple(v for v in given if hasattr(v, "_keras_history")), {}
            if not parts:
                return args[0]
            x = parts[0].layer(*args, **kwargs)
            for part in parts[1:]:
                x = part.layer(x)
            return x

        return call

    def _parts(self, layer: KerasLayer, path: str, frozen: bool) -> list[Part]:
        key = (id(layer), frozen)
        if key not in self._made:
            self._made[key] = self._new(layer, path, frozen)
        return self._made[key]

    def _new(self, layer: KerasLayer, path: str, frozen: bool) -> list[Part]:
        if frozen and type(layer).__name__ in TRAINING_ONLY:
            return []
        parts = self._replace(layer)
        if parts is None:
            freeze = {"trainable": False} if frozen and is_batch_normalization(layer) else {}
            parts = [Part(clone(layer, **freeze), layer.get_weights())]
        for part in parts:
            self._name(part.layer, path)
        return parts

    def _name(self, layer: KerasLayer, path: str) -> None:
        """Keep the layer's own name unless it is taken."""
        name, number = layer.name, 1
        while name in self._names:
            name = f"{path}{layer.name}" if number == 1 and path else f"{path}{layer.name}_{number}"
            number += 1
        self._names.add(name)
        layer._name = name
