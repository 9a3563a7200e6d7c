"""What quantization-aware training cannot take of a model, found, and as far as possible resolved, before it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgekit.errors import ConversionError, InputError
from edgekit.frameworks.layers.knowledge import Handling
from edgekit.frameworks.layers.register import is_batch_normalization, known
from edgekit.frameworks.tensorflow import quiet, tf_keras, tfmot
from edgekit.frameworks.types import ConfigValue, KerasLayer, KerasModel
from edgekit.models.keras.asking import predicted
from edgekit.models.keras.calls import calls, is_graph
from edgekit.models.keras.rebuild import Part, clone, rebuild
from edgekit.tasks.samples import Array, ModelInputs
from edgekit.techniques.integer_inputs import with_float_inputs
from edgekit.techniques.qat_scheme import kernel_configuration

ACTIVATIONS = ("linear", "relu", "softmax", "sigmoid", "tanh", "gelu")
"""What TFMOT fake-quantizes inside a layer, and TFLite then computes in int8 (not so `swish`)."""
ACTIVATION_LAYERS = (*ACTIVATIONS, "relu6", "swish")
"""The same of an Activation layer."""
TOLERANCE = 1e-4
"""Of the prepared model against the given one, relative to the largest output."""


@dataclass(frozen=True)
class Replacement:
    """A layer that TFMOT's quantization-aware training cannot take as it is, and what is done about it."""

    layer: str
    kind: str
    action: str

    def __str__(self) -> str:
        return f"{self.layer} ({self.kind}): {self.action}"


@dataclass(frozen=True)
class Prepared:
    """A model that quantization-aware training can take.

    Attributes:
        model: a flat functional tf_keras model that computes the same.
        handling: by layer, inputs excepted.
        replacements: what had to be done.
    """

    model: KerasModel
    handling: dict[str, Handling]
    replacements: tuple[Replacement, ...]


def prepare(model: KerasModel, x: ModelInputs) -> Prepared:
    """Make a model fit for quantization-aware training.

    Nested models are flattened; Normalization becomes Rescaling, SeparableConv2D its two halves, an activation that
    cannot be simulated inside a layer a layer of its own. Everything else stays, and is in `replacements` if it is not
    fully simulated.

    Args:
        model: a tf_keras model; left as it is.
        x: model inputs to compare the two models with, float32 (n, ...); a tuple for several inputs.

    Raises:
        InputError: the model is quantized already, or TFMOT could quantize nothing in it.
        ConversionError: the prepared model computes something else.
    """
    if is_quantized(model):
        raise InputError(
            "the model is quantized already",
            "give the model from before, or leave this stage out",
            code="already-quantized",
        )
    replacements = [
        Replacement(layer.name, "nested model", "flattened: its layers stand in the outer model")
        for layer in model.layers
        if is_graph(layer)
    ]

    def replace(layer: KerasLayer) -> list[Part] | None:
        row = known(layer)
        if row is None or not row.qat.rewrite or not is_own(layer):
            return None
        rewritten = REWRITES[row.qat.rewrite](layer)
        if rewritten is None:
            return None
        parts, action = rewritten
        replacements.append(Replacement(layer.name, type(layer).__name__, action))
        return parts

    with quiet():
        numbers, changed = with_float_inputs(model)
        flat = rebuild(numbers, replace)
    replacements += [
        Replacement(name, "Input", "takes float32 now: the same numbers, and int8 in the file") for name in changed
    ]
    _prove(model, flat, x)
    handling = handle(flat)
    if Handling.TRAINED not in handling.values():
        raise InputError(
            f"model `{model.name}` has no layer that quantization-aware training could simulate",
            "leave `quantize` out; the scheme int8 quantizes by calibration alone",
            code="qat-model-unfit",
        )
    replacements += [_replacement(layer, how) for layer in flat.layers if (how := handling.get(layer.name)) in _LEFT]
    return Prepared(flat, handling, tuple(replacements))


def handle(model: KerasModel) -> dict[str, Handling]:
    """Return how quantization-aware training treats every layer of a flat model, inputs excepted."""
    folded = _folded_norms(model)
    return {
        layer.name: Handling.TRAINED if layer.name in folded else _handling(layer)
        for layer in model.layers
        if type(layer).__name__ != "InputLayer"
    }


def is_own(layer: KerasLayer) -> bool:
    """Return whether a layer is of Keras's own class, not of a subclass, which may do anything."""
    return type(layer) is getattr(tf_keras().layers, type(layer).__name__, None)


def _handling(layer: KerasLayer) -> Handling:
    row = known(layer)
    if row is None or not is_own(layer):
        return Handling.CALIBRATED
    if type(layer).__name__ == "Activation" and _activation(layer) not in ACTIVATION_LAYERS:
        return Handling.OUTPUT
    return row.qat.handling


def is_quantized(model: KerasModel) -> bool:
    """Return whether a model has quantize wrappers."""
    return any(isinstance(layer, tfmot().quantization.keras.QuantizeWrapper) for layer in model.layers)


_LEFT = {
    Handling.OUTPUT: "its output is simulated; inside it computes in float while training",
    Handling.CALIBRATED: "not simulated: it stays float while training, the file gets its ranges from calibration",
}


def _replacement(layer: KerasLayer, how: Handling) -> Replacement:
    kind = type(layer).__name__
    weights = ", and its weights are quantized when the file is made" if layer.weights and kind[:5] != "Batch" else ""
    return Replacement(layer.name, kind, _LEFT[how] + weights)


def _folded_norms(model: KerasModel) -> set[str]:
    """Return the BatchNormalization layers that TFMOT treats as one with the layer before, and TFLite folds into it."""
    readers: dict[int, int] = {}
    for node in calls(model):
        for tensor in node.keras_inputs:
            readers[id(tensor)] = readers.get(id(tensor), 0) + 1
    for tensor in model.outputs:
        readers[id(tensor)] = readers.get(id(tensor), 0) + 1
    folded = set()
    for node in calls(model):
        if not is_batch_normalization(node.layer):
            continue
        tensor = node.keras_inputs[0]
        before = tensor._keras_history.layer
        alone = len(node.layer._inbound_nodes) == 1 and len(before._inbound_nodes) == 1 and readers[id(tensor)] == 1
        if alone and kernel_configuration(before) and _activation(before) == "linear":
            folded.add(node.layer.name)
    return folded


def _activation(layer: KerasLayer) -> str:
    name = getattr(layer.activation, "__name__", type(layer.activation).__name__)
    return {"softmax_v2": "softmax", "silu": "swish"}.get(name, name)


def _prove(model: KerasModel, flat: KerasModel, x: ModelInputs) -> None:
    """Raise unless the two models agree."""
    with quiet():
        before, after = (predicted(m, x) for m in (model, flat))
    change = max(float(np.abs(a - b).max()) for a, b in zip(before, after, strict=True))
    if not change <= TOLERANCE * max(1.0, *(float(np.abs(a).max()) for a in before)):
        raise ConversionError(
            f"preparing model `{model.name}` for quantization-aware training changed its outputs by {change:.2g}",
            "this is a bug in edgekit: please report the model",
            code="rewrite-not-equal",
        )


Rewritten = tuple[list[Part], str] | None
"""The layers in place of one, and what was done, in words; None if the rule does not apply."""


def _normalization(layer: KerasLayer) -> Rewritten:
    """(x - mean) / std as x * scale + offset, with the numbers in the configuration, where cloning keeps them."""
    mean = np.asarray(layer.mean, np.float64)
    std = np.maximum(np.sqrt(np.asarray(layer.variance, np.float64)), tf_keras().backend.epsilon())
    scale, offset = (std, mean) if layer.invert else (1 / std, -mean / std)
    make = tf_keras().layers.Rescaling
    part = Part(make(_as_numbers(scale), _as_numbers(offset), name=layer.name))
    return [part], "becomes one multiplication and one addition"


def _as_numbers(values: Array) -> ConfigValue:
    """Return a number, or nested lists without leading axes of size 1."""
    while values.ndim and values.shape[0] == 1:
        values = values[0]
    return values.tolist()


def _separable(layer: KerasLayer) -> Rewritten:
    keras = tf_keras()
    config, weights = layer.get_config(), layer.get_weights()
    shared = {key: config[key] for key in ("data_format", "dilation_rate", "trainable", "dtype")}
    depthwise = keras.layers.DepthwiseConv2D(
        **{key: config[key] for key in ("kernel_size", "strides", "padding", "depth_multiplier")},
        **{key: config[key] for key in ("depthwise_initializer", "depthwise_regularizer", "depthwise_constraint")},
        use_bias=False,
        name=f"{layer.name}_depthwise",
        **shared,
    )
    pointwise = keras.layers.Conv2D(
        config["filters"],
        1,
        kernel_regularizer=config["pointwise_regularizer"],
        kernel_constraint=config["pointwise_constraint"],
        **{key: config[key] for key in ("use_bias", "bias_regularizer", "bias_constraint")},
        name=layer.name,
        **{**shared, "dilation_rate": 1},
    )
    parts = [Part(depthwise, weights[:1]), Part(pointwise, weights[1:])]
    after = _activation_layer(layer)
    return [*parts, *after], "split into its depthwise and its pointwise half"


def _fused_activation(layer: KerasLayer) -> Rewritten:
    if _activation(layer) in ACTIVATIONS:
        return None
    action = f"its activation {_activation(layer)} becomes a layer of its own"
    return [Part(clone(layer, activation="linear"), layer.get_weights()), *_activation_layer(layer)], action


def _activation_layer(layer: KerasLayer) -> list[Part]:
    keras = tf_keras().layers
    name = f"{layer.name}_activation"
    if _activation(layer) == "linear":
        return []
    if _activation(layer) == "relu6":
        return [Part(keras.ReLU(6.0, name=name))]
    if isinstance(layer.activation, keras.Layer):
        return [Part(clone(layer.activation, name=name), layer.activation.get_weights())]
    return [Part(keras.Activation(layer.activation, name=name))]


REWRITES: dict[str, Callable[[KerasLayer], Rewritten]] = {
    "rescaling": _normalization,
    "halves": _separable,
    "activation-apart": _fused_activation,
}
"""By the name in the register of layers."""
