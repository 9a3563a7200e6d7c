"""A model to compress, of whatever kind: what the rest of edgekit asks of it, and nothing else.

KerasSource    layers and weights: everything
PlainSource    a function of TensorFlow's, such as a SavedModel without Keras: post-training schemes
FileSource     a float `.tflite` or `.onnx` file: post-training schemes, in its own format
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from edgekit.data.fitting import Port
from edgekit.data.lint.model_facts import ModelFacts
from edgekit.errors import InputError
from edgekit.frameworks.types import KerasModel
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import Array, ModelInputs

Format = Literal["keras", "tflite", "onnx"]
Shape = tuple[int | None, ...]
Sizes = Mapping[str, tuple[int, ...]]
"""By the name of an input its sizes, the batch of 1 first."""
Values = Mapping[str, float]
"""By the name of an input the number that it holds at every inference."""
Predict = Callable[[ModelInputs], Sequence[Array]]
"""From model inputs, one array or a tuple of them, to one array an output."""


@dataclass(frozen=True)
class NormalizedOutside:
    """A source without the layers that its preprocessing does now.

    Attributes:
        source: the model that is left.
        preprocessing: from stored samples to its inputs.
        layers: names of those taken out.
    """

    source: SourceModel
    preprocessing: Preprocessing
    layers: tuple[str, ...]


class SourceModel(Protocol):
    """A model to compress."""

    @property
    def format(self) -> Format:
        """What it is written in, which decides what can be made of it (`edgekit.export.sources`)."""

    @property
    def model(self) -> KerasModel:
        """The model itself: a tf_keras model, a `PlainModel` or a `FileModel`.

        Raises:
            InputError: a file that is damaged, quantized already, or has inputs whose sizes are open.
        """

    @property
    def quantized(self) -> KerasModel | None:
        """The model with the fake quantization it was trained with; None if it was not."""

    @property
    def untrainable(self) -> str:
        """Why stages cannot be run on it, a sentence; empty if they can."""

    @property
    def inputs(self) -> tuple[Port, ...]:
        """Its inputs, named as in the files made of it."""

    @property
    def outputs(self) -> tuple[Port, ...]:
        """Its outputs, likewise."""

    @property
    def input_shapes(self) -> Mapping[str, Shape]:
        """Sizes of its inputs by name, the batch first, None where open; () for a bare number."""

    @property
    def activations(self) -> tuple[str, ...]:
        """Name of the activation that each output comes out of; empty where that is not known."""

    @property
    def layer_types(self) -> frozenset[str]:
        """Names of the classes of its layers, nested ones too; empty where it has none."""

    @property
    def parameters(self) -> int:
        """Number of parameters."""

    @property
    def cost(self) -> float:
        """About how many multiplications a sample takes, with what calling costs."""

    def facts(self) -> ModelFacts:
        """Return what its first layers or operations tell about the values it expects."""

    def predict(self, inputs: ModelInputs) -> list[Array]:
        """Return the outputs for preprocessed samples, one array or a tuple of them.

        Raises:
            InputError: the samples do not fit, or the model fails on them.
        """

    def predictor(self) -> Predict:
        """Return what `predict` does, as a function that is quick where it is called often with few samples."""

    def settled(self, sizes: Sizes, values: Values) -> SourceModel:
        """Return it with inputs of fixed sizes, and constants in place of the inputs with values.

        Raises:
            InputError: it cannot take these sizes or values.
        """

    def try_out(self) -> None:
        """Run it on made-up inputs, where only that tells whether it can be.

        Raises:
            InputError: it cannot.
        """

    def normalized_outside(self, preprocessing: Preprocessing) -> NormalizedOutside:
        """Return it without the Rescaling and (Batch)Normalization that it begins with.

        Args:
            preprocessing: from stored samples to its inputs.

        Raises:
            InputError: nothing can be taken out, with the reason.
        """


def no_layers_to_move(name: str) -> InputError:
    """Return the refusal of `--normalize-outside` for a model that has no layers."""
    return InputError(
        f"`--normalize-outside`: `{name}` has no layers to move",
        "leave the option out",
        code="normalize-outside-unsuitable",
    )
