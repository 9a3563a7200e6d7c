"""Operators in float between int8 neighbours, as onnxruntime runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.export.onnx.child import static_int8
from tests.support.reverted_onnx import Case, branched_case
from tests.support.reverted_onnx import run_model as run
from tests.support.tiny_onnx import constant, save, value

onnx = pytest.importorskip("onnx")
node = onnx.helper.make_node


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return branched_case(tmp_path_factory.mktemp("branched"))


def alone(kind: str, path: Path, rng: np.random.Generator) -> Path:
    """One operator whose channels' weights differ a thousandfold: what one scale for all of them would spoil."""
    spread = 10.0 ** rng.uniform(-3, 0, 16)

    def conv(**given: Any) -> list[Any]:
        return [node("Conv", ["x", "w", *(["b"] if "b" in given else [])], [given["y"]], kernel_shape=[3, 3])]

    wide = rng.normal(size=(16, 8, 3, 3)) * spread[:, None, None, None]
    flat = rng.normal(size=(8, 16)) * spread
    nodes, weights, shape = {
        "Conv": (conv(b=1, y="y"), wide, [1, 8, 6, 6]),
        "Conv without bias": (conv(y="y"), wide, [1, 8, 6, 6]),
        "Conv and Relu": ([*conv(b=1, y="h"), node("Relu", ["h"], ["y"])], wide, [1, 8, 6, 6]),
        "ConvTranspose": ([node("ConvTranspose", ["x", "w", "b"], ["y"])], wide.transpose(1, 0, 2, 3), [1, 8, 6, 6]),
        "Gemm": ([node("Gemm", ["x", "w", "b"], ["y"])], flat, [1, 8]),
        "Gemm across": ([node("Gemm", ["x", "w"], ["y"], transB=1)], flat.T, [1, 8]),
        "MatMul": ([node("MatMul", ["x", "w"], ["y"])], flat, [1, 8]),
        "MatMul and Add": ([node("MatMul", ["x", "w"], ["h"]), node("Add", ["h", "b"], ["y"])], flat, [1, 8]),
        "Transpose and Conv": (
            [node("Transpose", ["t"], ["x"], perm=[0, 3, 1, 2]), *conv(b=1, y="y")],
            wide,
            [1, 6, 6, 8],
        ),
    }[kind]
    constants = [constant("w", weights, "float32"), constant("b", rng.normal(size=16) * spread, "float32")]
    read = {name for n in nodes for name in n.input}
    sizes = {"ConvTranspose": [1, 16, 8, 8], "Conv": [1, 16, 4, 4]}.get(
        next(n.op_type for n in nodes if "w" in n.input), [1, 16]
    )
    outputs = [value("y", sizes)]
    inputs = [value("t" if "t" in read else "x", shape)]
    return save(path, nodes, inputs, outputs, [c for c in constants if c.name in read])


ALONE = (
    *("Conv", "Conv without bias", "Conv and Relu", "ConvTranspose", "Gemm", "Gemm across", "MatMul", "MatMul and Add"),
    "Transpose and Conv",
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
