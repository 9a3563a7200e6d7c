"""Models with quantize wrappers after training: taken apart, readied for the converter, kept in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgekit.errors import InputError
from edgekit.frameworks.layers.knowledge import Handling
from edgekit.frameworks.layers.register import is_batch_normalization, names
from edgekit.frameworks.tensorflow import quiet, tf_keras, tfmot
from edgekit.frameworks.types import KerasConfig, KerasLayer, KerasModel, KerasObject
from edgekit.models.keras.quantized import scope
from edgekit.models.keras.rebuild import Part, clone, rebuild
from edgekit.tasks.samples import Array
from edgekit.techniques.qat_preflight import handle, is_quantized
from edgekit.techniques.qat_ranges import OUTPUTS, variables
from edgekit.techniques.qat_scheme import Form, apply, narrowed

AFFINE = names(lambda row: bool(row.export.affine) and row.qat.handling is Handling.OUTPUT)
"""Layers that compute factor * x + shift, and whose output alone is simulated while training."""


def without_forms(
    quantized: KerasModel, model: KerasModel, handling: dict[str, Handling], kept: dict[str, Form]
) -> KerasModel:
    """Return a model of the default scheme with the weights and ranges that a collaborative form trained.

    The collaborative wrappers hold centroids, masks and copies of kernels that no file needs and Keras cannot load.

    Args:
        quantized: the trained model.
        model: the flat float model it was made from; only its structure is used.
        handling: by layer, as `quantized` was made.
        kept: the form by layer, as `quantized` was made.
    """
    if not kept:
        return quantized
    bare = apply(model, handling, {})
    _copy(quantized, bare)
    return bare


def rounded(quantized: KerasModel, model: KerasModel, handling: dict[str, Handling], bits: int) -> KerasModel:
    """Return a model of the default scheme whose narrow kernels hold the values that fewer bits leave of them.

    What 8 bits make of such a kernel, the int4 schemes round to the same values again: a channel's largest weight is
    the last step of both.

    Args:
        quantized: the trained model, as `apply` made it with `bits`.
        model: the flat float model it was made from; only its structure is used.
        handling: by layer, as `quantized` was made.
        bits: of a weight.
    """
    bare = apply(model, handling, {})
    _copy(quantized, bare)
    steps = 2 ** (bits - 1) - 1
    for layer in model.layers:
        if handling.get(layer.name) is Handling.TRAINED and narrowed(layer):
            known = variables(bare.get_layer(layer.name))
            largest = np.maximum(np.abs(known["kernel_min"].numpy()), np.abs(known["kernel_max"].numpy()))
            levels = np.rint(known["kernel"].numpy() / np.maximum(largest, 1e-12) * steps)
            known["kernel"].assign(np.clip(levels, -steps, steps) * largest / steps)
    return bare


def strip_quantization(quantized: KerasModel) -> KerasModel:
    """Return the float model with the trained weights: no wrappers, no fake quantization, BatchNormalization included.

    Args:
        quantized: a model with quantize wrappers; left as it is.

    Returns:
        A flat functional tf_keras model with the layer names of before, to make float files from.

    Raises:
        InputError: the model has no quantize wrappers.
    """
    if not is_quantized(quantized):
        raise InputError(
            f"model `{quantized.name}` is not quantized: there is nothing to strip",
            "use it as it is",
            code="qat-model-unfit",
        )
    wrapper = tfmot().quantization.keras.QuantizeWrapper

    def unwrap(layer: KerasLayer) -> list[Part] | None:
        if type(layer).__name__ == "QuantizeLayer":
            return []
        if not isinstance(layer, wrapper):
            return None
        inner = clone(layer.layer, **_activation(layer.layer))
        return [Part(inner)]

    with quiet(), scope(quantized):
        model = rebuild(quantized, unwrap)
    for layer in model.layers:
        source = variables(quantized.get_layer(layer.name))
        if layer.weights and isinstance(quantized.get_layer(layer.name), wrapper):
            layer.set_weights([source[name].numpy() for name in variables(layer)])
    return model


def for_converter(quantized: KerasModel) -> KerasModel:
    """Return the model to make the int8 file from.

    A Rescaling, or a BatchNormalization that cannot be folded into the layer before, would become an int8 MUL and an
    int8 ADD, rounding twice. As a depthwise convolution of 1x1 it is one operator that rounds once.

    Args:
        quantized: a model with quantize wrappers; left as it is.

    Returns:
        The same model if there is nothing of that kind in it, else a new one that computes the same.
    """
    if not any(type(layer.layer).__name__ in AFFINE for layer in quantized.layers if "output_min" in variables(layer)):
        return quantized
    float_model = strip_quantization(quantized)
    handling = handle(float_model)
    affine = {
        layer.name: _affine(layer)
        for layer in float_model.layers
        if handling.get(layer.name) is Handling.OUTPUT and _is_affine(layer)
    }
    if not affine:
        return quantized

    def replace(layer: KerasLayer) -> list[Part] | None:
        if layer.name not in affine:
            return None
        scale, offset = affine[layer.name]
        depthwise = tf_keras().layers.DepthwiseConv2D(1, name=layer.name)
        return [Part(depthwise, [scale.reshape(1, 1, -1, 1), offset])]

    model = rebuild(float_model, replace)
    ready = apply(model, handle(model), {})
    _copy(quantized, ready)
    for name, (scale, _) in affine.items():
        _set_affine_ranges(quantized.get_layer(name), ready.get_layer(name), scale)
    return ready


def save_quantized(quantized: KerasModel, path: Path) -> None:
    """Write a model with quantize wrappers of the default scheme as HDF5.

    Keras cannot load TFMOT's input quantizer back from its own `.keras` format: it builds it twice.
    """
    with quiet():
        quantized.save(path, save_format="h5", include_optimizer=False)


def load_quantized(path: Path) -> KerasModel:
    """Load what `save_quantized` wrote; the file is trusted like edgekit's other work files."""
    with quiet(), scope():
        return tf_keras().models.load_model(path, compile=False)


def _activation(layer: KerasLayer) -> KerasConfig:
    """Return the configuration change that undoes what TFMOT did to a layer's activation."""
    activation: KerasObject = getattr(layer, "activation", None)
    if type(activation).__name__ == "QuantizeAwareActivation":
        activation = activation.activation
    if type(activation).__name__ == "NoOpActivation":
        return {"activation": "linear"}
    return {} if activation is None else {"activation": activation}


def _copy(source: KerasModel, target: KerasModel) -> None:
    """Copy every variable that both have, layer by layer, by name."""
    for layer in target.layers:
        if not layer.weights or layer.name not in {known.name for known in source.layers}:
            continue
        if not isinstance(layer, tfmot().quantization.keras.QuantizeWrapper):
            layer.set_weights(source.get_layer(layer.name).get_weights())
            continue
        values = variables(source.get_layer(layer.name))
        for name, variable in variables(layer).items():
            if name in values:
                variable.assign(values[name])


def _is_affine(layer: KerasLayer) -> bool:
    kind = type(layer).__name__
    if kind not in AFFINE or len(layer._inbound_nodes) != 1:
        return False
    shape = layer.input_shape
    if len(shape) != 4 or shape[-1] is None:
        return False
    if is_batch_normalization(layer):
        return list(layer.axis) == [3]
    return all(np.ndim(v) == 0 or np.shape(v) == (shape[-1],) for v in (layer.scale, layer.offset))


def _affine(layer: KerasLayer) -> tuple[Array, Array]:
    """Return scale and offset a channel, float32."""
    channels = layer.input_shape[-1]
    if not is_batch_normalization(layer):
        scale, offset = (np.broadcast_to(np.asarray(v, np.float32), channels) for v in (layer.scale, layer.offset))
        return scale, offset
    known = {name: value.numpy() for name, value in variables(layer).items()}
    scale = known.get("gamma", np.float32(1)) / np.sqrt(known["moving_variance"] + layer.epsilon)
    offset = known.get("beta", np.float32(0)) - known["moving_mean"] * scale
    return scale.astype(np.float32), offset.astype(np.float32)


def _set_affine_ranges(before: KerasLayer, after: KerasLayer, scale: Array) -> None:
    """Give the depthwise convolution exact weights, and the output range that training found."""
    old, new = variables(before), variables(after)
    largest = np.maximum(np.abs(scale), 1e-12)
    for end, sign in (("min", -1), ("max", 1)):
        new[f"depthwise_kernel_{end}"].assign(sign * largest)
        for name in OUTPUTS:
            if f"{name}_{end}" in new:
                new[f"{name}_{end}"].assign(old[f"output_{end}"])
