"""Model files with the sizes of their inputs fixed, and with constants in place of inputs that hold one number."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgekit.formats.onnx.reader import whole
from edgekit.formats.source import load
from edgekit.formats.tflite.builder import rebuilt
from edgekit.formats.types import TfliteModel, TfliteSchema

Sizes = Mapping[str, Sequence[int]]
Values = Mapping[str, float]


def settled_onnx(path: Path, sizes: Sizes, values: Values) -> bytes:
    """Return the bytes of an `.onnx` file, external data included, settled; other sizes are inferred again."""
    import onnx

    model = whole(path)
    graph = model.graph
    kept, symbols = [], dict[str, int]()
    for value in graph.input:
        kind = value.type.tensor_type
        if value.name in values:
            dims = [size.dim_value or 1 for size in kind.shape.dim]
            number = np.full(dims, values[value.name], onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
            graph.initializer.append(onnx.numpy_helper.from_array(number, value.name))
            continue
        for size, given in zip(kind.shape.dim, sizes.get(value.name, ()), strict=False):
            if size.dim_param:
                symbols[size.dim_param] = given
            size.dim_value = given
        kept.append(type(value).FromString(value.SerializeToString()))
    del graph.input[:]
    graph.input.extend(kept)
    del graph.value_info[:]
    for value in graph.output:
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param in symbols:
                size.dim_value = symbols[size.dim_param]
    model.ir_version = max(model.ir_version, 4)
    with contextlib.suppress(Exception):  # sizes that it cannot infer stay open
        model = onnx.shape_inference.infer_shapes(model)
    done: bytes = model.SerializeToString()
    return done


def settled_tflite(path: Path, sizes: Sizes, values: Values) -> bytes:
    """Return the bytes of a `.tflite` file, settled; the runtime finds the sizes behind the inputs."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(bytes(load(path)), 0)
    graph = model.subgraphs[0]
    names = _names(model)
    for index in [int(i) for i in graph.inputs]:
        tensor, name = graph.tensors[index], names.get(index) or graph.tensors[index].name.decode()
        if name in values:
            buffer = schema.BufferT()
            shape = [int(n) for n in (tensor.shape if tensor.shape is not None else [])]
            raw = np.full(shape, values[name], _dtype(schema, tensor.type)).tobytes()
            buffer.data = np.frombuffer(raw, np.uint8)
            tensor.buffer = len(model.buffers)
            model.buffers.append(buffer)
            graph.inputs = [i for i in graph.inputs if int(i) != index]
            for signature in model.signatureDefs or []:
                if int(signature.subgraphIndex) == 0:
                    signature.inputs = [entry for entry in signature.inputs if int(entry.tensorIndex) != index]
        elif name in sizes:
            tensor.shape, tensor.shapeSignature = list(sizes[name]), None
    return rebuilt(model)


def _names(model: TfliteModel) -> dict[int, str]:
    first = next((s for s in model.signatureDefs or [] if int(s.subgraphIndex) == 0), None)
    return {} if first is None else {int(entry.tensorIndex): entry.name.decode() for entry in first.inputs}


def _dtype(schema: TfliteSchema, kind: int) -> npt.DTypeLike:
    name = next(n for n, number in vars(schema.TensorType).items() if number == kind and n.isupper())
    return str(name.lower())
