"""Scales and zero points of ONNX constants and tensors, read at the operators that apply them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from edgekit.formats import values
from edgekit.formats.info import Quantization
from edgekit.formats.onnx.graph import DTYPES, Index, attribute
from edgekit.formats.onnx.operators import ATTRIBUTE, moved, reader, writer
from edgekit.formats.onnx.values import Store
from edgekit.formats.source import MAX_RANK
from edgekit.formats.types import Number, OnnxNode

_MAX_MOVES = 64
"""Operators behind a constant that are looked at, at most."""
_MAX_SCALES = 1 << 20


_NARROW = ("int8", "uint8", "int16", "uint16", "int4", "uint4", "int2", "uint2")


def widened(graph: Index) -> dict[str, tuple[str, str]]:
    """Return the integer constants that Cast, perhaps Sub, and Mul make real values of.

    Returns:
        Name -> names of the scale and, or nothing, of the zero point.
    """
    found = {}
    for node, _ in graph.nodes:
        constant = graph.by_name.get(node.input[0]) if node.op_type == "Cast" and node.input else None
        if constant is None or DTYPES.get(constant.tensor.data_type) not in _NARROW:
            continue
        point, behind = "", _only_reader(graph, node)
        if behind is not None and behind.op_type == "Sub" and behind.input[1] in graph.by_name:
            point, behind = behind.input[1], _only_reader(graph, behind)
        if behind is not None and behind.op_type == "Mul" and behind.input[1] in graph.by_name:
            found[constant.name] = (behind.input[1], point)
    return found


def _only_reader(graph: Index, node: OnnxNode) -> OnnxNode | None:
    """Return the node that reads the first output of another as its first input, and is alone in that."""
    uses = graph.uses.get(node.output[0], []) if node.output else []
    return uses[0][0] if len(uses) == 1 and uses[0][1] == 0 and len(uses[0][0].input) == 2 else None


class Scales:
    """Looks up quantization.

    Args:
        graph: the model.
        store: its constants.
    """

    def __init__(self, graph: Index, store: Store) -> None:
        self._graph = graph
        self._store = store
        self._numbers: dict[str, tuple[Number, ...] | None] = {}
        self._widened = widened(graph)

    def of_constant(self, name: str, shape: tuple[int, ...]) -> Quantization | None:
        """Return the quantization of a constant, from the operators that read it; None where they do not agree."""
        if name in self._widened:
            return self._of_widened(*self._widened[name], shape)
        found = [q for node, place, far in self._readers(name) if (q := self.read_by(node, place, shape, moved=far))]
        return found[0] if found and all(q == found[0] for q in found) else None

    def read_by(self, node: OnnxNode, place: int, shape: tuple[int, ...], *, moved: bool) -> Quantization | None:
        """Return the quantization that an operator gives one of its inputs; None if it gives none.

        Args:
            node: the operator.
            place: of the tensor among its inputs.
            shape: of the tensor.
            moved: whether the values went through other operators on the way, so that the axis may be another one.
        """
        places = reader(node, place)
        return None if places is None else self._read(node, *places, shape, moved=moved)

    def written_by(self, node: OnnxNode) -> Quantization | None:
        """Return the quantization that an operator gives its first output; None if it gives none, or per channel."""
        places = writer(node)
        return None if places is None else self._read(node, *places, ATTRIBUTE, (), moved=True)

    def _readers(self, name: str) -> Iterator[tuple[OnnxNode, int, bool]]:
        """Yield the operators that give a constant's values a scale, and whether others came before."""
        queue, seen = [(name, False)], {name}
        for tensor, far in queue:
            for node, place in self._graph.uses.get(tensor, ()):
                if reader(node, place) is not None:
                    yield node, place, far
                elif place in moved(node) and node.output and node.output[0] not in seen and len(queue) < _MAX_MOVES:
                    seen.add(node.output[0])
                    queue.append((node.output[0], True))

    def _read(
        self, node: OnnxNode, scale_at: int | None, point_at: int, axis: int, shape: tuple[int, ...], *, moved: bool
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
        if count == 1 or (moved and len(set(scale)) <= 1 and len(set(points)) == 1):
            return Quantization(scale[:1], points[:1], None)
        axis = attribute(node, "axis", 1) if axis == ATTRIBUTE else axis
        axis = axis + len(shape) if axis < 0 else axis
        # After a Transpose the axis is another one; blockwise scales have more values than the axis.
        if moved or not 0 <= axis < len(shape) or shape[axis] != count:
            return None
        return Quantization(scale, points, axis)

    def _of_widened(self, scale_name: str, point_name: str, shape: tuple[int, ...]) -> Quantization | None:
        """Return the quantization of integers that are cast to floating point and multiplied."""
        constant = self._graph.by_name[scale_name]
        wide = [place for place, size in enumerate(constant.shape) if size > 1]
        scale, points = self._decode(scale_name, MAX_RANK), self._decode(point_name, MAX_RANK) if point_name else (0,)
        if not scale or not points or len(wide) > 1 or len(constant.shape) > len(shape):
            return None
        points = points * len(scale) if len(points) == 1 else points
        if len(points) != len(scale) or not all(map(math.isfinite, points)):
            return None
        axis = wide[0] + len(shape) - len(constant.shape) if wide else None
        known = axis is None or shape[axis] == len(scale)
        return Quantization(scale, tuple(map(int, points)), axis) if known else None

    def _values(self, node: OnnxNode, place: int) -> tuple[Number, ...] | None:
        name = node.input[place] if place < len(node.input) else ""
        if name not in self._numbers:
            self._numbers[name] = self._decode(self._source(name))
        return self._numbers[name]

    def _source(self, name: str) -> str:
        """Return the constant that a name is a copy of."""
        for _ in range(_MAX_MOVES):
            node = self._graph.producers.get(name)
            if node is None or node.op_type not in ("Identity", "Reshape", "Squeeze", "Unsqueeze") or not node.input:
                return name
            name = node.input[0]
        return name

    def _decode(self, name: str, most_axes: int = 1) -> tuple[Number, ...] | None:
        constant = self._graph.by_name.get(name)
        if constant is None or constant.sparse or math.prod(constant.shape) > _MAX_SCALES:
            return None
        if len(constant.shape) > most_axes:
            return None
        raw = self._store.raw(constant)
        if raw is None:
            return None
        found = values.numbers(raw, DTYPES[constant.tensor.data_type], math.prod(constant.shape))
        return None if found is None else tuple(found)
