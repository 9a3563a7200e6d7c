"""Which axis of an input or output is its channels: what the first operators take for channels decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.models.imported.graph import (
    Arithmetic,
    Choose,
    Concatenate,
    Elementwise,
    Graph,
    Pad,
    ParametricRelu,
    Permute,
    Reduction,
    Slice,
    Step,
    Take,
)
from edgekit.models.imported.operators import Shape

_NEUTRAL: tuple[type, ...] = (Arithmetic, Choose, Concatenate, Elementwise, Pad, ParametricRelu, Slice)
"""Operations that say nothing of where channels are."""


@dataclass(frozen=True)
class Port:
    """An input or output of the new model, and of the file.

    Attributes:
        name: in the file.
        shape: of one sample in the file, a batch of 1 included.
        order: its axis for every axis of the model's behind the batch.
        channels: the axis in the file that its channels are on; None where there are none, or nothing tells.
    """

    name: str
    shape: Shape
    order: Shape
    channels: int | None = None

    @property
    def moved(self) -> bool:
        """Whether axes stand in another order than in the file."""
        return self.order != self.natural

    @property
    def natural(self) -> Shape:
        """Axes behind the batch as the file has them."""
        return tuple(sorted(self.order))

    @property
    def last(self) -> Shape:
        """Axes behind the batch with the channels last."""
        return self.natural if self.channels is None else channels_last(self.natural, self.channels)

    @property
    def first(self) -> bool:
        """Whether the model has its channels in front of its other axes."""
        return self.channels is not None and len(self.order) > 1 and self.order[0] == self.channels

    def sizes(self, order: Shape) -> tuple[int, ...]:
        """Return the sizes of a sample whose axes stand in an order."""
        return tuple(self.shape[axis] for axis in order)


def channels_last(axes: Shape, channels: int) -> Shape:
    """Return axes with that of the channels behind the others."""
    return (*(axis for axis in axes if axis != channels), channels)


def channels_of(graph: Graph) -> dict[str, int]:
    """Return, by its name, the axis of channels of every input of three axes or more that the graph tells it of."""
    found = {name: _channels(graph, name) for name in graph.inputs if len(graph.shapes[name]) > 2}
    return {name: axis for name, axis in found.items() if axis is not None}


def _channels(graph: Graph, name: str) -> int | None:
    rank = len(graph.shapes[name])
    same: dict[str, Shape] = {name: tuple(range(rank))}  # which axis of the input every axis of a value is
    for step in graph.steps:
        axes = next((same[value] for value in step.inputs if value in same), None)
        if axes is None:
            continue
        axis = _told(step, axes)
        if axis is not None:
            return axis
        operation = step.operation
        if isinstance(operation, Permute):
            same[step.outputs[0]] = tuple(axes[place] for place in operation.order)
        elif isinstance(operation, _NEUTRAL):
            same |= _alike(step, axes, graph.shapes)
    return None


def _told(step: Step, axes: Shape) -> int | None:
    """Return the axis that an operation takes for channels, of the input that its own one is."""
    operation, rank = step.operation, len(axes)
    channels = getattr(operation, "channels", None)
    if channels is not None:
        return axes[channels] if channels < rank else None
    if isinstance(operation, Take) and operation.axis == 1 and not operation.places.ndim:
        return axes[1]  # one channel of an image
    if isinstance(operation, Reduction) and operation.axes == tuple(range(2, rank)):
        return axes[1]
    return None


def _alike(step: Step, axes: Shape, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    return {name: axes for name in step.outputs if len(shapes.get(name, ())) == len(axes)}
