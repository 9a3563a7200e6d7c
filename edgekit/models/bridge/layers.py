"""How a Keras 3 layer is written in Keras 2: by its row in the register, by a function where a row is not enough.

A new layer is a row in `edgekit.frameworks.layers` and a line in tests/models/bridge_cases.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgekit.frameworks.layers.knowledge import NO_KERAS_2, LeftOut, No, ToKeras2
from edgekit.frameworks.layers.register import known
from edgekit.frameworks.tensorflow import keras3, tf_keras
from edgekit.frameworks.types import ConfigValue, Framework, KerasClass, KerasConfig, KerasLayer, KerasObject, Tensors
from edgekit.models.bridge.activations import RENAMED, Step, is_known, step
from edgekit.models.bridge.graph import reason

NOT_FLOAT32 = ("float16", "bfloat16", "float64")
"""Types in which Keras 3 models compute, and edgekit does not."""

Config = KerasConfig
Nested = Callable[[KerasLayer, str], KerasLayer]
"""Turns a layer or model inside another layer into its Keras 2 form, under the given name."""


class Unsupported(Exception):
    """A layer or operation cannot be expressed in Keras 2; the text says why."""


@dataclass(frozen=True)
class Translated:
    """A Keras 3 layer in Keras 2.

    Attributes:
        layer: the Keras 2 layer; None if `then` does all of the work.
        then: an activation for which Keras 2 needs layers of their own.
        copy_weights: whether the Keras 3 layer's variables belong into `layer`.
    """

    layer: KerasLayer
    then: Step | None = None
    copy_weights: bool = True

    def __call__(self, *args: Tensors, **kwargs: Tensors) -> Tensors:
        """Apply it to symbolic Keras 2 tensors."""
        out = args[0] if self.layer is None else self.layer(*args, **kwargs)
        return out if self.then is None else self.then(out)


def _normalization(source: KerasLayer, cls: KerasClass, config: Config, _: Nested) -> KerasLayer:
    """Freeze the adapted statistics, so that they travel in the configuration."""
    if source.mean is None:
        raise Unsupported("it has no mean and variance; call adapt() before saving")
    shape = source._mean_and_var_shape
    statistics = {"mean": np.asarray(source.mean), "variance": np.asarray(source.variance)}
    return cls.from_config(config | {key: value.reshape(shape) for key, value in statistics.items()})


def _bidirectional(source: KerasLayer, cls: KerasClass, config: Config, nested: Nested) -> KerasLayer:
    """Pass both directions; Keras 2 puts the words `forward_` and `backward_` before their names again."""
    forward = nested(source.forward_layer, source.forward_layer.name.removeprefix("forward_"))
    backward = nested(source.backward_layer, source.backward_layer.name.removeprefix("backward_"))
    return cls(forward, merge_mode=config["merge_mode"], backward_layer=backward, name=config["name"])


def _wrapper(source: KerasLayer, cls: KerasClass, config: Config, nested: Nested) -> KerasLayer:
    return cls(nested(source.layer, source.layer.name), name=config["name"])


def _layer_scale(source: KerasLayer, cls: KerasClass, config: Config, _: Nested) -> KerasLayer:
    """Scale every channel of images by a weight of its own: a depthwise convolution of one pixel."""
    return cls(1, use_bias=False, name=config["name"])


def _stochastic_depth(source: KerasLayer, cls: KerasClass, config: Config, _: Nested) -> KerasLayer:
    """Drop whole samples of a branch of images while training."""
    return cls(source.drop_path_rate, noise_shape=(None, 1, 1, 1), name=config["name"])


def _recurrent_cells(source: KerasLayer, cls: KerasClass, config: Config, nested: Nested) -> KerasLayer:
    """Translate the cells inside an RNN like layers."""
    return cls(nested(source.cell, source.cell.name), **{k: v for k, v in config.items() if k != "cell"})


def _stacked_cells(source: KerasLayer, cls: KerasClass, config: Config, nested: Nested) -> KerasLayer:
    return cls([nested(cell, cell.name) for cell in source.cells], name=config["name"])


def _attention(source: KerasLayer, cls: KerasClass, config: Config, _: Nested) -> KerasLayer:
    """Build it from its arguments; Keras 2's `from_config` wants the shapes of an earlier call."""
    return cls(**config)


def _lambda(source: KerasLayer, cls: KerasClass, config: Config, _: Nested) -> KerasLayer:
    """Keep the function; a file with a Lambda gets this far only if the user allowed it."""
    return cls(source.function, arguments=source.arguments or None, name=config["name"])


BUILDERS: dict[str, Callable[[KerasLayer, KerasClass, Config, Nested], KerasLayer]] = {
    "normalization": _normalization,
    "bidirectional": _bidirectional,
    "wrapper": _wrapper,
    "layer-scale": _layer_scale,
    "stochastic-depth": _stochastic_depth,
    "recurrent-cells": _recurrent_cells,
    "stacked-cells": _stacked_cells,
    "attention": _attention,
    "lambda": _lambda,
}
"""By the name in the register: makes the layer from the Keras 3 layer, the Keras 2 class, the translated configuration
and a function for nested layers."""


def is_keras_own(source: KerasLayer) -> bool:
    """Return whether a layer is of Keras 3's own classes, not of a subclass made elsewhere."""
    return str(type(source).__module__).startswith("keras.")


def is_left_out(source: KerasLayer) -> bool:
    """Return whether a layer does nothing at inference, so that it has no Keras 2 form and needs none."""
    row = known(source)
    return row is not None and isinstance(row.bridge, LeftOut) and is_keras_own(source)


def translate(source: KerasLayer, name: str, nested: Nested) -> Translated:
    """Make the Keras 2 counterpart of a Keras 3 layer, without weights.

    Args:
        source: the Keras 3 layer.
        name: for the new layer.
        nested: translates layers inside wrappers.

    Raises:
        Unsupported: there is none.
    """
    kind, row = type(source).__name__, known(source)
    how = row.bridge if row is not None and is_keras_own(source) else NO_KERAS_2
    if not isinstance(how, ToKeras2):
        raise Unsupported(how.why if isinstance(how, No) else NO_KERAS_2.why)
    if getattr(source.dtype_policy, "quantization_mode", None) or getattr(source, "lora_enabled", False):
        raise Unsupported("its weights are quantized or LoRA; save the model before quantize() or enable_lora()")
    cls = getattr(tf_keras().layers, how.kind or kind)
    config, then = source.get_config() | {"name": name}, None
    if "activation" in config and "recurrent_activation" not in config and kind != "SimpleRNN":
        alone = kind == "Activation"
        config["activation"], then = _activation(source.activation, config["activation"], name, alone, nested)
        if alone and then is not None:
            return Translated(None, then, copy_weights=False)
    config = _reduced(config, cls, how)
    try:
        layer = BUILDERS[how.build](source, cls, config, nested) if how.build else cls.from_config(config)
    except (TypeError, ValueError) as error:
        raise Unsupported(f"Keras 2 says: {reason(error)}") from error
    return Translated(layer, then, how.copy_weights)


def _activation(
    function: KerasObject, value: ConfigValue, name: str, alone: bool, nested: Nested
) -> tuple[str, Step | None]:
    """Return what the Keras 2 layer gets as its activation, and the step that follows it, if any."""
    if isinstance(function, keras3().layers.Layer):
        if function.weights or type(function).__name__ == "PReLU":
            raise Unsupported(f"its activation {type(function).__name__} has weights; make it a layer of its own")
        return "linear", nested(function, name if alone else f"{name}_{function.name}")
    value = value or "linear"
    if not isinstance(value, str) or not is_known(value):
        raise Unsupported(f"its activation {shown(value)} is not one of Keras's named activations")
    if value in RENAMED:
        return RENAMED[value], None
    return "linear", step(value, name if alone else f"{name}_{value}")


def _reduced(config: Config, cls: KerasClass, how: ToKeras2) -> Config:
    """Reduce a Keras 3 configuration to the keys and values that Keras 2 understands."""
    takes, rename, out = accepted(cls).union(how.keep), dict(how.rename), Config()
    for key, value in config.items():
        target = rename.get(key, key)
        if key in how.ignore:
            continue
        if target not in takes:
            if value and value != "channels_last":
                raise Unsupported(f"its option {key}={shown(value)} does not exist in Keras 2")
            continue
        if key == "stateful" and value:
            raise Unsupported("it is stateful; edgekit handles layers that start afresh with every sample")
        if key == "dtype":
            value = "float32"
        elif key == "recurrent_activation" or (key == "activation" and value is not None):
            if value not in RENAMED:
                raise Unsupported(f"its {key} {shown(value)} means something else, or nothing, in Keras 2")
            value = RENAMED[value]
        elif key.endswith(("_initializer", "_regularizer", "_constraint")) and value is not None:
            value = serialized(getattr(tf_keras(), f"{key.rsplit('_', 1)[1]}s"), value)
            if value is None:
                continue
        out[target] = value
    return out


def serialized(module: Framework, value: KerasObject) -> ConfigValue:
    """Return an initializer, regularizer or constraint as the other Keras writes it; None if it has no such thing.

    None of them changes an output once the weights are copied.

    Args:
        module: of the other Keras, `initializers`, `regularizers` or `constraints`.
        value: the configuration.
    """
    if not isinstance(value, dict):
        return None
    cls, inner = getattr(module, str(value.get("class_name")), None), value.get("config")
    if not inspect.isclass(cls) or not isinstance(inner, dict):
        return None
    known = accepted(cls)
    try:
        return module.serialize(cls(**{key: item for key, item in inner.items() if key in known}))
    except (TypeError, ValueError):
        return None


def accepted(cls: KerasClass) -> set[str]:
    """Return the names of all arguments that a class and its bases take."""
    return {name for base in cls.__mro__ if "__init__" in vars(base) for name in _parameters(vars(base)["__init__"])}


def _parameters(function: KerasObject) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except ValueError:  # object.__init__ and other C code
        return []


def shown(value: ConfigValue) -> str:
    """Return a value as text of a length that fits a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
