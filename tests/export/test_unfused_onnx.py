"""Operators in float between int8 neighbours, as onnxruntime runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.export.onnx.child import static_int8
from edgekit.export.onnx.widening import write_mixed
from tests.support.reverted_onnx import Case, branched_case
from tests.support.reverted_onnx import run_model as run
from tests.support.tiny_onnx import constant, save, value

onnx = pytest.importorskip("onnx")
node = onnx.helper.make_node


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return branched_case(tmp_path_factory.mktemp("branched"))


def parts(kind: str, rng: np.random.Generator) -> tuple[list[Any], list[Any], Any, Any]:
    """Return nodes, constants, and the shapes of input and output of one operator.

    Its channels' weights differ a thousandfold: what one scale for all of them would spoil.
    """
    spread = 10.0 ** rng.uniform(-3, 0, 16)
    wide = rng.normal(size=(16, 8, 3, 3)) * spread[:, None, None, None]
    flat = rng.normal(size=(8, 16)) * spread
    conv = node("Conv", ["x", "w", "b"], ["y"], kernel_shape=[3, 3])
    first = node("Conv", ["x", "w", "b"], ["h"], kernel_shape=[3, 3])
    nodes, weights, ends = {
        "Conv": ([conv], wide, ([1, 8, 6, 6], [1, 16, 4, 4])),
        "Conv without bias": (
            [node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3])],
            wide,
            ([1, 8, 6, 6], [1, 16, 4, 4]),
        ),
        "Conv and Relu": ([first, node("Relu", ["h"], ["y"])], wide, ([1, 8, 6, 6], [1, 16, 4, 4])),
        "Conv and Mul": ([first, node("Mul", ["h", "m"], ["y"])], wide, ([1, 8, 6, 6], [1, 16, 4, 4])),
        "Pad and Conv": ([node("Pad", ["t", "pads"], ["x"]), conv], wide, ([1, 8, 4, 4], [1, 16, 4, 4])),
        "Transpose and Conv": (
            [node("Transpose", ["t"], ["x"], perm=[0, 3, 1, 2]), conv],
            wide,
            ([1, 6, 6, 8], [1, 16, 4, 4]),
        ),
        "ConvTranspose": (
            [node("ConvTranspose", ["x", "w", "b"], ["y"])],
            wide.transpose(1, 0, 2, 3),
            ([1, 8, 6, 6], [1, 16, 8, 8]),
        ),
        "Gemm": ([node("Gemm", ["x", "w", "b"], ["y"])], flat, ([1, 8], [1, 16])),
        "Gemm across": ([node("Gemm", ["x", "w"], ["y"], transB=1)], flat.T, ([1, 8], [1, 16])),
        "MatMul": ([node("MatMul", ["x", "w"], ["y"])], flat, ([1, 8], [1, 16])),
        "MatMul and Add": (
            [node("MatMul", ["x", "w"], ["h"]), node("Add", ["h", "b"], ["y"])],
            flat,
            ([1, 8], [1, 16]),
        ),
    }[kind]
    constants = [
        constant("w", weights, "float32"),
        constant("b", rng.normal(size=16) * spread, "float32"),
        constant("pads", [0, 0, 1, 1, 0, 0, 1, 1], "int64"),
        constant("m", np.full((16, 1, 1), 0.7), "float32"),
    ]
    read = {name for n in nodes for name in n.input}
    return nodes, [c for c in constants if c.name in read], *ends


def alone(kind: str, path: Path, rng: np.random.Generator) -> Path:
    nodes, constants, given, made = parts(kind, rng)
    return save(path, nodes, [value(nodes[0].input[0], given)], [value("y", made)], constants)


ALONE = (
    *("Conv", "Conv without bias", "Conv and Relu", "Conv and Mul", "Pad and Conv", "Transpose and Conv"),
    *("ConvTranspose", "Gemm", "Gemm across", "MatMul", "MatMul and Add"),
)


@pytest.mark.parametrize("float_weights", [True, False], ids=["float", "int8"])
@pytest.mark.parametrize("kind", ALONE)
def test_an_operator_alone_runs_in_float(
    kind: str, float_weights: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    path = alone(kind, tmp_path / "a.onnx", rng)
    (entry,) = onnx.load(path).graph.input
    shape = [d.dim_value for d in entry.type.tensor_type.shape.dim[1:]]
    x = rng.normal(size=(40, *shape)).astype(np.float32)
    static_int8(path, tmp_path / "q.onnx", {entry.name: x[:20]})
    case = Case(path, tmp_path / "q.onnx", tmp_path)
    made = case.reverted(range(len(case.qdq.groups)), float_weights=float_weights)
    assert {n.op_type for n in made.graph.node} >= {"QuantizeLinear", "DequantizeLinear"}
    newer = onnx.ModelProto.FromString(made.SerializeToString())
    newer.opset_import[0].version = 21  # the first that NumPy's evaluator knows
    reference = onnx.reference.ReferenceEvaluator(newer)
    for row in x[20:]:
        feed = {entry.name: case.stored(row[None])}
        expected = reference.run(None, feed)[0]
        found = run(made, feed, optimized=True, saved=tmp_path / "optimized.onnx")[0]
        assert found.dtype == np.int8 and np.array_equal(found, expected)
    optimized = onnx.load(tmp_path / "optimized.onnx").graph
    integers = {t.name for t in optimized.initializer if t.data_type == t.INT8 and len(t.dims) > 1}
    assert not integers, "onnxruntime made the weights int8 again"


@pytest.mark.parametrize("kind", ["Conv", "Conv without bias", "Gemm", "MatMul and Add", "Transpose and Conv"])
def test_without_its_bias_in_integers_onnxruntime_would_make_weights_int8(
    kind: str, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `keep_float` is for; where this fails, onnxruntime does it no more."""
    path = alone(kind, tmp_path / "a.onnx", rng)
    (entry,) = onnx.load(path).graph.input
    shape = [d.dim_value for d in entry.type.tensor_type.shape.dim[1:]]
    x = rng.normal(size=(20, *shape)).astype(np.float32)
    static_int8(path, tmp_path / "q.onnx", {entry.name: x})
    case = Case(path, tmp_path / "q.onnx", tmp_path)
    monkeypatch.setattr("edgekit.export.onnx.reverting.keep_float", lambda *_: None)
    made = case.reverted(range(len(case.qdq.groups)))
    feeds = [{entry.name: case.stored(row[None])} for row in x]
    assert any(not np.array_equal(run(made, feed, optimized=True)[0], run(made, feed)[0]) for feed in feeds)


def test_only_biases_at_risk_become_integers(case: Case) -> None:
    """In the midst of a region a plain bias lets onnxruntime choose a faster layout."""
    assert [n for n in float_nodes(case.reverted([0])) if n.input[2].startswith("DequantizeLinear")]
    assert not [n for n in float_nodes(case.reverted([0, 1, 2, 3])) if n.input[2].startswith("DequantizeLinear")]


def float_nodes(made: Any) -> list[Any]:
    """Return the nodes with a bias whose weights are float32 constants."""
    constants = {t.name for t in made.graph.initializer if t.data_type == t.FLOAT}
    return [
        n for n in made.graph.node if len(n.input) > 2 and n.op_type in ("Conv", "Gemm") and n.input[1] in constants
    ]


# ---------------------------------------------------------------------------------------------- what tf2onnx wrote


def mixed(kind: str, rng: np.random.Generator) -> Any:
    """Return an operator with float weights between DequantizeLinear and QuantizeLinear."""
    nodes, constants, given, made = parts(kind, rng)
    first = nodes[0].input[0]
    constants += [constant("s", 0.03, "float32"), constant("z", -4, "int8"), constant("o", 0.02, "float32")]
    nodes = [
        node("DequantizeLinear", ["image", "s", "z"], [first]),
        *nodes,
        node("QuantizeLinear", ["y", "o", "z"], ["scores"]),
    ]
    ends = [value("image", given, "INT8")], [value("scores", made, "INT8")]
    graph = onnx.helper.make_graph(nodes, "mixed", *ends, constants)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("kind", ALONE)
def test_float_weights_between_integers_stay_float(kind: str, rng: np.random.Generator, tmp_path: Path) -> None:
    model = mixed(kind, rng)
    (entry,) = model.graph.input
    shape = [d.dim_value for d in entry.type.tensor_type.shape.dim]
    feeds = [{"image": rng.integers(-128, 128, shape).astype(np.int8)} for _ in range(20)]
    expected = [run(model, feed)[0] for feed in feeds]
    spoiled = [run(model, feed, optimized=True)[0] for feed in feeds]
    write_mixed(model.graph)
    onnx.checker.check_model(model, full_check=True)
    found = [run(model, feed, optimized=True, saved=tmp_path / "o.onnx")[0] for feed in feeds]
    assert np.array_equal(found, expected)
    assert np.array_equal(spoiled, expected) == (kind == "MatMul")
    assert not [
        t for t in onnx.load(tmp_path / "o.onnx").graph.initializer if t.data_type == t.INT8 and len(t.dims) > 1
    ]


def test_weights_of_what_is_int8_stay_as_they_are(rng: np.random.Generator) -> None:
    """A convolution between integers; behind it one that gives float, whose weights are widened when it is loaded."""
    constants = [constant("s", 0.03, "float32"), constant("z", -4, "int8"), constant("u", [0.01, 0.02], "float32")]
    constants += [constant(name, rng.integers(-127, 128, (2, 2, 1, 1)), "int8") for name in ("v", "w")]
    constants += [constant("p", rng.integers(0, 255, (2, 2)), "uint8"), constant("q", 120, "uint8")]

    def steps(kind: str, source: str, target: str) -> Any:
        return node(f"{kind}Linear", [source, "s", "z"], [target])

    nodes = [
        steps("Dequantize", "image", "x"),
        node("DequantizeLinear", ["v", "u"], ["vd"], axis=0),
        node("Conv", ["x", "vd"], ["c"]),
        steps("Quantize", "c", "cq"),
        steps("Dequantize", "cq", "cd"),
        node("DequantizeLinear", ["w", "u"], ["wd"], axis=0),
        node("Conv", ["cd", "wd"], ["f"]),
        node("Sin", ["f"], ["g"]),
        node("DequantizeLinear", ["p", "s", "q"], ["pd"]),
        node("MatMul", ["g", "pd"], ["m"]),
        node("Exp", ["m"], ["e"]),
        steps("Quantize", "e", "y"),
    ]
    ends = [value("image", [1, 2, 3, 2], "INT8")], [value("y", [1, 2, 3, 2], "INT8")]
    graph = onnx.helper.make_graph(nodes, "mixed", *ends, constants)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    feed = {"image": rng.integers(-128, 128, (1, 2, 3, 2)).astype(np.int8)}
    expected = run(model, feed)[0]
    write_mixed(model.graph)
    onnx.checker.check_model(model, full_check=True)
    assert np.array_equal(run(model, feed)[0], expected) and np.array_equal(
        run(model, feed, optimized=True)[0], expected
    )
    readers = {name: n.op_type for n in model.graph.node for name in n.input}
    assert [readers[name] for name in "vwp"] == ["DequantizeLinear", "Cast", "Cast"]
