"""What belongs to what in an int8 ONNX graph and the float graph that it was made of.

Both are walked from their outputs to their inputs, side by side. The names may be others: only operators and the
places of their inputs count. onnxruntime's quantizer leaves out a Relu or Clip whose work its QuantizeLinear does, too;
those are noted, since without the QuantizeLinear they are needed again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgekit.export.onnx.qdq import Qdq
from edgekit.formats.types import OnnxGraph, OnnxNode
from edgekit.tasks.samples import Array

_LEFT_OUT = ("Relu", "Clip")
"""onnxruntime/quantization/operators/activation.py: QDQRemovableActivation."""
_COPIES = ("Identity", "Dropout")
_COMMUTATIVE = ("Add", "Mul", "Max", "Min")
MOST_STEPS = 1.01
"""By which float weights may differ from int8 ones that were rounded from them: half a step, were it not for float32
scales, and for quantizers that move a value to the next step where that makes up for others."""


@dataclass(frozen=True)
class Activation:
    """A Relu or Clip that the float graph has and the int8 graph does not.

    Attributes:
        node: of the float graph.
        limits: its inputs but the first, None where one is left out.
    """

    node: OnnxNode
    limits: tuple[Array | None, ...] = ()


@dataclass
class Counterparts:
    """What was found.

    Attributes:
        values: number of an activation -> its name in the float graph.
        nodes: places of the nodes of the int8 graph that were found in the float graph.
        constants: (node of the int8 graph, place among its inputs) -> the constant of the float graph.
        left_out: node of the int8 graph -> what follows it in the float graph only, in order.
    """

    values: dict[int, str] = field(default_factory=dict)
    nodes: set[int] = field(default_factory=set)
    constants: dict[tuple[int, int], Array] = field(default_factory=dict)
    left_out: dict[int, tuple[Activation, ...]] = field(default_factory=dict)

    def weights(self, qdq: Qdq, index: int, place: int) -> Array | None:
        """Return the float weights that a dequantized constant was rounded from; None where they are unknown.

        Others at the same place are not: those of a model that was rescaled before it was quantized would not fit the
        layers around.
        """
        found = qdq.dequantized(qdq.nodes[index].input[place])
        exact = self.constants.get((index, place))
        if found is None or exact is None or exact.shape != found[0].shape:
            return None
        stored, scale, point = found
        limits = np.iinfo(stored.dtype)
        inside = (stored > limits.min + 1) & (stored < limits.max)  # at the ends they may have been clipped
        steps = np.abs(exact / scale.astype(np.float64) - (stored.astype(np.float64) - point))
        return exact if not (steps[inside] > MOST_STEPS).any() else None


def counterparts(qdq: Qdq, graph: OnnxGraph) -> Counterparts:
    """Find the parts of a float graph in an int8 graph.

    Args:
        qdq: the int8 graph.
        graph: the float one, its constants in it.
    """
    return _Search(qdq, graph).found


class _Search:
    def __init__(self, qdq: Qdq, graph: OnnxGraph) -> None:
        self.found = Counterparts()
        self._qdq = qdq
        self._makers = {name: node for node in graph.node for name in node.output if name}
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
                self._constants[node.output[0]] = node.attribute[0].t
        names = [value.name for value in graph.output]
        pairs = zip(qdq.outputs, names, strict=False)
        self._open = [(n, n) for n in qdq.outputs] if set(names) == set(qdq.outputs) else list(pairs)
        while self._open:
            self._pair(*self._open.pop())

    def _pair(self, own: str, other: str) -> None:
        """Note that a value of the int8 graph is one of the float graph, and go on with what computes them."""
        other = self._source(other)
        numbers, root = self._behind_copies(own)
        if not numbers or numbers[-1] in self.found.values or other in self._constants:
            return
        index = self._qdq.makers.get(root)
        if index is None:
            if other not in self._makers:
                self.found.values |= dict.fromkeys(numbers, other)
            return
        node = self._qdq.nodes[index]
        made, last, left_out = self._behind_activations(other, node.op_type)
        if made is None or list(node.output).index(root) != list(made.output).index(last):
            return
        self.found.values |= dict.fromkeys(numbers, other)
        self.found.nodes.add(index)
        if left_out:
            self.found.left_out[index] = left_out
        for place, (mine, theirs) in enumerate(zip(node.input, self._in_order(node, made), strict=False)):
            if mine and theirs and self._qdq.is_constant(mine):
                self._note_constant(index, place, theirs)
            elif mine and theirs:
                self._open.append((mine, theirs))

    def _behind_copies(self, own: str) -> tuple[list[int], str]:
        """Return the activations that a value is a copy of, itself first, and the name of the last."""
        numbers = []
        while (number := self._qdq.numbers.get(root := self._qdq.root(own))) is not None:
            numbers.append(number)
            index = self._qdq.makers.get(root)
            if index is None or self._qdq.nodes[index].op_type not in _COPIES:
                return numbers, root
            own = self._qdq.nodes[index].input[0]
        return [], ""

    def _in_order(self, node: OnnxNode, made: OnnxNode) -> list[str]:
        """Return the inputs of a float node, in the order of its counterpart where it does not matter."""
        given = list(made.input)
        if node.op_type in _COMMUTATIVE and len(node.input) == len(given) == 2:
            own = [self._kind(name) for name in node.input]
            others = [self._other_kind(name) for name in given]
            if own != others and own == others[::-1]:
                return given[::-1]
        return given

    def _kind(self, name: str) -> str:
        """Return what computes a value of the int8 graph, in one word."""
        if self._qdq.is_constant(name):
            return "a constant"
        index = self._qdq.makers.get(self._behind_copies(name)[1])
        return "" if index is None else str(self._qdq.nodes[index].op_type)

    def _other_kind(self, name: str) -> str:
        name = self._source(name)
        made = self._makers.get(name)
        return "a constant" if name in self._constants else "" if made is None else str(made.op_type)

    def _note_constant(self, index: int, place: int, name: str) -> None:
        from onnx import numpy_helper

        tensor = self._constants.get(self._source(name))
        if tensor is not None and tensor.data_type == tensor.FLOAT:
            self.found.constants[index, place] = numpy_helper.to_array(tensor)

    def _behind_activations(self, name: str, wanted: str) -> tuple[OnnxNode | None, str, tuple[Activation, ...]]:
        """Return the node of this type that computes a value, or what a Relu and the like behind it reads; and that."""
        left_out: list[Activation] = []
        while (made := self._makers.get(name)) is not None and made.op_type != wanted:
            if made.op_type not in _LEFT_OUT:
                return None, name, ()
            limits = [self._limit(limit) if limit else None for limit in made.input[1:]]
            if any(given and limit is None for given, limit in zip(made.input[1:], limits, strict=True)):
                return None, name, ()
            left_out.insert(0, Activation(made, tuple(limits)))
            name = self._source(made.input[0])
        return made, name, tuple(left_out)

    def _limit(self, name: str) -> Array | None:
        from onnx import numpy_helper

        tensor = self._constants.get(self._source(name))
        return None if tensor is None else numpy_helper.to_array(tensor)

    def _source(self, name: str) -> str:
        """Return the value that a value is a copy of."""
        while (made := self._makers.get(name)) is not None and made.op_type in _COPIES:
            name = made.input[0]
        return name
