"""Rescaling, Normalization and BatchNormalization at a model's start, moved into the preprocessing before the file.

An int8 input has one scale. Where a model normalises by itself, that scale has to span the raw values: columns of a
table with other ranges lose their steps, and an image costs an operator more. Done before, in float, it costs nothing.
All three are affine per channel when a model is used, and so commute with layers that only move values.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgekit.errors import InputError
from edgekit.frameworks.layers.knowledge import Values
from edgekit.frameworks.layers.register import names
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.frameworks.types import KerasLayer, KerasModel, SymbolicTensor
from edgekit.models.keras.rebuild import rebuild
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import Array


@dataclass(frozen=True)
class Outside:
    """A model without the layers that its preprocessing does now.

    Attributes:
        model: a tf_keras functional model.
        preprocessing: from stored samples to its inputs.
        layers: names of those taken out.
    """

    model: KerasModel
    preprocessing: Preprocessing
    layers: tuple[str, ...]


def normalize_outside(model: KerasModel, preprocessing: Preprocessing, names: Sequence[str]) -> Outside:
    """Take Rescaling, Normalization and BatchNormalization layers at the start of a model out of it.

    Args:
        model: a tf_keras model with a graph; it is left as it is.
        preprocessing: from stored samples to its inputs.
        names: of the inputs, in the model's order, as the preprocessing knows them.

    Returns:
        The model and the preprocessing that together compute what they computed before.

    Raises:
        InputError: no layer can be taken out; with the reason.
    """
    flat = rebuild(model)
    dropped: set[str] = set()
    reasons = []
    fed: dict[str, Preprocessing] = {}
    ends = {id(output._keras_history.layer) for output in flat.outputs}
    for tensor, name in zip(flat.inputs, names, strict=True):
        how = preprocessing.of(name)
        chain, reason = _chain(tensor, ends)
        if not chain:
            reasons.append(f"input {name} goes {reason}")
        elif how.layout != "NHWC":
            reasons.append(f"input {name} is transposed to {how.layout}")
        else:
            for layer, factor, offset in chain:
                how = _after(how, factor, offset)
                dropped.add(layer.name)
        fed[name] = how
    if not dropped:
        raise InputError(
            f"--normalize-outside: nothing to take out of model `{model.name}`: {'; '.join(reasons)}",
            "leave the option out",
            code="normalize-outside-unsuitable",
        )
    made = rebuild(flat, lambda layer: [] if layer.name in dropped else None)
    together = Preprocessing(inputs=tuple(fed.items())) if len(names) > 1 else fed[names[0]]
    return Outside(made, together, tuple(sorted(dropped)))


_AFFINE = names(lambda row: bool(row.export.affine))
_MOVING = names(lambda row: row.values in (Values.MOVES, Values.DROPS))
"""Layers whose outputs are values of their input, each at one place; they stay where they are."""
_LARGEST = 1 << 24
"""Values of a sample that are followed through such layers."""


def _chain(tensor: SymbolicTensor, ends: Collection[int]) -> tuple[list[tuple[KerasLayer, Array, Array]], str]:
    """Return the layers behind an input that can be taken out, each with factor and offset, and what ends them.

    The numbers are for the input's channels, also where the layer stands behind others that move values.

    Args:
        tensor: the input.
        ends: `id` of the layers whose outputs are the model's; none behind such a one is taken out.
    """
    chain: list[tuple[KerasLayer, Array, Array]] = []
    moving: list[KerasLayer] = []
    layer = tensor._keras_history.layer
    while True:
        following = list(layer._outbound_nodes)
        if id(layer) in ends:
            return chain, "to an output of the model"
        if len(following) != 1:
            return chain, f"to {len(following)} layers"
        layer = following[0].outbound_layer
        kind = type(layer).__name__
        if kind not in (*_AFFINE, *_MOVING) or len(layer._inbound_nodes) != 1:
            return chain, f"to {layer.name} ({kind})"
        if getattr(layer, "data_format", None) == "channels_first":  # it moves values in another order
            return chain, f"to {layer.name} ({kind}, channels first)"
        if kind in _MOVING:
            moving.append(layer)
            continue
        if not str(tensor.dtype.name).startswith("float"):
            return chain, f"as {tensor.dtype.name} to {layer.name}"
        if following[0].call_kwargs.get("training"):
            return chain, f"to {layer.name}, which is called with training=True"
        numbers = _affine(layer)
        per_channel = None if numbers is None else [_before(values, moving, tensor.shape[1:]) for values in numbers]
        if per_channel is None or per_channel[0] is None or per_channel[1] is None:
            return chain, f"to {layer.name}, which does not work per channel" + " of the input" * bool(moving)
        chain.append((layer, per_channel[0], per_channel[1]))


def _affine(layer: KerasLayer) -> tuple[Array, Array] | None:
    """Return factor and offset of a layer, (1,) or (channels,); None if it has others."""
    rank, channels = len(layer.input.shape), layer.input.shape[-1]
    kind = type(layer).__name__
    if kind == "Rescaling":
        factor, offset = (np.ravel(np.asarray(v, np.float64)) for v in (layer.scale, layer.offset))
    else:
        axes = layer.axis if isinstance(layer.axis, Sequence) else (layer.axis,)
        if any(axis % rank != rank - 1 for axis in axes):
            return None
        factor, offset = _normalization(layer) if kind == "Normalization" else _batch_normalization(layer)
    fits = all(len(v) in (1, channels) for v in (factor, offset)) and bool((factor != 0).all())
    return (factor, offset) if fits else None


def _normalization(layer: KerasLayer) -> tuple[Array, Array]:
    mean, variance = (np.ravel(np.asarray(v, np.float64)) for v in (layer.mean, layer.variance))
    spread = np.maximum(np.sqrt(variance), tf_keras().backend.epsilon())
    return (spread, mean) if layer.invert else (1 / spread, -mean / spread)


def _batch_normalization(layer: KerasLayer) -> tuple[Array, Array]:
    """Return what it does outside training: `(x - moving_mean) / sqrt(moving_variance + epsilon) * gamma + beta`."""
    mean, variance = (np.ravel(np.asarray(v, np.float64)) for v in (layer.moving_mean, layer.moving_variance))
    gamma, beta = (
        np.full_like(mean, default) if weight is None else np.ravel(np.asarray(weight, np.float64))
        for weight, default in ((layer.gamma, 1.0), (layer.beta, 0.0))
    )
    factor = gamma / np.sqrt(variance + layer.epsilon)
    return factor, beta - mean * factor


def _before(values: Array, moving: Sequence[KerasLayer], shape: Sequence[int | None]) -> Array | None:
    """Return numbers for the channels behind layers that move values as numbers for the input's channels.

    Args:
        values: (1,) or (channels,), behind those layers.
        moving: the layers, from the input on.
        shape: of a sample of the input.

    Returns:
        (1,) or (channels of the input,); None where values of one channel would need several numbers.
    """
    if len(values) == 1 or not moving:
        return values
    if None in shape or not 0 < (size := math.prod(int(n or 0) for n in shape)) <= _LARGEST:
        return None
    places = np.arange(size).reshape(1, *map(int, shape))  # type: ignore[arg-type]
    for layer in moving:
        places = _moved(layer, places)
    channels = int(shape[-1] or 1)
    by_channel = np.full(channels, np.nan)
    by_channel[(places % channels).ravel()] = np.broadcast_to(values, places.shape).ravel()
    same = bool((by_channel[places % channels] == values).all())
    by_channel[np.isnan(by_channel)] = 1.0  # of channels that are cropped away
    return by_channel if same else None


def _moved(layer: KerasLayer, places: Array) -> Array:
    """Return what a layer that moves values makes of a batch of one."""
    kind = type(layer).__name__
    if kind == "Identity":
        return places
    if kind == "Permute":
        return places.transpose(0, *layer.dims)
    if kind.startswith("Cropping"):
        ends = layer.cropping if isinstance(layer.cropping[0], Sequence) else [layer.cropping]
        axes = [slice(first, -last or None) for first, last in ends]
        return places[(slice(None), *axes)]
    return places.reshape(1, *map(int, layer.output.shape[1:]))


def _after(how: Preprocessing, factor: Array, offset: Array) -> Preprocessing:
    """Return `how`, then `y * factor + offset`: ((x * scale - mean) / std) * factor + offset."""
    if how.channels == "BGR":  # the layer works on reversed channels, mean and std on stored ones
        factor, offset = factor[::-1], offset[::-1]
    mean, std = np.asarray(how.mean), np.asarray(how.std)
    after = (mean - offset * std / factor, std / factor)
    return replace(how, mean=tuple(after[0].tolist()), std=tuple(after[1].tolist()))
