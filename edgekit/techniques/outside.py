"""Rescaling and Normalization at a model's start, moved into the preprocessing that comes before the file.

An int8 input has one scale. Where a model normalises by itself, that scale has to span the raw values: columns of a
table with other ranges lose their steps, and an image costs an operator more. Done before, in float, it costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.backend import tf_keras
from edgekit.columns import Array
from edgekit.errors import InputError
from edgekit.preprocessing import Preprocessing
from edgekit.techniques.rebuild import rebuild


@dataclass(frozen=True)
class Outside:
    """A model without the layers that its preprocessing does now.

    Attributes:
        model: a tf_keras functional model.
        preprocessing: from stored samples to its inputs.
        layers: names of those taken out.
    """

    model: Any
    preprocessing: Preprocessing
    layers: tuple[str, ...]


def normalize_outside(model: Any, preprocessing: Preprocessing, names: Sequence[str]) -> Outside:
    """Take Rescaling and Normalization layers at the start of a model out of it.

    Args:
        model: a tf_keras model with a graph; it is left as it is.
        preprocessing: from stored samples to its inputs.
        names: of the inputs, in the model's order, as the preprocessing knows them.

    Returns:
        The model and the preprocessing that together compute what they computed before.

    Raises:
        InputError: no layer can be taken out; said why.
    """
    flat = rebuild(model)
    dropped: set[str] = set()
    reasons = []
    fed: dict[str, Preprocessing] = {}
    for tensor, name in zip(flat.inputs, names, strict=True):
        how = preprocessing.of(name)
        chain, reason = _chain(tensor)
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
            f"--normalize-outside: nothing to take out of {model.name}: {'; '.join(reasons)}", "leave the option out"
        )
    made = rebuild(flat, lambda layer: [] if layer.name in dropped else None)
    together = Preprocessing(inputs=tuple(fed.items())) if preprocessing.inputs else fed[names[0]]
    return Outside(made, together, tuple(sorted(dropped)))


def _chain(tensor: Any) -> tuple[list[tuple[Any, Array, Array]], str]:
    """Return the layers behind an input that can be taken out, each with factor and offset, and what ends them."""
    chain: list[tuple[Any, Array, Array]] = []
    layer = tensor._keras_history.layer
    while True:
        following = [node.outbound_layer for node in layer._outbound_nodes]
        if len(following) != 1:
            return chain, f"to {len(following)} layers"
        layer = following[0]
        if type(layer).__name__ not in ("Rescaling", "Normalization") or len(layer._inbound_nodes) != 1:
            return chain, f"to {layer.name} ({type(layer).__name__})"
        if not str(tensor.dtype.name).startswith("float"):
            return chain, f"as {tensor.dtype.name} to {layer.name}"
        numbers = _affine(layer)
        if numbers is None:
            return chain, f"to {layer.name}, which does not work per channel"
        chain.append((layer, *numbers))


def _affine(layer: Any) -> tuple[Array, Array] | None:
    """Return factor and offset of a layer, (1,) or (channels,); None if it has others."""
    rank, channels = len(layer.input.shape), layer.input.shape[-1]
    if type(layer).__name__ == "Rescaling":
        factor, offset = (np.ravel(np.asarray(v, np.float64)) for v in (layer.scale, layer.offset))
    else:
        mean, variance = (np.ravel(np.asarray(v, np.float64)) for v in (layer.mean, layer.variance))
        spread = np.maximum(np.sqrt(variance), tf_keras().backend.epsilon())
        factor, offset = (spread, mean) if layer.invert else (1 / spread, -mean / spread)
        if any(axis % rank != rank - 1 for axis in layer.axis):
            return None
    fits = all(len(v) in (1, channels) for v in (factor, offset)) and bool((factor != 0).all())
    return (factor, offset) if fits else None


def _after(how: Preprocessing, factor: Array, offset: Array) -> Preprocessing:
    """Return `how`, then `y * factor + offset`: ((x * scale - mean) / std) * factor + offset."""
    mean, std = np.asarray(how.mean), np.asarray(how.std)
    return Preprocessing(
        how.scale, tuple((mean - offset * std / factor).tolist()), tuple((std / factor).tolist()), how.layout
    )
