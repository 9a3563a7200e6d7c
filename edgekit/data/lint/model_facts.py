"""What a model's first layers or operations tell about the values it expects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.data.lint.keras_steps import layer_step
from edgekit.formats.steps import Step
from edgekit.samples import dtype_name

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
        first_layers: class names of layers, or names of operations.
        rescales: factor of a Rescaling layer, or of arithmetic with constants; None without.
        normalizes: a Normalization or BatchNormalization layer comes first.
        mean, std: that such a layer subtracts and divides by; empty if unknown.
        vocabulary: of an Embedding that comes first; None without one.
        computes: other layers compute something first, so that the expected range is not known.
        shift: added behind `rescales`.
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
    shift: float = 0.0

    @property
    def takes_integers(self) -> bool:
        """Whether values are tokens, or of an integer type: neither is scaled."""
        return self.vocabulary is not None or not self.dtype.startswith(("float", "bfloat"))

    @property
    def takes_raw(self) -> bool:
        """Whether it takes integers, or its first layers bring large values, such as bytes, to about 1."""
        if self.dtype.startswith(("int", "uint")):
            return True
        if self.rescales is not None:
            return (1 + abs(self.shift)) * RESCALES_BYTES >= self.rescales
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
    """Look at a model: a Keras model, of Keras 2 or 3, sequential, functional or nested, or what has a `leading`.

    Of others nothing is known.
    """
    if not hasattr(model, "layers"):
        return _of_file(model) if hasattr(model, "leading") else ModelFacts(())
    layers = list(flat_layers(model))
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
            _one(
                name if len(tensors) > 1 else "",
                shape,
                dtype_name(tensor),
                (layer_step(layer) for layer in order if _kind(layer) != "InputLayer"),
            )
        )
    return ModelFacts(tuple(found), any(_kind(layer).endswith("BatchNormalization") for layer in layers))


def input_facts(model: Any) -> list[ModelInput | None]:
    """Return what is known of each input of a model, whatever it is."""
    found = list(model_facts(model).inputs)
    return [*found] if len(found) == len(model.inputs) else [None] * len(model.inputs)


def _of_file(model: Any) -> ModelFacts:
    """Look at a model that knows its first operations: a file, or a function of TensorFlow's."""
    names = list(model.input_names) if len(model.inputs) > 1 else [""]
    found = [
        _one(name, tuple(tensor.shape)[1:], dtype_name(tensor), steps)
        if steps
        else ModelInput(name, tuple(tensor.shape)[1:], dtype_name(tensor), computes=True)
        for name, tensor, steps in zip(names, model.inputs, model.leading(), strict=True)
    ]
    # Of a file nobody can tell whether a BatchNormalization became part of its weights.
    return ModelFacts(tuple(found), batch_norm=True)


def _one(name: str, shape: tuple[int | None, ...], dtype: str, steps: Iterable[Step]) -> ModelInput:
    rescales: float | None = None
    shift = 0.0
    normalizes = False
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    vocabulary, computes = None, False
    seen: list[str] = []
    for step in steps:
        seen.append(step.name)
        if step.kind == "affine" and not normalizes:
            factor, offset = float(np.abs(step.factor).mean()), float(np.mean(step.offset))
            rescales, shift = factor * (1.0 if rescales is None else rescales), shift * factor + offset
        elif step.kind == "normalise":
            if not normalizes and rescales is None:
                mean, std = step.mean, step.std
            normalizes = True
        elif step.kind == "tokens":
            vocabulary = step.vocabulary
            break
        elif step.kind in ("weights", "other"):
            computes = step.kind == "other"
            break
    return ModelInput(
        name, shape, dtype, tuple(seen[:_SHOWN]), rescales, normalizes, mean, std, vocabulary, computes, shift
    )  # fmt: skip


def flat_layers(model: Any) -> Iterator[Any]:
    """Yield the layers of a Keras model, those of nested models in place of these."""
    # Keras 3 keeps arithmetic between layers out of `layers`.
    for layer in getattr(model, "operations", None) or model.layers:
        if getattr(layer, "layers", None):
            yield from flat_layers(layer)
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
            yield from flat_layers(layer)
            continue
        yield layer
        for node in getattr(layer, "_outbound_nodes", ()):
            follower = getattr(node, "operation", None) or getattr(node, "outbound_layer", None)
            if follower is not None and (id(follower) in inside or getattr(follower, "layers", None)):
                waiting.append(follower)


def _kind(layer: Any) -> str:
    return type(layer).__name__
