"""Float .tflite files as other converters write them: what TensorFlow's quantizer leaves float, or dies of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.support.tiny_tflite import Op, T, changed, model
from tests.support.vendor_tflite import two_signatures

Values = np.ndarray


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _weights(*shape: int) -> Values:
    return _rng().uniform(-0.5, 0.5, shape).astype(np.float32)


def _constant(name: str, values: Any, kind: str = "FLOAT32") -> T:
    array = np.asarray(values, {"FLOAT32": "<f4", "FLOAT16": "<f2", "INT32": "<i4"}[kind])
    return T(name, array.shape, kind, array.tobytes())


def _float(name: str, *shape: int) -> T:
    return T(name, shape, "FLOAT32")


def _dense(s: Any, **options: Any) -> Any:
    return s.FullyConnectedOptionsT(**options)


def _schema() -> Any:
    from ai_edge_litert import schema_py_generated

    return schema_py_generated


def with_metadata(data: bytes, **entries: bytes) -> bytes:
    """Return the file with metadata."""

    def change(s: Any, whole: Any) -> None:
        whole.metadata = []
        for name, value in entries.items():
            whole.buffers.append(s.BufferT(data=list(value)))
            whole.metadata.append(s.MetadataT(name=name.encode(), buffer=len(whole.buffers) - 1))

    return changed(data, change)


def mlp() -> bytes:
    """(1, 16) -> dense of 32, relu -> dense of 8."""
    s = _schema()
    tensors = [_float("x", 1, 16), _constant("w0", _weights(32, 16)), _constant("b0", _weights(32)), _float("h", 1, 32)]
    tensors += [_constant("w1", _weights(8, 32)), _constant("b1", _weights(8)), _float("y", 1, 8)]
    operators = [
        Op("FULLY_CONNECTED", [0, 1, 2], [3], _dense(s, fusedActivationFunction=1, keepNumDims=True)),
        Op("FULLY_CONNECTED", [3, 4, 5], [6], _dense(s, keepNumDims=True)),
    ]
    return model(tensors, operators, [0], [6], signature=(["args_0"], ["output_0"]))


def stablehlo_constants() -> bytes:
    """`mlp` as litert-torch writes it."""
    return with_metadata(mlp(), min_runtime_version=b"2.0.0" + bytes(11), keep_stablehlo_constant=b"true")


def no_options() -> bytes:
    """`mlp` without options; no activation then."""

    def change(s: Any, whole: Any) -> None:
        for operator in whole.subgraphs[0].operators:
            operator.builtinOptions, operator.builtinOptionsType = None, 0

    return changed(mlp(), change)


def float16_weights() -> bytes:
    """Dense weights and bias in float16, each behind a DEQUANTIZE."""
    s = _schema()
    tensors = [_float("x", 1, 16), _constant("w16", _weights(8, 16), "FLOAT16"), _float("w", 8, 16)]
    tensors += [_constant("b16", _weights(8), "FLOAT16"), _float("b", 8), _float("y", 1, 8)]
    dense = Op("FULLY_CONNECTED", [0, 2, 4], [5], _dense(s))
    return model(tensors, [Op("DEQUANTIZE", [1], [2]), Op("DEQUANTIZE", [3], [4]), dense], [0], [5])


def moved_weights() -> bytes:
    """Dense weights behind a TRANSPOSE and a RESHAPE."""
    s = _schema()
    tensors = [_float("x", 1, 16), _constant("w3", _weights(16, 4, 2)), _constant("shape", [16, 8], "INT32")]
    tensors += [_float("w2", 16, 8), _constant("order", [1, 0], "INT32"), _float("w", 8, 16), _float("y", 1, 8)]
    operators = [
        Op("RESHAPE", [1, 2], [3], s.ReshapeOptionsT(newShape=[16, 8])),
        Op("TRANSPOSE", [3, 4], [5], s.TransposeOptionsT()),
        Op("FULLY_CONNECTED", [0, 5, -1], [6], _dense(s)),
    ]
    return model(tensors, operators, [0], [6])


def shared_weights() -> bytes:
    """Two dense layers with one weight tensor, and a third with another tensor of the same buffer."""
    s = _schema()
    tensors = [_float("x", 1, 16), _constant("w", _weights(16, 16)), _float("a", 1, 16), _float("b", 1, 16)]
    tensors += [T("again", (16, 16), "FLOAT32", buffer=1), _float("y", 1, 16)]
    operators = [Op("FULLY_CONNECTED", [i, w, -1], [o], _dense(s)) for i, w, o in ((0, 1, 2), (2, 1, 3), (3, 4, 5))]
    return model(tensors, operators, [0], [5])


def tied_embedding() -> bytes:
    """A table that GATHER looks up and a dense layer multiplies with: tied embeddings."""
    s = _schema()
    tensors = [T("tokens", (1, 4), "INT32"), _constant("table", _weights(20, 8)), _float("h", 1, 4, 8)]
    tensors += [_float("y", 1, 4, 20)]
    operators = [Op("GATHER", [1, 0], [2], s.GatherOptionsT()), Op("FULLY_CONNECTED", [2, 1, -1], [3])]
    operators[1].options = _dense(s, keepNumDims=True)
    return model(tensors, operators, [0], [3])


def batch_matmul() -> bytes:
    """A product with a constant of three axes."""
    s = _schema()
    tensors = [_float("x", 1, 4, 16), _constant("w", _weights(1, 16, 8)), _float("y", 1, 4, 8)]
    return model(tensors, [Op("BATCH_MATMUL", [0, 1], [2], s.BatchMatMulOptionsT())], [0], [2])


def transpose_conv() -> bytes:
    """(1, 4, 4, 3) -> (1, 8, 8, 6)."""
    s = _schema()
    tensors = [_constant("shape", [1, 8, 8, 6], "INT32"), _constant("w", _weights(6, 2, 2, 3)), _float("x", 1, 4, 4, 3)]
    tensors += [_float("y", 1, 8, 8, 6)]
    options = s.TransposeConvOptionsT(strideW=2, strideH=2, padding=s.Padding.SAME)
    return model(tensors, [Op("TRANSPOSE_CONV", [0, 1, 2], [3], options)], [2], [3])


def arithmetic() -> bytes:
    """A convolution, and its image scaled and shifted by constants a channel, leaky relu."""
    s = _schema()
    tensors = [_float("x", 1, 6, 6, 3), _constant("w", _weights(8, 3, 3, 3)), _constant("b", _weights(8))]
    tensors += [_float("c", 1, 4, 4, 8), _constant("scale", _weights(8)), _float("m", 1, 4, 4, 8)]
    tensors += [_constant("shift", _weights(8)), _float("a", 1, 4, 4, 8), _float("y", 1, 4, 4, 8)]
    operators = [
        Op("CONV_2D", [0, 1, 2], [3], s.Conv2DOptionsT(strideW=1, strideH=1, padding=s.Padding.VALID)),
        Op("MUL", [3, 4], [5], s.MulOptionsT()),
        Op("ADD", [5, 6], [7], s.AddOptionsT()),
        Op("LEAKY_RELU", [7], [8], s.LeakyReluOptionsT(alpha=0.1)),
    ]
    return model(tensors, operators, [0], [8])


def grouped_conv() -> bytes:
    """A convolution in two groups."""
    s = _schema()
    tensors = [_float("x", 1, 6, 6, 4), _constant("w", _weights(8, 3, 3, 2)), _constant("b", _weights(8))]
    tensors += [_float("y", 1, 4, 4, 8)]
    options = s.Conv2DOptionsT(strideW=1, strideH=1, padding=s.Padding.VALID)
    return model(tensors, [Op("CONV_2D", [0, 1, 2], [3], options)], [0], [3])


def svdf() -> bytes:
    """(1, 16) -> 8, with a state of 5 steps."""
    s = _schema()
    tensors = [_float("x", 1, 16), _constant("wf", _weights(8, 16)), _constant("wt", _weights(8, 5))]
    tensors += [_constant("b", _weights(8)), _float("state", 1, 40), _float("y", 1, 8)]

    def change(s: Any, whole: Any) -> None:
        whole.subgraphs[0].tensors[4].isVariable = True

    return changed(model(tensors, [Op("SVDF", [0, 1, 2, 3, 4], [5], s.SVDFOptionsT(rank=1))], [0], [5]), change)


def composite() -> bytes:
    """`mlp` with a composite, an operator with a body, between its layers: litert-torch's attention is one."""
    from flatbuffers import flexbuffers

    def change(s: Any, whole: Any) -> None:
        body = s.SubGraphT(name=b"body", inputs=[0], outputs=[1])
        body.tensors = [
            s.TensorT(shape=[1, 32], type=s.TensorType.FLOAT32, buffer=0, name=b"in"),
            s.TensorT(shape=[1, 32], type=s.TensorType.FLOAT32, buffer=0, name=b"out"),
        ]
        whole.operatorCodes.append(s.OperatorCodeT(deprecatedBuiltinCode=98, builtinCode=s.BuiltinOperator.LEAKY_RELU))
        whole.operatorCodes.append(
            s.OperatorCodeT(deprecatedBuiltinCode=127, builtinCode=s.BuiltinOperator.STABLEHLO_COMPOSITE)
        )
        options = s.LeakyReluOptionsT(alpha=0.1)
        kind = s.BuiltinOptions.LeakyReluOptions
        body.operators = [
            s.OperatorT(opcodeIndex=1, inputs=[0], outputs=[1], builtinOptionsType=kind, builtinOptions=options)
        ]
        main = whole.subgraphs[0]
        whole.subgraphs.append(body)
        main.tensors.append(s.TensorT(shape=[1, 32], type=s.TensorType.FLOAT32, buffer=0, name=b"act"))
        act = len(main.tensors) - 1
        called = s.StableHLOCompositeOptionsT(name="tests.leaky", decompositionSubgraphIndex=1)
        called.compositeAttributes = np.frombuffer(bytes(flexbuffers.Dumps({})), np.uint8)
        operator = s.OperatorT(
            opcodeIndex=2,
            inputs=[3],
            outputs=[act],
            builtinOptions2Type=s.BuiltinOptions2.StableHLOCompositeOptions,
            builtinOptions2=called,
        )
        main.operators[1].inputs = [act, *main.operators[1].inputs[1:]]
        main.operators.insert(1, operator)

    return changed(mlp(), change)


def two_signatures_of_weights() -> bytes:
    """A file of two signatures; the second has a graph of its own."""
    return two_signatures()


FILES: dict[str, Callable[[], bytes]] = {
    f.__name__: f
    for f in (
        mlp, stablehlo_constants, no_options, float16_weights, moved_weights, shared_weights, tied_embedding,
        batch_matmul, transpose_conv, arithmetic, grouped_conv, svdf, composite, two_signatures_of_weights,
    )
}  # fmt: skip
