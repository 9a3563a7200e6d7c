"""The share of a file's weights that is stored in few bits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgekit.formats.info import FileInfo, WeightInfo
from edgekit.formats.reading import inspect_file
from edgekit.formats.shares import weight_share
from edgekit.reporting.model_page import render
from tests.formats.test_reading import run
from tests.support.tiny_onnx import constant, save, value
from tests.support.tiny_tflite import Op, T, model, tiny_tflite


def info(*weights: tuple[str, int, bool]) -> FileInfo:
    """A file with weights of (type, bytes, whether it is a bias); of single values where it has 4 bytes."""
    found = tuple(
        WeightInfo(f"w{n}", (size,), dtype, None, size, 1 if size == 4 else size, None, None, False, bias)
        for n, (dtype, size, bias) in enumerate(weights)
    )
    return FileInfo(Path("f"), "tflite", 1, 1, (), (), {}, 0, None, "", found, {})


@pytest.mark.parametrize(
    ("weights", "share"),
    [
        ([("int8", 100, False)], 1),
        ([("int4", 50, False), ("int8", 50, False)], 1),
        ([("int8", 90, False), ("float32", 10, False)], 0.9),
        ([("int8", 100, False), ("int32", 400, True), ("float32", 400, True)], 1),
        ([("int8", 100, False), ("float32", 4, False)], 1),  # an epsilon is no weight
        ([("float8_e4m3fn", 100, False), ("bfloat16", 100, False)], 0.5),
        ([("type99", 100, False)], 0),
        ([("int32", 40, True)], None),
        ([], None),
    ],
)
def test_shares(weights: list[tuple[str, int, bool]], share: float | None) -> None:
    assert weight_share(info(*weights)).value == share


def test_the_largest_others_are_named() -> None:
    share = weight_share(info(*(("float32", 10 * n, False) for n in range(1, 6)), ("int8", 50, False)))
    assert share.value == 50 / 200
    names = "`w4` (float32, 50 bytes), `w3` (float32, 40 bytes), `w2` (float32, 30 bytes) and 2 more"
    assert share.wide_names() == names
    assert weight_share(info(("float16", 20, False)), bits=16).value == 1


def mixed(path: Path) -> Path:
    """A dense layer in int8 between DEQUANTIZE and QUANTIZE, and one left float: its bias does not count."""
    from ai_edge_litert import schema_py_generated as s

    def floats(name: str, *shape: int) -> T:
        return T(name, shape, "FLOAT32", np.ones(shape, "<f4").tobytes())

    tensors = [T("x", (1, 8), scale=[0.1], zero_point=[0]), T("f", (1, 8), "FLOAT32")]
    tensors += [floats("wide", 6, 8), floats("b", 6), T("g", (1, 6), "FLOAT32")]
    tensors += [T("q", (1, 6), scale=[0.1], zero_point=[0])]
    tensors += [T("w", (16, 6), data=np.ones((16, 6), np.int8).tobytes(), scale=[0.1], zero_point=[0])]
    tensors += [T("bias", (16,), "INT32", bytes(64), [0.01], [0]), T("y", (1, 16), scale=[0.1], zero_point=[0])]
    dense = s.FullyConnectedOptionsT()
    operators = [Op("DEQUANTIZE", [0], [1]), Op("FULLY_CONNECTED", [1, 2, 3], [4], dense), Op("QUANTIZE", [4], [5])]
    operators.append(Op("FULLY_CONNECTED", [5, 6, 7], [8], dense))
    path.write_bytes(model(tensors, operators, [0], [8]))
    return path


def test_of_tflite_files(tmp_path: Path) -> None:
    found = inspect_file(mixed(tmp_path / "mixed.tflite"))
    assert weight_share(found).value == 96 / (96 + 6 * 8 * 4)
    assert "8-bit weights  33.3% of 288 bytes, without biases; not `wide` (float32, 192 bytes)" in render(found)
    assert weight_share(inspect_file(tiny_tflite(tmp_path / "tiny.tflite"))).value == 1
    assert weight_share(inspect_file(tiny_tflite(tmp_path / "int4.tflite", int4=True, span=7)), bits=4).value == 48 / 66


def test_of_onnx_files(tmp_path: Path) -> None:
    """An LSTM has float weights whatever the rest is in: ONNX has none for it in 8 bits."""
    from onnx import helper

    nodes = [
        helper.make_node("LSTM", ["x", "w", "r", "b"], ["", "h"], hidden_size=2),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["k"]),
        helper.make_node("DequantizeLinear", ["i", "s"], ["c"]),
        helper.make_node("Gemm", ["x2", "k", "c"], ["y"]),
    ]
    constants = [constant("w", np.ones((1, 8, 3)), "float32"), constant("r", np.ones((1, 8, 2)), "float32")]
    constants += [constant("b", np.ones((1, 16)), "float32"), constant("q", np.ones((4, 5)), "int8")]
    constants += [constant("s", np.ones(()), "float32"), constant("z", np.zeros(()), "int8")]
    constants += [constant("i", np.ones(5), "int32")]
    ends = [value("x", [4, 1, 3]), value("x2", [1, 4])], [value("h", [1, 1, 2]), value("y", [1, 5])]
    path = save(tmp_path / "lstm.onnx", nodes, *ends, constants)
    share = weight_share(inspect_file(path))
    assert share.value == 20 / (20 + 4 * 24 + 4 * 16)
    assert [w.name for w in share.wide] == ["w", "r"]


def test_in_json(tmp_path: Path) -> None:
    code, text = run(str(mixed(tmp_path / "mixed.tflite")), "--json")
    assert code == 0 and json.loads(text)[0]["weights_in_8_bits"] == 96 / 288
