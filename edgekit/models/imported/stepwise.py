"""A rebuilt model compared with its file operator by operator, each fed what the file's own operators computed.

So rounding does not add up on the way, and the operator that is named is the one that differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from edgekit.frameworks.tensorflow import tf_keras
from edgekit.frameworks.types import Tensor
from edgekit.models.imported.graph import Graph, Step
from edgekit.models.imported.lowering.lower import Lowered
from edgekit.models.imported.lowering.value import Value
from edgekit.models.keras.proof import difference, largest
from edgekit.tasks.samples import Array

TOLERANCE = 1e-5
"""Of an operator's output, times the largest absolute value in it, or `CANCELLED` times the largest in its inputs."""
CANCELLED = 1e-3
NUDGE = 2.0**-20
"""Of every value fed, about what rounding adds up to: where an operator is as steep as a sine of hundreds, its output
moves by more than the tolerance."""
ROUNDED = 1e-3
"""Times the largest value of an output, the largest difference that is rounding all the same."""
MOST_BYTES = 1 << 30
"""Of all values of all samples: of large networks fewer samples are compared."""

Run = Callable[[Sequence[Array], Sequence[str]], list[Array]]
"""The file's own runtime: of inputs (n, ...), as the file takes them, the named values (n, 1, ...)."""


@dataclass(frozen=True)
class Difference:
    """An operator that computes something else.

    Attributes:
        step: of the graph.
        off: the largest difference in its output.
    """

    step: Step
    off: float


def first_difference(lowered: Lowered, graph: Graph, run: Run, inputs: Sequence[Array]) -> Difference | None:
    """Return the first operator that computes something else than the file's from the same values; None: none does.

    Args:
        lowered: the rebuilt model.
        graph: of the file.
        run: the file.
        inputs: (n, ...) each, as the file takes them.

    Raises:
        InputError: the file cannot be run.
    """
    values = _comparable(lowered, graph)
    names = [name for step in graph.steps for name in step.outputs if name in values]
    one = 4 * sum(prod(values[name].shape) for name in names)
    few = [array[: max(1, MOST_BYTES // one)] for array in inputs]
    known = {
        name: array.reshape(len(array), *graph.shapes[name]) for name, array in zip(graph.inputs, few, strict=True)
    }
    known |= dict(zip(names, run(few, names), strict=True))
    makers = {name: step for step in graph.steps for name in step.outputs}
    ends = {id(value.tensor): name for name, value in values.items()}
    for name in names:
        sources = _sources(values[name].tensor, ends)
        if not sources:  # an input, passed on
            continue
        part = _Part(values, sources, name, [known[source] for source in sources])
        off, scale = difference(known[name], part.computed()), largest(known[name])
        if off > TOLERANCE * max(scale, CANCELLED * part.largest) and off > min(part.steepness(), ROUNDED * scale):
            return Difference(makers[name], off)
    return None


def _comparable(lowered: Lowered, graph: Graph) -> dict[str, Value]:
    """Return the values of the file whose axes are known.

    What is looked through: parts of an operator that have no value in the file, and flattened values in another order.
    """
    kept = {*graph.inputs, *(name for step in graph.steps for name in step.of.outputs)}
    return {
        name: value
        for name, value in lowered.values.items()
        if name in kept and value.mix is None and hasattr(value.tensor, "_keras_history")
    }


def _sources(tensor: Tensor, ends: Mapping[int, str]) -> list[str]:
    """Return the comparable values that a tensor of the model is computed from, by as few layers as can be."""
    found: dict[str, None] = {}
    left, seen = [tensor.node], set[int]()
    while left:
        node = left.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        for given in node.keras_inputs:
            if id(given) in ends:
                found[ends[id(given)]] = None
            else:
                left.append(given.node)
    return list(found)


class _Part:
    """What the model makes of values of the file.

    Args:
        values: of the model, by name.
        sources: that it is fed.
        name: of the value that it computes.
        fed: the values of the file, one a source.
    """

    def __init__(self, values: Mapping[str, Value], sources: Sequence[str], name: str, fed: Sequence[Array]) -> None:
        self._target, ends = values[name], [values[source] for source in sources]
        self._fed = [_stored(array, value) for array, value in zip(fed, ends, strict=True)]
        self._model = tf_keras().Model([value.tensor for value in ends], self._target.tensor)
        self.largest = max(largest(array) for array in fed)

    def computed(self) -> Array:
        """Return the value, as the file has it."""
        return self._run(self._fed)

    def steepness(self) -> float:
        """Return by how much it moves when what it is fed does by `NUDGE`."""
        rng = np.random.default_rng(0)
        nudged = [x * (1 + NUDGE * rng.choice([-1, 1], x.shape)) if x.dtype.kind == "f" else x for x in self._fed]
        return difference(
            self.computed(), self._run([x.astype(o.dtype) for x, o in zip(nudged, self._fed, strict=True)])
        )

    def _run(self, fed: Sequence[Array]) -> Array:
        made = self._model(fed if len(fed) > 1 else fed[0], training=False)
        return as_in_file(np.asarray(made), self._target.order, self._target.shape)


def _stored(array: Array, value: Value) -> Array:
    """Return a value of the file, (n, logical axes), as the model has it: (n, stored axes)."""
    logical = array.reshape(len(array), *value.shape)
    batch = () if value.batch is None else (value.batch,)
    stored = logical.transpose(0, *(1 + axis for axis in (*value.order, *batch)))
    return stored.reshape(stored.shape[: 1 + len(value.order)]).astype(value.tensor.dtype.name)


def as_in_file(array: Array, order: Sequence[int], shape: Sequence[int]) -> Array:
    """Return what the model computed, (n, stored axes), as the file has it: (n, logical axes)."""
    return array.transpose(0, *(1 + order.index(axis) for axis in sorted(order))).reshape(len(array), *shape)
