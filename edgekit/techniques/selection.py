"""From `all`, `conv`, `dense` or `name:PATTERN` to the kernels that weight pruning and clustering work on."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.samples import Array
from edgekit.techniques.channels.matching import PATTERN, by_reason, check_layers, nothing_matches

KERNELS = {
    "Dense": "kernel",
    "Conv1D": "kernel",
    "Conv2D": "kernel",
    "Conv2DTranspose": "kernel",
    "Conv3D": "kernel",
    "SeparableConv1D": "pointwise_kernel",
    "SeparableConv2D": "pointwise_kernel",
}
"""Layer class -> the weight that is pruned or clustered. TFMOT knows others; edgekit has not tried them."""

WITHOUT_KERNEL = ("BatchNormalization", "LayerNormalization", "Normalization", "PReLU")
"""Layers with weights that are no kernels: nobody expects them to be pruned."""


@dataclass(frozen=True)
class Chosen:
    """What a choice of layers means in a model.

    Attributes:
        layers: those to work on, in the model's order.
        whole: name to reason, for those that match and are left as they are.
    """

    layers: tuple[Any, ...]
    whole: dict[str, str]


def choose(model: Any, layers: str, verb: str) -> Chosen:
    """Choose layers of a flat model.

    Args:
        model: a tf_keras model without nested models.
        layers: `all`, `conv`, `dense`, or `name:` and a pattern with `*`, `?` and `[...]`, case-sensitive.
        verb: `pruned` or `clustered`, for messages.

    Raises:
        InputError: nothing matches, or nothing that matches can be worked on.
    """
    check_layers(layers)
    known = [layer for layer in model.layers if _counts(layer)]
    matching = [layer for layer in known if _matches(layer, layers)]
    if not matching:
        raise nothing_matches(model.name, layers, [layer.name for layer in known])
    whole = {layer.name: why for layer in matching if (why := _obstacle(layer, verb))}
    chosen = tuple(layer for layer in matching if layer.name not in whole)
    if not chosen:
        raise InputError(f"no layer of `{layers}` can be {verb}: {by_reason(whole)}", "choose other layers")
    return Chosen(chosen, whole)


def kernel(layer: Any) -> Array:
    """Return the kernel of one of `KERNELS`, float32."""
    value: Array = getattr(layer, KERNELS[type(layer).__name__]).numpy()
    return value


def _counts(layer: Any) -> bool:
    return bool(layer.weights) and type(layer).__name__ not in WITHOUT_KERNEL


def _matches(layer: Any, layers: str) -> bool:
    if layers.startswith(PATTERN):
        return fnmatchcase(layer.name, layers.removeprefix(PATTERN))
    kind = type(layer).__name__
    return layers == "all" or (kind == "Dense" if layers == "dense" else "Conv" in kind)


def _obstacle(layer: Any, verb: str) -> str:
    kind = type(layer).__name__
    if kind.startswith("Depthwise"):
        return f"depthwise kernels are never {verb} by TFMOT: they are few, and it costs too much accuracy"
    if kind not in KERNELS or type(layer) is not getattr(tf_keras().layers, kind):
        return f"a {kind} layer cannot be {verb}"
    return ""
