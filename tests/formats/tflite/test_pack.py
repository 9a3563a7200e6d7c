"""Packed files give the same outputs, hold the same values, and are smaller; damage is refused."""

from __future__ import annotations

import hashlib
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import ConversionError
from edgekit.formats.reading import inspect_file
from edgekit.formats.tflite.builder import Builder
from edgekit.formats.tflite.pack import pack
from tests.support.raised import raised
from tests.support.tiny_tflite import Op, T, model, tiny_tflite

SCHEMES = ("float32", "float16", "dynamic", "int8", "int16x8")


@cache
def converted(scheme: str) -> bytes:
    """What the converter wrote for a small model, before packing."""
    from edgekit.export.signature import Signature
    from edgekit.export.tflite import convert as tflite
    from edgekit.frameworks.tensorflow import quiet, seed_everything, tf_keras

    keras = tf_keras()
    seed_everything(3)
    inputs = keras.Input((8, 8, 2), name="image")
    x = keras.layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv")(inputs)
    x = keras.layers.BatchNormalization(name="norm", beta_initializer="random_normal")(x)
    left = keras.layers.ReLU(name="relu")(x)
    right = keras.layers.DepthwiseConv2D(3, padding="same", bias_initializer="random_normal", name="depth")(left)
    x = keras.layers.Flatten(name="flat")(keras.layers.Add(name="add")([left, right]))
    x = keras.layers.Dense(32, activation="relu", bias_initializer="random_normal", name="wide")(x)
    outputs = keras.layers.Dense(3, activation="softmax", bias_initializer="random_normal", name="scores")(x)
    signature = Signature(keras.Model(inputs, outputs))
    samples = np.random.default_rng(0).random((20, 8, 8, 2), np.float32)

    patch = pytest.MonkeyPatch()
    patch.setattr(tflite, "pack", lambda flatbuffer: flatbuffer)
    try:
        with tempfile.TemporaryDirectory() as folder, quiet():
            signature.save(Path(folder) / "m")
            return tflite.convert(Path(folder) / "m", signature, scheme, samples)
    finally:
        patch.undo()


RUN = """
import hashlib, sys
import numpy as np
try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
except ImportError:
    from tflite_runtime.interpreter import Interpreter, OpResolverType
for path in sys.argv[1:]:
    digest = hashlib.sha256()
    for resolver in (OpResolverType.AUTO, OpResolverType.BUILTIN_REF):
        interpreter = Interpreter(path, experimental_op_resolver_type=resolver)
        interpreter.allocate_tensors()
        random = np.random.RandomState(0)
        for _ in range(10):
            for tensor in interpreter.get_input_details():
                values = random.standard_normal(tensor["shape"]) * (100 if tensor["dtype"] != np.float32 else 1)
                interpreter.set_tensor(tensor["index"], values.astype(tensor["dtype"]))
            interpreter.invoke()
            for tensor in interpreter.get_output_details():
                digest.update(interpreter.get_tensor(tensor["index"]).tobytes())
    print(digest.hexdigest())
"""


def outputs(paths: list[Path], folder: str = "") -> list[str]:
    env = {**os.environ, "PYTHONPATH": folder} if folder else dict(os.environ)
    argv = [sys.executable, *(["-S"] if folder else []), "-c", RUN, *map(str, paths)]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every scheme, as converted and packed, in turns."""
    folder = tmp_path_factory.mktemp("pairs")
    paths = []
    for scheme in SCHEMES:
        for name, data in (("plain", converted(scheme)), ("packed", pack(converted(scheme)))):
            paths.append(folder / f"{scheme}-{name}.tflite")
            paths[-1].write_bytes(data)
    return paths


@pytest.mark.tensorflow
def test_outputs_are_the_same_to_the_bit(pairs: list[Path]) -> None:
    found = outputs(pairs)
    assert found[::2] == found[1::2]
    assert len(set(found)) == len(SCHEMES)  # so the outputs do depend on the file


@pytest.mark.tensorflow
@pytest.mark.tflite_runtime
def test_outputs_are_the_same_in_the_older_interpreter(pairs: list[Path]) -> None:
    folder = os.environ.get("EDGEKIT_TFLITE_RUNTIME")
    if not folder:
        pytest.skip("EDGEKIT_TFLITE_RUNTIME names no folder with tflite-runtime")
    runnable = [path for path in pairs if not path.name.startswith("dynamic")]  # its operators are too new for 2.14
    found = outputs(runnable, folder)
    assert found[::2] == found[1::2]
    assert len(set(found)) == len(SCHEMES) - 1


@pytest.mark.tensorflow
@pytest.mark.parametrize("scheme", SCHEMES)
def test_nothing_but_names_buffers_and_empty_parts_changed(scheme: str) -> None:
    before, after = (unpacked(data) for data in (converted(scheme), pack(converted(scheme))))
    assert len(before.subgraphs) == len(after.subgraphs) == 1
    assert signatures(before) == signatures(after)
    kept = {m.name: content(before, m) for m in before.metadata if m.name != b"CONVERSION_METADATA"}
    assert {m.name: content(after, m) for m in after.metadata} == kept and b"min_runtime_version" in kept
    assert len(before.metadata) == len(kept) + 1
    old, new = before.subgraphs[0], after.subgraphs[0]
    for t, u in zip(old.tensors, new.tensors, strict=True):
        assert content(before, t) == content(after, u)
        assert (u.buffer == 0) == (content(before, t) is None)
        t.buffer = u.buffer = 0
        t.name = u.name = None
        if t.quantization is not None and t.quantization.scale is None and u.quantization is None:
            t.quantization = None
        if u.quantization is not None:
            t.quantization.min = t.quantization.max = None
        assert plain(t) == plain(u)
    for part in (old, new):
        part.tensors = None
        for operator in part.operators:
            operator.intermediates = operator.intermediates if whole(operator.intermediates) else None
            operator.mutatingVariableInputs = None
    assert plain(old) == plain(new)
    assert plain(before.operatorCodes) == plain(after.operatorCodes)
    assert (before.version, before.description) == (after.version, after.description)


@pytest.mark.tensorflow
@pytest.mark.parametrize("scheme", SCHEMES)
def test_constants_stay_aligned(scheme: str) -> None:
    packed = pack(converted(scheme))
    places = [packed.find(bytes(b.data)) for b in unpacked(packed).buffers if whole(b.data) and len(b.data) > 40]
    assert len(places) >= 4
    assert all(at > 0 and at % 16 == 0 for at in places)
    assert_aligned(packed)


@pytest.mark.tensorflow
@pytest.mark.parametrize("scheme", SCHEMES)
def test_twice_is_once_and_it_is_smaller(scheme: str) -> None:
    packed = pack(converted(scheme))
    assert pack(packed) == packed
    assert len(packed) < len(converted(scheme)) - 800


@pytest.mark.tensorflow
def test_repeated_zero_points_are_stored_once() -> None:
    packed = pack(converted("int8"))
    details = [t.quantization for t in unpacked(packed).subgraphs[0].tensors if t.quantization is not None]
    wide = [how for how in details if how.scale is not None and len(how.scale) == 32]
    assert len(wide) == 2 and all(len(how.zeroPoint) == 32 for how in wide)  # weights and bias
    assert packed.count(struct.pack("<I", 32) + bytes(32 * 8)) == 1


@pytest.mark.tensorflow
def test_names_are_short_and_say_what_a_tensor_is(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(pack(converted("int8")))
    info = inspect_file(path)
    assert [i.name for i in (*info.inputs, *info.outputs)] == ["image", "scores"]
    names = [w.name for w in info.weights]
    assert {"conv/Conv2D", "wide/MatMul", "wide/BiasAdd", "scores/MatMul", "scores/BiasAdd"} <= set(names)
    everything = [t.name for t in unpacked(path.read_bytes()).subgraphs[0].tensors]
    assert len(set(everything)) == len(everything) and all(everything)
    before = tmp_path / "before.tflite"
    before.write_bytes(converted("int8"))
    plain_info = inspect_file(before)
    assert (info.parameters, info.macs) == (plain_info.parameters, plain_info.macs)
    assert [(w.shape, w.zeros, w.unique) for w in info.weights] == [
        (w.shape, w.zeros, w.unique) for w in plain_info.weights
    ]


@pytest.mark.tensorflow
def test_onnx_is_made_from_packed_files(tmp_path: Path) -> None:
    import tf2onnx

    from edgekit.frameworks.tensorflow import quiet

    made = []
    for name, data in (("plain", converted("int8")), ("packed", pack(converted("int8")))):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(data)
        with quiet():
            made.append(tf2onnx.convert.from_tflite(str(path), opset=17)[0].graph)
    kinds = [Counter(node.op_type for node in graph.node) for graph in made]
    assert kinds[0] == kinds[1] and kinds[0]["DequantizeLinear"] > 5
    values = [{hashlib.sha256(i.raw_data).hexdigest() for i in graph.initializer} for graph in made]
    assert values[0] == values[1]
    assert [o.name for o in made[1].output] == ["scores"]


def two_convolutions(**changes: Any) -> bytes:
    """Two convolutions of the same shape, with equal shapes of reshapes, under one signature."""
    from ai_edge_litert.schema_py_generated import Conv2DOptionsT

    kernel = np.arange(9, dtype=np.int8).tobytes()
    quantized = {"scale": [0.5], "zero_point": [0]}
    tensors = [
        T("serving_default_x:0", (1, 4, 4, 1), **quantized),
        T("net/a/Conv2D", (1, 3, 3, 1), data=kernel, **quantized),
        T("net/a/Relu;net/a/BiasAdd;net/a/BiasAdd/ReadVariableOp", (1,), "INT32", bytes(4), **quantized),
        T("net/a/Relu;net/a/BiasAdd1", (1, 4, 4, 1), **quantized),
        T("net/b/Conv2D", (1, 3, 3, 1), data=kernel, **quantized),
        T("net/b/BiasAdd", (1,), "INT32", bytes(4), **quantized),
        T("net/b/BiasAdd1", (1, 4, 4, 1), **quantized),
        T("one", (2,), "INT32", struct.pack("<2i", 1, 16)),
        T("flat", (1, 16), **quantized),
        T("two", (2,), "INT32", struct.pack("<2i", 1, 16)),
        T("StatefulPartitionedCall:0", (1, 16), **quantized),
    ]
    conv = Conv2DOptionsT(strideW=1, strideH=1, dilationWFactor=1, dilationHFactor=1)
    operators = [
        Op("CONV_2D", [0, 1, 2], [3], conv),
        Op("CONV_2D", [3, 4, 5], [6], conv),
        Op("RESHAPE", [6, 7], [8]),
        Op("RESHAPE", [8, 9], [10]),
    ]
    return model(tensors, operators, [0], [10], **{"signature": (["x"], ["y"]), **changes})


def test_names_and_shared_buffers(tmp_path: Path) -> None:
    graph = unpacked(pack(two_convolutions())).subgraphs[0]
    names = [t.name.decode() for t in graph.tensors]
    assert names == ["x", "a/Conv2D", "a/BiasAdd", "3", "b/Conv2D", "b/BiasAdd", "6", "one", "8", "two", "y"]
    shapes = [graph.tensors[i].buffer for i in (7, 9)]
    assert shapes[0] == shapes[1] > 0
    weights = [graph.tensors[i].buffer for i in (1, 2, 4, 5)]
    assert len(set(weights)) == 4  # equal, but two parameters each
    path = tmp_path / "m.tflite"
    path.write_bytes(pack(two_convolutions()))
    assert inspect_file(path).parameters == 20


def test_without_a_signature_inputs_and_outputs_keep_their_names() -> None:
    tensors = unpacked(pack(two_convolutions(signature=None))).subgraphs[0].tensors
    assert [tensors[i].name for i in (0, 10)] == [b"serving_default_x:0", b"StatefulPartitionedCall:0"]


def test_the_only_layer_keeps_its_name() -> None:
    from ai_edge_litert.schema_py_generated import FullyConnectedOptionsT

    tensors = [
        T("x", (1, 2), "FLOAT32"),
        T("net/block/dense/MatMul", (2, 2), "FLOAT32", bytes(16)),
        T("net/block/dense/BiasAdd", (2,), "FLOAT32", bytes(8)),
        T("y", (1, 2), "FLOAT32"),
    ]
    packed = pack(model(tensors, [Op("FULLY_CONNECTED", [0, 1, 2], [3], FullyConnectedOptionsT())], [0], [3]))
    assert [t.name for t in unpacked(packed).subgraphs[0].tensors] == [b"x", b"dense/MatMul", b"dense/BiasAdd", b"y"]
    assert pack(packed) == packed


def test_equal_names_are_told_apart() -> None:
    packed = pack(two_convolutions(signature=(["same"], ["same"])))
    tensors = unpacked(packed).subgraphs[0].tensors
    assert [tensors[i].name for i in (0, 10)] == [b"same", b"same_2"]
    assert pack(packed) == packed


def test_equal_tables_are_one_and_unequal_ones_are_not() -> None:
    packed = pack(two_convolutions())
    graph = accessors(packed).Subgraphs(0)
    first, second, third = (graph.Operators(i) for i in range(3))
    assert first.BuiltinOptions().Pos == second.BuiltinOptions().Pos
    assert first._tab.Pos != second._tab.Pos and third.BuiltinOptions() is None
    assert graph.Tensors(0).Quantization()._tab.Pos == graph.Tensors(1).Quantization()._tab.Pos


def test_vectors_of_tables_are_told_apart_by_what_they_point_at() -> None:
    builder = Builder()

    def listing(text: str) -> int:
        builder.StartVector(4, 1, 4)
        builder.PrependUOffsetTRelative(builder.CreateString(text))
        return builder.EndVector()

    assert listing("a") == listing("a") != listing("b")


def test_wide_fields_and_vectors_stand_on_their_alignment() -> None:
    builder = Builder()
    doubles = builder.CreateNumpyVector(np.arange(3, dtype=np.int64))
    raw = builder.CreateNumpyVector(np.arange(3, dtype=np.uint8))
    builder.StartObject(5)
    builder.PrependInt8Slot(0, 7, 0)
    builder.PrependInt64Slot(1, -5, 0)
    builder.PrependUOffsetTRelativeSlot(2, doubles, 0)
    builder.PrependUOffsetTRelativeSlot(3, raw, 0)
    builder.PrependBoolSlot(4, False, False)
    out = builder.Finish(builder.EndObject(), b"TEST")
    from flatbuffers.number_types import Int8Flags, Int64Flags
    from flatbuffers.table import Table

    assert out[4:8] == b"TEST"
    table = Table(out, struct.unpack_from("<I", out)[0])
    fields = [table.Offset(4 + 2 * slot) for slot in range(5)]
    assert table.Get(Int8Flags, table.Pos + fields[0]) == 7
    assert (table.Pos + fields[1]) % 8 == 0 and table.Get(Int64Flags, table.Pos + fields[1]) == -5
    assert table.Vector(fields[2]) % 8 == 0 and table.VectorLen(fields[2]) == 3
    assert table.Vector(fields[3]) % 16 == 0 and out[table.Vector(fields[3]) :][:3] == b"\0\1\2"
    assert fields[4] == 0


def test_the_interpreter_verifies_what_it_loads(tmp_path: Path) -> None:
    """So that it accepts packed files (all tests above) does say something."""
    from ai_edge_litert.interpreter import Interpreter

    packed = pack(two_convolutions())
    Interpreter(model_content=packed).allocate_tensors()
    end = packed.index(b"made by a test\0") + len(b"made by a test")
    with pytest.raises(ValueError, match="not a valid Flatbuffer"):
        Interpreter(model_content=packed[:end] + b"!" + packed[end + 1 :])


def test_files_with_constants_outside_stay_as_they_are() -> None:
    data = two_convolutions(outside=True)
    assert pack(data) == data


def test_an_operator_that_the_schema_does_not_know_stays_as_it_is() -> None:
    data = bytearray(two_convolutions())
    operator = accessors(bytes(data)).Subgraphs(0).Operators(0)
    data[operator._tab.Pos + operator._tab.Offset(10)] = 250
    assert pack(bytes(data)) == data


@pytest.mark.parametrize(
    "data",
    [b"", b"TFL3", b"\0" * 64, b"PK\x03\x04" + bytes(60), bytes(4) + b"TFL3", b"\xff" * 4 + b"TFL3" + b"\xff" * 64],
    ids=["empty", "short", "zeros", "zip", "header", "ones"],
)
def test_other_files_are_refused(data: bytes) -> None:
    code = "file-damaged" if data[4:8] == b"TFL3" else "format-unexpected"
    with raised(code, "packing"):
        pack(data)


def test_every_truncation_is_refused_or_harmless(tmp_path: Path) -> None:
    data = tiny_tflite(tmp_path / "m.tflite").read_bytes()
    refused = 0
    for length in range(0, len(data), 7):
        try:
            pack(data[:length])
        except ConversionError:
            refused += 1
    assert refused > len(data) // 7 * 0.9


def test_damage_never_crashes() -> None:
    data = two_convolutions()
    chance = random.Random(1)
    refused, started = 0, time.monotonic()
    for _ in range(400):
        broken = bytearray(data)
        for _ in range(chance.choice((1, 1, 4))):
            at = chance.randrange(8, len(broken) - 4)
            value = chance.choice(
                (0, 1, 0x7FFFFFFF, 0xFFFFFFFF, chance.randrange(1 << 32), chance.randrange(len(data)))
            )
            struct.pack_into("<I", broken, at, value)
        try:
            pack(bytes(broken))
        except ConversionError as error:
            refused += 1
            assert error.message.startswith("packing: ")
    assert refused > 50
    assert time.monotonic() - started < 30


def unpacked(data: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(data, 0)


def accessors(data: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema.Model.GetRootAs(data)


def whole(vector: Any) -> bool:
    return vector is not None and len(vector) > 0


def content(whole_model: Any, owner: Any) -> bytes | None:
    data = whole_model.buffers[owner.buffer].data
    return None if data is None else bytes(data)


def signatures(whole_model: Any) -> Any:
    return plain(whole_model.signatureDefs)


def plain(value: Any) -> Any:
    """Objects of the generated API as comparable Python values."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list):
        return [plain(v) for v in value]
    return {k: plain(v) for k, v in vars(value).items()} if hasattr(value, "__dict__") else value


def assert_aligned(data: bytes) -> None:
    """Every vector of scales and zero points stands on the size of its elements."""
    for table, name, size in vectors(data):
        at = table._tab.Vector(table._tab.Offset({"Scale": 8, "ZeroPoint": 10}[name]))
        assert at % size == 0


def vectors(data: bytes) -> Iterator[tuple[Any, str, int]]:
    graph = accessors(data).Subgraphs(0)
    for index in range(graph.TensorsLength()):
        how = graph.Tensors(index).Quantization()
        if how is not None and how.ScaleLength():
            yield how, "Scale", 4
            yield how, "ZeroPoint", 8
