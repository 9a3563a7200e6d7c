"""Scales and zero points of ONNX tensors, found at the operators that apply them."""

from __future__ import annotations

import math
from typing import Any

from edgekit.inspect import values
from edgekit.inspect.info import Quantization
from edgekit.inspect.onnx_graph import DTYPES, Index, attribute
from edgekit.inspect.onnx_values import Store

_LAST = -1
_ATTRIBUTE = -2
_READERS: dict[tuple[str, int], tuple[int | None, int, int]] = {
    # (operator, place of the tensor) -> places of its scale and zero point, and the axis if they are per channel.
    ("DequantizeLinear", 0): (1, 2, _ATTRIBUTE),
    ("QLinearConv", 0): (1, 2, 1),
    ("QLinearConv", 3): (4, 5, 0),
    ("QLinearMatMul", 0): (1, 2, _LAST),
    ("QLinearMatMul", 3): (4, 5, _LAST),
    ("ConvInteger", 1): (None, 3, 0),
    ("MatMulInteger", 1): (None, 3, _LAST),
}
_WRITERS = {"QuantizeLinear": (1, 2), "QLinearConv": (6, 7), "QLinearMatMul": (6, 7)}
_MOVES = ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity")
"""Operators that leave values as they are."""
_MAX_MOVES = 8
"""So many of them in a row are followed."""
_MAX_SCALES = 1 << 20


class Scales:
    """Looks up quantization.

    Args:
        graph: the model.
        store: its constants.
    """

    def __init__(self, graph: Index, store: Store) -> None:
        self._graph = graph
        self._store = store
        self._numbers: dict[str, tuple[Any, ...] | None] = {}

    def of_input(self, name: str, shape: tuple[int, ...]) -> Quantization | None:
        """Return the quantization of a graph input or a constant, from the operator that reads it."""
        for step in range(_MAX_MOVES):
            uses = self._graph.consumers.get(name, {})
            for key, places in _READERS.items():
                if key in uses:
                    return self._read(uses[key], *places, shape, moved=step > 0)
            following = [uses[move, 0] for move in _MOVES if (move, 0) in uses]
            if not following or not following[0].output:
                return None
            name = following[0].output[0]
        return None

    def of_output(self, name: str) -> Quantization | None:
        """Return the quantization of a graph output, from the operator that makes it."""
        for _ in range(_MAX_MOVES):
            node = self._graph.producers.get(name)
            if node is None:
                return None
            if node.op_type in _WRITERS:
                scale, point = _WRITERS[node.op_type]
                return self._read(node, scale, point, _ATTRIBUTE, (), moved=True)
            if node.op_type not in _MOVES or not node.input:
                return None
            name = node.input[0]
        return None

    def _read(
        self, node: Any, scale_at: int | None, point_at: int, axis: int, shape: tuple[int, ...], *, moved: bool
    ) -> Quantization | None:
        scale = () if scale_at is None else self._values(node, scale_at)
        points = self._values(node, point_at) if len(node.input) > point_at and node.input[point_at] else (0,)
        if scale is None or points is None or not points or (scale_at is not None and not scale):
            return None
        count = max(len(scale), len(points))
        if any(len(part) not in (1, count) for part in (scale, points) if part):
            return None
        points = points * count if len(points) == 1 else points
        scale = scale * count if len(scale) == 1 else scale
        if count == 1:
            return Quantization(scale, points, None)
        axis = attribute(node, "axis", 1) if axis == _ATTRIBUTE else axis
        axis = axis + len(shape) if axis < 0 else axis
        # After a Transpose the axis is another one; blockwise scales have more values than the axis.
        if moved or not 0 <= axis < len(shape) or shape[axis] != count:
            return None
        return Quantization(scale, points, axis)

    def _values(self, node: Any, place: int) -> tuple[Any, ...] | None:
        name = node.input[place] if place < len(node.input) else ""
        if name not in self._numbers:
            self._numbers[name] = self._decode(name)
        return self._numbers[name]

    def _decode(self, name: str) -> tuple[Any, ...] | None:
        constant = self._graph.by_name.get(name)
        if constant is None or constant.sparse or len(constant.shape) > 1 or math.prod(constant.shape) > _MAX_SCALES:
            return None
        raw = self._store.raw(constant)
        if raw is None:
            return None
        found = values.numbers(raw, DTYPES[constant.tensor.data_type], math.prod(constant.shape))
        return None if found is None else tuple(found)
