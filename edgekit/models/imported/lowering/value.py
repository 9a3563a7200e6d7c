"""A tensor of the new model, and which logical axis stands where in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.frameworks.types import Tensor
from edgekit.models.imported.operators import Shape
from edgekit.tasks.samples import Array


@dataclass(frozen=True)
class Value:
    """A tensor (batch, *stored axes).

    Attributes:
        tensor: of Keras, symbolic.
        shape: of one sample in the file, on logical axes.
        order: the logical axis of every stored axis behind the batch.
        batch: the logical axis, of size 1, that the batch stands for; None if all logical axes are stored.
        mix: of a flattened tensor whose values stand in another order: the logical place of every stored one.
        origin: what such a tensor was flattened from.
        positive: whether no value is below zero.
    """

    tensor: Tensor
    shape: Shape
    order: Shape
    batch: int | None
    mix: Array | None = None
    origin: Value | None = None
    positive: bool = False

    @property
    def rank(self) -> int:
        """Number of logical axes."""
        return len(self.shape)

    @property
    def natural(self) -> Shape:
        """Logical axes in their own order, without the batch."""
        return tuple(axis for axis in range(self.rank) if axis != self.batch)

    def stored(self, axis: int) -> int:
        """Return the place of a logical axis in the tensor."""
        return 1 + self.order.index(axis)


def of(tensor: Tensor, order: Sequence[int], batch: int | None, *, positive: bool = False) -> Value:
    """Return a value whose sizes are those of its tensor."""
    sizes = dict(zip(order, map(int, tensor.shape[1:]), strict=True))
    shape = tuple(sizes.get(axis, 1) for axis in range(len(order) + (batch is not None)))
    return Value(tensor, shape, tuple(order), batch, positive=positive)


def big(sizes: Sequence[int], axes: Sequence[int]) -> list[int]:
    """Return the axes that are longer than 1, which are all that matters for where a value stands."""
    return [axis for axis in axes if sizes[axis] != 1]
