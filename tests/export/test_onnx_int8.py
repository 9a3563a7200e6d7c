"""What static calibration makes of float ONNX graphs: ranges, folded layers, int8 weights and ports, few bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.export.onnx.child import static_int8
from edgekit.export.onnx.fold import fold
from edgekit.export.onnx.ports import int8_of, make_integer, note_scales
from edgekit.export.onnx.ranges import measured
from edgekit.export.onnx.tidy import rename, tidy
from edgekit.formats.onnx.reader import read_onnx
from edgekit.formats.reading import inspect_file
from edgekit.measuring.ports import specs
from edgekit.stats import sqnr_db
from edgekit.tasks.scoring import real
from tests.support.raised import raised
from tests.support.tiny_onnx import constant, save, value

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
node = onnx.helper.make_node


def loaded(path: Path) -> Any:
    return onnx.shape_inference.infer_shapes(onnx.load(path))


def run(model: Any, *arrays: Any, outputs: Sequence[str] | None = None) -> list[Any]:
    """Run a ModelProto or a file on one sample."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    found: list[Any] = session.run(outputs, dict(zip([i.name for i in session.get_inputs()], arrays, strict=True)))
    return found


def stored(x: Any, tensor: Any) -> Any:
    scale, point = tensor.quantization.scale[0], tensor.quantization.zero_point[0]
    return np.clip(np.round(x / scale) + point, -128, 127).astype(np.int8)


def quality(source: Path, target: Path, x: Any) -> float:
    """Return the SQNR of an int8 file against the float one, fed and read by the scales that are in it."""
    info = inspect_file(target)
    (tensor,) = info.inputs
    expected = np.stack([run(source, row[None])[0] for row in x])
    raw = np.stack([run(target, stored(row[None], tensor))[0] for row in x])
    assert raw.dtype == np.int8
    return float(sqnr_db(expected.astype(np.float64), real(raw, specs(info.outputs)[0].quantization())))


def conv(name: str, source: str, target: str, **attributes: Any) -> Any:
    return node("Conv", [source, f"{name}_w", f"{name}_b"], [target], kernel_shape=[3, 3], pads=[1] * 4, **attributes)


def normalized(path: Path, rng: np.random.Generator) -> Path:
    """Conv, Relu, BatchNormalization whose channels differ a thousandfold, twice."""
    nodes, constants, source = [], [], "image"
    for index, width in enumerate((3, 16)):
        nodes += [
            conv(f"c{index}", source, f"z{index}"),
            node("Relu", [f"z{index}"], [f"r{index}"]),
            node("BatchNormalization", [f"r{index}", *(f"{part}{index}" for part in "gbmv")], [f"n{index}"]),
        ]
        spread = 10.0 ** rng.uniform(-1.5, 1.5, 16)
        constants += [
            constant(f"c{index}_w", rng.normal(size=(16, width, 3, 3)) / 5, "float32"),
            constant(f"c{index}_b", rng.normal(size=16) / 5, "float32"),
            constant(f"g{index}", spread * rng.choice([-1, 1], 16), "float32"),
            constant(f"b{index}", rng.normal(size=16), "float32"),
            constant(f"m{index}", rng.uniform(0, 1, 16), "float32"),
            constant(f"v{index}", spread**2, "float32"),
        ]
        source = f"n{index}"
    nodes += [node("GlobalAveragePool", [source], ["p"]), node("Flatten", ["p"], ["y"])]
    return save(path, nodes, [value("image", [1, 3, 8, 8])], [value("y", [1, 16])], constants)


def test_batch_normalization_behind_an_activation_becomes_a_convolution(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    path = normalized(tmp_path / "a.onnx", rng)
    model = loaded(path)
    fold(model)
    assert "BatchNormalization" not in {n.op_type for n in model.graph.node}
    x = rng.random((40, 3, 8, 8), np.float32)
    np.testing.assert_allclose(run(model, x[:1])[0], run(path, x[:1])[0], rtol=1e-4, atol=1e-5)
    assert static_int8(path, tmp_path / "q.onnx", {"image": x[:20]}) == ""
    assert quality(path, tmp_path / "q.onnx", x[20:]) > 25


@pytest.mark.parametrize("across", [0, 1])
def test_batch_normalization_behind_a_dense_layer_goes_into_its_weights(
    across: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    shape = (12, 6) if across else (6, 12)
    nodes = [
        node("Gemm", ["x", "w", "c"], ["h"], transB=across),
        node("BatchNormalization", ["h", "g", "b", "m", "v"], ["n"]),
        node("Relu", ["n"], ["y"]),
    ]
    constants = [constant("w", rng.normal(size=shape), "float32"), constant("c", rng.normal(size=12), "float32")]
    constants += [constant(name, rng.uniform(0.5, 2, 12), "float32") for name in "gbmv"]
    path = save(tmp_path / "a.onnx", nodes, [value("x", [1, 6])], [value("y", [1, 12])], constants)
    model = loaded(path)
    fold(model)
    assert [n.op_type for n in model.graph.node] == ["Gemm", "Relu"]
    x = rng.normal(size=(1, 6)).astype(np.float32)
    np.testing.assert_allclose(run(model, x)[0], run(path, x)[0], rtol=1e-5, atol=1e-5)


def test_a_dense_layer_that_the_body_of_an_if_reads_stays(tmp_path: Path, rng: np.random.Generator) -> None:
    """Its output has two readers: BatchNormalization, and the body, which would be left without it."""
    body = onnx.helper.make_graph([node("Identity", ["h"], ["inner"])], "body", [], [value("inner", [1, 12])])
    nodes = [
        node("Gemm", ["x", "w"], ["h"]),
        node("BatchNormalization", ["h", "g", "b", "m", "v"], ["n"]),
        node("If", ["yes"], ["read"], then_branch=body, else_branch=body),
        node("Add", ["n", "read"], ["y"]),
    ]
    constants = [constant("w", rng.normal(size=(6, 12)), "float32"), constant("yes", True, "bool")]
    constants += [constant(name, rng.uniform(0.5, 2, 12), "float32") for name in "gbmv"]
    path = save(tmp_path / "a.onnx", nodes, [value("x", [1, 6])], [value("y", [1, 12])], constants)
    model = loaded(path)
    fold(model)
    x = rng.normal(size=(1, 6)).astype(np.float32)
    np.testing.assert_allclose(run(model, x)[0], run(path, x)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bias", [0.5, np.ones((1, 12)) * 3, np.arange(12.0)], ids=["scalar", "row", "vector"])
def test_biases_of_any_shape(bias: Any, tmp_path: Path, rng: np.random.Generator) -> None:
    nodes = [node("Gemm", ["x", "w", "c"], ["y"])]
    constants = [constant("w", rng.normal(size=(32, 12)), "float32"), constant("c", bias, "float32")]
    path = save(tmp_path / "a.onnx", nodes, [value("x", [1, 32])], [value("y", [1, 12])], constants)
    x = rng.random((40, 32), np.float32)
    static_int8(path, tmp_path / "q.onnx", {"x": x[:20]})
    assert quality(path, tmp_path / "q.onnx", x[20:]) > 25
    assert {w.dtype for w in inspect_file(tmp_path / "q.onnx").weights} == {"int8", "int32"}


def recurrent(path: Path, rng: np.random.Generator, operator: str, directions: int = 1) -> Path:
    """A recurrent layer of 32 over 6 steps of 8 values, of which optional inputs and outputs are left out."""
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[operator]
    attributes = {"linear_before_reset": 1} if operator == "GRU" else {}
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        node(
            operator,
            ["t", "w", "r", "", "", ""],
            ["", "h"],
            hidden_size=32,
            direction="bidirectional" if directions == 2 else "forward",
            **attributes,
        ),
        node("Transpose", ["h"], ["u"], perm=[1, 0, 2]),
        node("Flatten", ["u"], ["y"]),
    ]
    constants = [
        constant("w", rng.normal(size=(directions, gates * 32, 8)) / 3, "float32"),
        constant("r", rng.normal(size=(directions, gates * 32, 32)) / 6, "float32"),
    ]
    return save(path, nodes, [value("x", [1, 6, 8])], [value("y", [1, 32 * directions])], constants)


@pytest.mark.parametrize(("operator", "directions"), [("LSTM", 1), ("GRU", 1), ("RNN", 2)])
def test_recurrent_layers_get_int8_weights(
    operator: str, directions: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    path = recurrent(tmp_path / "a.onnx", rng, operator, directions)
    x = rng.normal(size=(40, 6, 8)).astype(np.float32)
    notes = static_int8(path, tmp_path / "q.onnx", {"x": x[:20]})
    assert notes == f", {operator} computes in float with int8 weights"
    info = inspect_file(tmp_path / "q.onnx")
    assert {w.dtype for w in info.weights} == {"int8"}
    assert info.bytes < 0.4 * path.stat().st_size + 1500
    assert quality(path, tmp_path / "q.onnx", x[20:]) > 25


def looped(path: Path, rng: np.random.Generator) -> Path:
    """A loop whose weights are handed on unchanged, as tf2onnx writes them, and which reads the reshaped input."""
    body = onnx.helper.make_graph(
        [
            node("Identity", ["go"], ["on"]),
            node("Gather", ["rows", "i"], ["row"]),
            node("Unsqueeze", ["row", "first"], ["one"]),
            node("Add", ["one", "h"], ["s"]),
            node("MatMul", ["s", "k"], ["m"]),
            node("Tanh", ["m"], ["next"]),
            node("Identity", ["k"], ["kept"]),
        ],
        "body",
        [value("i", [], "INT64"), value("go", [], "BOOL"), value("h", [1, 32]), value("k", [32, 32])],
        [value("on", [], "BOOL"), value("next", [1, 32]), value("kept", [32, 32])],
        [constant("first", [0], "int64")],
    )
    nodes = [
        node("Reshape", ["x", "sizes"], ["rows"]),
        node("Loop", ["often", "", "start", "w"], ["h_end", "w_end"], body=body),
        node("Gemm", ["h_end", "d"], ["y"]),
    ]
    constants = [
        constant("sizes", [5, 32], "int64"),
        constant("often", 5, "int64"),
        constant("start", np.zeros((1, 32)), "float32"),
        constant("w", rng.normal(size=(32, 32)) / 4, "float32"),
        constant("d", rng.normal(size=(32, 10)), "float32"),
    ]
    return save(path, nodes, [value("x", [1, 5, 32])], [value("y", [1, 10])], constants)


def test_loops_get_int8_weights(tmp_path: Path, rng: np.random.Generator) -> None:
    path = looped(tmp_path / "a.onnx", rng)
    x = rng.normal(size=(40, 5, 32)).astype(np.float32)
    # Where the input is dequantized before the Reshape, onnxruntime 1.32 dies of the loop that reads it.
    made = static_int8(path, tmp_path / "q.onnx", {"x": x[:20]})
    assert made.startswith(", a loop computes in float with int8 weights")
    weights = inspect_file(tmp_path / "q.onnx").weights
    assert sorted(w.elements for w in weights if w.dtype in ("int8", "uint8")) == [320, 1024]
    assert quality(path, tmp_path / "q.onnx", x[20:]) > 25


def dense(path: Path, *, names: str = "") -> Path:
    """Two dense layers; the first is read by a second output, too."""
    rng = np.random.default_rng(1)
    nodes = [
        node("Gemm", ["x", f"{names}u", f"{names}b"], [f"{names}h"], name=f"{names}first"),
        node("Relu", [f"{names}h"], ["r"]),
        node("Gemm", ["r", f"{names}v"], ["y"]),
        node("Sin", ["r"], ["w"]),
    ]
    constants = [
        constant(f"{names}u", rng.normal(size=(16, 24)), "float32"),
        constant(f"{names}b", rng.normal(size=24), "float32"),
        constant(f"{names}v", rng.normal(size=(24, 8)), "float32"),
    ]
    return save(path, nodes, [value("x", [1, 16])], [value("y", [1, 8]), value("w", [1, 24])], constants)


def test_ranges_are_those_of_a_loop_of_our_own(tmp_path: Path, rng: np.random.Generator) -> None:
    model = loaded(dense(tmp_path / "a.onnx"))
    x = rng.normal(size=(30, 16)).astype(np.float32)
    found = measured(model, ({"x": row[None]} for row in x))
    every = onnx.ModelProto.FromString(model.SerializeToString())
    names = ["h", "r"]
    every.graph.output.extend(onnx.helper.make_tensor_value_info(name, 1, None) for name in names)
    rows = [run(every, row[None], outputs=["y", "w", *names]) for row in x]
    for place, name in enumerate(["y", "w", *names]):
        values = np.stack([row[place] for row in rows])
        assert found[name] == (values.min(), values.max())
    assert found["x"] == (x.min(), x.max())


def test_values_that_are_not_finite_are_named(tmp_path: Path) -> None:
    path = save(
        tmp_path / "a.onnx",
        [node("Log", ["x"], ["l"]), node("Neg", ["l"], ["y"])],
        [value("x", [1, 4])],
        [value("y", [1, 4])],
    )
    x = np.ones((5, 4), np.float32)
    x[3, 1] = 0
    with raised("calibration-not-finite", "`l`", "sample 3"):
        measured(loaded(path), ({"x": row[None]} for row in x))
    with raised("calibration-empty"):
        measured(loaded(path), ())


def test_names_and_zero_points_take_no_room(tmp_path: Path, rng: np.random.Generator) -> None:
    long = (
        "model/block_17/batch_normalization/FusedBatchNormV3;model/block_17/depthwise/BiasAdd/ReadVariableOp/resource"
    )
    files = [dense(tmp_path / "short.onnx"), dense(tmp_path / "long.onnx", names=long)]
    x = rng.normal(size=(20, 16)).astype(np.float32)
    sizes = []
    for path in files:
        static_int8(path, tmp_path / "q.onnx", {"x": x})
        sizes.append((tmp_path / "q.onnx").stat().st_size)
    assert sizes[0] == sizes[1] < 3500
    model = onnx.load(tmp_path / "q.onnx")
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    biases = [
        n for n in model.graph.node if n.op_type == "DequantizeLinear" and constants.get(n.input[0], x).dtype == "int32"
    ]
    assert biases and all(len(n.input) == 2 for n in biases)


def test_every_port_has_its_scale_in_the_metadata_too(tmp_path: Path, rng: np.random.Generator) -> None:
    path, target = dense(tmp_path / "a.onnx"), tmp_path / "q.onnx"
    x = rng.normal(size=(20, 16)).astype(np.float32)
    static_int8(path, target, {"x": x})
    info = read_onnx(target)
    assert {t.dtype for t in (*info.inputs, *info.outputs)} == {"int8"}
    model = onnx.load(target)
    told = {entry.key: entry.value for entry in model.metadata_props}["edgekit.quantization"]
    scales = {t.name: (t.quantization.scale[0], t.quantization.zero_point[0]) for t in info.outputs if t.quantization}
    assert scales and all(f'"{name}":{{"scale":{scale}' in told for name, (scale, _) in scales.items())
    low, high = measured(loaded(path), ({"x": row[None]} for row in x))["x"]
    (quantization,) = [t.quantization for t in info.inputs]
    assert quantization is not None
    assert (quantization.scale[0], quantization.zero_point[0]) == pytest.approx(int8_of(low, high))


def test_two_outputs_of_one_tensor_and_an_input_that_is_read_as_it_is(tmp_path: Path) -> None:
    scale = [constant("s", 0.5, "float32"), constant("z", 3, "int8")]
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("Neg", ["d"], ["n"]),
        node("Sin", ["x"], ["y"]),
        node("QuantizeLinear", ["n", "s", "z"], ["nq"]),
        node("DequantizeLinear", ["nq", "s", "z"], ["first"]),
        node("DequantizeLinear", ["nq", "s", "z"], ["second"]),
        node("Cos", ["first"], ["c"]),
    ]
    outputs = [value(name, [1, 4]) for name in ("first", "second", "y", "c")]
    path = save(tmp_path / "a.onnx", nodes, [value("x", [1, 4])], outputs, scale)
    model = onnx.load(path)
    ranges = {"x": (-5.0, 5.0), **dict.fromkeys(("first", "second", "y", "c"), (-8.0, 8.0))}
    scales = make_integer(model, ranges)
    assert scales["inputs"] == {"x": (0.5, 3)} and scales["outputs"]["first"] == scales["outputs"]["second"] == (0.5, 3)
    tidy(model, {v.name: v.name for v in (*model.graph.input, *model.graph.output)})
    note_scales(model, scales)
    onnx.checker.check_model(model, full_check=True)
    x = np.array([[-2, -0.5, 1, 3]], np.float32)
    expected = run(path, x)
    found = run(model, (x / 0.5 + 3).astype(np.int8))
    for name, one, other in zip(scales["outputs"], expected, found, strict=True):
        size, point = scales["outputs"][name]
        np.testing.assert_allclose((other.astype(np.float32) - point) * size, one, atol=size / 2 + 1e-6)


def test_a_new_name_is_not_that_of_a_port(tmp_path: Path) -> None:
    nodes = [node("Neg", ["x"], ["h"]), node("Abs", ["h"], ["Neg_0.Y"])]
    model = onnx.load(save(tmp_path / "a.onnx", nodes, [value("x", [1, 4])], [value("Neg_0.Y", [1, 4])]))
    rename(model.graph, {"x": "x", "Neg_0.Y": "Neg_0.Y"})
    onnx.checker.check_model(model, full_check=True)
    assert [list(n.output) for n in model.graph.node] == [["Neg_0.Y_"], ["Neg_0.Y"]]
