"""A float .tflite file with branches, two inputs and two outputs, made by code, and its int8 files."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from edgekit.export.foreign import litert_quantizer
from edgekit.export.tflite import quantizer as tflite_quantizer
from edgekit.formats.tflite.pack import pack
from tests.support.tiny_tflite import Op, T, model

OPERATORS = (
    *("CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "ADD", "MAX_POOL_2D", "MUL", "AVERAGE_POOL_2D", "CONCATENATION"),
    *("TRANSPOSE_CONV", "RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED", "CONCATENATION", "FULLY_CONNECTED", "SOFTMAX"),
    "FULLY_CONNECTED",
)
"""In the order of the file."""
RELU, RELU6 = 1, 3


def samples(count: int = 24) -> list[np.ndarray]:
    """Return samples of both inputs."""
    rng = np.random.default_rng(1)
    return [rng.normal(size=(count, 8, 8, 3)).astype(np.float32), rng.normal(size=(count, 6)).astype(np.float32)]


def network() -> bytes:
    """Return a float file, of `OPERATORS`.

    An image (1, 8, 8, 3) goes through convolutions with a residual, and two branches that are joined; numbers (1, 6)
    are joined to what comes of it. Outputs: `p`, 5 probabilities, and `q`, 3 numbers.
    """
    from ai_edge_litert import schema_py_generated as s

    rng = np.random.default_rng(0)
    tensors: list[T] = []
    operators: list[Op] = []

    def activation(name: str, *shape: int) -> int:
        tensors.append(T(name, shape, "FLOAT32"))
        return len(tensors) - 1

    def constant(name: str, values: Any, kind: str = "FLOAT32") -> int:
        array = np.asarray(values, "<f4" if kind == "FLOAT32" else "<i4")
        tensors.append(T(name, array.shape, kind, array.tobytes()))
        return len(tensors) - 1

    def weights(name: str, *shape: int) -> int:
        inputs = np.prod(shape[1:3]) if shape[0] == 1 else np.prod(shape[1:])
        return constant(name, rng.normal(size=shape) / np.sqrt(inputs))

    def add(kind: str, inputs: list[int], shape: tuple[int, ...], options: Any) -> int:
        made = activation(f"{kind.lower()}_{len(operators)}", *shape)
        operators.append(Op(kind, inputs, [made], options))
        return made

    def conv(source: int, name: str, size: int, act: int) -> int:
        options = s.Conv2DOptionsT(padding=0, strideW=1, strideH=1, fusedActivationFunction=act)
        depth = tensors[source].shape[3]
        inputs = [source, weights(name, 8, size, size, depth), constant(f"{name}/bias", rng.normal(size=8) / 4)]
        return add("CONV_2D", inputs, (1, 8, 8, 8), options)

    def dense(source: int, name: str, units: int, act: int = 0) -> int:
        options = s.FullyConnectedOptionsT(fusedActivationFunction=act)
        inputs = [
            source,
            weights(name, units, tensors[source].shape[1]),
            constant(f"{name}/bias", rng.normal(size=units)),
        ]
        return add("FULLY_CONNECTED", inputs, (1, units), options)

    def pool(kind: str, source: int) -> int:
        options = s.Pool2DOptionsT(padding=1, strideW=2, strideH=2, filterWidth=2, filterHeight=2)
        return add(kind, [source], (1, 4, 4, 8), options)

    image, numbers = activation("image", 1, 8, 8, 3), activation("numbers", 1, 6)
    first = conv(image, "conv", 3, RELU)
    deep = add(
        "DEPTHWISE_CONV_2D",
        [first, weights("depthwise", 1, 3, 3, 8), constant("depthwise/bias", rng.normal(size=8) / 4)],
        (1, 8, 8, 8),
        s.DepthwiseConv2DOptionsT(padding=0, strideW=1, strideH=1, depthMultiplier=1, fusedActivationFunction=RELU6),
    )
    total = add("ADD", [conv(deep, "pointwise", 1, 0), first], (1, 8, 8, 8), s.AddOptionsT())
    upper = pool("MAX_POOL_2D", total)
    scaled = add("MUL", [total, constant("factor", rng.uniform(0.5, 2, (1, 1, 8)))], (1, 8, 8, 8), s.MulOptionsT())
    lower = pool("AVERAGE_POOL_2D", scaled)
    joined = add("CONCATENATION", [upper, lower], (1, 4, 4, 16), s.ConcatenationOptionsT(axis=3))
    shape = constant("shape", [1, 8, 8, 4], "INT32")
    options = s.TransposeConvOptionsT(padding=0, strideW=2, strideH=2)
    grown = add("TRANSPOSE_CONV", [shape, weights("transpose", 4, 2, 2, 16), joined], (1, 8, 8, 4), options)
    flat = add("RESHAPE", [grown, constant("flat", [1, 256], "INT32")], (1, 256), s.ReshapeOptionsT(newShape=[1, 256]))
    both = [dense(flat, "dense", 6), dense(numbers, "other", 6, RELU)]
    all_of_it = add("CONCATENATION", both, (1, 12), s.ConcatenationOptionsT(axis=1))
    p = add("SOFTMAX", [dense(all_of_it, "p", 5)], (1, 5), s.SoftmaxOptionsT(beta=1.0))
    q = dense(all_of_it, "q", 3)
    assert tuple(operator.name for operator in operators) == OPERATORS
    return model(tensors, operators, [image, numbers], [p, q], signature=(["image", "numbers"], ["p", "q"]))


def by_litert(data: bytes, calibration: list[np.ndarray]) -> bytes:
    """Return the int8 file of litert-quantizer, as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of its interpreter, that it keeps all tensors
        _, [found] = litert_quantizer.work(
            np.frombuffer(data, np.uint8), *calibration, scheme="int8", method="minmax", percentile=99.9
        )
    return found.tobytes()


def by_tensorflow(data: bytes, calibration: list[np.ndarray]) -> bytes:
    """Return the int8 file of TensorFlow's quantizer, packed."""
    return pack(tflite_quantizer.int8(data, calibration).data)
