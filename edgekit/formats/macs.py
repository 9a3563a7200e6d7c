"""Multiply-accumulates (MACs), from shapes alone.

One MAC is one multiplication and one addition into a sum. Biases, activations, pooling, element-wise arithmetic and
quantization are not counted, as is customary. A size of -1 (dynamic) counts as 1.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

Shape = Sequence[int]
LARGEST = 1 << 62
"""Where counting ends: the loops of a hostile file may run each other without end."""


def elements(shape: Shape) -> int:
    """Return the number of values, a dynamic size taken as 1."""
    return math.prod(1 if size == -1 else size for size in shape)


def conv(output: Shape, kernel: Shape, channels: int) -> int:
    """Return the MACs of a convolution: every output value sums one window.

    Args:
        output: the whole output shape, in any layout.
        kernel: the spatial sizes of the window.
        channels: input channels that one output value sees: all, C/groups when grouped, 1 when depthwise.
    """
    return elements(output) * elements(kernel) * elements([channels])


def transpose_conv(inputs: Shape, kernel: Shape, channels: int) -> int:
    """Return the MACs of a transposed convolution: every input value is spread over one window.

    Args:
        inputs: the whole input shape, in any layout.
        kernel: the spatial sizes of the window.
        channels: output channels that one input value reaches: all, or M/groups.
    """
    return conv(inputs, kernel, channels)


def matmul(output: Shape, depth: int) -> int:
    """Return the MACs of a matrix product (fully connected, Gemm, MatMul, batched or not).

    Args:
        output: the whole output shape.
        depth: the size that is summed over.
    """
    return elements(output) * elements([depth])


def recurrent(inputs: Shape, weights: Sequence[Shape]) -> int:
    """Return the MACs of a recurrent layer: every step of every sample uses each weight of its matrices once.

    Args:
        inputs: the whole input shape, its features last.
        weights: shapes of the matrices, for inputs, for the state and for projections, of all gates and directions.
    """
    return elements(inputs[:-1]) * sum(map(elements, weights))


def batch_size(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    """Return the fixed batch size of a model: the first size that all its inputs and outputs share, else 1."""
    first = {shape[0] if len(shape) > 1 else 1 for shape in (*inputs, *outputs)}
    return max(1, first.pop()) if len(first) == 1 else 1


def dynamic_inside(inputs: Sequence[Shape]) -> bool:
    """Whether an input has a dynamic size other than its first: then MACs depend on the data."""
    return any(size == -1 for shape in inputs for size in shape[1:])


@dataclass
class Tally:
    """A running sum that remembers what it could not count.

    Attributes:
        total: MACs so far.
        counted: operators in it.
        missed: description of an operator left out -> how often.
    """

    total: int = 0
    counted: int = 0
    missed: Counter[str] = field(default_factory=Counter)

    def add(self, macs: int) -> None:
        """Count one operator."""
        self.total += macs
        self.counted += 1

    def miss(self, operator: str, why: str = "", times: int = 1) -> None:
        """Leave out an operator, for instance `miss("Conv", "unknown shape")`."""
        self.missed[f"{operator} ({why})" if why else operator] += times

    def include(self, other: Tally, times: int) -> None:
        """Count what another tally has, as often as its operators run."""
        self.total = min(self.total + times * other.total, LARGEST)
        self.counted += other.counted
        self.missed.update(other.missed)

    def result(self, batch: int = 1, *, dynamic: bool = False) -> tuple[int | None, str]:
        """Return MACs of one sample and the note for `FileInfo.macs_note`.

        Args:
            batch: the model's fixed batch size.
            dynamic: an inner size of an input is dynamic and was taken as 1.
        """
        notes = [f"{name} x{times}" if times > 1 else name for name, times in self.missed.items()]
        note = f"not counted: {', '.join(notes)}" if notes else ""
        if self.missed and not self.counted:
            return None, note
        if dynamic and self.counted:
            note = "; ".join(filter(None, ["dynamic sizes counted as 1", note]))
        total, rest = divmod(self.total, batch)
        return (self.total, "; ".join(filter(None, [f"for a batch of {batch}", note]))) if rest else (total, note)
