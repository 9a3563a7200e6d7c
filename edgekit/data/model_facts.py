"""What a Keras model's first layers tell about the values it expects. Keras 2 and 3, without importing either."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

_NORMALIZING = ("Normalization", "BatchNormalization", "SyncBatchNormalization", "LayerNormalization")
_NEUTRAL = (
    "InputLayer", "Rescaling", "Reshape", "Flatten", "Permute", "Resizing", "CenterCrop", "Dropout", "GaussianNoise",
    "GaussianDropout", "SpatialDropout1D", "SpatialDropout2D", "ZeroPadding1D", "ZeroPadding2D", "Cropping1D",
    "Cropping2D", "Masking", "ActivityRegularization", "AveragePooling2D", "MaxPooling2D", "Cast", "Identity",
)  # fmt: skip
_SHOWN = 8
RESCALES_BYTES = 1 / 8
"""A Rescaling layer by this or less is meant for values that are much larger than 1."""
FAR_FROM_ONE = 8
"""So is a Normalization layer of values with such a mean and standard deviation."""


@dataclass(frozen=True)
class ModelInput:
    """What one input goes through before, and including, the first layer with trained weights.

    Attributes:
        name: of the input.
        shape: of a sample, None where open; None if unknown.
        dtype: that the model declares.
        first_layers: class names.
        rescales: factor of a Rescaling layer; None without one.
        normalizes: a Normalization or BatchNormalization layer comes first.
        mean, std: that such a layer subtracts and divides by; empty if unknown.
        vocabulary: of an Embedding that comes first; None without one.
        computes: other layers compute something first, so that the expected range is not known.
    """

    name: str = ""
    shape: tuple[int | None, ...] | None = None
    dtype: str = "float32"
    first_layers: tuple[str, ...] = ()
    rescales: float | None = None
    normalizes: bool = False
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    vocabulary: int | None = None
    computes: bool = False

    @property
    def takes_raw(self) -> bool:
        """Whether it takes integers, or its first layers bring large values, such as bytes, to about 1."""
        if self.dtype.startswith(("int", "uint")):
            return True
        if self.rescales is not None:
            return self.rescales <= RESCALES_BYTES
        largest = max((abs(mean) + std for mean, std in zip(self.mean, self.std, strict=True)), default=0.0)
        return "Normalization" in self.first_layers and largest > FAR_FROM_ONE


@dataclass(frozen=True)
class ModelFacts:
    """A model.

    Attributes:
        inputs: in the order of the model.
        batch_norm: whether there is a BatchNormalization layer anywhere.
    """

    inputs: tuple[ModelInput, ...]
    batch_norm: bool = False


def model_facts(model: Any) -> ModelFacts:
    """Look at a Keras model, of Keras 2 or 3, sequential, functional or nested."""
    layers = list(_flat(model))
    inside = {id(layer) for layer in layers}
    names = list(getattr(model, "input_names", None) or [])
    tensors = list(model.inputs)
    found = []
    for index, tensor in enumerate(tensors):
        name = names[index] if index < len(names) else str(tensor.name).partition(":")[0]
        start = next((layer for layer in layers if _kind(layer) == "InputLayer" and layer.name == name), None)
        order = layers if len(tensors) == 1 else list(_after(start, inside))
        shape = tuple(None if n is None else int(n) for n in tuple(tensor.shape)[1:])
        found.append(
            _one(name if len(tensors) > 1 else "", shape, str(getattr(tensor.dtype, "name", tensor.dtype)), order)
        )
    return ModelFacts(tuple(found), any(_kind(layer).endswith("BatchNormalization") for layer in layers))


def _one(name: str, shape: tuple[int | None, ...], dtype: str, layers: list[Any]) -> ModelInput:
    rescales: float | None = None
    normalizes, mean, std = False, (), ()
    vocabulary, computes = None, False
    seen: list[str] = []
    for layer in layers:
        kind = _kind(layer)
        if kind != "InputLayer":
            seen.append(kind)
        if kind == "Rescaling" and rescales is None and not normalizes:
            scale = np.ravel(np.asarray(layer.scale, np.float64))
            rescales = float(np.abs(scale).mean())
        elif kind in _NORMALIZING:
            if not normalizes and rescales is None:
                mean, std = _moments(layer)
            normalizes = True
        elif kind == "Embedding":
            vocabulary = int(layer.input_dim)
            break
        elif getattr(layer, "weights", None):
            break
        elif kind not in _NEUTRAL and not kind.startswith("Random"):
            computes = True
            break
    return ModelInput(
        name, shape, dtype, tuple(seen[:_SHOWN]), rescales, normalizes, mean, std, vocabulary, computes
    )  # fmt: skip


def _moments(layer: Any) -> tuple[Any, Any]:
    """Return the mean and standard deviation per channel that a layer normalizes with; empty if it has none."""
    mean = getattr(layer, "moving_mean", None) if hasattr(layer, "moving_mean") else getattr(layer, "mean", None)
    variance = (
        getattr(layer, "moving_variance", None)
        if hasattr(layer, "moving_variance")
        else getattr(layer, "variance", None)
    )
    if mean is None or variance is None:
        return (), ()
    means, variances = np.ravel(np.asarray(mean, np.float64)), np.ravel(np.asarray(variance, np.float64))
    return tuple(means.tolist()), tuple(np.sqrt(np.maximum(variances, 0)).tolist())


def _flat(model: Any) -> Iterator[Any]:
    # Keras 3 keeps arithmetic between layers out of `layers`.
    for layer in getattr(model, "operations", None) or model.layers:
        if getattr(layer, "layers", None):
            yield from _flat(layer)
        else:
            yield layer


def _after(start: Any, inside: set[int]) -> Iterator[Any]:
    """Yield the layers that follow an input layer, nearest first; several where it is used more than once."""
    waiting, seen = [start] if start is not None else [], set()
    while waiting:
        layer = waiting.pop(0)
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        if getattr(layer, "layers", None):
            yield from _flat(layer)
            continue
        yield layer
        for node in getattr(layer, "_outbound_nodes", ()):
            follower = getattr(node, "operation", None) or getattr(node, "outbound_layer", None)
            if follower is not None and (id(follower) in inside or getattr(follower, "layers", None)):
                waiting.append(follower)


def _kind(layer: Any) -> str:
    return type(layer).__name__
