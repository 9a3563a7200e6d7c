from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.inspect import macs
from edgekit.inspect.macs import Tally
from edgekit.inspect.onnx import read_onnx
from edgekit.inspect.tflite import read_tflite
from tests.tiny_onnx import save, value
from tests.tiny_tflite import Op, T, model


def test_resnet8_by_hand() -> None:
    """ResNet-8 of MLPerf Tiny: 12 501 632 MACs."""
    total = macs.conv((1, 32, 32, 16), (3, 3), 3) + 2 * macs.conv((1, 32, 32, 16), (3, 3), 16)
    total += macs.conv((1, 16, 16, 32), (3, 3), 16) + macs.conv((1, 16, 16, 32), (3, 3), 32)
    total += macs.conv((1, 8, 8, 64), (3, 3), 32) + macs.conv((1, 8, 8, 64), (3, 3), 64)
    total += macs.conv((1, 16, 16, 32), (1, 1), 16) + macs.conv((1, 8, 8, 64), (1, 1), 32)
    assert total + macs.matmul((1, 10), 64) == 12_501_632


def test_formulas() -> None:
    assert macs.conv((1, 5, 6, 8), (3, 2), 4) == 5 * 6 * 8 * 3 * 2 * 4
    assert macs.transpose_conv((1, 5, 6, 4), (3, 2), 8) == 5 * 6 * 4 * 3 * 2 * 8
    assert macs.matmul((1, 10), 64) == 640
    assert macs.matmul((2, 3, 7), 5) == 210
    assert macs.conv((-1, 2, 2, 1), (1, 1), 1) == 4
    assert macs.conv((1, 0, 2, 1), (1, 1), 1) == 0


@pytest.mark.parametrize(
    ("inputs", "outputs", "expected"),
    [
        ([(4, 8)], [(4, 2)], 4),
        ([(4, 8)], [(1, 2)], 1),
        ([(4, 8), (4, 1)], [(4, 2)], 4),
        ([(-1, 8)], [(-1, 2)], 1),
        ([(4,)], [(4,)], 1),
        ([(0, 8)], [(0, 8)], 1),
        ([], [], 1),
    ],
)
def test_batch_size(inputs: Any, outputs: Any, expected: int) -> None:
    assert macs.batch_size(inputs, outputs) == expected


def test_tally() -> None:
    assert Tally().result() == (0, "")
    tally = Tally()
    tally.miss("LSTM", times=2)
    assert tally.result() == (None, "not counted: LSTM x2")
    tally.add(12)
    tally.miss("Conv", "unknown shape")
    assert tally.result(batch=4) == (3, "not counted: LSTM x2, Conv (unknown shape)")
    assert tally.result(batch=5)[1].startswith("for a batch of 5; ")
    assert tally.result(dynamic=True)[1].startswith("dynamic sizes counted as 1; ")


def f(name: str, *shape: int) -> T:
    return T(name, shape, "FLOAT32")


def tflite(folder: Path, tensors: list[T], operator: Op) -> tuple[int | None, str]:
    path = folder / "a.tflite"
    path.write_bytes(model(tensors, [operator], [0], [len(tensors) - 1]))
    info = read_tflite(path)
    return info.macs, info.macs_note


@pytest.mark.parametrize(
    ("name", "x", "w", "y", "expected"),
    [
        ("CONV_2D", (1, 8, 8, 6), (4, 3, 5, 6), (1, 8, 8, 4), 8 * 8 * 4 * 3 * 5 * 6),
        ("CONV_2D", (1, 8, 8, 6), (4, 3, 5, 2), (1, 8, 8, 4), 8 * 8 * 4 * 3 * 5 * 2),  # 3 groups
        ("DEPTHWISE_CONV_2D", (1, 8, 8, 6), (1, 3, 3, 12), (1, 4, 4, 12), 4 * 4 * 12 * 9),
        ("CONV_3D", (1, 4, 8, 8, 2), (3, 3, 3, 2, 5), (1, 4, 8, 8, 5), 4 * 8 * 8 * 5 * 27 * 2),
        ("FULLY_CONNECTED", (1, 7, 6), (4, 6), (1, 7, 4), 7 * 4 * 6),
        ("BATCH_MATMUL", (1, 2, 3, 5), (1, 2, 5, 7), (1, 2, 3, 7), 2 * 3 * 7 * 5),
        ("ADD", (1, 2), (1, 2), (1, 2), 0),
    ],
)
def test_tflite_operators(tmp_path: Path, name: str, x: Any, w: Any, y: Any, expected: int) -> None:
    tensors = [f("x", *x), f("w", *w), f("y", *y)]
    assert tflite(tmp_path, tensors, Op(name, [0, 1], [2])) == (expected, "")


def test_tflite_transpose_conv(tmp_path: Path) -> None:
    tensors = [f("x", 1, 4, 4, 6), T("shape", (4,), "INT32"), f("w", 8, 3, 3, 6), f("y", 1, 8, 8, 8)]
    assert tflite(tmp_path, tensors, Op("TRANSPOSE_CONV", [1, 2, 0], [3])) == (4 * 4 * 6 * 9 * 8, "")


def test_tflite_batch_matmul_transposed(tmp_path: Path) -> None:
    from ai_edge_litert.schema_py_generated import BatchMatMulOptionsT

    tensors = [f("x", 1, 5, 3), f("w", 1, 5, 7), f("y", 1, 3, 7)]
    operator = Op("BATCH_MATMUL", [0, 1], [2], BatchMatMulOptionsT(adjX=True))
    assert tflite(tmp_path, tensors, operator) == (3 * 7 * 5, "")


def test_tflite_what_is_not_counted(tmp_path: Path) -> None:
    tensors = [f("x", 1, 5), f("y", 1, 5)]
    note = "not counted: UNIDIRECTIONAL_SEQUENCE_LSTM"
    assert tflite(tmp_path, tensors, Op("UNIDIRECTIONAL_SEQUENCE_LSTM", [0], [1])) == (None, note)
    note = "not counted: CONV_2D (unknown shape)"
    assert tflite(tmp_path, tensors, Op("CONV_2D", [0, 0], [1])) == (None, note)


def onnx(
    folder: Path, op: str, x: Any, w: Any, y: Any, attributes: dict[str, Any] | None = None, count: int = 2
) -> tuple[int | None, str]:
    from onnx import helper

    node = helper.make_node(op, ["x", "w"][:count], ["y"], **(attributes or {}))
    info = read_onnx(save(folder / "a.onnx", [node], [value("x", x), value("w", w)][:count], [value("y", y)]))
    return info.macs, info.macs_note


@pytest.mark.parametrize(
    ("op", "x", "w", "rank", "attributes", "expected"),
    [
        ("Conv", (1, 6, 8, 8), (4, 6, 3, 5), 4, {"pads": [1, 2, 1, 2]}, 8 * 8 * 4 * 3 * 5 * 6),
        ("Conv", (1, 6, 8, 8), (6, 1, 3, 3), 4, {"group": 6}, 6 * 6 * 6 * 9),
        ("Conv", (1, 6, 8), (4, 3, 3), 3, {"group": 2}, 6 * 4 * 3 * 3),
        ("ConvTranspose", (1, 6, 4, 4), (6, 8, 3, 3), 4, {"strides": [2, 2]}, 4 * 4 * 6 * 9 * 8),
        ("ConvTranspose", (1, 6, 4, 4), (6, 4, 3, 3), 4, {"group": 2}, 4 * 4 * 6 * 9 * 4),
        ("Gemm", (1, 6), (4, 6), 2, {"transB": 1}, 24),
        ("Gemm", (6, 1), (6, 4), 2, {"transA": 1}, 24),
        ("MatMul", (1, 2, 3, 5), (5, 7), 4, {}, 2 * 3 * 7 * 5),
        ("MatMul", (1, 3), (3,), 1, {}, 3),
        ("MatMul", ("N", 3), (3, 4), 2, {}, 12),
        ("MatMul", (4, 3), (3, 4), 2, {}, 48),  # the second input has another first size: no batch
        ("Add", (1, 3), (1, 3), 2, {}, 0),
    ],
)
def test_onnx_operators(
    tmp_path: Path, op: str, x: Any, w: Any, rank: int, attributes: dict[str, Any], expected: int
) -> None:
    assert onnx(tmp_path, op, x, w, [None] * rank, attributes) == (expected, "")


def test_onnx_dynamic_inside(tmp_path: Path) -> None:
    assert onnx(tmp_path, "MatMul", (1, "time", 3), (3, 4), [1, None, 4]) == (12, "dynamic sizes counted as 1")


def test_onnx_what_is_not_counted(tmp_path: Path) -> None:
    result = onnx(tmp_path, "Einsum", (1, 3), (3, 4), [None, None], {"equation": "ab,bc->ac"})
    assert result == (None, "not counted: Einsum")
