"""Whether an input's channels come first in the file: what the first operators take for channels decides."""

from __future__ import annotations

from edgekit.models.imported.graph import (
    Arithmetic,
    Choose,
    Concatenate,
    Elementwise,
    Graph,
    Pad,
    ParametricRelu,
    Reduction,
    Slice,
    Take,
)

_NEUTRAL: tuple[type, ...] = (Arithmetic, Choose, Concatenate, Elementwise, Pad, ParametricRelu, Slice)
"""Operations that say nothing of where channels are."""


def channels_first(graph: Graph) -> frozenset[str]:
    """Return the inputs, of three axes or more, that are read with their channels behind the batch."""
    return frozenset(name for name in graph.inputs if len(graph.shapes[name]) > 2 and _first(graph, name))


def _first(graph: Graph, name: str) -> bool:
    same, rank = {name}, len(graph.shapes[name])
    for step in graph.steps:
        if not same.intersection(step.inputs):
            continue
        channels = getattr(step.operation, "channels", None)
        if channels is not None:
            return bool(channels == 1)
        if isinstance(step.operation, Take) and step.operation.axis == 1 and not step.operation.places.ndim:
            return True  # one channel of an image
        if isinstance(step.operation, Reduction) and step.operation.axes == tuple(range(2, rank)):
            return True
        if isinstance(step.operation, _NEUTRAL):
            same.update(step.outputs)
    return False
