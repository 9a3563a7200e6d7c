"""What a model's first layers or operations tell about the values it expects: what the lint and the trial look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgekit.formats.steps import Step

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

    @classmethod
    def before(cls, name: str, shape: tuple[int | None, ...], dtype: str, steps: Iterable[Step]) -> ModelInput:
        """Return what the steps that a model begins with tell about an input.

        Args:
            name: of the input; empty where there is one.
            shape: of a sample, None where open.
            dtype: that the model declares.
            steps: behind the input, in order; no more are read than are needed.
        """
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
        return cls(
            name, shape, dtype, tuple(seen[:_SHOWN]), rescales, normalizes, mean, std, vocabulary, computes, shift
        )  # fmt: skip


@dataclass(frozen=True)
class ModelFacts:
    """A model.

    Attributes:
        inputs: in the order of the model.
        batch_norm: whether there is a BatchNormalization layer anywhere, or may be.
        channels_first: whether a first axis that is shorter than the last holds channels, as mostly in ONNX files.
    """

    inputs: tuple[ModelInput, ...]
    batch_norm: bool = False
    channels_first: bool = False

    @classmethod
    def of_graph(
        cls, inputs: Iterable[ModelInput], steps: Iterable[Sequence[Step]], *, channels_first: bool
    ) -> ModelFacts:
        """Return what the first operations of a graph tell: of a file, or of a function of TensorFlow's.

        Args:
            inputs: name, shape and dtype of each.
            steps: behind each of them; none where the graph cannot be read.
            channels_first: as the attribute.
        """
        known = [
            ModelInput.before(one.name, one.shape or (), one.dtype, behind) if behind else replace(one, computes=True)
            for one, behind in zip(inputs, steps, strict=True)
        ]
        # Of a graph nobody can tell whether a BatchNormalization became part of its weights.
        return cls(tuple(known), batch_norm=True, channels_first=channels_first)
