"""A function of TensorFlow's as a source: post-training schemes can be made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgekit.data.lint.model_facts import ModelFacts, ModelInput
from edgekit.data.trial import cost
from edgekit.models.files.plain import PlainModel
from edgekit.models.files.settled import settled_plain
from edgekit.models.keras.asking import predicted
from edgekit.models.sources.in_memory import InMemory
from edgekit.models.sources.source import Format, NormalizedOutside, Predict, Sizes, Values, no_layers_to_move
from edgekit.tasks.preprocessing import Preprocessing
from edgekit.tasks.samples import Array, ModelInputs, dtype_name


@dataclass(frozen=True)
class PlainSource(InMemory):
    """A SavedModel without Keras's description, or a Keras model that can only be called as a whole.

    Attributes:
        model: the function, with its variables.
        untrainable: why it cannot be trained.
    """

    model: PlainModel
    untrainable: str
    format: Format = "keras"
    quantized: None = None
    activations: tuple[str, ...] = ()
    layer_types: frozenset[str] = frozenset()

    @property
    def parameters(self) -> int:
        """Of floating point."""
        return self.model.count_params()

    @property
    def cost(self) -> float:
        """From the number of parameters."""
        return cost.of_parameters(self.parameters)

    def facts(self) -> ModelFacts:
        """Look at the first operations of its graph."""
        names = list(self.model.input_names) if len(self.model.inputs) > 1 else [""]
        inputs = [
            ModelInput(name, tuple(tensor.shape)[1:], dtype_name(tensor))
            for name, tensor in zip(names, self.model.inputs, strict=True)
        ]
        return ModelFacts.of_graph(inputs, self.model.leading(), channels_first=False)

    def predict(self, inputs: ModelInputs) -> list[Array]:
        """Run it on all samples."""
        return predicted(self.model, inputs)

    def predictor(self) -> Predict:
        """Return `predict`, which is compiled."""
        return self.predict

    def settled(self, sizes: Sizes, values: Values) -> PlainSource:
        """Make another function of it."""
        by_own_name = self.by_own_name(sizes, values)
        return replace(self, model=settled_plain(self.model, *by_own_name))

    def try_out(self) -> None:
        """Do nothing: it was run on a sample of zeros already."""

    def normalized_outside(self, preprocessing: Preprocessing) -> NormalizedOutside:
        """Refuse."""
        raise no_layers_to_move(self.model.name)
