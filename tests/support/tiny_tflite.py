"""Tiny .tflite files made by code, without TensorFlow: real models that an interpreter runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

CONV_WEIGHTS = np.arange(-9, 9, dtype=np.int8).reshape(2, 3, 3, 1)
"""One value is zero; 18 are distinct."""


@dataclass
class T:
    """A tensor: constant if it has `data`."""

    name: str
    shape: tuple[int, ...]
    type: str = "INT8"
    data: bytes | None = None
    scale: Sequence[float] = ()
    zero_point: Sequence[int] = ()
    axis: int = 0
    signature: tuple[int, ...] | None = None
    buffer: int | None = None
    """Share the buffer of another tensor (index of that tensor)."""
    sparse: bool = False


@dataclass
class Op:
    """An operator; a name that the schema lacks makes a custom one."""

    name: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: Any = None


def pack_int4(values: Sequence[int]) -> bytes:
    """Two values a byte, the first in the low half."""
    nibbles = [v & 15 for v in values] + [0] * (len(values) % 2)
    return bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))


def model(
    tensors: Sequence[T],
    operators: Sequence[Op],
    inputs: Sequence[int],
    outputs: Sequence[int],
    *,
    signature: tuple[Sequence[str], Sequence[str]] | None = None,
    further: Sequence[tuple[Sequence[T], Sequence[Op]]] = (),
    outside: bool = False,
) -> bytes:
    """Return a .tflite file.

    Args:
        tensors, operators, inputs, outputs: the main graph.
        signature: names of the inputs and outputs in `serving_default`.
        further: more graphs.
        outside: put the constants after the flatbuffer, as files above 2 GB do.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as s

    buffers = [s.BufferT()]
    codes: list[str] = []
    tail = bytearray()
    graphs = []
    for graph_tensors, graph_operators in ((tensors, operators), *further):
        table = s.SubGraphT(tensors=[], operators=[], inputs=[], outputs=[], name=b"main")
        for t in graph_tensors:
            number = 0
            if t.buffer is not None:
                number = table.tensors[t.buffer].buffer
            elif t.data is not None:
                number = len(buffers)
                buffers.append(s.BufferT() if outside else s.BufferT(data=list(t.data)))
                if outside:
                    buffers[-1].offset, buffers[-1].size = len(tail) + 2, len(t.data)  # moved below
                    tail += t.data + b"\0" * (-len(t.data) % 16)
            quantization = s.QuantizationParametersT(
                scale=list(t.scale) or None, zeroPoint=list(t.zero_point) or None, quantizedDimension=t.axis
            )
            table.tensors.append(
                s.TensorT(
                    shape=list(t.shape),
                    type=getattr(s.TensorType, t.type),
                    buffer=number,
                    name=t.name.encode(),
                    quantization=quantization,
                    shapeSignature=None if t.signature is None else list(t.signature),
                    sparsity=s.SparsityParametersT(traversalOrder=[0, 1]) if t.sparse else None,
                )
            )
        for op in graph_operators:
            if op.name not in codes:
                codes.append(op.name)
            table.operators.append(
                s.OperatorT(
                    opcodeIndex=codes.index(op.name),
                    inputs=list(op.inputs),
                    outputs=list(op.outputs),
                    builtinOptionsType=0
                    if op.options is None
                    else getattr(s.BuiltinOptions, type(op.options).__name__[:-1]),
                    builtinOptions=op.options,
                )
            )
        graphs.append(table)
    graphs[0].inputs, graphs[0].outputs = list(inputs), list(outputs)
    whole = s.ModelT(
        version=3,
        description=b"made by a test",
        operatorCodes=[_code(s, name) for name in codes],
        subgraphs=graphs,
        buffers=buffers,
    )
    if signature:
        maps = [
            [s.TensorMapT(name=n.encode(), tensorIndex=i) for n, i in zip(names, ends, strict=True)]
            for names, ends in zip(signature, (inputs, outputs), strict=True)
        ]
        whole.signatureDefs = [s.SignatureDefT(inputs=maps[0], outputs=maps[1], signatureKey=b"serving_default")]

    def pack() -> bytes:
        builder = flatbuffers.Builder(1024)
        builder.Finish(whole.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    if not outside:
        return pack()
    start = -(-len(pack()) // 16) * 16
    for buffer in buffers[1:]:
        buffer.offset += start - 2
    packed = pack()
    assert len(packed) <= start
    return packed + b"\0" * (start - len(packed)) + bytes(tail)


def changed(data: bytes, change: Callable[[Any, Any], None]) -> bytes:
    """Return the file after `change(schema, model)`, where model is the object form of the whole file."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as s

    whole = s.ModelT.InitFromPackedBuf(data)
    change(s, whole)
    builder = flatbuffers.Builder(1024)
    builder.Finish(whole.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _code(s: Any, name: str) -> Any:
    number = getattr(s.BuiltinOperator, name, None)
    if number is None:
        return s.OperatorCodeT(deprecatedBuiltinCode=32, builtinCode=32, customCode=name.encode())
    return s.OperatorCodeT(deprecatedBuiltinCode=min(number, 127), builtinCode=number)


def tiny_tflite(
    path: Path, *, batch: int = 1, int4: bool = False, outside: bool = False, named: bool = True, span: int = 127
) -> Path:
    """Write a small int8 model and return its path.

    Input (batch, 4, 4, 1) -> CONV_2D, 2 filters of 3×3, per channel -> RESHAPE -> FULLY_CONNECTED to 3 classes.
    It has 18 + 2 + 96 + 3 = 119 parameters and 4*4*2*9 + 3*32 = 384 MACs a sample.

    Args:
        path: where to.
        batch: the fixed batch size.
        int4: store the weights of FULLY_CONNECTED in 4 bits; needs a `span` of 7.
        outside: see `model`.
        named: with a signature, whose names are `image` and `scores`.
        span: the weights of FULLY_CONNECTED go from minus this to this.
    """
    from ai_edge_litert import schema_py_generated as s

    random = np.random.default_rng(0)
    dense = random.integers(-span, span + 1, (3, 32)).astype(np.int8)
    conv_scales = [0.01, 0.02]
    tensors = [
        T("in:0", (batch, 4, 4, 1), scale=[0.5], zero_point=[-3]),
        T("conv/w", (2, 3, 3, 1), data=CONV_WEIGHTS.tobytes(), scale=conv_scales, zero_point=[0, 0]),
        T("conv/b", (2,), "INT32", np.array([5, -7], "<i4").tobytes(), [0.5 * c for c in conv_scales], [0, 0]),
        T("conv", (batch, 4, 4, 2), scale=[0.25], zero_point=[4]),
        T("flat/shape", (2,), "INT32", np.array([batch, 32], "<i4").tobytes()),
        T("flat", (batch, 32), scale=[0.25], zero_point=[4]),
        T(
            "dense/w",
            (3, 32),
            "INT4" if int4 else "INT8",
            pack_int4(dense.ravel().tolist()) if int4 else dense.tobytes(),
            [0.03],
            [0],
        ),
        T("dense/b", (3,), "INT32", np.array([1, 0, 2], "<i4").tobytes(), [0.25 * 0.03], [0]),
        T("out:0", (batch, 3), scale=[0.75], zero_point=[1]),
    ]
    operators = [
        Op("CONV_2D", [0, 1, 2], [3], s.Conv2DOptionsT(strideW=1, strideH=1, padding=s.Padding.SAME)),
        Op("RESHAPE", [3, 4], [5], s.ReshapeOptionsT(newShape=[batch, 32])),
        Op("FULLY_CONNECTED", [5, 6, 7], [8], s.FullyConnectedOptionsT()),
    ]
    names = (["image"], ["scores"]) if named else None
    path.write_bytes(model(tensors, operators, [0], [8], signature=names, outside=outside))
    return path
