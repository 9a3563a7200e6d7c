"""What the integers at a model's inputs and outputs mean: values with a scale, numbers as they are, or unknown.

Tensors between which operators only move values share one scale. Such groups are formed first, through branches and
the bodies of If, Loop and Scan; the operators around a group say what its integers are.

A file that edgekit wrote has the scales in its metadata, too (`KEY`), since they are known when it is made:
`{"inputs": {NAME: {"scale": 0.5, "zero_point": -3}}, "outputs": {...}}` as JSON. They are used where the graph itself
tells none.
"""

from __future__ import annotations

import json
import math
from collections import ChainMap
from dataclasses import dataclass, field

from edgekit.formats.info import Quantization
from edgekit.formats.onnx.graph import DTYPES, Index, attribute
from edgekit.formats.onnx.operators import (
    ACCUMULATORS,
    ALL_OUTPUTS,
    DOMAINS,
    MAKES_NUMBERS,
    NEUTRAL,
    moved,
    uses_number,
)
from edgekit.formats.onnx.quantization import Scales
from edgekit.formats.types import OnnxGraph, OnnxModel, OnnxNode

KEY = "edgekit.quantization"
"""Of `metadata_props`."""
LIMITS = {
    **{"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "uint16": (0, 65535)},
    **{"int4": (-8, 7), "uint4": (0, 15)},
}
"""Types that mostly stand for real values, with a scale; wider ones are numbers, such as tokens and classes."""
_MOST_JSON = 1 << 20
_LARGEST = 1e30


@dataclass
class _Group:
    """Tensors that share a scale.

    Attributes:
        scales: what operators around it say, scale and zero point.
        wide: one of them says a scale per channel.
        numbers: one takes or makes the integers as numbers.
        sums: one makes 32-bit sums, whose scale is that of what it multiplied.
        unknown: one does none of this.
    """

    scales: set[tuple[float, int]] = field(default_factory=set)
    wide: bool = False
    numbers: bool = False
    sums: bool = False
    unknown: bool = False


class Ports:
    """Looks up what the integers of inputs and outputs mean.

    Args:
        model: a ModelProto.
        graph: its index.
        scales: reads its operators.
    """

    def __init__(self, model: OnnxModel, graph: Index, scales: Scales) -> None:
        self._graph, self._scales = graph, scales
        self._parents: list[int] = []
        self._types: dict[int, str] = {}
        self._shapes: dict[int, tuple[int, ...]] = {}
        self._direct: dict[int, list[Quantization]] = {}
        self._nodes: list[tuple[OnnxNode, list[int | None], list[int]]] = []
        self._scope: ChainMap[str, int] = ChainMap()
        self._walk(model.graph, self._scope)
        self._groups: dict[int, _Group] = {}
        for node, inputs, outputs in self._nodes:
            self._note(node, inputs, outputs)
        self._annotated = _annotated(model)

    def of(self, name: str, dtype: str, side: str) -> tuple[Quantization | None, bool]:
        """Return an integer port's quantization, and whether it should have one scale that is unknown.

        Args:
            name: of the input or output.
            dtype: its type.
            side: `inputs` or `outputs`.
        """
        key = self._scope.get(name, -1)
        group = self._groups.get(self._find(key), _Group()) if key >= 0 else _Group()
        if len(group.scales) == 1 and not group.wide:
            [(scale, point)] = group.scales
            return Quantization((scale,), (point,), None), False
        annotated = self._annotated.get(side, {}).get(name)
        if annotated is not None and _fits(annotated, dtype):
            return annotated, False
        if group.scales or group.wide:
            direct = self._direct.get(key, [])
            return (direct[0] if len(direct) == 1 and not group.scales else None), True
        return None, group.sums or (dtype in LIMITS and group.unknown and not group.numbers)

    # ------------------------------------------------------------------------------------------ groups

    def _walk(self, graph: OnnxGraph, scope: ChainMap[str, int]) -> None:
        """Give every tensor of a graph a number, and join those between which values only move."""
        for value in (*graph.input, *graph.value_info, *graph.output):
            key = self._key(value.name, scope)
            if value.type.HasField("tensor_type"):
                self._types.setdefault(key, DTYPES.get(value.type.tensor_type.elem_type, ""))
                dims = value.type.tensor_type.shape.dim
                self._shapes.setdefault(key, tuple(d.dim_value if d.dim_value > 0 else -1 for d in dims))
        for node in graph.node:
            inputs = [self._key(name, scope) if self._varies(name) else None for name in node.input]
            outputs = [self._key(name, scope) for name in node.output]
            bodies = [(a.g, scope.new_child()) for a in node.attribute if a.HasField("g")]
            for body, inner in bodies:
                for value in body.input:
                    inner[value.name] = self._new()
                self._walk(body, inner)
                self._through(node, body, inner, inputs, outputs)
            self._nodes.append((node, inputs, outputs))
            handed = outputs if node.op_type in ALL_OUTPUTS else outputs[:1]
            for place in moved(node):
                for output in handed:
                    self._join(inputs[place], output)

    def _through(
        self, node: OnnxNode, body: OnnxGraph, inner: ChainMap[str, int], inputs: list[int | None], outputs: list[int]
    ) -> None:
        """Join what goes into and comes out of the body of an If, a Loop or a Scan."""
        ins, outs = [inner[v.name] for v in body.input], [inner.get(v.name) for v in body.output]
        pairs: list[tuple[int | None, int | None]]
        if node.op_type == "If":
            pairs = list(zip(outs, outputs, strict=False))
        elif node.op_type == "Loop":  # body: iteration, condition, states -> condition, states, collected
            pairs = [*zip(inputs[2:], ins[2:], strict=False), *zip(outs[1:], outputs, strict=False)]
            pairs += list(zip(ins[2:], outs[1:], strict=False))
        elif node.op_type == "Scan":
            count = len(ins) - next((int(a.i) for a in node.attribute if a.name == "num_scan_inputs"), 0)
            pairs = [*zip(inputs, ins, strict=False), *zip(outs, outputs, strict=False)]
            pairs += list(zip(ins[: max(0, count)], outs, strict=False))
        else:
            return
        for one, other in pairs:
            self._join(one, other)

    def _varies(self, name: str) -> bool:
        """Return whether a name stands for a tensor and not for a constant, which may have several readers' scales."""
        return bool(name) and name not in self._graph.by_name

    def _key(self, name: str, scope: ChainMap[str, int]) -> int:
        if name not in scope:
            scope[name] = self._new()
        return scope[name]

    def _new(self) -> int:
        self._parents.append(len(self._parents))
        return len(self._parents) - 1

    def _find(self, key: int) -> int:
        while self._parents[key] != key:
            self._parents[key] = self._parents[self._parents[key]]
            key = self._parents[key]
        return key

    def _join(self, one: int | None, other: int | None) -> None:
        if one is not None and other is not None:
            self._parents[self._find(one)] = self._find(other)

    # ------------------------------------------------------------------------------------------ what operators say

    def _note(self, node: OnnxNode, inputs: list[int | None], outputs: list[int]) -> None:
        bodies = any(a.HasField("g") for a in node.attribute)
        places = moved(node)
        for place, key in enumerate(inputs):
            if key is None or place in places or node.op_type in NEUTRAL or bodies:
                continue
            group = self._group(key)
            found = self._scales.read_by(node, place, (), moved=True)
            found = found or self._scales.read_by(node, place, self._shapes.get(key, ()), moved=False)
            if found is not None and found.scale:
                self._add(group, key, found)
            elif uses_number(node, place):
                group.numbers = True
            else:
                group.unknown = True
        for place, key in enumerate(outputs):
            group = self._group(key)
            found = self._scales.written_by(node) if place == 0 else None
            if found is not None:
                self._add(group, key, found)
            elif self._makes_numbers(node, place, inputs):
                group.numbers = True
            elif node.op_type in ACCUMULATORS:
                group.sums = True
            elif not bodies and not (places and (place == 0 or node.op_type in ALL_OUTPUTS)):
                group.unknown = True

    def _add(self, group: _Group, key: int, found: Quantization) -> None:
        if not all(math.isfinite(s) and s > 0 for s in found.scale):
            group.unknown = True
        elif found.axis is None:
            group.scales.add((found.scale[0], found.zero_point[0]))
        else:
            group.wide = True
            self._direct.setdefault(key, []).append(found)

    def _makes_numbers(self, node: OnnxNode, place: int, inputs: list[int | None]) -> bool:
        if node.domain not in DOMAINS[:2]:
            return False
        if node.op_type == "Cast":
            # An image of bytes is made so; int8 made of floating point is quantized by hand, with a scale somewhere.
            made_of = "" if not inputs or inputs[0] is None else self._types.get(inputs[0], "")
            source = None if not node.input else self._graph.producers.get(node.input[0])
            whole = made_of.lstrip("u").startswith("int") or made_of == "bool"
            whole = whole or (source is not None and source.op_type in MAKES_NUMBERS)
            return whole or DTYPES.get(attribute(node, "to", 0), "") not in ("int8", "int16", "uint16", "int4", "uint4")
        return node.op_type in MAKES_NUMBERS or (place > 0 and (node.op_type in ("TopK", "MaxPool", "Unique")))

    def _group(self, key: int) -> _Group:
        return self._groups.setdefault(self._find(key), _Group())


def _annotated(model: OnnxModel) -> dict[str, dict[str, Quantization]]:
    """Return what the metadata say; what is not as edgekit writes it is passed over."""
    text = next((p.value for p in model.metadata_props if p.key == KEY), "")
    try:
        value = json.loads(text) if 0 < len(text) <= _MOST_JSON else {}
    except (ValueError, RecursionError):
        return {}
    found: dict[str, dict[str, Quantization]] = {}
    for side in ("inputs", "outputs"):
        ports = value.get(side) if isinstance(value, dict) else None
        for name, entry in ports.items() if isinstance(ports, dict) else ():
            scale, point = (entry.get("scale"), entry.get("zero_point")) if isinstance(entry, dict) else (0, 0)
            if isinstance(scale, int | float) and 0 < scale <= _LARGEST and type(point) is int:
                found.setdefault(side, {})[name] = Quantization((float(scale),), (point,), None)
    return found


def _fits(annotated: Quantization, dtype: str) -> bool:
    low, high = LIMITS.get(dtype, (-(2**31), 2**31 - 1))
    return low <= annotated.zero_point[0] <= high
