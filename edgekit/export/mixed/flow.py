"""How activations flow from operator to operator: who makes one, who reads it, and what only moves its values."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from edgekit.export.mixed.quantized import Operator, Quantized

MOVING = frozenset({
    # TFLite
    "BATCH_TO_SPACE_ND", "BROADCAST_TO", "CONCATENATION", "DEPTH_TO_SPACE", "DYNAMIC_UPDATE_SLICE", "EXPAND_DIMS",
    "GATHER", "GATHER_ND", "MAXIMUM", "MAX_POOL_2D", "MINIMUM", "MIRROR_PAD", "PACK", "PAD", "PADV2", "REDUCE_MAX",
    "REDUCE_MIN", "RELU", "RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_SEQUENCE", "REVERSE_V2", "SELECT",
    "SELECT_V2", "SLICE", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE",
    "TILE", "TRANSPOSE", "UNPACK", "WHERE",
    # ONNX
    "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "GlobalMaxPool", "Identity",
    "Max", "MaxPool", "Min", "Pad", "ReduceMax", "ReduceMin", "Relu", "Reshape", "Slice", "SpaceToDepth", "Split",
    "Squeeze", "Tile", "Transpose", "Unsqueeze", "Where",
})  # fmt: skip
"""Operators whose outputs hold values of their inputs, or zero: exact where they have one scale."""
ADDING = frozenset({"ADD", "ADD_N", "CONCATENATION", "PACK", "SUB", "Add", "Concat", "Sub", "Sum"})
"""Operators that noise passes as it is, whatever the signal beside it."""


class Flow:
    """The operators of a pair of files that can be reverted, and the activations between them."""

    def __init__(self, quantized: Quantized) -> None:
        self.operators: tuple[Operator, ...] = tuple(quantized.operators)
        self.by_index = {operator.index: operator for operator in self.operators}
        self.maker = {number: operator for operator in self.operators for number in operator.outputs}
        self.readers: dict[int, list[Operator]] = {}
        for operator in self.operators:
            for number in dict.fromkeys(operator.inputs):
                self.readers.setdefault(number, []).append(operator)
        numbers = (n for operator in self.operators for n in (*operator.inputs, *operator.outputs))
        self._steps = {number: quantized.step(number) for number in dict.fromkeys(numbers)}

    def step(self, activation: int) -> tuple[float, int] | None:
        """Return scale and zero point of an activation; None where it is not quantized."""
        return self._steps.get(activation)

    @cached_property
    def activations(self) -> tuple[int, ...]:
        """Numbers of all activations that an operator reads or makes."""
        return tuple(self._steps)

    @cached_property
    def exact(self) -> frozenset[int]:
        """Indices of the operators that round nothing: they move values, or keep some, on one scale."""
        return frozenset(operator.index for operator in self.operators if self._is_exact(operator))

    def _is_exact(self, operator: Operator) -> bool:
        steps = {self.step(number) for number in (*operator.inputs, *operator.outputs)}
        return operator.kind in MOVING and len(steps) == 1 and None not in steps

    def rounds(self, activation: int) -> bool:
        """Return whether an activation is rounded where it is made: not by what only moves values."""
        maker = self.maker.get(activation)
        return self.step(activation) is not None and (maker is None or maker.index not in self.exact)

    def ends(self) -> Iterator[int]:
        """Yield the activations that no operator reads: outputs of the file, or of the part that can be reverted."""
        for operator in self.operators:
            yield from (number for number in operator.outputs if number not in self.readers)

    def downstream(self, activation: int) -> frozenset[int] | None:
        """Return the operators that must compute in float, with its maker, for an activation to stay float.

        They are its readers, and where one only moves values, on the same scale, the readers of what it makes.

        Returns:
            Indices; None where it is an end, which is int8 in any case.
        """
        found: set[int] = set()
        waiting = [activation]
        while waiting:
            readers = self.readers.get(waiting.pop())
            if not readers:
                return None
            for reader in readers:
                if reader.index not in found:
                    found.add(reader.index)
                    waiting += reader.outputs if reader.index in self.exact else ()
        return frozenset(found)
