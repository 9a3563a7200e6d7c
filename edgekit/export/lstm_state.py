"""One scale for an int8 LSTM's output, hidden state and what becomes both.

Without a projection LiteRT's kernel computes the hidden state once, and copies its bytes into the output and into the
state of the next step. So the three tensors need the same scale and zero_point. TensorFlow's quantizer takes each from
ranges of its own, and gives the output that of a concatenation behind it, as in Bidirectional layers: then every step
reads the state with a scale that it was not written with.
"""

from __future__ import annotations

import copy
from typing import Any

from edgekit.export.fixed_batch import builtin_code
from edgekit.export.flatbuilder import rebuilt

STATE, PROJECTION = 18, 16
"""Inputs of UNIDIRECTIONAL_SEQUENCE_LSTM: the hidden state, and the weights of a projection, -1 without one."""
HIDDEN = 4
"""Of its intermediate tensors: the hidden state before a projection."""


def tie_states(flatbuffer: bytes) -> bytes:
    """Give state and hidden state of every int8 LSTM the scale and zero_point of its output.

    The output's is taken because the operators behind it count on it. Weights and biases do not depend on the three.

    Args:
        flatbuffer: a .tflite file.

    Returns:
        The file; its bytes as they are where no scale has to change.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    kind = schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM
    lstm = {index for index, code in enumerate(model.operatorCodes or []) if builtin_code(code) == kind}
    changed = False
    for graph in model.subgraphs if lstm else ():
        for operator in graph.operators or []:
            if operator.opcodeIndex not in lstm or int(operator.inputs[PROJECTION]) >= 0:
                continue
            output = graph.tensors[int(operator.outputs[0])]
            if output.type != schema.TensorType.INT8:
                continue
            for index in (int(operator.inputs[STATE]), int(operator.intermediates[HIDDEN])):
                tensor = graph.tensors[index]
                if _numbers(tensor) != _numbers(output):
                    tensor.quantization, changed = copy.deepcopy(output.quantization), True
    return rebuilt(model) if changed else flatbuffer


def _numbers(tensor: Any) -> tuple[list[float], list[int]]:
    return list(tensor.quantization.scale), list(tensor.quantization.zeroPoint)
