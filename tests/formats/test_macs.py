from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.formats import macs
from edgekit.formats.macs import Tally
from edgekit.formats.onnx.reader import read_onnx
from edgekit.formats.tflite.reader import read_tflite
from tests.support.raised import raised
from tests.support.tiny_onnx import constant, save, value
from tests.support.tiny_tflite import Op, T, changed, model


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
    note = "not counted: STABLEHLO_CONVOLUTION"
    assert tflite(tmp_path, tensors, Op("STABLEHLO_CONVOLUTION", [0], [1])) == (None, note)
    note = "not counted: UNIDIRECTIONAL_SEQUENCE_LSTM (unknown shape)"
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
    assert result == (12, "")
    result = onnx(tmp_path, "Einsum", (1, 3), (3, 4), [None, None], {"equation": "...b,bc->...c"})
    assert result == (None, "not counted: Einsum (unknown shape)")


def weights(count: int, places: dict[int, tuple[int, ...]], x: tuple[int, ...]) -> tuple[list[T], list[int]]:
    """Return tensors and operands: the input, and matrices at these places of an operator."""
    tensors, operands = [f("x", *x)], [0] + [-1] * (count - 1)
    for place, shape in places.items():
        operands[place] = len(tensors)
        tensors.append(f(f"w{place}", *shape))
    return tensors, operands


@pytest.mark.parametrize(
    ("name", "count", "places", "x", "expected"),
    [
        (
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            24,
            {i: (8, 5 if i < 5 else 8) for i in range(1, 9)},
            (1, 20, 5),
            20 * 4 * 8 * 13,
        ),
        (
            "UNIDIRECTIONAL_SEQUENCE_LSTM",  # time first, no input gate, a projection
            24,
            {**dict.fromkeys((2, 3, 4), (8, 5)), **dict.fromkeys((6, 7, 8), (8, 6)), 16: (6, 8)},
            (20, 1, 5),
            20 * (3 * 8 * 11 + 48),
        ),
        ("LSTM", 5, {1: (1, 8), 2: (32, 13), 3: (32,), 4: (1, 8)}, (1, 5), 32 * 13),
        ("UNIDIRECTIONAL_SEQUENCE_RNN", 5, {1: (8, 5), 2: (8, 8), 3: (8,)}, (1, 20, 5), 20 * 8 * 13),
        ("BIDIRECTIONAL_SEQUENCE_RNN", 12, {1: (8, 5), 2: (8, 8), 5: (4, 5), 6: (4, 4)}, (1, 20, 5), 20 * (104 + 36)),
        ("SVDF", 5, {1: (8, 5), 2: (8, 10), 3: (8,)}, (1, 5), 8 * 15),
    ],
)
def test_tflite_recurrent(tmp_path: Path, name: str, count: int, places: Any, x: Any, expected: int) -> None:
    tensors, operands = weights(count, places, x)
    assert tflite(tmp_path, [*tensors, f("y", 1, 8)], Op(name, operands, [len(tensors)])) == (expected, "")


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
@pytest.mark.parametrize("directions", [1, 2])
def test_onnx_recurrent(tmp_path: Path, kind: str, gates: int, directions: int) -> None:
    from onnx import helper

    both = {"direction": "bidirectional"} if directions == 2 else {}
    node = helper.make_node(kind, ["x", "w", "r"], ["y"], hidden_size=8, **both)
    shapes = {"x": (20, 1, 5), "w": (directions, gates * 8, 5), "r": (directions, gates * 8, 8)}
    ends = [value(name, shape) for name, shape in shapes.items()]
    info = read_onnx(save(tmp_path / "a.onnx", [node], ends, [value("y", [None] * 4)]))
    assert (info.macs, info.macs_note) == (20 * directions * gates * 8 * 13, "")


def loop(folder: Path, *, limit: bool = True, step: int = 1) -> tuple[int | None, str]:
    """A loop of 10 rounds around a dense layer of 3 * 4 MACs; the limit is a constant, or known only when it runs."""
    from ai_edge_litert.schema_py_generated import WhileOptionsT

    def number(name: str, count: int | None) -> T:
        return T(name, (), "INT32", None if count is None else count.to_bytes(4, "little"))

    main = [number("zero", 0), f("state", 1, 4), number("count", None), f("y", 1, 4)]
    test = ([number("i", None), f("s", 1, 4), number("limit", 10 if limit else None), T("go", (), "BOOL")],
            [Op("LESS", [0, 2], [3])])  # fmt: skip
    body = ([number("i", None), f("s", 1, 4), number("step", step), number("next", None), f("w", 4, 3), f("t", 1, 4)],
            [Op("ADD", [0, 2], [3]), Op("FULLY_CONNECTED", [1, 4], [5])])  # fmt: skip

    def ends(_: Any, whole: Any) -> None:
        whole.subgraphs[1].inputs, whole.subgraphs[1].outputs = [0, 1], [3]
        whole.subgraphs[2].inputs, whole.subgraphs[2].outputs = [0, 1], [3, 5]

    options = WhileOptionsT(condSubgraphIndex=1, bodySubgraphIndex=2)
    data = model(main, [Op("WHILE", [0, 1], [2, 3], options)], [1], [3], further=[test, body])
    path = folder / "a.tflite"
    path.write_bytes(changed(data, ends))
    info = read_tflite(path)
    return info.macs, info.macs_note


def test_loops_of_tflite(tmp_path: Path) -> None:
    assert loop(tmp_path) == (10 * 4 * 3, "")
    assert loop(tmp_path, step=3) == (4 * 4 * 3, "")
    assert loop(tmp_path, limit=False) == (None, "not counted: WHILE (its number of rounds is not in the file)")


def test_shapes_of_inputs_may_be_given(tmp_path: Path) -> None:
    from onnx import helper

    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 2])]
    ends = [value("x", ["N", 3, "H", "W"]), value("w", (8, 3, 5, 5))]
    path = save(tmp_path / "a.onnx", nodes, ends, [value("y", [None] * 4)])
    alone = read_onnx(path)  # a window of 5 does not fit into a size of 1
    assert alone.macs is None or alone.macs == 0
    given = {"x": (1, 3, 65, 33), "w": (8, 3, 5, 5)}
    assert (read_onnx(path, given).macs, read_onnx(path, given).macs_note) == (31 * 15 * 8 * 75, "")
    for shapes, named in (({"z": (1,)}, "`--input-shape z`"), ({"x": (1, 4, 65, 33)}, "?×3×?×?")):
        with raised("input-shape-mismatch", named):
            read_onnx(path, shapes)


def test_a_constant_of_a_known_shape_does_not_hide_the_others(tmp_path: Path) -> None:
    """Shapes that a model computes are found though it fills a tensor, too, where that is small."""
    from onnx import helper

    def macs_of(filled: Any) -> int | None:
        nodes = [
            helper.make_node("ConstantOfShape", ["size"], ["zeros"]),
            helper.make_node("Shape", ["x"], ["shape"]),
            helper.make_node("Gather", ["shape", "first"], ["count"]),
            helper.make_node("Concat", ["count", "rest"], ["wanted"], axis=0),
            helper.make_node("Reshape", ["x", "wanted"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["y"]),
        ]
        numbers = {"size": filled, "first": [0], "rest": [12]}
        constants = [constant(name, of, "int64") for name, of in numbers.items() if of is not None]
        ends = [value("x", (5, 3, 4)), value("w", (12, 7))]
        ends += [value("size", (1,), "INT64")] if filled is None else []
        return read_onnx(save(tmp_path / "a.onnx", nodes, ends, [value("y", [None] * 2)], constants)).macs

    assert macs_of([4]) == 5 * 12 * 7
    assert macs_of([1 << 40]) is None  # would be filled
    assert macs_of(None) is None
