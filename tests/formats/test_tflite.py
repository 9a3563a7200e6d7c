from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.errors import InputError
from edgekit.formats.info import FileInfo, Quantization, TensorInfo, WeightInfo
from edgekit.formats.reading import inspect_file
from edgekit.formats.tflite.reader import read_tflite
from edgekit.reporting.model_page import render
from tests.support.raised import raised
from tests.support.tiny_tflite import CONV_WEIGHTS, Op, T, model, tiny_tflite


def run(path: Path, batch: int = 1) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    x = np.random.default_rng(1).integers(-128, 128, (batch, 4, 4, 1)).astype(np.int8)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def read(folder: Path, data: bytes) -> FileInfo:
    path = folder / "made.tflite"
    path.write_bytes(data)
    return read_tflite(path)


def one_constant(folder: Path, tensor: T) -> WeightInfo:
    tensors = [T("x", (1, 4), "FLOAT32"), tensor, T("y", (1, 4), "FLOAT32")]
    return read(folder, model(tensors, [Op("ADD", [0, 1], [2])], [0], [2])).weights[0]


def test_the_tiny_model_runs_in_every_form(tmp_path: Path) -> None:
    expected = run(tiny_tflite(tmp_path / "a.tflite", span=7))
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(run(tiny_tflite(tmp_path / "b.tflite", span=7, int4=True)), expected)
    np.testing.assert_array_equal(run(tiny_tflite(tmp_path / "c.tflite", span=7, outside=True)), expected)
    assert run(tiny_tflite(tmp_path / "d.tflite", batch=2), batch=2).shape == (2, 3)


def test_everything_about_a_small_model(tmp_path: Path) -> None:
    path = tiny_tflite(tmp_path / "tiny.tflite")
    info = read_tflite(path)
    assert (info.path, info.format, info.bytes) == (path, "tflite", path.stat().st_size)
    assert 0 < info.gzip_bytes < info.bytes
    assert info.inputs == (TensorInfo("image", (1, 4, 4, 1), "int8", Quantization((0.5,), (-3,), None)),)
    assert info.outputs == (TensorInfo("scores", (1, 3), "int8", Quantization((0.75,), (1,), None)),)
    assert list(info.operators.items()) == [("CONV_2D", 1), ("RESHAPE", 1), ("FULLY_CONNECTED", 1)]
    assert (info.parameters, info.macs, info.macs_note) == (119, 384, "")
    assert info.description == {
        "schema version": "3",
        "producer": "made by a test",
        "signatures": "serving_default",
    }
    assert [(w.name, w.shape, w.dtype, w.bytes, w.elements) for w in info.weights] == [
        ("conv/w", (2, 3, 3, 1), "int8", 18, 18),
        ("conv/b", (2,), "int32", 8, 2),
        ("dense/w", (3, 32), "int8", 96, 96),
        ("dense/b", (3,), "int32", 12, 3),
    ]
    conv = info.weights[0]
    assert conv.quantization == Quantization((np.float32(0.01).item(), np.float32(0.02).item()), (0, 0), 0)
    assert (conv.zeros, conv.unique, conv.sparse) == (1, 18, False)
    assert json.loads(json.dumps(info.to_dict()))["weights"][0]["quantization"]["axis"] == 0


def test_names_are_those_of_the_tensors_without_a_signature(tmp_path: Path) -> None:
    info = read_tflite(tiny_tflite(tmp_path / "tiny.tflite", named=False))
    assert [t.name for t in (*info.inputs, *info.outputs)] == ["in:0", "out:0"]


def test_int4_weights_are_unpacked(tmp_path: Path) -> None:
    plain = read_tflite(tiny_tflite(tmp_path / "a.tflite", span=7)).weights[2]
    packed = read_tflite(tiny_tflite(tmp_path / "b.tflite", span=7, int4=True)).weights[2]
    assert (packed.dtype, packed.bytes, packed.elements) == ("int4", 48, 96)
    assert (packed.zeros, packed.unique) == (plain.zeros, plain.unique)


def test_an_odd_number_of_int4_values_leaves_half_a_byte(tmp_path: Path) -> None:
    weight = one_constant(tmp_path, T("w", (3,), "INT4", bytes([0x8F, 0x07]), [1.0], [-8]))
    assert (weight.bytes, weight.elements, weight.zeros, weight.unique) == (2, 3, 1, 3)  # -1, -8, 7


def test_constants_after_the_flatbuffer(tmp_path: Path) -> None:
    inside = read_tflite(tiny_tflite(tmp_path / "a.tflite"))
    outside = read_tflite(tiny_tflite(tmp_path / "b.tflite", outside=True))
    assert outside.weights == inside.weights


def test_a_fixed_batch_is_divided_out(tmp_path: Path) -> None:
    info = read_tflite(tiny_tflite(tmp_path / "tiny.tflite", batch=4))
    assert info.macs == 384
    assert info.description["fixed batch"].startswith("4;")


def test_a_dynamic_size_comes_from_the_shape_signature(tmp_path: Path) -> None:
    tensors = [T("x", (1, 4), "FLOAT32", signature=(-1, 4)), T("y", (1, 4), "FLOAT32", signature=(-1, 4))]
    info = read(tmp_path, model(tensors, [Op("RELU", [0], [1])], [0], [1]))
    assert info.inputs[0].shape == info.outputs[0].shape == (-1, 4)
    assert (info.macs, info.macs_note, info.weights) == (0, "", ())


def test_zeros_are_counted_channel_by_channel(tmp_path: Path) -> None:
    data = np.array([[1, 2, 3], [1, 2, 2]], np.int8).tobytes()
    weight = one_constant(tmp_path, T("w", (2, 3), "INT8", data, [1.0, 1.0, 1.0], [1, 9, 2], axis=1))
    assert (weight.zeros, weight.unique) == (3, 3)
    assert weight.quantization == Quantization((1.0, 1.0, 1.0), (1, 9, 2), 1)


@pytest.mark.parametrize(
    ("kind", "data", "zeros", "unique"),
    [
        ("FLOAT32", np.array([0, -0.0, 1.5, 1.5], "<f4").tobytes(), 2, 2),
        ("FLOAT16", np.array([0, 2, 1.5, 1.5], "<f2").tobytes(), 1, 3),
        ("BFLOAT16", np.array([0, 0x8000, 0x3F80, 1], "<u2").tobytes(), 2, 3),
        ("FLOAT64", np.array([3, 2, 1.5, 1.5], "<f8").tobytes(), 0, 3),
        ("INT16", np.array([0, -300, 300, 0], "<i2").tobytes(), 2, 3),
        ("UINT8", bytes([0, 255, 255, 3]), 1, 3),
        ("INT2", bytes([0b11_10_00_01]), 1, 4),
        ("UINT4", bytes([0xF0, 0x0F]), 2, 2),
        ("FLOAT8_E4M3FN", bytes([0, 0x80, 0x38, 0x39]), 2, 3),
    ],
)
def test_types(tmp_path: Path, kind: str, data: bytes, zeros: int, unique: int) -> None:
    weight = one_constant(tmp_path, T("w", (4,), kind, data))
    assert (weight.dtype, weight.zeros, weight.unique) == (kind.lower(), zeros, unique)


def test_a_sparse_tensor_counts_what_is_not_stored_as_zero(tmp_path: Path) -> None:
    weight = one_constant(tmp_path, T("w", (4, 5), "INT8", bytes([1, 2, 0]), [1.0], [0], sparse=True))
    assert (weight.sparse, weight.bytes, weight.elements, weight.zeros, weight.unique) == (True, 3, 20, 18, 3)


def test_the_same_constant_is_listed_once(tmp_path: Path) -> None:
    w = T("w", (2, 2), "FLOAT32", np.eye(2, dtype="<f4").tobytes())
    tensors = [T("x", (1, 2), "FLOAT32"), w, T("w2", (2, 2), "FLOAT32", buffer=1), T("y", (1, 2), "FLOAT32")]
    operators = [Op("FULLY_CONNECTED", [0, 1, -1], [3]), Op("FULLY_CONNECTED", [0, 2, -1], [3])]
    info = read(tmp_path, model(tensors, operators, [0], [3], further=[(tensors, operators)]))
    assert (len(info.weights), info.parameters) == (2, 8)  # the second graph's are other buffers here
    assert info.operators == {"FULLY_CONNECTED": 4}
    assert (info.macs, info.macs_note) == (8, "not counted: FULLY_CONNECTED (in another graph of the file) x2")
    assert info.description["graphs"] == "2"


def edited(folder: Path, change: Callable[[Any, Any], None]) -> FileInfo:
    """Read the tiny model after `change(schema, model)`."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as s

    whole = s.ModelT.InitFromPackedBuf(tiny_tflite(folder / "tiny.tflite").read_bytes())
    change(s, whole)
    builder = flatbuffers.Builder(1024)
    builder.Finish(whole.Pack(builder), b"TFL3")
    return read(folder, bytes(builder.Output()))


def test_weights_in_another_file_are_named_and_not_read(tmp_path: Path) -> None:
    def change(s: Any, whole: Any) -> None:
        whole.externalBufferGroups = [s.ExternalBufferGroupT(name=b"weights.bin")]
        whole.externalBuffers = [s.ExternalBufferT(id=7, group=0, offset=0, length=96)]
        whole.subgraphs[0].tensors[6].buffer = 0
        whole.subgraphs[0].tensors[6].externalBuffer = 7

    info = edited(tmp_path, change)
    assert info.weights[2] == WeightInfo(
        *("dense/w", (3, 32), "int8", info.weights[2].quantization), 96, 96, zeros=None, unique=None, sparse=False
    )
    assert info.description["external data"] == "weights in weights.bin; their values were not read"
    assert (info.parameters, info.macs) == (119, 384)


def test_blockwise_scales_are_not_parameters(tmp_path: Path) -> None:
    def change(s: Any, whole: Any) -> None:
        tensors = whole.subgraphs[0].tensors
        whole.buffers.append(s.BufferT(data=list(np.ones(6, "<f2").tobytes())))
        tensors.append(s.TensorT(shape=[3, 2], type=1, buffer=len(whole.buffers) - 1, name=b"scales"))
        tensors[6].quantization = s.QuantizationParametersT(
            detailsType=s.QuantizationDetails.BlockwiseQuantization,
            details=s.BlockwiseQuantizationT(scales=len(tensors) - 1, zeroPoints=-1, blockSize=16),
        )

    info = edited(tmp_path, change)
    assert info.parameters == 119
    assert info.weights[2].quantization is None
    assert info.description["blockwise quantization"].startswith("1 weights")


def test_int32_constants_are_parameters_only_as_weights(tmp_path: Path) -> None:
    four = np.arange(4, dtype="<i4").tobytes()
    tensors = [
        T("x", (1, 2), "INT8"),
        T("w", (4, 2), "INT8", bytes(8)),
        T("bias without a scale", (4,), "INT32", four),
        T("y", (1, 4), "INT8"),
        T("axes", (4,), "INT32", four),
    ]
    operators = [Op("FULLY_CONNECTED", [0, 1, 2], [3]), Op("MEAN", [3, 4], [3])]
    info = read(tmp_path, model(tensors, operators, [0], [3]))
    assert [w.name for w in info.weights] == ["w", "bias without a scale"]


def test_operators_most_frequent_first_and_custom_ones_by_name(tmp_path: Path) -> None:
    tensors = [T("x", (1, 2), "FLOAT32")]
    operators = [Op("Mine", [0], [0]), Op("RELU", [0], [0]), Op("RELU", [0], [0])]
    info = read(tmp_path, model(tensors, operators, [0], [0]))
    assert list(info.operators.items()) == [("RELU", 2), ("CUSTOM:Mine", 1)]
    assert (info.macs, info.macs_note) == (None, "not counted: CUSTOM:Mine")


def test_a_name_from_the_file_cannot_move_the_cursor(tmp_path: Path) -> None:
    info = read(tmp_path, model([T("\x1b[2Jx", (1,), "FLOAT32")], [Op("\x1bop", [0], [0])], [0], [0]))
    assert "\x1b" not in render(info)


def test_not_a_tflite_file(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL9" + bytes(100))
    with raised("format-unexpected", "a.tflite", "4", "8", "TFL9"):
        read_tflite(path)


def test_a_buffer_beyond_the_end(tmp_path: Path) -> None:
    data = tiny_tflite(tmp_path / "tiny.tflite", outside=True).read_bytes()
    with raised("file-damaged"):
        read(tmp_path, data[:-20])


@pytest.mark.parametrize(
    ("tensors", "operators", "ends", "message"),
    [
        ([T("x", (2,))], [Op("RELU", [7], [0])], [0], "it refers to tensor 7 of 1"),
        ([T("x", (2,))], [Op("RELU", [0], [-1])], [0], "it refers to tensor -1 of 1"),
        ([T("x", (2,))], [], [3], "it refers to tensor 3 of 1"),
        ([T("x", (2,), data=b"abc")], [], [0], "the constant `x` has 3 bytes, its shape needs 2"),
        ([T("x", (-1,), data=b"abc")], [], [0], "the constant `x` has the dynamic shape"),
        ([T("x", (1,) * 70)], [], [0], "impossible shape, of 70 axes"),
        ([T("x", (-2,))], [], [0], "impossible shape"),
        ([T("x", (2,), scale=[1.0, 1.0], zero_point=[1, 2, 3])], [], [0], "2 scales and 3 zero points"),
        ([T("x", (2,), data=b"abc", sparse=True)], [], [0], "stores 3 of 2 values"),
    ],
)
def test_parts_that_do_not_fit(tmp_path: Path, tensors: Any, operators: Any, ends: Any, message: str) -> None:
    with raised("file-damaged", "made.tflite") as caught:
        read(tmp_path, model(tensors, operators, ends, ends))
    assert message in caught.value.message


def test_no_more_objects_than_bytes(tmp_path: Path) -> None:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as s

    def vector(offset: int) -> int:
        builder.StartVector(4, 2000, 4)
        for _ in range(2000):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    builder = flatbuffers.Builder(1024)
    s.TensorStart(builder)
    tensors = vector(s.TensorEnd(builder))
    s.SubGraphStart(builder)
    s.SubGraphAddTensors(builder, tensors)
    graphs = vector(s.SubGraphEnd(builder))
    s.ModelStart(builder)
    s.ModelAddSubgraphs(builder, graphs)
    builder.Finish(s.ModelEnd(builder), b"TFL3")
    with raised("file-damaged"):
        read(tmp_path, bytes(builder.Output()))  # 16 kB would be 4 million tensors


def survives(path: Path, data: bytes) -> None:
    """Only an InputError, or a FileInfo that can be shown, may come out."""
    path.write_bytes(data)
    try:
        info = inspect_file(path)
    except InputError as error:
        assert error.message.startswith(str(path))
    else:
        json.dumps(info.to_dict(), allow_nan=False)
        assert render(info)


@pytest.mark.parametrize("outside", [False, True])
def test_cut_off_anywhere(tmp_path: Path, outside: bool) -> None:
    data = tiny_tflite(tmp_path / "tiny.tflite", outside=outside).read_bytes()
    for end in range(0, len(data), 3):
        survives(tmp_path / "cut.tflite", data[:end])


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8), outside=st.booleans()
)
def test_damaged_anywhere(tmp_path_factory: Any, flips: list[tuple[int, int]], outside: bool) -> None:
    folder = tmp_path_factory.getbasetemp()
    source = folder / f"tiny{outside}.tflite"
    if not source.exists():
        tiny_tflite(source, outside=outside)
    data = bytearray(source.read_bytes())
    for position, value in flips:
        data[position % len(data)] = value
    survives(folder / "flipped.tflite", bytes(data))


def test_the_weights_of_the_helper() -> None:
    assert np.count_nonzero(CONV_WEIGHTS == 0) == 1
