"""What exporters write as several operators, recognised as the one that was meant.

A pattern looks back from its last operator; what is left unread afterwards is dropped. Opsets below 14 have no
HardSwish, below 17 no LayerNormalization, below 18 no Mish, below 20 no Gelu.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgekit.models.imported.operators import Operator, Operators, Shape
from edgekit.tasks.samples import Array

_CLOSE = 1e-4
"""Of constants such as 1 / sqrt(2), which exporters round."""


@dataclass(frozen=True)
class Context:
    """What a pattern may look at: who makes a value, constants, and sizes."""

    makers: Mapping[str, Operator]
    constants: Mapping[str, Array]
    shapes: Mapping[str, Shape]

    def made(self, name: str, *kinds: str) -> Operator | None:
        """Return the operator that makes a value, if it is of one of these kinds."""
        found = self.makers.get(name)
        return found if found is not None and found.kind in kinds else None

    def number(self, name: str) -> float | None:
        """Return the value of a constant of one number."""
        values = self.constants.get(name)
        return float(values.reshape(-1)[0]) if values is not None and values.size == 1 else None

    def with_number(self, node: Operator | None, value: float) -> str:
        """Return the other input of an operator whose one input is this number; empty if none is."""
        for name, other in () if node is None or len(node.inputs) != 2 else (node.inputs, node.inputs[::-1]):
            number = self.number(name)
            if number is not None and abs(number - value) <= _CLOSE * max(1.0, abs(value)):
                return other
        return ""

    def pairs(self, node: Operator) -> tuple[tuple[str, str], ...]:
        """Return the inputs of an operator in both orders."""
        a, b = node.inputs
        return (a, b), (b, a)


Pattern = Callable[[Operator, Context], Operator | None]


def recognised(graph: Operators) -> Operators:
    """Return the graph with one operator in the place of each decomposition."""
    makers: dict[str, Operator] = {}
    context, nodes = Context(makers, graph.constants, graph.shapes), []
    for node in graph.nodes:
        found = next((made for pattern in PATTERNS.get(node.kind, ()) if (made := pattern(node, context))), node)
        nodes.append(found)
        makers.update(dict.fromkeys(found.outputs, found))
    return replace(graph, nodes=tuple(nodes)).needed()


def _one(node: Operator, kind: str, x: str) -> Operator:
    return Operator(kind, node.name, (x,), node.outputs)


def _silu(node: Operator, at: Context) -> Operator | None:
    for x, y in at.pairs(node):
        gate = at.made(y, "Sigmoid")
        if gate and gate.inputs[0] == x:
            return _one(node, "Swish", x)
    return None


def _mish(node: Operator, at: Context) -> Operator | None:
    for x, y in at.pairs(node):
        tanh = at.made(y, "Tanh")
        soft = tanh and at.made(tanh.inputs[0], "Softplus")
        if soft and soft.inputs[0] == x:
            return _one(node, "Mish", x)
    return None


def _hard_swish(node: Operator, at: Context) -> Operator | None:
    """Return x * HardSigmoid(x), or x * Clip(x + 3, 0, 6) behind which, or in which, stands a sixth."""
    for x, y in at.pairs(node):
        gate = at.made(y, "HardSigmoid")
        if gate and gate.inputs[0] == x and _sixth(gate):
            return _one(node, "HardSwish", x)
        if _relu6_of_shifted(_sixth_of(y, at), at) == x:
            return _one(node, "HardSwish", x)
    return _hard_swish_behind(node, at)


def _hard_swish_behind(node: Operator, at: Context) -> Operator | None:
    product = at.made(_sixth_of(node.outputs[0], at, node), "Mul")
    for x, y in at.pairs(product) if product else ():
        if _relu6_of_shifted(y, at) == x:
            return _one(node, "HardSwish", x)
    return None


def _sixth(gate: Operator) -> bool:
    return abs(gate.real("alpha", 0.2) - 1 / 6) < _CLOSE and abs(gate.real("beta", 0.5) - 0.5) < _CLOSE


def _sixth_of(name: str, at: Context, node: Operator | None = None) -> str:
    """Return the value of which an operator takes the sixth part."""
    node = node or at.made(name, "Mul", "Div")
    if node is None:
        return ""
    return at.with_number(node, 1 / 6) if node.kind == "Mul" else _divided(node, at, 6.0)


def _divided(node: Operator | None, at: Context, value: float) -> str:
    number = at.number(node.inputs[1]) if node is not None and node.kind == "Div" else None
    return node.inputs[0] if node and number is not None and abs(number - value) < _CLOSE * value else ""


def _relu6_of_shifted(name: str, at: Context) -> str:
    """Return x of Clip(x + 3, 0, 6)."""
    clip = at.made(name, "Clip")
    if clip is None:
        return ""
    limits = [at.number(limit) for limit in clip.inputs[1:3]] or [clip.real("min", -1), clip.real("max", -1)]
    return at.with_number(at.made(clip.inputs[0], "Add"), 3.0) if limits == [0.0, 6.0] else ""


def _gelu(node: Operator, at: Context) -> Operator | None:
    """Return x * (erf(x / sqrt(2)) + 1) * 0.5, the factors in any order."""
    flat, numbers = _factors(node, at)
    for x in flat:
        others = [name for name in flat if name != x]
        if len(flat) == 2 and len(others) == 1 and abs(numbers - 0.5) < _CLOSE:
            erf = at.made(at.with_number(at.made(others[0], "Add"), 1.0), "Erf")
            scaled = erf and at.made(erf.inputs[0], "Div", "Mul")
            if scaled and x in (_divided(scaled, at, 2**0.5), at.with_number(scaled, 0.5**0.5)):
                return _one(node, "Gelu", x)
    return None


def _factors(node: Operator, at: Context) -> tuple[list[str], float]:
    """Return the values and the number that a tree of at most three Mul multiplies."""
    names, number = list(node.inputs), 1.0
    for _ in range(2):
        deeper = next((n for n in names if at.made(n, "Mul")), None)
        if deeper is not None and len(names) < 3:
            names.remove(deeper)
            names += at.makers[deeper].inputs
    for name in list(names):
        value = at.number(name)
        if value is not None:
            names.remove(name)
            number *= value
    return names, number


def _layer_normalization(node: Operator, at: Context) -> Operator | None:
    """Return (x - mean) / sqrt(mean((x - mean)^2) + epsilon) over the last axis; scale and shift follow it."""
    difference, root = at.made(node.inputs[0], "Sub"), at.made(node.inputs[1], "Sqrt")
    added = root and at.made(root.inputs[0], "Add")
    if difference is None or added is None:
        return None
    for variance, epsilon in at.pairs(added):
        mean, number = at.made(variance, "ReduceMean"), at.number(epsilon)
        square = mean and at.made(mean.inputs[0], "Pow", "Mul")
        centre = at.made(difference.inputs[1], "ReduceMean")
        if not (mean and square and centre) or number is None:
            continue
        if set(square.inputs[: 1 if square.kind == "Pow" else 2]) != {difference.outputs[0]}:
            same = at.made(square.inputs[0], "Sub")
            if same is None or same.inputs != difference.inputs:
                continue
        if square.kind == "Pow" and at.number(square.inputs[1]) != 2.0:
            continue
        if centre.inputs[0] != difference.inputs[0] or not (_last_axis(mean, at) and _last_axis(centre, at)):
            continue
        attributes = {"axis": -1, "epsilon": number}
        return Operator("LayerNormalization", node.name, (centre.inputs[0],), node.outputs, attributes)
    return None


def _group_normalization(node: Operator, at: Context) -> Operator | None:
    """Return the normalization of groups, each laid out as one channel, and back; scale and shift follow it."""
    one = at.made(node.inputs[0], "InstanceNormalization")
    before = one and at.made(one.inputs[0], "Reshape")
    if one is None or before is None:
        return None
    x, grouped = before.inputs[0], at.shapes[before.outputs[0]]
    plain = all(
        np.all(at.constants.get(name) == value) for name, value in zip(one.inputs[1:3], (1.0, 0.0), strict=True)
    )
    groups, sizes = grouped[1], at.shapes[x]
    if (
        not plain
        or len(grouped) != 3
        or at.shapes[node.outputs[0]] != sizes
        or sizes[1] % groups
        or sizes[0] != grouped[0]
    ):
        return None
    attributes = {"num_groups": groups, "epsilon": one.real("epsilon", 1e-5)}
    return Operator("GroupNormalization", node.name, (x,), node.outputs, attributes)


def _last_axis(node: Operator, at: Context) -> bool:
    given = node.integers("axes")
    if given is None and len(node.inputs) > 1 and node.inputs[1] in at.constants:
        given = tuple(int(n) for n in np.asarray(at.constants[node.inputs[1]]).reshape(-1))
    last = len(at.shapes[node.inputs[0]]) - 1
    return given in ((-1,), (last,)) and node.integer("keepdims", 1) == 1


PATTERNS: dict[str, tuple[Pattern, ...]] = {
    "Mul": (_silu, _mish, _hard_swish, _gelu),
    "Div": (_hard_swish_behind, _layer_normalization),
    "Reshape": (_group_normalization,),
}
"""By the last operator of a decomposition."""
