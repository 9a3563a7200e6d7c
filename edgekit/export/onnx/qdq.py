"""A QDQ graph as operators that read and compute activations, whichever way its nodes write them.

An activation is one tensor of the model: the real values that a node computes, their integers behind QuantizeLinear,
and all that DequantizeLinear makes of those, for one reader or for several. Nodes joined by values that are never
quantized (Conv and Relu, MatMul and Add) are one operator, as they are one to a runtime and in TFLite. A node that
moves integers as they are (a Concat of integers, as tf2onnx writes it) is one, too.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.export.onnx.tidy import captured
from edgekit.export.onnx.weights import channel_axis
from edgekit.formats.onnx.operators import ALL_OUTPUTS, DOMAINS, NEUTRAL, moved, uses_number
from edgekit.formats.types import OnnxGraph, OnnxNode
from edgekit.tasks.samples import Array

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
_NO_PLAIN_MOVE = ("Relu", "Unique", "TopK")
"""Moves that give other values on integers than on what they stand for, unless the zero point is 0; or positions."""
_MOVING = frozenset(
    {"Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "GlobalMaxPool", "Identity"}
    | {"MaxPool", "Pad", "Reshape", "ReverseSequence", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile"}
    | {"Transpose", "Unsqueeze"}
)
_BIAS = np.dtype(np.int32)


@dataclass(frozen=True)
class Stored:
    """How the integers of an activation are to be read.

    Attributes:
        scale: real = scale * (integer - zero_point).
        zero_point: as above.
        names: of the constants that hold both, as QuantizeLinear takes them.
        domain: of the operators that take them: ONNX's own, or onnxruntime's for other types.
    """

    scale: float
    zero_point: int
    names: tuple[str, ...]
    domain: str


@dataclass(frozen=True)
class Group:
    """Nodes that are one operator.

    Attributes:
        nodes: their places in the graph, in its order.
        main: of these the one that names the operator: the first with weights, else the first.
        inputs: numbers of the activations that it reads.
        outputs: numbers of the activations that it computes.
        weights: (node, place among its inputs) of the dequantized 8-bit constants.
    """

    nodes: tuple[int, ...]
    main: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    weights: tuple[tuple[int, int], ...]


class Qdq:
    """Looks up what a QDQ graph computes.

    Args:
        graph: the main graph of a ModelProto; not changed.

    Attributes:
        nodes: of the graph, in its order.
        makers: name of a value -> place of the node that computes it.
        readers: name -> places of the nodes that read it, also in the bodies of loops and branches.
        stored: name of an integer activation -> how it is to be read.
        numbers: name of a value -> number of its activation; constants have none.
        groups: the operators that could compute in float, in the order of the graph.
    """

    def __init__(self, graph: OnnxGraph) -> None:
        self.nodes: Sequence[OnnxNode] = list(graph.node)
        self.outputs = tuple(value.name for value in graph.output)
        self._initializers = {tensor.name: tensor for tensor in graph.initializer}
        self._constant = _constant_names(self.nodes, self._initializers)
        self.makers = {name: i for i, node in enumerate(self.nodes) for name in node.output if name}
        self.readers: dict[str, list[int]] = {}
        for i, node in enumerate(self.nodes):
            for name in dict.fromkeys((*node.input, *captured(node))):
                self.readers.setdefault(name, []).append(i)
        fed = [value.name for value in graph.input if value.name not in self._initializers]
        roots = {self.root(name): None for name in [*fed, *(n for n in self.makers if n not in self._constant)]}
        order = {name: number for number, name in enumerate(roots)}
        self.numbers = {name: order[self.root(name)] for name in [*fed, *self.makers] if name not in self._constant}
        self.roots = list(roots)
        self.stored = self._find_stored()
        self._quantized = {self.numbers[name] for name in self.stored}
        self.groups = tuple(sorted(self._find_groups(), key=lambda group: group.main))

    # ------------------------------------------------------------------------------------------ values

    def is_step(self, node: OnnxNode) -> bool:
        """Return whether a node only quantizes or dequantizes an activation."""
        known = node.op_type in (QUANTIZE, DEQUANTIZE) and node.domain in DOMAINS[:3]
        return known and node.input[0] not in self._constant

    def is_constant(self, name: str) -> bool:
        """Return whether a value is one, or computed of constants alone."""
        return name in self._constant

    def root(self, name: str) -> str:
        """Return the value that a value is but for rounding: what a node computed, or an input of the graph."""
        while (made := self.makers.get(name)) is not None and self.is_step(self.nodes[made]):
            name = self.nodes[made].input[0]
        return name

    def array(self, name: str) -> Array | None:
        """Return a stored constant; None where a node computes it."""
        from onnx import numpy_helper

        tensor = self._initializers.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def step_of(self, number: int) -> Stored | None:
        """Return how the integers of an activation are to be read, nearest to where it is computed."""
        return next((how for name, how in self.stored.items() if self.numbers.get(name) == number), None)

    def dequantized(self, name: str) -> tuple[Array, Array, Array] | None:
        """Return what a DequantizeLinear reads of constants: integers, scales and zero points, shaped to fit them.

        Args:
            name: of its output.
        """
        made = self.makers.get(name)
        node = None if made is None else self.nodes[made]
        if node is None or node.op_type != DEQUANTIZE or any(a.name == "block_size" and a.i for a in node.attribute):
            return None
        values, scale = self.array(node.input[0]), self.array(node.input[1])
        if values is None or scale is None or values.dtype.kind not in "iu" or values.dtype.itemsize > _BIAS.itemsize:
            return None
        point = self.array(node.input[2]) if len(node.input) > 2 and node.input[2] else np.zeros((), values.dtype)
        if point is None:
            return None
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        shape = [1] * values.ndim
        if scale.size > 1:
            if not -values.ndim <= axis < values.ndim or scale.size != values.shape[axis]:
                return None
            shape[axis] = scale.size
        return values, scale.reshape(shape), (point.reshape(shape) if point.size > 1 else point.reshape(()))

    def _find_stored(self) -> dict[str, Stored]:
        """Find the integer activations: behind QuantizeLinear, before DequantizeLinear, and where these are moved."""
        found: dict[str, Stored] = {}
        for node in filter(self.is_step, self.nodes):
            how = self._read(node)
            if how is not None:
                found.setdefault(node.output[0] if node.op_type == QUANTIZE else node.input[0], how)
        for nodes in (self.nodes, self.nodes[::-1], self.nodes):  # forwards, backwards, and forwards from there
            for node in nodes:
                names = self._moved_names(node)
                how = next((found[name] for name in names if name in found), None)
                if how is not None:
                    found |= {name: how for name in names if name not in found}
        return found

    def _moved_names(self, node: OnnxNode) -> list[str]:
        """Return the activations between which a node moves values."""
        places = moved(node)
        given = node.output if node.op_type in ALL_OUTPUTS else node.output[:1]
        names = [*(node.input[place] for place in places), *given] if places else []
        return [name for name in names if name in self.numbers]

    def _read(self, node: OnnxNode) -> Stored | None:
        """Return the scale of a QuantizeLinear or DequantizeLinear; None if it has none for the whole tensor."""
        scale = self.array(node.input[1])
        point = self.array(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        if scale is None or scale.size != 1 or point is None or point.size != 1:
            return None
        value = float(scale.item())
        if not (math.isfinite(value) and value > 0):
            return None
        return Stored(value, int(point.item()), tuple(node.input[1:3]), node.domain)

    # ------------------------------------------------------------------------------------------ operators

    def _find_groups(self) -> Iterator[Group]:
        """Yield what could compute in float: all that reads or computes a quantized activation, and can be rewired."""
        members: dict[int, list[int]] = {}
        parents = list(range(len(self.nodes)))

        def find(i: int) -> int:
            while parents[i] != i:
                parents[i] = parents[parents[i]]
                i = parents[i]
            return i

        computing = [i for i, node in enumerate(self.nodes) if self._computes(node)]
        inside = set(computing)
        for i in computing:
            for place, name in enumerate(self.nodes[i].input):
                maker = self.makers.get(name)
                joined = maker in inside and name not in self.stored and not uses_number(self.nodes[i], place)
                if joined and maker is not None:
                    parents[find(i)] = find(maker)
        for i in computing:
            members.setdefault(find(i), []).append(i)
        for nodes in members.values():
            group = self._group(nodes)
            touched = {*group.inputs, *group.outputs}
            if touched & self._quantized and all(self._can_be_rewired(self.nodes[i]) for i in nodes):
                yield group

    def _computes(self, node: OnnxNode) -> bool:
        named = [name for name in node.output if name]
        return not (self.is_step(node) or node.op_type in NEUTRAL or all(self.is_constant(name) for name in named))

    def _group(self, nodes: list[int]) -> Group:
        own = {name for i in nodes for name in self.nodes[i].output if name}
        read = [n for i in nodes for n in self.nodes[i].input if n in self.numbers and n not in own]
        given = [n for n in own if n in self.outputs or not set(self.readers.get(n, ())) <= set(nodes)]
        weights = tuple((i, place) for i in nodes for place in self.weight_places(i))
        order = [n for i in nodes for n in self.nodes[i].output if n in given]
        inputs = dict.fromkeys(self.numbers[n] for n in read)
        outputs = dict.fromkeys(self.numbers[n] for n in order)
        return Group(tuple(nodes), weights[0][0] if weights else nodes[0], tuple(inputs), tuple(outputs), weights)

    def weight_places(self, index: int) -> Iterator[int]:
        """Yield the places of a node's inputs that are dequantized constants of 8 bits or fewer."""
        for place, name in enumerate(self.nodes[index].input):
            found = self.dequantized(name) if self.is_constant(name) else None
            if found is not None and found[0].dtype.itemsize < _BIAS.itemsize:
                yield place

    def _can_be_rewired(self, node: OnnxNode) -> bool:
        """Return whether a node computes the same on real values: it has no body, and uses no integers but moves."""
        if any(a.HasField("g") or len(a.graphs) for a in node.attribute):
            return False
        places = [place for place, name in enumerate(node.input) if name in self.stored]
        steps = {(how.scale, how.zero_point) for name in self._moved_names(node) if (how := self.stored.get(name))}
        if not places and not any(name in self.stored for name in node.output):
            return True
        plain = node.op_type not in _NO_PLAIN_MOVE and len(steps) == 1
        return plain and set(places) <= set(moved(node)) and set(self._moved_names(node)) <= set(self.stored)

    def moves(self, group: Group) -> bool:
        """Return whether an operator only moves values, and rounds none but to another scale."""
        nodes = [self.nodes[index] for index in group.nodes]
        modes = {a.s for a in nodes[0].attribute if a.name == "mode"}
        nearest = nodes[0].op_type == "Resize" and modes <= {b"nearest"}
        return len(nodes) == 1 and (nodes[0].op_type in _MOVING or nearest)

    def channel_weights(self, group: Group) -> tuple[int, int, int] | None:
        """Return node, place and axis of the channels of an operator's weights; None where it has none."""
        for index, place in group.weights:
            axis = channel_axis(self.nodes[index], place)
            if axis is not None:
                return index, place, axis
        return None


def with_moved(qdq: Qdq, groups: Collection[Group]) -> list[Group]:
    """Return operators, and those that only move values from ones in float to ones in float, in the graph's order."""
    found = {group.main for group in groups}
    makers = {number: group.main for group in qdq.groups for number in group.outputs}
    readers: dict[int, set[int]] = {}
    reached = set(found)
    for group in qdq.groups:
        for number in group.inputs:
            readers.setdefault(number, set()).add(group.main)
        if qdq.moves(group) and group.inputs and all(makers.get(number) in reached for number in group.inputs):
            reached.add(group.main)
    for group in reversed(qdq.groups):
        if group.main in reached and any(readers.get(number, set()) & found for number in group.outputs):
            found.add(group.main)
    return [group for group in qdq.groups if group.main in found]


def _constant_names(nodes: Sequence[OnnxNode], initializers: dict[str, object]) -> set[str]:
    """Return the names of constants and of what is computed of constants alone."""
    found = set(initializers)
    for node in nodes:
        given = [name for name in (*node.input, *captured(node)) if name]
        if (given or node.op_type == "Constant") and all(name in found for name in given):
            found.update(name for name in node.output if name)
    return found
