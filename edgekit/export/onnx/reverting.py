"""Operators of a QDQ int8 ONNX graph that compute in float32 again.

Between two of them the QuantizeLinear and DequantizeLinear of a tensor go, so that neither its rounding nor its
clipping is left; where a neighbour stays int8 they stay. Weights stay int8 in the file and are widened when it is
loaded, or become those of the float graph. What a QuantizeLinear did besides is put back: the work of a Relu or Clip
that onnxruntime's quantizer left out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from edgekit.export.onnx.counterparts import MOST_STEPS, Activation, Counterparts
from edgekit.export.onnx.qdq import DEQUANTIZE, QUANTIZE, Group, Qdq, Stored, with_moved
from edgekit.export.onnx.tidy import sort, tidy
from edgekit.export.onnx.unfused import keep_float
from edgekit.export.onnx.widening import widened
from edgekit.formats.types import OnnxModel, OnnxNode
from edgekit.tasks.samples import Array


def reverted(
    model: OnnxModel, qdq: Qdq, groups: Collection[Group], twin: Counterparts, *, float_weights: bool
) -> OnnxModel:
    """Return a QDQ model in which some operators compute in float32.

    Args:
        model: an onnx.ModelProto; not changed.
        qdq: of its graph.
        groups: the operators, of `qdq.groups`; what only moves values between them computes in float with them.
        twin: what the float graph that it was made of has in their places.
        float_weights: whether their weights are those of the float graph, where it is known which they are; else they
            stay int8 in the file.
    """
    made = type(model).FromString(model.SerializeToString())
    surgery = _Surgery(made, qdq, with_moved(qdq, groups), twin, float_weights=float_weights)
    surgery.operate()
    graph = made.graph
    sort(graph)  # what nobody reads any more goes
    keep_float(graph, surgery.in_float)
    tidy(made, {value.name: value.name for value in (*graph.input, *graph.output)})
    return made


class _Surgery:
    """One operation.

    Attributes:
        in_float: what the nodes compute whose weights are float when the file is loaded.
    """

    def __init__(
        self, made: OnnxModel, qdq: Qdq, groups: Collection[Group], twin: Counterparts, *, float_weights: bool
    ) -> None:
        self.in_float: set[str] = set()
        self._graph, self._qdq, self._twin, self._float_weights = made.graph, qdq, twin, float_weights
        self._nodes: list[OnnxNode] = list(self._graph.node)
        self._groups = {index: group for group in groups for index in group.nodes}
        self._taken = {name for node in self._nodes for name in (*node.input, *node.output)}
        self._taken |= {tensor.name for tensor in self._graph.initializer}
        self._real: dict[str, str] = {}
        for index in self._groups:
            for name in self._nodes[index].output:
                if name in qdq.stored:
                    self._real[name] = self._new_name(f"{name}_real")
        self._dequantized: dict[str, str] = {}
        self._widened: dict[str, str] = {}

    def operate(self) -> None:
        """Change the graph; its nodes are in no order then."""
        for index, group in self._groups.items():
            node = self._nodes[index]
            self._read_real(index, node, group)
            self._constants(index, node, group)
            self._write_real(node)
            self._put_back(node, self._twin.left_out.get(index, ()))
        self._float_outputs()
        kept = [type(node).FromString(node.SerializeToString()) for node in self._nodes]
        del self._graph.node[:]
        self._graph.node.extend(kept)

    # ------------------------------------------------------------------------------------------ activations

    def _is_free(self, name: str) -> bool:
        """Return whether an activation is computed in float, so that who reads it in float reads it unrounded."""
        root = self._qdq.root(name)
        maker = self._qdq.makers.get(root)
        return maker in self._groups if maker is not None else root not in self._qdq.stored

    def _read_real(self, index: int, node: OnnxNode, group: Group) -> None:
        for place, name in enumerate(self._qdq.nodes[index].input):
            if name not in self._qdq.numbers or self._groups.get(self._qdq.makers.get(name, -1)) is group:
                continue
            if self._is_free(name):
                root = self._qdq.root(name)
                node.input[place] = self._real.get(root, root)
            elif name in self._qdq.stored:
                node.input[place] = self._dequantize(name, self._qdq.stored[name])

    def _write_real(self, node: OnnxNode) -> None:
        """Let a node that moved integers give real values, and quantize these for who takes integers."""
        from onnx import helper

        for place, name in enumerate(list(node.output)):
            if name in self._real:
                how = self._qdq.stored[name]
                node.output[place] = self._real[name]
                inputs = [self._real[name], *how.names]
                self._nodes.append(helper.make_node(QUANTIZE, inputs, [name], domain=how.domain))

    def _dequantize(self, name: str, how: Stored) -> str:
        from onnx import helper

        if name not in self._dequantized:
            real = self._new_name(f"{name}_real")
            self._nodes.append(helper.make_node(DEQUANTIZE, [name, *how.names], [real], domain=how.domain))
            self._dequantized[name] = real
        return self._dequantized[name]

    def _put_back(self, node: OnnxNode, left_out: Sequence[Activation]) -> None:
        """Let a Relu or Clip follow a node again."""
        from onnx import helper

        if not left_out:
            return
        last, name = node.output[0], self._new_name(f"{node.output[0]}_raw")
        if last in self.in_float:
            self.in_float.add(name)
        node.output[0] = name
        for place, activation in enumerate(left_out):
            output = last if place == len(left_out) - 1 else self._new_name(f"{last}_raw")
            limits = ["" if limit is None else self._add(limit, f"{last}_limit") for limit in activation.limits]
            added = helper.make_node(activation.node.op_type, [name, *limits], [output])
            added.attribute.extend(activation.node.attribute)
            self._nodes.append(added)
            name = output

    def _float_outputs(self) -> None:
        """Give float outputs of the graph as they were computed: what reads them is no int8 neighbour."""
        from onnx import helper

        for value in self._graph.output:
            name = value.name
            maker = self._qdq.makers.get(name)
            if maker is None or self._qdq.nodes[maker].op_type != DEQUANTIZE or name not in self._qdq.numbers:
                continue
            if self._is_free(name):
                root = self._qdq.root(name)
                self._nodes[maker].CopyFrom(helper.make_node("Identity", [self._real.get(root, root)], [name]))

    # ------------------------------------------------------------------------------------------ constants

    def _constants(self, index: int, node: OnnxNode, group: Group) -> None:
        """Give a node the constants that it takes in float."""
        exact = self._float_weights and all(self._twin.weights(self._qdq, i, p) is not None for i, p in group.weights)
        for place, name in enumerate(self._qdq.nodes[index].input):
            if not self._qdq.is_constant(name):
                continue
            found = self._qdq.dequantized(name)
            if found is None:
                if self._holds_integers(index, name):
                    how = next(self._qdq.stored[n] for n in self._qdq.nodes[index].output if n in self._qdq.stored)
                    node.input[place] = self._dequantize(name, how)
            elif (index, place) in group.weights and not exact:
                node.input[place] = self._widen(name, *found[1:])
            else:
                values = self._float_constant(index, place, *found, exact=exact)
                node.input[place] = self._add(values, f"{name}_float")
        if any(at == index for at, _ in group.weights):
            self.in_float.update(name for name in node.output if name)

    def _float_constant(
        self, index: int, place: int, stored: Array, scale: Array, point: Array, *, exact: bool
    ) -> Array:
        """Return a constant in float32: that of the float graph; without its weights only what a bias was rounded from.

        One that differs by more was changed on purpose, for the int8 weights.
        """
        rounded = (stored.astype(np.float64) - point) * scale
        given = self._twin.constants.get((index, place))
        same = given is not None and given.shape == rounded.shape
        if given is not None and same and not exact:
            same = bool((np.abs(given - rounded) <= MOST_STEPS * scale).all())
        return np.asarray(given if same else rounded, np.float32)

    def _widen(self, name: str, scale: Array, point: Array) -> str:
        """Make float values of int8 weights, and return their name."""
        if name not in self._widened:
            integers = self._qdq.nodes[self._qdq.makers[name]].input[0]
            nodes, self._widened[name] = widened(integers, scale, point, self._new_name(f"{name}_wide"), self._add)
            self._nodes += nodes
        return self._widened[name]

    def _holds_integers(self, index: int, name: str) -> bool:
        """Return whether a constant holds integers of the type that a node moves."""
        array = self._qdq.array(name)
        outputs = [n for n in self._qdq.nodes[index].output if n in self._qdq.stored]
        if array is None or not outputs:
            return False
        point = self._qdq.array(self._qdq.stored[outputs[0]].names[1])
        return point is not None and point.dtype == array.dtype

    def _add(self, values: Array, name: str) -> str:
        """Add a constant in its type and return its name."""
        from onnx import numpy_helper

        name = self._new_name(name)
        self._graph.initializer.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def _new_name(self, wanted: str) -> str:
        while wanted in self._taken:
            wanted += "_"
        self._taken.add(wanted)
        return wanted
