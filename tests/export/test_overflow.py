"""int8 weights whose products overflow 16 bits in onnxruntime's kernels for x86 without VNNI become uint8."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.export.onnx.overflow import _overflow, without_overflow
from edgekit.formats.types import OnnxModel
from edgekit.measuring.loaded import load_onnx

STEP = 4.0
"""Of a layer's results."""


def layer(
    kind: str, weights: np.ndarray, shape: tuple[int, ...], *, zero_point: int | None = None, **how: Any
) -> OnnxModel:
    """An int8 layer in QDQ form; its weights have a scale a channel where they have a zero point."""
    from onnx import TensorProto, helper, numpy_helper

    channels = len(weights) if zero_point is not None else 1
    axis = 1 if kind == "MatMul" else 0
    named = {
        "one": np.float32(1),
        "zero": np.int8(0),
        "w": weights.astype(np.int8),
        "w_scale": np.full(channels, 0.01, np.float32) if channels > 1 else np.float32(0.01),
        "out": np.float32(STEP),
    }
    read = ["w", "w_scale"]
    if zero_point is not None:
        named["w_zero_point"] = np.full(channels, zero_point, np.int8)
        read.append("w_zero_point")
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "one", "zero"], ["x_int8"]),
        helper.make_node("DequantizeLinear", ["x_int8", "one", "zero"], ["x_real"]),
        helper.make_node("DequantizeLinear", read, ["w_real"], axis=axis),
        helper.make_node(kind, ["x_real", "w_real"], ["y_real"], **how),
        helper.make_node("QuantizeLinear", ["y_real", "out", "zero"], ["y_int8"]),
        helper.make_node("DequantizeLinear", ["y_int8", "out", "zero"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in named.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def samples(*shape: int, low: int, high: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [{"x": rng.integers(low, high, (1, *shape)).astype(np.float32)} for _ in range(40)]


def results(model: OnnxModel, rows: list[dict[str, np.ndarray]], *, exact: bool) -> np.ndarray:
    run = load_onnx(model.SerializeToString(), exact=exact)
    return np.concatenate([run([row["x"]])[0] for row in rows])


def dense(*, large: bool = True) -> np.ndarray:
    weights = np.random.default_rng(1).integers(-40, 41, (8, 12))
    weights[3, 4:6] = 120 if large else 60
    return weights


@pytest.mark.parametrize(
    ("kind", "weights", "shape", "how"),
    [
        ("Gemm", dense(), (1, 12), {"transB": 1, "zero_point": 0}),
        ("Gemm", dense().T, (1, 12), {}),
        ("MatMul", dense().T, (1, 12), {}),
        ("Conv", dense().reshape(8, 3, 4).transpose(0, 2, 1), (1, 4, 9), {"zero_point": 0, "pads": [1, 1]}),
        ("Conv", dense().reshape(8, 3, 4).transpose(0, 2, 1), (1, 4, 9), {"dilations": [2]}),
        ("Conv", dense().reshape(8, 2, 2, 3).transpose(0, 3, 1, 2), (1, 6, 5, 5), {"group": 2, "strides": [2, 2]}),
    ],
)
def test_a_layer_whose_sums_overflow_gets_uint8_weights(
    kind: str, weights: np.ndarray, shape: tuple[int, ...], how: dict[str, Any]
) -> None:
    model = layer(kind, weights, shape, **how)
    rows = samples(*shape[1:], low=100, high=128)
    true = results(model, rows, exact=True)
    assert without_overflow(model, rows, {}) == "uint8 weights in 1 layer"
    [stored] = [
        tensor for tensor in model.graph.initializer if tensor.data_type == tensor.UINT8 and len(tensor.dims) > 1
    ]
    assert tuple(stored.dims) == weights.shape
    assert (results(model, rows, exact=True) == true).all()
    assert np.abs(results(model, rows, exact=False) - true).max() <= STEP


def test_layers_that_lose_nothing_stay_as_they_are() -> None:
    high, low = samples(12, low=100, high=128), samples(12, low=-128, high=-64)
    for weights, rows in ((dense(large=False), high), (dense(), low), (dense(), [])):
        model = layer("Gemm", weights, (1, 12), transB=1)
        before = model.SerializeToString()
        assert without_overflow(model, rows, {}) == ""
        assert model.SerializeToString() == before
    depthwise = layer("Conv", np.full((4, 1, 2, 2), 127), (1, 4, 5, 5), group=4)
    assert without_overflow(depthwise, samples(4, 5, 5, low=100, high=128), {}) == ""


def test_weights_that_are_read_as_integers_stay_as_they_are() -> None:
    from onnx import TensorProto, helper

    model = layer("Gemm", dense(), (1, 12), transB=1)
    model.graph.node.append(helper.make_node("Cast", ["w"], ["w_int32"], to=TensorProto.INT32))
    model.graph.output.append(helper.make_tensor_value_info("w_int32", TensorProto.INT32, (8, 12)))
    assert without_overflow(model, samples(12, low=100, high=128), {}) == ""


def test_the_sums_are_those_of_saturating_additions() -> None:
    rng = np.random.default_rng(2)
    weights, rows = rng.integers(-128, 128, (5, 7)).astype(np.int32), rng.integers(128, 256, (6, 7)).astype(np.int32)
    found = _overflow(weights, rows)
    for row in range(6):
        for result in range(5):
            products = [*(rows[row] * weights[result]).tolist(), 0]
            saturated = sum(min(max(a + b, -32768), 32767) for a, b in zip(products[::2], products[1::2], strict=True))
            assert found[row, result] == sum(products) - saturated
    assert found.any()
