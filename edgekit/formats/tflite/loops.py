"""How often the loops of a .tflite file run, where the file says so, as for the recurrent layers that Keras exports."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from mmap import mmap

from edgekit.formats.tflite.flatbuffer import Walker
from edgekit.formats.tflite.graph import Graph, Model, Operator
from edgekit.formats.types import Table

_INTEGERS = {"int32": "<i", "int64": "<q"}


@dataclass(frozen=True)
class Loop:
    """A WHILE operator.

    Attributes:
        condition, body: the graphs that it runs.
        rounds: how often; None if only running tells.
    """

    condition: int
    body: int
    rounds: int | None


def loop_of(operator: Operator, graph: Graph, model: Model, data: bytes | mmap, walk: Walker) -> Loop | None:
    """Return what a WHILE operator runs, and how often; None if its graphs are missing.

    The number of rounds is known where the condition is that a counter is less than a constant, and the body adds a
    constant to that counter. Of several such conditions the one that ends first counts.

    Args:
        operator: of `graph`.
        graph: that holds it.
        model: the file.
        data: its bytes.
        walk: bounds the work.
    """
    from ai_edge_litert.schema_py_generated import WhileOptions

    union = walk.call(operator.table.BuiltinOptions)
    if union is None:
        return None
    options: Table = WhileOptions()
    walk.call(options.Init, union.Bytes, union.Pos)
    condition, body = walk.call(options.CondSubgraphIndex), walk.call(options.BodySubgraphIndex)
    if not all(0 <= index < len(model.graphs) for index in (condition, body)):
        return None
    limits = [
        found
        for op in model.graphs[condition].operators
        if op.name == "LESS"
        and (found := _rounds(op, operator, graph, model.graphs[condition], model.graphs[body], data)) is not None
    ]
    return Loop(condition, body, min(limits) if limits else None)


def _rounds(less: Operator, loop: Operator, graph: Graph, test: Graph, body: Graph, data: bytes | mmap) -> int | None:
    """Return how many rounds a counter takes to its limit."""
    if len(less.inputs) != 2 or less.inputs[0] not in test.inputs:
        return None
    place = test.inputs.index(less.inputs[0])
    if not place < min(len(loop.inputs), len(body.inputs), len(body.outputs)):
        return None
    start, limit = _value(graph, loop.inputs[place], data), _value(test, less.inputs[1], data)
    if limit is None and less.inputs[1] in test.inputs:
        other = test.inputs.index(less.inputs[1])
        kept = other < min(len(loop.inputs), len(body.inputs), len(body.outputs))
        if kept and body.outputs[other] == body.inputs[other]:
            limit = _value(graph, loop.inputs[other], data)
    add = next((op for op in body.operators if body.outputs[place] in op.outputs), None)
    if start is None or limit is None or add is None or add.name != "ADD" or len(add.inputs) != 2:
        return None
    steps = [_value(body, i, data) for i in add.inputs if i != body.inputs[place]]
    if len(steps) != 1 or steps[0] is None or steps[0] < 1:
        return None
    return max(0, -(-(limit - start) // steps[0]))


def _value(graph: Graph, index: int, data: bytes | mmap) -> int | None:
    """Return the only value of a constant integer tensor."""
    if not 0 <= index < len(graph.tensors):
        return None
    tensor = graph.tensors[index]
    form = _INTEGERS.get(tensor.dtype)
    if form is None or tensor.span is None or tensor.span.start is None or tensor.span.length != struct.calcsize(form):
        return None
    found: int = struct.unpack(form, data[tensor.span.start : tensor.span.start + tensor.span.length])[0]
    return found
