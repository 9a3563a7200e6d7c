"""The states of LSTMs, which TensorFlow's converter gets wrong in two ways.

Without a projection LiteRT's kernel computes the hidden state once, and copies its bytes into the output and into the
state of the next step. So the three tensors need the same scale and zero_point. TensorFlow's quantizer takes each from
ranges of its own, and gives the output that of a concatenation behind it, as in Bidirectional layers: then every step
reads the state with a scale that it was not written with.

And it merges equal constants before it turns the zeros that an LSTM starts with into a variable: another recurrent
layer with as many units then starts with what the LSTM left there.
"""

from __future__ import annotations

import copy

import numpy as np

from edgekit.formats.fixed_batch import builtin_code
from edgekit.formats.tflite.builder import rebuilt
from edgekit.formats.types import TfliteModel, TfliteObject

STATE, CELL, PROJECTION = 18, 19, 16
"""Inputs of UNIDIRECTIONAL_SEQUENCE_LSTM: hidden and cell state, and the weights of a projection, -1 without one."""
HIDDEN = 4
"""Of its intermediate tensors: the hidden state before a projection."""


def mend_states(flatbuffer: bytes) -> bytes:
    """Give every LSTM states of its own, and those of int8 LSTMs the scale and zero_point of the output.

    The output's is taken because the operators behind it count on it. Weights and biases do not depend on the three.

    Args:
        flatbuffer: a .tflite file.

    Returns:
        The file; its bytes as they are where nothing has to change.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    kind = schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM
    lstm = {index for index, code in enumerate(model.operatorCodes or []) if builtin_code(code) == kind}
    changed = False
    for graph in model.subgraphs if lstm else ():
        operators = [operator for operator in graph.operators or [] if operator.opcodeIndex in lstm]
        changed = _separate(model, graph, operators) or changed
        for operator in operators:
            changed = _tie(graph, operator) or changed
    return rebuilt(model) if changed else flatbuffer


def _separate(model: TfliteModel, graph: TfliteObject, lstms: list[TfliteObject]) -> bool:
    """Let no other operator, and no other LSTM, use the state of an LSTM; return whether one did."""
    states = [(operator, slot) for operator in lstms for slot in (STATE, CELL)]
    taken: set[int] = set()
    changed = False
    for operator, slot in states:
        index = int(operator.inputs[slot])
        if index in taken:
            _use(operator, slot, _added(graph, copy.copy(graph.tensors[index])))
            changed = True
        taken.add(int(operator.inputs[slot]))
    own = {(id(operator), slot) for operator, slot in states}
    zeros: dict[int, int] = {}
    for operator in graph.operators:
        for slot, index in enumerate(map(int, operator.inputs)):
            if index in taken and (id(operator), slot) not in own:
                if index not in zeros:
                    zeros[index] = _added(graph, _constant(model, graph.tensors[index]))
                _use(operator, slot, zeros[index])
                changed = True
    return changed


def _use(operator: TfliteObject, slot: int, index: int) -> None:
    operator.inputs = np.array(operator.inputs)
    operator.inputs[slot] = index


def _added(graph: TfliteObject, tensor: TfliteObject) -> int:
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _constant(model: TfliteModel, state: TfliteObject) -> TfliteObject:
    """Return a tensor of zeros like a state, no variable."""
    from ai_edge_litert import schema_py_generated as schema

    width = {schema.TensorType.FLOAT32: np.float32, schema.TensorType.INT16: np.int16, schema.TensorType.INT8: np.int8}
    zero = 0 if state.quantization is None or state.quantization.zeroPoint is None else state.quantization.zeroPoint[0]
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.full(list(state.shape), zero, width[state.type]).tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor = copy.copy(state)
    tensor.buffer, tensor.isVariable = len(model.buffers) - 1, False
    return tensor


def _tie(graph: TfliteObject, operator: TfliteObject) -> bool:
    """Give state and hidden state the output's scale and zero_point; return whether they had others."""
    from ai_edge_litert import schema_py_generated as schema

    output = graph.tensors[int(operator.outputs[0])]
    if output.type != schema.TensorType.INT8 or int(operator.inputs[PROJECTION]) >= 0:
        return False
    changed = False
    for index in (int(operator.inputs[STATE]), int(operator.intermediates[HIDDEN])):
        tensor = graph.tensors[index]
        if _numbers(tensor) != _numbers(output):
            tensor.quantization, changed = copy.deepcopy(output.quantization), True
    return changed


def _numbers(tensor: TfliteObject) -> tuple[list[float], list[int]]:
    return list(tensor.quantization.scale), list(tensor.quantization.zeroPoint)
