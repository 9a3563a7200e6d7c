"""How a Keras 2 layer is written in Keras 3: by its row in the register, read from right to left."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np

from edgekit.frameworks.layers.knowledge import NO_KERAS_3, No, ToKeras2
from edgekit.frameworks.layers.register import known
from edgekit.frameworks.tensorflow import keras3, tf_keras
from edgekit.frameworks.types import ConfigValue, KerasClass, KerasConfig, KerasLayer, KerasObject
from edgekit.models.bridge.activations import RENAMED
from edgekit.models.bridge.graph import reason
from edgekit.models.bridge.layers import Config, Unsupported, accepted, serialized, shown

Nested = Callable[[KerasLayer], KerasLayer]
"""Turns a Keras 2 layer or model inside another layer into its Keras 3 form."""

WITHOUT_MEANING = frozenset(
    (
        *("batch_input_shape", "input_length", "implementation", "time_major", "groups", "filters", "rng_type"),
        *("query_shape", "key_shape", "value_shape", "kernel_initializer", "kernel_regularizer", "kernel_constraint"),
        *("noise_shape", "trainable"),
    )
)
"""Keys that Keras 2 writes and that mean nothing for the layers whose Keras 3 class does not take them."""

NAMES = {old: new for new, old in RENAMED.items() if new != "celu"} | {"swish": "silu"}
"""Keras 2 activation to Keras 3 activation, without `hard_sigmoid`, which computes something else in Keras 3."""
FURTHER = frozenset(("relu6", "leaky_relu", "log_softmax"))
"""Activations with the same name and meaning that Keras 2 knows as functions only."""


def untranslate(layer: KerasLayer, nested: Nested) -> KerasLayer:
    """Make the Keras 3 counterpart of a Keras 2 layer, without weights.

    Args:
        layer: the tf_keras layer.
        nested: translates layers inside wrappers.

    Raises:
        Unsupported: there is none.
    """
    kind, row = type(layer).__name__, known(layer)
    own = type(layer) is getattr(tf_keras().layers, kind, None)
    how = row.back if row is not None and own else NO_KERAS_3
    if row is None or isinstance(how, No):
        raise Unsupported(NO_KERAS_3.why)
    cls = getattr(keras3().layers, kind)
    try:
        if how.build:
            return BUILDERS[how.build](layer, cls, nested)
        bridge = row.bridge if isinstance(row.bridge, ToKeras2) else ToKeras2()
        return cls.from_config(_reduced(layer, cls, bridge, one_axis=how.one_axis, nested=nested))
    except (TypeError, ValueError) as error:
        raise Unsupported(f"Keras 3 says: {reason(error)}") from error


def _reduced(layer: KerasLayer, cls: KerasClass, bridge: ToKeras2, *, one_axis: bool, nested: Nested) -> Config:
    """Reduce a Keras 2 configuration to the keys and values that Keras 3 understands."""
    takes, defaults = _taken(cls), _defaults(type(layer))
    rename = {old: new for new, old in bridge.rename}
    out = Config()
    for key, value in layer.get_config().items():
        target, value = rename.get(key, key), _as_python(value)
        if target not in takes and target not in bridge.keep:
            if value and key not in WITHOUT_MEANING and value != defaults.get(key):
                raise Unsupported(f"its option {key}={shown(value)} does not exist in Keras 3")
            continue
        if key == "dtype":
            value = "float32"
        elif key == "activation":
            value = _activation(layer.activation, value, nested)
        elif key == "recurrent_activation":
            value = _activation(layer.recurrent_activation, value, nested)
        elif key.endswith(("_initializer", "_regularizer", "_constraint")) and value is not None:
            value = serialized(getattr(keras3(), f"{key.rsplit('_', 1)[1]}s"), value)
            if value is None:
                continue
        out[target] = value
    if one_axis and np.size(out["axis"]) == 1:
        out["axis"] = int(np.ravel(out["axis"])[0])
    return out


def _activation(function: KerasObject, value: ConfigValue, nested: Nested) -> ConfigValue:
    """Return the Keras 3 activation for one of Keras 2."""
    if isinstance(function, tf_keras().layers.Layer):
        if function.weights:
            raise Unsupported(f"its activation {type(function).__name__} has weights; make it a layer of its own")
        return nested(function)
    value = value or "linear"
    if isinstance(value, str) and (value in NAMES or value in FURTHER):
        return NAMES.get(value, value)
    raise Unsupported(f"its activation {shown(value)} means something else, or nothing, in Keras 3")


def _normalization(layer: KerasLayer, cls: KerasClass, nested: Nested) -> KerasLayer:
    """Freeze the adapted statistics."""
    shape = [layer._broadcast_shape[axis] for axis in layer._keep_axis] if hasattr(layer, "_keep_axis") else []
    statistics = {key: np.asarray(getattr(layer, key)).reshape(shape) for key in ("mean", "variance")}
    axis = layer.axis[0] if isinstance(layer.axis, (list, tuple)) and len(layer.axis) == 1 else layer.axis
    return cls(axis=axis or None, **statistics, invert=layer.invert, name=layer.name)


def _bidirectional(layer: KerasLayer, cls: KerasClass, nested: Nested) -> KerasLayer:
    forward, backward = nested(layer.forward_layer), nested(layer.backward_layer)
    return cls(forward, merge_mode=layer.merge_mode, backward_layer=backward, name=layer.name)


def _wrapper(layer: KerasLayer, cls: KerasClass, nested: Nested) -> KerasLayer:
    return cls(nested(layer.layer), name=layer.name)


def _recurrent_cells(layer: KerasLayer, cls: KerasClass, nested: Nested) -> KerasLayer:
    config = {key: value for key, value in layer.get_config().items() if key in accepted(cls) - {"cell"}}
    return cls(nested(layer.cell), **config | {"dtype": "float32"})


def _stacked_cells(layer: KerasLayer, cls: KerasClass, nested: Nested) -> KerasLayer:
    return cls([nested(cell) for cell in layer.cells], name=layer.name)


def _lambda(layer: KerasLayer, cls: KerasClass, nested: Nested) -> KerasLayer:
    return cls(layer.function, arguments=layer.arguments or None, name=layer.name)


BUILDERS: dict[str, Callable[[KerasLayer, KerasClass, Nested], KerasLayer]] = {
    "normalization": _normalization,
    "bidirectional": _bidirectional,
    "wrapper": _wrapper,
    "recurrent-cells": _recurrent_cells,
    "stacked-cells": _stacked_cells,
    "lambda": _lambda,
}
"""By the name in the register: makes the layer, where its configuration is not enough."""


def _taken(cls: KerasClass) -> set[str]:
    """Return the names of all arguments that a class takes; its bases count only where it passes others on."""
    names: set[str] = set()
    for base in cls.__mro__:
        if "__init__" in vars(base) and base is not object:
            parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
            names |= {parameter.name for parameter in parameters}
            if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
                break
    return names


def _defaults(cls: KerasClass) -> KerasConfig:
    """Return the default values of what a class and its bases take."""
    defaults: KerasConfig = {}
    for base in cls.__mro__:
        if "__init__" in vars(base) and base is not object:
            for name, parameter in inspect.signature(vars(base)["__init__"]).parameters.items():
                defaults.setdefault(name, parameter.default)
    return defaults


def _as_python(value: ConfigValue) -> ConfigValue:
    """Return a NumPy number as a number of Python."""
    return value.item() if isinstance(value, (np.ndarray, np.generic)) and np.ndim(value) == 0 else value
