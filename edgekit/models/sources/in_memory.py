"""What models in memory have in common, of Keras or not: the names and shapes of their tensors."""

from __future__ import annotations

from collections.abc import Mapping

from edgekit.data.fitting import Port, ports
from edgekit.formats.identifiers import identifiers
from edgekit.frameworks.types import KerasModel
from edgekit.models.sources.source import Shape, Sizes, Values


class InMemory:
    """A source whose model has `inputs`, `outputs` and their names, as those of Keras have."""

    model: KerasModel

    @property
    def inputs(self) -> tuple[Port, ...]:
        """Named as in the files made of it."""
        return tuple(ports(identifiers(self.model.input_names), self.model.inputs))

    @property
    def outputs(self) -> tuple[Port, ...]:
        """Likewise."""
        return tuple(ports(identifiers(self.model.output_names), self.model.outputs))

    @property
    def input_shapes(self) -> Mapping[str, Shape]:
        """As the layers were built for, or as the signature says."""
        names = identifiers(self.model.input_names)
        return {name: tuple(tensor.shape) for name, tensor in zip(names, self.model.inputs, strict=True)}

    def by_own_name(self, sizes: Sizes, values: Values) -> tuple[Sizes, Values]:
        """Return sizes and values of inputs by the names that the model itself has for them."""
        own = dict(zip(identifiers(self.model.input_names), self.model.input_names, strict=True))
        return {own[name]: sizes[name] for name in sizes}, {own[name]: values[name] for name in values}
