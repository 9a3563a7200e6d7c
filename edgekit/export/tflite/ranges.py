"""Ranges of activations, measured on the float file and written into it, for TensorFlow's quantizers to read.

TensorFlow's own calibrator logs wrong ranges where operators work in the buffer of their input: a convolution gets the
range of the MUL behind it, and with it the wrong scale. Here every tensor is an output of the file while it runs, so
that each has a buffer of its own. XNNPACK runs it, which is faster than the calibrator's kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgekit.export.calibration import Ends, Observer, Ranging, observer_for
from edgekit.export.tflite.saturation import narrowed
from edgekit.export.tflite.tracing import traced
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


def tensor_names(flatbuffer: bytes) -> tuple[list[int], list[str]]:
    """Return which tensors of the main graph are its inputs, and what all of its tensors are called."""
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.ModelT.InitFromPackedBuf(flatbuffer, 0).subgraphs[0]
    names = [(tensor.name or b"").decode("utf-8", "replace") for tensor in graph.tensors]
    return [int(index) for index in graph.inputs], names


def in_dtypes(flatbuffer: bytes, samples: Arrays) -> list[Array]:
    """Return samples in the dtypes of a file's inputs."""
    from ai_edge_litert.interpreter import Interpreter

    dtypes = [details["dtype"] for details in Interpreter(model_content=flatbuffer).get_input_details()]
    return [a.astype(dtype, copy=False) for a, dtype in zip(samples, dtypes, strict=True)]


def with_ranges(flatbuffer: bytes, samples: Arrays, ranging: Ranging, scheme: str) -> bytes:
    """Return a float file with the ranges of its float tensors, as the quantizers read them.

    Args:
        flatbuffer: the file, with a batch of one.
        samples: one array an input, (n, ...), in the order of the file and in its dtypes.
        ranging: how ranges are chosen.
        scheme: a key of `LEVELS`.
    """
    seen = observed(flatbuffer, samples, [ranging])
    found = {index: ranging.ends(observer, LEVELS[scheme]) for index, observer in seen.items()}
    return written(flatbuffer, {index: ends for index, ends in found.items() if ends is not None})


def written(flatbuffer: bytes, ranges: Mapping[int, Ends]) -> bytes:
    """Return a float file with ranges of its tensors, as the quantizers read them.

    What readers do not tell apart is left out of them (`edgekit.export.tflite.saturation`). Tensors that hold quantized
    values' ranges already, because the model was trained with fake quantization, are between operators that say so, and
    the quantizers take those.

    Args:
        flatbuffer: the file.
        ranges: by the index of the tensor in the main graph.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    for index, ends in narrowed(model, ranges).items():
        tensor = model.subgraphs[0].tensors[index]
        tensor.quantization = tensor.quantization or schema.QuantizationParametersT()
        tensor.quantization.min, tensor.quantization.max = ([np.float32(end)] for end in ends)
    return rebuilt(model)


def observed(flatbuffer: bytes, samples: Arrays, rangings: Sequence[Ranging]) -> dict[int, Observer]:
    """Run a float file over samples; return what was seen of each float tensor, inputs included, by its index.

    Args:
        flatbuffer: the file, with a batch of one.
        samples: one array an input, (n, ...), in the order of the file and in its dtypes.
        rangings: that are to choose ranges from it.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    graph, count = model.subgraphs[0], len(samples[0])
    inputs = [int(i) for i in graph.inputs]
    computed = _computed(model, schema)
    seen = {i: observer_for(rangings, count) for i in computed}
    fed = {i: observer_for(rangings, count) for i in inputs if graph.tensors[i].type == schema.TensorType.FLOAT32}
    for row, values in enumerate(traced(model, computed, samples)):
        for index, column in zip(inputs, samples, strict=True):
            if index in fed:
                fed[index].update(column[row])
        for observer, tensor in zip(seen.values(), values, strict=True):
            observer.update(tensor)
    return seen | fed


def _computed(model: TfliteModel, schema: TfliteSchema) -> list[int]:
    """Return the float tensors that operators compute, in the main graph."""
    graph = model.subgraphs[0]
    made = {int(i) for operator in graph.operators for i in operator.outputs if i >= 0}
    return sorted(
        i for i in made if graph.tensors[i].type == schema.TensorType.FLOAT32 and not graph.tensors[i].isVariable
    )
