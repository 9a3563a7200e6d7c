"""Multiply-accumulates of a .tflite file."""

from __future__ import annotations

from collections.abc import Callable
from mmap import mmap

from edgekit.formats import macs
from edgekit.formats.macs import Tally
from edgekit.formats.tflite.flatbuffer import Walker
from edgekit.formats.tflite.graph import Graph, Model, Operator
from edgekit.formats.tflite.loops import loop_of
from edgekit.formats.types import Table

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
_WEIGHTS: dict[str, tuple[int, ...]] = {
    # Operator -> its operands that are weight matrices: every value is used once a step, for a sample.
    "LSTM": (*range(1, 9), 16),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (*range(1, 9), 16),
    "BIDIRECTIONAL_SEQUENCE_LSTM": (*range(1, 9), 16, *range(18, 26), 33, *range(40, 48)),
    "RNN": (1, 2),
    "UNIDIRECTIONAL_SEQUENCE_RNN": (1, 2),
    "BIDIRECTIONAL_SEQUENCE_RNN": (1, 2, 5, 6, 10, 11),
    "SVDF": (1, 2),
}
_BASIC_LSTM = 5
"""Inputs of an LSTM of the basic kernel, all of whose weights are one matrix, the third."""
_MISSED = {"STABLEHLO_CONVOLUTION", "STABLEHLO_DOT_GENERAL"}


def count_macs(model: Model, walk: Walker, data: bytes | mmap) -> tuple[int | None, str, int]:
    """Return MACs of one sample through the main graph, what they leave out, and the fixed batch size.

    Args:
        model: the structure of the file.
        walk: bounds the work.
        data: the file, for the numbers of rounds of loops.
    """
    main = model.graphs[0]
    counter = _Counter(model, walk, data)
    tally = counter.tally(0)
    for index, graph in enumerate(model.graphs):
        for operator in graph.operators if index not in counter.seen else ():
            if operator.name in _COUNTED or operator.name in _MISSED or operator.name in _WEIGHTS:
                tally.miss(operator.name, "in another graph of the file")
    inputs = [main.tensors[i].signature for i in main.inputs]
    batch = macs.batch_size(inputs, [main.tensors[i].signature for i in main.outputs])
    total, note = tally.result(batch, dynamic=macs.dynamic_inside(inputs))
    return total, note, batch


class _Counter:
    """Counts graphs, each once, and adds those of loops as often as they run.

    Attributes:
        seen: graphs that are counted.
    """

    def __init__(self, model: Model, walk: Walker, data: bytes | mmap) -> None:
        self._model, self._walk, self._data = model, walk, data
        self._done: dict[int, Tally] = {}
        self.seen: set[int] = set()

    def tally(self, index: int) -> Tally:
        """Return the tally of a graph; of one that runs itself again, what is known of it so far."""
        if index not in self._done:
            self.seen.add(index)
            tally = self._done[index] = Tally()
            graph = self._model.graphs[index]
            for operator in graph.operators:
                self._count(operator, graph, tally)
        return self._done[index]

    def _count(self, operator: Operator, graph: Graph, tally: Tally) -> None:
        from ai_edge_litert.schema_py_generated import BatchMatMulOptions

        if operator.name == "BATCH_MATMUL" and _adjoint(operator, BatchMatMulOptions(), self._walk):
            _count(operator, graph, tally, lambda x, y: macs.matmul(y, x[0][-2]))
        elif operator.name in _COUNTED:
            _count(operator, graph, tally, _COUNTED[operator.name])
        elif operator.name in _WEIGHTS:
            _count(operator, graph, tally, _recurrent(operator))
        elif operator.name == "WHILE":
            self._loop(operator, graph, tally)
        elif operator.name in _MISSED or operator.name.startswith(("CUSTOM:", "UNKNOWN:")):
            tally.miss(operator.name)

    def _loop(self, operator: Operator, graph: Graph, tally: Tally) -> None:
        loop = loop_of(operator, graph, self._model, self._data, self._walk)
        if loop is None:
            return
        for index, times in (
            (loop.body, loop.rounds),
            (loop.condition, None if loop.rounds is None else loop.rounds + 1),
        ):
            inside = self.tally(index)
            if inside is tally or (not inside.counted and not inside.missed):
                continue
            if times is None:
                tally.miss("WHILE", "its number of rounds is not in the file")
                return
            tally.include(inside, times)


def _recurrent(operator: Operator) -> Callable[[list[Shape], Shape], int]:
    places = _WEIGHTS[operator.name]
    if operator.name == "LSTM" and len(operator.inputs) == _BASIC_LSTM:
        places = (2,)

    def rule(x: list[Shape], _: Shape) -> int:
        if len(x) <= places[0] or not x[0]:
            raise IndexError
        return macs.recurrent(x[0], [x[i] for i in places if i < len(x) and len(x[i]) > 1])

    return rule


def _count(operator: Operator, graph: Graph, tally: Tally, rule: Callable[[list[Shape], Shape], int]) -> None:
    inputs = [graph.tensors[i].shape if i >= 0 else () for i in operator.inputs]
    try:
        tally.add(rule(inputs, graph.tensors[operator.outputs[0]].shape))
    except IndexError:  # an operand or an axis is missing
        tally.miss(operator.name, "unknown shape")


def _adjoint(operator: Operator, options: Table, walk: Walker) -> bool:
    union = walk.call(operator.table.BuiltinOptions)
    if union is None:
        return False
    walk.call(options.Init, union.Bytes, union.Pos)
    return bool(walk.call(options.AdjX))
