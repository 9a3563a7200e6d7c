"""A Keras model as a source: everything can be made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgekit.data.lint.model_facts import ModelFacts
from edgekit.data.trial import cost
from edgekit.errors import InputError
from edgekit.frameworks.types import KerasModel
from edgekit.models.files.settled import settled_keras
from edgekit.models.keras.asking import asking, predicted
from edgekit.models.keras.facts import flat_layers, keras_facts
from edgekit.models.keras.macs import about_macs
from edgekit.models.keras.outputs import last_activation
from edgekit.models.keras.outside import normalize_outside
from edgekit.models.sources.in_memory import InMemory
from edgekit.models.sources.source import Format, NormalizedOutside, Predict, Sizes, Values
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import Array, ModelInputs


@dataclass(frozen=True)
class KerasSource(InMemory):
    """A tf_keras model, sequential or functional.

    Attributes:
        model: the model, in floating point.
        quantized: the same with the fake quantization it was trained with, or None.
    """

    model: KerasModel
    quantized: KerasModel | None = None
    format: Format = "keras"
    untrainable: str = ""

    @property
    def activations(self) -> tuple[str, ...]:
        """Of the last layers."""
        return tuple(map(last_activation, self.model.outputs))

    @property
    def layer_types(self) -> frozenset[str]:
        """Of nested models their layers'."""
        return frozenset(type(layer).__name__ for layer in flat_layers(self.model))

    @property
    def parameters(self) -> int:
        """Trainable or not."""
        return int(self.model.count_params())

    @property
    def cost(self) -> float:
        """From the shapes of weights and outputs."""
        return cost.of_model(about_macs(self.model))

    def facts(self) -> ModelFacts:
        """Look at its first layers."""
        return keras_facts(self.model)

    def predict(self, inputs: ModelInputs) -> list[Array]:
        """As `model.predict`."""
        return predicted(self.model, inputs)

    def predictor(self) -> Predict:
        """Compiled, without the half second that Keras's `predict` takes each time."""
        return asking(self.model)

    def settled(self, sizes: Sizes, values: Values) -> KerasSource:
        """Call the same layers on inputs of these sizes."""
        by_own_name = self.by_own_name(sizes, values)
        quantized = None if self.quantized is None else settled_keras(self.quantized, *by_own_name)
        return replace(self, model=settled_keras(self.model, *by_own_name), quantized=quantized)

    def try_out(self) -> None:
        """Do nothing: Keras has called its layers already."""

    def normalized_outside(self, preprocessing: Preprocessing) -> NormalizedOutside:
        """Build it again without these layers."""
        if self.quantized is not None:
            raise InputError(
                f"`--normalize-outside`: `{self.model.name}` was trained with fake quantization and these layers",
                "leave the option out",
                code="normalize-outside-unsuitable",
            )
        made = normalize_outside(self.model, preprocessing, [port.name for port in self.inputs])
        return NormalizedOutside(replace(self, model=made.model), made.preprocessing, made.layers)
