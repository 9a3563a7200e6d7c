from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.errors import InputError, MissingExtraError
from edgekit.formats.info import FileInfo, Quantization, TensorInfo, WeightInfo
from edgekit.formats.onnx.reader import read_onnx
from edgekit.formats.reading import inspect_file
from edgekit.reporting.model_page import render
from tests.support.raised import raised
from tests.support.tiny_onnx import constant, save, tiny_onnx, value

onnx = pytest.importorskip("onnx")
make = onnx.helper.make_node


def one_constant(folder: Path, tensor: Any, shape: Any = (4,)) -> WeightInfo:
    node = make("Identity", [tensor.name], ["y"])
    info = read_onnx(save(folder / "a.onnx", [node], [], [value("y", shape)], [tensor], check=False))
    return info.weights[0]


@pytest.mark.parametrize("batch", [1, 3, "N"])
def test_everything_about_a_small_model(tmp_path: Path, batch: Any) -> None:
    path = tiny_onnx(tmp_path / "tiny.onnx", batch=batch)
    info = read_onnx(path)
    size = -1 if batch == "N" else batch
    assert (info.path, info.format, info.bytes) == (path, "onnx", path.stat().st_size)
    assert info.inputs == (TensorInfo("image", (size, 4, 4, 1), "int8", Quantization((0.5,), (-3,), None)),)
    assert info.outputs == (TensorInfo("scores", (size, 3), "int8", Quantization((0.75,), (1,), None)),)
    assert next(iter(info.operators.items())) == ("DequantizeLinear", 4)
    assert (info.parameters, info.macs, info.macs_note) == (119, 384, "")
    assert info.description["opset"] == "ai.onnx 17"
    assert info.description["producer"] == "a test"
    assert [(w.name, w.shape, w.dtype, w.bytes) for w in info.weights] == [
        ("conv_w", (2, 1, 3, 3), "int8", 18),
        ("conv_b", (2,), "int32", 8),
        ("dense_w", (3, 32), "uint8", 96),
        ("dense_b", (3,), "float32", 12),
    ]
    conv, bias, dense, plain = info.weights
    assert conv.quantization == Quantization((np.float32(0.01).item(), np.float32(0.02).item()), (0, 1), 0)
    assert (conv.zeros, conv.unique) == (1, 18)  # -9..-1 around zero point 0, and 0..8 around 1
    assert bias.quantization is not None and bias.quantization.axis == 0
    assert dense.quantization == Quantization((np.float32(0.03).item(),), (128,), None)
    assert plain.quantization is None and plain.zeros == 1
    json.dumps(info.to_dict())


def test_the_tiny_model_runs(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(tiny_onnx(tmp_path / "tiny.onnx"), providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {"image": np.ones((1, 4, 4, 1), np.int8)})
    assert (scores.shape, scores.dtype) == ((1, 3), np.int8)


def test_operator_format_is_understood(tmp_path: Path) -> None:
    """QLinearConv: quantization, weights and MACs without Q and DQ."""
    names = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"]
    initializers = [
        constant("xs", 0.5, "float32"),
        constant("xz", 7, "uint8"),
        constant("w", np.full((2, 1, 1, 1), 5), "int8"),
        constant("ws", [0.25, 0.75], "float32"),
        constant("wz", [5, 0], "int8"),
        constant("ys", 2, "float32"),
        constant("yz", 9, "uint8"),
        constant("b", [3, 4], "int32"),
    ]
    ends = [value("x", [1, 1, 4, 4], "UINT8")], [value("y", [1, 2, 4, 4], "UINT8")]
    info = read_onnx(save(tmp_path / "a.onnx", [make("QLinearConv", names, ["y"])], *ends, initializers))
    assert info.inputs[0].quantization == Quantization((0.5,), (7,), None)
    assert info.outputs[0].quantization == Quantization((2.0,), (9,), None)
    assert [w.name for w in info.weights] == ["w", "b"]
    assert info.weights[0].quantization == Quantization((0.25, 0.75), (5, 0), 0)
    assert info.weights[0].zeros == 1
    assert info.macs == 32


def test_integer_operators_have_zero_points_only(tmp_path: Path) -> None:
    initializers = [constant("w", [[1, 2], [128, 4]], "uint8"), constant("z", 128, "uint8")]
    ends = [value("x", [1, 2], "UINT8")], [value("y", [1, 2], "INT32")]
    info = read_onnx(
        save(tmp_path / "a.onnx", [make("MatMulInteger", ["x", "w", "", "z"], ["y"])], *ends, initializers)
    )
    assert info.weights[0].quantization == Quantization((), (128,), None)
    assert (info.weights[0].zeros, info.macs) == (1, 4)
    assert "zero_point 128, scale kept apart" in render(info)


def test_what_counts_as_a_parameter(tmp_path: Path) -> None:
    nodes = [
        make("Constant", [], ["c"], value_floats=[1.0, 0.0, 2.0]),
        make("Constant", [], ["i"], value_ints=[1, 2]),
        make("Add", ["x", "c"], ["a"]),
        make("Clip", ["a", "low", "high"], ["b"]),
        make("Reshape", ["b", "shape"], ["y"]),
    ]
    initializers = [
        constant("low", 0, "float32"),
        constant("high", 6, "float32"),
        constant("shape", [3], "int64"),
        constant("spare", np.ones((2, 2)), "float32"),
    ]
    info = read_onnx(save(tmp_path / "a.onnx", nodes, [value("x", [1, 3])], [value("y", [3])], initializers))
    assert [(w.name, w.elements, w.zeros) for w in info.weights] == [("spare", 4, 0), ("c", 3, 1)]


def test_initializers_are_not_inputs(tmp_path: Path) -> None:
    w = constant("w", [1, 2], "float32")
    ends = [value("x", [2]), value("w", [2])], [value("y", [2])]
    info = read_onnx(save(tmp_path / "a.onnx", [make("Add", ["x", "w"], ["y"])], *ends, [w]))
    assert [t.name for t in info.inputs] == ["x"]


@pytest.mark.parametrize(
    ("kind", "values", "zeros", "unique", "size"),
    [
        ("FLOAT", [0, 1, 2, 2], 1, 3, 16),
        ("DOUBLE", [0, 1, 2, 2], 1, 3, 32),
        ("FLOAT16", [0, 1, 2, 2], 1, 3, 8),
        ("BFLOAT16", [0, 1, 2, 2], 1, 3, 8),
        ("INT8", [0, -1, 2, 2], 1, 3, 4),
        ("UINT16", [0, 1, 65535, 2], 1, 4, 8),
        ("INT4", [0, -1, 7, -8], 1, 4, 2),
        ("UINT4", [15, 1, 15, 0], 1, 3, 2),
        ("FLOAT8E5M2", [0, 1, 2, 2], 1, 3, 4),
    ],
)
@pytest.mark.parametrize("raw", [False, True])
def test_types(tmp_path: Path, kind: str, values: Any, zeros: int, unique: int, size: int, raw: bool) -> None:
    number = getattr(onnx.TensorProto, kind)
    tensor = onnx.helper.make_tensor("w", number, [4], values)
    if raw:
        tensor = onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor), "w")
    weight = one_constant(tmp_path, tensor)
    assert (weight.zeros, weight.unique, weight.bytes) == (zeros, unique, size)


def test_sparse_initializers(tmp_path: Path) -> None:
    values = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [2], [3.0, 0.0])
    indices = onnx.helper.make_tensor("i", onnx.TensorProto.INT64, [2], [1, 5])
    sparse = onnx.helper.make_sparse_tensor(values, indices, [2, 5])
    path = save(tmp_path / "a.onnx", [make("Identity", ["w"], ["y"])], [], [value("y", [2, 5])], check=False)
    proto = onnx.load(path)
    proto.graph.sparse_initializer.append(sparse)
    path.write_bytes(proto.SerializeToString())
    (weight,) = read_onnx(path).weights
    assert (weight.sparse, weight.elements, weight.zeros, weight.unique, weight.bytes) == (True, 10, 9, 2, 8)


def test_bodies_custom_operators_and_functions(tmp_path: Path) -> None:
    body = onnx.helper.make_graph(
        [make("MatMul", ["x", "bw"], ["z"])], "b", [], [value("z", [1, 2])], [constant("bw", np.eye(2), "float32")]
    )
    other = onnx.helper.make_graph([make("Identity", ["x"], ["o"])], "o", [], [value("o", [1, 2])])
    nodes = [
        make("If", ["c"], ["a"], then_branch=body, else_branch=other),
        make("Twice", ["a"], ["b"], domain="mine"),
        make("Fused", ["b"], ["y"], domain="com.microsoft"),
    ]
    opset = [onnx.helper.make_opsetid("", 17)]
    twice = onnx.helper.make_function("mine", "Twice", ["x"], ["y"], [make("Add", ["x", "x"], ["y"])], opset)
    info = read_onnx(
        save(
            tmp_path / "a.onnx",
            nodes,
            [value("x", [1, 2]), value("c", [], "BOOL")],
            [value("y", [1, 2])],
            domains=["mine", "com.microsoft"],
            functions=[twice],
            check=False,
        )
    )
    assert info.operators == {
        **{"If": 1, "MatMul": 1, "Identity": 1, "CUSTOM:mine.Twice": 1, "CUSTOM:com.microsoft.Fused": 1, "Add": 1}
    }
    assert info.parameters == 4
    assert info.macs is None
    expected = "not counted: MatMul (inside another operator), CUSTOM:mine.Twice, CUSTOM:com.microsoft.Fused"
    assert info.macs_note == expected


def test_shapes_that_the_model_computes(tmp_path: Path) -> None:
    """What PyTorch writes for `x.view(x.size(0), -1)`."""
    nodes = [
        make("Shape", ["x"], ["s"]),
        make("Gather", ["s", "zero"], ["n"]),
        make("Unsqueeze", ["n", "axes"], ["n1"]),
        make("Concat", ["n1", "rest"], ["t"], axis=0),
        make("Reshape", ["x", "t"], ["f"]),
        make("Gemm", ["f", "w"], ["y"]),
    ]
    initializers = [
        constant("zero", 0, "int64"),
        constant("axes", [0], "int64"),
        constant("rest", [-1], "int64"),
        constant("w", np.ones((12, 5)), "float32"),
    ]
    ends = [value("x", ["N", 3, 2, 2])], [value("y", ["N", 5])]
    info = read_onnx(save(tmp_path / "a.onnx", nodes, *ends, initializers))
    assert (info.macs, info.macs_note) == (60, "")


@pytest.mark.parametrize(
    "nodes",
    [
        [make("ConstantOfShape", ["n"], ["s"]), make("Concat", ["s", "s"], ["y"], axis=0)],
        [make("Concat", [f"{'n' * i}", f"{'n' * i}"], [f"{'n' * (i + 1)}"], axis=0) for i in range(1, 50)],
    ],
)
def test_shape_inference_is_kept_from_eating_the_memory(tmp_path: Path, nodes: Any) -> None:
    path = save(
        tmp_path / "a.onnx", nodes, [], [value("y", None, "INT64")], [constant("n", [2**40], "int64")], check=False
    )
    assert read_onnx(path).macs == 0


def test_external_data(tmp_path: Path) -> None:
    info = external(tmp_path, "w.bin", content=np.array([0, 1, 1, 2], "<f4").tobytes())
    assert (info.weights[0].zeros, info.weights[0].unique, info.weights[0].bytes) == (1, 3, 16)
    assert info.description["external data"] == "w.bin (16 bytes)"


@pytest.mark.parametrize("location", ["../w.bin", "/etc/passwd", "a/../../w.bin", "", "..\\w.bin", "C:\\w.bin", "link"])
def test_external_data_outside_the_folder(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(16))
    (folder / "link").symlink_to(tmp_path / "w.bin")
    with raised("external-data-unsafe"):
        external(folder, location)


def test_external_data_missing_or_short(tmp_path: Path) -> None:
    with raised("external-data-missing", "w.bin"):
        external(tmp_path, "w.bin")
    with raised("external-data-missing", "w.bin", "`w`", "0", "16", "8"):
        external(tmp_path, "w.bin", content=bytes(8))
    with raised("file-damaged"):
        external(tmp_path, "w.bin", content=bytes(16), offset="x")
    with raised("file-damaged"):
        external(tmp_path, "w.bin", content=bytes(16), offset="-4")


def external(folder: Path, location: str, *, content: bytes | None = None, offset: str = "0") -> FileInfo:
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=1)
    for key, text in (("location", location), ("offset", offset), ("length", "16")):
        tensor.external_data.add(key=key, value=text)
    if content is not None:
        (folder / location).write_bytes(content)
    nodes = [make("Add", ["x", "w"], ["y"])]
    path = save(folder / "a.onnx", nodes, [value("x", [4])], [value("y", [4])], [tensor], check=False)
    return read_onnx(path)


def test_parts_that_do_not_fit(tmp_path: Path) -> None:
    huge = onnx.TensorProto(name="w", data_type=1, dims=[2**40, 2**40])
    with raised("file-damaged", "a.onnx", "`w`", "0"):
        one_constant(tmp_path, huge)
    with raised("file-damaged"):
        one_constant(tmp_path, onnx.TensorProto(name="w", data_type=1, dims=[-1]))
    with raised("file-damaged", "70"):
        save(tmp_path / "a.onnx", [], [value("x", [1] * 70)], [], check=False)
        read_onnx(tmp_path / "a.onnx")


def test_more_nodes_than_any_model_has(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    nodes = b"\x0a\x00" * 200_001  # GraphProto.node, empty
    length = len(nodes)
    path.write_bytes(b"\x08\x0a\x3a" + bytes([length & 127 | 128, length >> 7 & 127 | 128, length >> 14]) + nodes)
    with raised("file-damaged", "200,000"):
        inspect_file(path)


def test_not_onnx(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"\xff" * 50)
    with raised("file-damaged"):
        read_onnx(path)
    path.write_bytes(b"\x08\x07")
    with raised("format-unexpected"):
        read_onnx(path)


def test_without_the_onnx_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny_onnx(tmp_path / "tiny.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError) as caught:
        inspect_file(path)
    assert caught.value.extra == "onnx"


def survives(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    for read in (inspect_file, read_onnx):
        try:
            info = read(path)
        except InputError as error:
            assert error.message.startswith(str(path))
        else:
            json.dumps(info.to_dict(), allow_nan=False)
            assert render(info)


def test_cut_off_anywhere(tmp_path: Path) -> None:
    data = tiny_onnx(tmp_path / "tiny.onnx").read_bytes()
    for end in range(0, len(data), 2):
        survives(tmp_path / "cut.onnx", data[:end])


@settings(max_examples=400, deadline=None, derandomize=True)
@given(flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_anywhere(tmp_path_factory: Any, flips: list[tuple[int, int]]) -> None:
    folder = tmp_path_factory.getbasetemp()
    source = folder / "tiny.onnx"
    if not source.exists():
        tiny_onnx(source)
    data = bytearray(source.read_bytes())
    for position, byte in flips:
        data[position % len(data)] = byte
    survives(folder / "flipped.onnx", bytes(data))
