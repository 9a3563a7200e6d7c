"""What a function that reads an operator may look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgekit.models.imported.graph import Operation, Pads, Step
from edgekit.models.imported.operators import Operator, Operators, Shape, Unsupported
from edgekit.tasks.samples import Array


@dataclass(frozen=True)
class At:
    """An operator and the graph around it.

    Attributes:
        node: the operator.
        graph: of the file.
        made_constants: by name, those that readings make.
    """

    node: Operator
    graph: Operators
    made_constants: dict[str, Array] = field(default_factory=dict)

    def has(self, place: int) -> bool:
        """Return whether an input is given."""
        return len(self.node.inputs) > place and bool(self.node.inputs[place])

    def shape(self, place: int = 0) -> Shape:
        """Return the sizes of an input."""
        return self.graph.shapes[self.node.inputs[place]]

    @property
    def rank(self) -> int:
        """Number of axes of the first input."""
        return len(self.shape())

    @property
    def made(self) -> Shape:
        """Sizes of the first output."""
        return self.graph.shapes[self.node.outputs[0]]

    def known(self, place: int) -> Array | None:
        """Return an input that is constant; None for others, and where none is given."""
        return self.graph.constants.get(self.node.inputs[place]) if self.has(place) else None

    def weights(self, place: int, what: str) -> Array:
        """Return an input that has to be constant, in float32.

        Raises:
            Unsupported: it is computed from the model's inputs.
        """
        values = self.known(place)
        if values is None:
            raise Unsupported(f"its {what} are computed from the model's inputs, and layers have constant ones")
        return np.asarray(values, np.float32)

    def bias(self, place: int) -> Array | None:
        """Return a bias that may be left out."""
        return self.weights(place, "biases") if self.has(place) else None

    def integers(self, name: str, place: int) -> Shape | None:
        """Return a list of whole numbers that is an attribute in old opsets and an input in new ones; None if neither.

        Raises:
            Unsupported: it is computed from the model's inputs.
        """
        given = self.node.integers(name)
        if given is not None or not self.has(place):
            return given
        values = self.known(place)
        if values is None:
            raise Unsupported(f"its `{name}` depends on the values of the model's inputs")
        return tuple(int(n) for n in np.asarray(values).reshape(-1))

    def number(self, name: str, place: int, default: float) -> float:
        """Return a number that is an attribute in old opsets and an input in new ones."""
        if name in self.node.attributes or not self.has(place):
            return self.node.real(name, default)
        values = self.known(place)
        if values is None or values.size != 1:
            raise Unsupported(f"its `{name}` is not one constant number")
        return float(values.reshape(-1)[0])

    def axis(self, axis: int, rank: int | None = None) -> int:
        """Return an axis counted from 0.

        Raises:
            Unsupported: there is no such axis.
        """
        rank = self.rank if rank is None else rank
        if not -rank <= axis < max(rank, 1):
            raise Unsupported(f"axis {axis} of a tensor with {rank} axes")
        return axis % rank if rank else 0

    def axes(self, axes: Sequence[int], rank: int | None = None) -> Shape:
        """Return axes counted from 0, in order."""
        return tuple(sorted({self.axis(axis, rank) for axis in axes}))

    def spatial(self) -> int:
        """Return the number of axes behind batch and channels.

        Raises:
            Unsupported: there are none, or more than two.
        """
        count = self.rank - 2
        if count not in (1, 2):
            raise Unsupported(f"it has {count} spatial axes, and edgekit rebuilds those with 1 or 2")
        return count

    def per_axis(self, name: str, count: int) -> Shape:
        """Return strides, dilations and the like, 1 by default."""
        given = self.node.integers(name) or (1,) * count
        if len(given) != count or min(given) < 1:
            raise Unsupported(f"its `{name}` {list(given)} does not fit {count} axes")
        return given

    def windows(self, size: Shape, strides: Shape, dilations: Shape) -> Pads:
        """Return the pads of windows, `auto_pad` resolved."""
        count, auto = len(size), self.node.text("auto_pad", "NOTSET")
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            pads = []
            for length, k, s, d in zip(self.shape()[2:], size, strides, dilations, strict=True):
                total = max((-(-length // s) - 1) * s + (k - 1) * d + 1 - length, 0)
                small, large = total // 2, total - total // 2
                pads.append((small, large) if auto == "SAME_UPPER" else (large, small))
            return tuple(pads)
        given = (self.node.integers("pads") or (0,) * (2 * count)) if auto == "NOTSET" else (0,) * (2 * count)
        if len(given) != 2 * count:
            raise Unsupported(f"its `pads` {list(given)} do not fit {count} axes")
        return tuple(zip(given[:count], given[count:], strict=True))

    def constant(self, what: str, values: Array) -> str:
        """Return the name of a new constant."""
        name = f"{self.node.outputs[0]}:{what}"
        self.made_constants[name] = values
        return name

    def step(self, operation: Operation, inputs: Sequence[str] | None = None, output: str | None = None) -> Step:
        """Return a step from inputs, by default the first, to an output, by default the first."""
        read = self.node.inputs[:1] if inputs is None else tuple(inputs)
        return Step(operation, read, (self.node.outputs[0] if output is None else output,), self.node)


Reading = Callable[[At], Sequence[Step]]
"""Reads one operator.

Raises:
    Unsupported: it cannot be expressed in the intermediate graph.
"""
