"""Ranges of activations, measured on the float file and written into it, for TensorFlow's quantizers to read.

TensorFlow's own calibrator logs wrong ranges where operators work in the buffer of their input: a convolution gets the
range of the MUL behind it, and with it the wrong scale. Here every tensor is an output of the file while it runs, so
that each has a buffer of its own. XNNPACK runs it, which is faster than the calibrator's kernels.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from edgekit.export.calibration import Observer, Ranging
from edgekit.formats.fixed_batch import builtin_code
from edgekit.formats.tflite.builder import rebuilt
from edgekit.formats.types import TfliteModel, TfliteSchema
from edgekit.tasks.samples import Array

Arrays = Sequence[Array]
LEVELS = {"int8": 256, "int16x8": 65536}

_INTERNAL = (
    "LSTM",
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "RNN",
    "BIDIRECTIONAL_SEQUENCE_RNN",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
    "SVDF",
    "CUSTOM",
    "IF",
    "WHILE",
    "CALL",
    "CALL_ONCE",
    "STABLEHLO_COMPOSITE",
)
"""Operators with values that are no tensor of the graph: inside of them only the kernels can measure."""


def hides_values(flatbuffer: bytes) -> bool:
    """Return whether a file has operators with ranges that only TensorFlow's calibrator can measure."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    hiding = {getattr(schema.BuiltinOperator, name) for name in _INTERNAL if hasattr(schema.BuiltinOperator, name)}
    codes = {builtin_code(model.operatorCodes[op.opcodeIndex]) for graph in model.subgraphs for op in graph.operators}
    return len(model.subgraphs) > 1 or bool(codes & hiding)


def input_names(flatbuffer: bytes) -> list[str]:
    """Return what a file's only signature calls its inputs, in the order of the file."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    names = {entry.tensorIndex: entry.name.decode() for entry in model.signatureDefs[0].inputs}
    return [names[int(index)] for index in model.subgraphs[0].inputs]


def in_dtypes(flatbuffer: bytes, samples: Arrays) -> list[Array]:
    """Return samples in the dtypes of a file's inputs."""
    from ai_edge_litert.interpreter import Interpreter

    dtypes = [details["dtype"] for details in Interpreter(model_content=flatbuffer).get_input_details()]
    return [a.astype(dtype, copy=False) for a, dtype in zip(samples, dtypes, strict=True)]


def with_ranges(flatbuffer: bytes, samples: Arrays, ranging: Ranging, scheme: str) -> bytes:
    """Return a float file with the ranges of its float tensors, as the quantizers read them.

    Tensors that hold quantized values' ranges already, because the model was trained with fake quantization, are
    between operators that say so, and the quantizers take those.

    Args:
        flatbuffer: the file, with a batch of one.
        samples: one array an input, (n, ...), in the order of the file and in its dtypes.
        ranging: how ranges are chosen.
        scheme: a key of `LEVELS`.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    for index, observer in _observed(flatbuffer, samples, ranging).items():
        found = observer.range(LEVELS[scheme])
        if found is None:
            continue
        tensor = model.subgraphs[0].tensors[index]
        tensor.quantization = tensor.quantization or schema.QuantizationParametersT()
        tensor.quantization.min, tensor.quantization.max = ([np.float32(end)] for end in found)
    return rebuilt(model)


def _observed(flatbuffer: bytes, samples: Arrays, ranging: Ranging) -> dict[int, Observer]:
    """Run the file over samples; return what was seen of each computed float tensor, by its index."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter

    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    graph = model.subgraphs[0]
    inputs = [int(i) for i in graph.inputs]
    observers = {i: ranging.observer() for i in _computed(model, schema)}
    graph.outputs = np.array([*graph.outputs, *sorted(set(observers) - set(map(int, graph.outputs)))], np.int32)
    model.signatureDefs = []
    interpreter = Interpreter(model_content=rebuilt(model), num_threads=os.cpu_count() or 1)
    interpreter.allocate_tensors()
    stateful = any(tensor.isVariable for tensor in graph.tensors)
    fed = {i: ranging.observer() for i in inputs if graph.tensors[i].type == schema.TensorType.FLOAT32}
    for row in range(len(samples[0])):
        if stateful:
            interpreter.reset_all_variables()
        for index, column in zip(inputs, samples, strict=True):
            interpreter.set_tensor(index, column[row : row + 1])
            if index in fed:
                fed[index].update(column[row])
        interpreter.invoke()
        for index, observer in observers.items():
            observer.update(interpreter.get_tensor(index))
    return observers | fed


def _computed(model: TfliteModel, schema: TfliteSchema) -> list[int]:
    """Return the float tensors that operators compute, in the main graph."""
    graph = model.subgraphs[0]
    made = {int(i) for operator in graph.operators for i in operator.outputs if i >= 0}
    return sorted(
        i for i in made if graph.tensors[i].type == schema.TensorType.FLOAT32 and not graph.tensors[i].isVariable
    )
