"""Multiply-accumulates of a .tflite file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgekit.inspect import macs
from edgekit.inspect.flatbuffer import Walker
from edgekit.inspect.macs import Tally
from edgekit.inspect.tflite_graph import Graph, Model, Operator

Shape = tuple[int, ...]

_COUNTED: dict[str, Callable[[list[Shape], Shape], int]] = {
    # Operator -> (input shapes, output shape) -> MACs. Windows are (out, height, width, in / groups).
    "CONV_2D": lambda x, y: macs.conv(y, x[1][1:3], x[1][3]),
    "DEPTHWISE_CONV_2D": lambda x, y: macs.conv(y, x[1][1:3], 1),
    "CONV_3D": lambda x, y: macs.conv(y, x[1][:3], x[1][3]),  # (depth, height, width, in, out)
    "TRANSPOSE_CONV": lambda x, y: macs.transpose_conv(x[2], x[1][1:3], x[1][0]),
    "CONV_3D_TRANSPOSE": lambda x, y: macs.transpose_conv(x[2], x[1][:3], x[1][3]),  # (..., out, in)
    "FULLY_CONNECTED": lambda x, y: macs.matmul(y, x[1][1]),
    "BATCH_MATMUL": lambda x, y: macs.matmul(y, x[0][-1]),
}
_MISSED = {
    *("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_LSTM", "RNN", "UNIDIRECTIONAL_SEQUENCE_RNN"),
    *("BIDIRECTIONAL_SEQUENCE_RNN", "SVDF", "STABLEHLO_CONVOLUTION", "STABLEHLO_DOT_GENERAL"),
}


def count_macs(model: Model, walk: Walker) -> tuple[int | None, str, int]:
    """Return MACs of one sample through the main graph, what they leave out, and the fixed batch size."""
    from ai_edge_litert.schema_py_generated import BatchMatMulOptions

    tally = Tally()
    main, *others = model.graphs
    for operator in main.operators:
        if operator.name == "BATCH_MATMUL" and _adjoint(operator, BatchMatMulOptions(), walk):
            _count(operator, main, tally, lambda x, y: macs.matmul(y, x[0][-2]))
        elif operator.name in _COUNTED:
            _count(operator, main, tally, _COUNTED[operator.name])
        elif operator.name in _MISSED or operator.name.startswith(("CUSTOM:", "UNKNOWN:")):
            tally.miss(operator.name)
    for graph in others:
        for operator in graph.operators:
            if operator.name in _COUNTED or operator.name in _MISSED:
                tally.miss(operator.name, "in another graph of the file")
    inputs = [main.tensors[i].signature for i in main.inputs]
    batch = macs.batch_size(inputs, [main.tensors[i].signature for i in main.outputs])
    total, note = tally.result(batch, dynamic=macs.dynamic_inside(inputs))
    return total, note, batch


def _count(operator: Operator, graph: Graph, tally: Tally, rule: Callable[[list[Shape], Shape], int]) -> None:
    inputs = [graph.tensors[i].shape if i >= 0 else () for i in operator.inputs]
    try:
        tally.add(rule(inputs, graph.tensors[operator.outputs[0]].shape))
    except IndexError:  # an operand or an axis is missing
        tally.miss(operator.name, "unknown shape")


def _adjoint(operator: Operator, options: Any, walk: Walker) -> bool:
    union = walk.call(operator.table.BuiltinOptions)
    if union is None:
        return False
    walk.call(options.Init, union.Bytes, union.Pos)
    return bool(walk.call(options.AdjX))
