"""Integer inputs and outputs for ONNX files of the QDQ form, and their scales in the file's metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from edgekit.formats.info import FileInfo, TensorInfo
from edgekit.formats.onnx.ports import KEY
from edgekit.formats.types import OnnxGraph, OnnxModel, OnnxNode, OnnxValue

_MOVES = ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten")
Scale = tuple[float, int]
"""Scale and zero point: real = scale * (stored - zero_point)."""


def int8_of(low: float, high: float) -> Scale:
    """Return the scale and zero point that cover a range with int8; zero is always one of the values."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32((high - low) / 255) if high > low else np.float32(1)
    scale = scale if scale > 0 else np.float32(np.finfo(np.float32).tiny)
    return float(scale), int(np.clip(np.round(-128 - low / float(scale)), -128, 127))


def make_integer(
    model: OnnxModel, ranges: Mapping[str, tuple[float, float]], wanted: Mapping[str, Scale] | None = None
) -> dict[str, dict[str, Scale]]:
    """Let a QDQ graph take and give int8 where it took and gave float32: QuantizeLinear and DequantizeLinear go.

    Args:
        model: an onnx.ModelProto; changed.
        ranges: of tensors, lowest and highest value; used for inputs and outputs that the graph does not quantize.
        wanted: scales that inputs and outputs are to have in place of those.

    Returns:
        The scales by name, under `inputs` and `outputs`. A port of another type stays as it is.
    """
    graph = _Graph(model.graph)
    free = {name: int8_of(*ends) for name, ends in ranges.items()} | dict(wanted or {})
    fed = [value for value in model.graph.input if _is_float(value) and value.name in ranges]
    given = [value for value in model.graph.output if _is_float(value) and value.name in ranges]
    inputs = {value.name: graph.take_int8(value, free) for value in fed}
    outputs = {value.name: graph.give_int8(value, free) for value in given if graph.makes(value.name)}
    graph.write()
    return {"inputs": inputs, "outputs": outputs}


def note_scales(model: OnnxModel, scales: Mapping[str, Mapping[str, Scale]]) -> None:
    """Write the scales of inputs and outputs into a model's metadata, as `edgekit.formats.onnx.ports` reads them."""
    kept = [type(entry).FromString(entry.SerializeToString()) for entry in model.metadata_props if entry.key != KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    scales_by_side = {
        side: {name: {"scale": scale, "zero_point": point} for name, (scale, point) in ports.items()}
        for side, ports in scales.items()
    }
    if any(scales_by_side.values()):
        model.metadata_props.add(key=KEY, value=json.dumps(scales_by_side, separators=(",", ":")))


def scales_of(tensors: Sequence[TensorInfo], names: Sequence[str]) -> dict[str, Scale]:
    """Return the scales of the inputs or outputs of a TFLite file under the names that they have in the ONNX file.

    Args:
        tensors: of the TFLite file, in its order.
        names: of the ONNX file, in its order, which is that of the TFLite file where the names are others.
    """
    known = {tensor.name: tensor for tensor in tensors}
    pairs = [(n, known[n]) for n in names] if set(known) == set(names) else list(zip(names, tensors, strict=True))
    found = [(name, tensor.quantization) for name, tensor in pairs]
    return {name: (q.scale[0], q.zero_point[0]) for name, q in found if q is not None and len(q.scale) == 1}


def twin_scales(model: OnnxModel, twin: FileInfo) -> dict[str, dict[str, Scale]]:
    """Return the scales of the inputs and outputs of a TFLite file by the names of its ONNX twin."""
    names = [[value.name for value in ports] for ports in (model.graph.input, model.graph.output)]
    return {"inputs": scales_of(twin.inputs, names[0]), "outputs": scales_of(twin.outputs, names[1])}


class _Graph:
    """A graph whose nodes are taken away and put in."""

    def __init__(self, graph: OnnxGraph) -> None:
        self._graph = graph
        self._nodes = list(graph.node)
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._outputs = {value.name for value in graph.output}
        self._count = 0

    def take_int8(self, value: OnnxValue, free: Mapping[str, Scale]) -> Scale:
        """Make a float input int8."""
        name = value.name
        steps = [n for n in self._nodes if n.op_type == "QuantizeLinear" and n.input[0] == name and self._scale(n)]
        scale = (self._scale(steps[0]) if steps else None) or free[name]
        steps = [node for node in steps if self._scale(node) == scale]
        ended = {id(node) for node in steps}
        self._nodes = [node for node in self._nodes if id(node) not in ended]
        if any(name in _read_by(node) for node in self._nodes):
            real = self._new_name(f"{name}_real")
            self._reconnect(name, real)
            self._dequantize_late(name, real, self._stored(scale))
        for node in steps:
            self._reconnect(node.output[0], name)
        self._become_int8(value)
        return scale

    def give_int8(self, value: OnnxValue, free: Mapping[str, Scale]) -> Scale:
        """Make a float output int8."""
        from onnx import helper

        name, real = value.name, self._new_name(f"{value.name}_real")
        last = self._maker(name)
        scale = self._scale(last) if last.op_type == "DequantizeLinear" else None
        first = self._maker(last.input[0]) if scale and last.input[0] not in self._outputs else None
        last.output[:] = [real if output == name else output for output in last.output]
        self._reconnect(name, real)
        if first is not None and first.op_type == "QuantizeLinear":
            self._reconnect(first.output[0], name)
            first.output[0] = name
        else:
            scale = scale or free[name]
            self._nodes.append(helper.make_node("QuantizeLinear", [real, *self._stored(scale)], [name]))
        self._become_int8(value)
        assert scale is not None
        return scale

    def _dequantize_late(self, stored: str, real: str, scale: Sequence[str]) -> None:
        """Make real values of stored ones, behind the operators that only move them.

        There onnxruntime would put the step itself, and dies if it then meets the body of a loop that reads the values.
        """
        from onnx import helper

        for node in [n for n in self._nodes if n.op_type in _MOVES and n.input[0] == real]:
            moved = node.output[0]
            if moved in self._outputs:
                continue
            node.input[0], node.output[0] = stored, self._new_name(f"{moved}_stored")
            self._dequantize_late(node.output[0], moved, scale)
        if any(real in _read_by(node) for node in self._nodes) or real in self._outputs:
            self._nodes.insert(0, helper.make_node("DequantizeLinear", [stored, *scale], [real]))

    def makes(self, name: str) -> bool:
        """Return whether a node makes a value."""
        return self._maker(name) is not None

    def _maker(self, name: str) -> OnnxNode:
        return next((node for node in self._nodes if name in node.output), None)

    def write(self) -> None:
        """Put the nodes into the graph."""
        kept = [type(node).FromString(node.SerializeToString()) for node in self._nodes]
        del self._graph.node[:]
        self._graph.node.extend(kept)

    def _reconnect(self, old: str, new: str) -> None:
        """Let every node that reads a value read another one."""
        for node in self._nodes:
            _replace(node, old, new)

    def _scale(self, node: OnnxNode) -> Scale | None:
        """Return the scale of an int8 QuantizeLinear or DequantizeLinear for the whole tensor."""
        from onnx import numpy_helper

        if len(node.input) < 3 or any(name not in self._constants for name in node.input[1:3]):
            return None
        scale, point = (numpy_helper.to_array(self._constants[name]) for name in node.input[1:3])
        return (float(scale.item()), int(point.item())) if scale.size == 1 and point.dtype == np.int8 else None

    def _stored(self, scale: Scale) -> list[str]:
        """Add a scale and its zero point to the constants, and return their names."""
        from onnx import numpy_helper

        names = [self._new_name("port_scale"), self._new_name("port_zero_point")]
        for name, array in zip(names, (np.float32(scale[0]), np.int8(scale[1])), strict=True):
            tensor = numpy_helper.from_array(np.asarray(array), name)
            self._constants[name] = tensor
            self._graph.initializer.append(tensor)
        return names

    def _new_name(self, wanted: str) -> str:
        taken = {*self._constants, *(name for node in self._nodes for name in (*node.input, *node.output))}
        while wanted in taken:
            self._count += 1
            wanted = f"{wanted}_{self._count}"
        return wanted

    def _become_int8(self, value: OnnxValue) -> None:
        value.type.tensor_type.elem_type = 3
        kept = [type(v).FromString(v.SerializeToString()) for v in self._graph.value_info if v.name != value.name]
        del self._graph.value_info[:]
        self._graph.value_info.extend(kept)


def _read_by(node: OnnxNode) -> set[str]:
    """Return what a node and the graphs inside it read."""
    inner = [n for a in node.attribute if a.HasField("g") for n in a.g.node]
    outer = {value.name for a in node.attribute if a.HasField("g") for value in a.g.output}
    return {*node.input, *outer, *(name for n in inner for name in _read_by(n))}


def _replace(node: OnnxNode, old: str, new: str) -> None:
    """Let a node and the graphs inside it read another value."""
    for place, name in enumerate(node.input):
        if name == old:
            node.input[place] = new
    for attribute in node.attribute:
        if attribute.HasField("g"):
            for inner in attribute.g.node:
                _replace(inner, old, new)
            for value in attribute.g.output:
                if value.name == old:
                    value.name = new


def _is_float(value: OnnxValue) -> bool:
    return bool(value.type.HasField("tensor_type") and value.type.tensor_type.elem_type == 1)
