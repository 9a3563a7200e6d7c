"""Operators of a QDQ graph in float again: what is computed then, and how it is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.export.onnx.child import static_int8
from edgekit.formats.fixed_batch import fixed_onnx
from edgekit.formats.reading import inspect_file
from tests.support.branched_onnx import KINDS, TENSORS, branched, images
from tests.support.reverted_onnx import Case, branched_case
from tests.support.reverted_onnx import run_model as run

onnx = pytest.importorskip("onnx")

SUBSETS = [[0], [1, 2], [0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8], [0, 3, 6, 9, 12], [10, 11], [11, 12, 13], [2, 6, 13]]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return branched_case(tmp_path_factory.mktemp("branched"))


def simulated(case: Case, chosen: Sequence[int], image: Any, *, float_weights: bool) -> Any:
    """Compute in NumPy what a file is to compute: a value is rounded unless who makes and who reads it are in float."""
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in case.float.graph.initializer}
    how = {case.twin.values[number]: number for number in case.twin.values}
    made: dict[str, Any] = {}
    parts: dict[str, list[Any]] = {}
    for n in case.float.graph.node:
        parts[n.output[0]] = [*(parts.pop(n.input[0]) if n.op_type in ("Relu", "Clip") else []), n]
    assert tuple(parts) == TENSORS

    def read(name: str, reader: int) -> Any:
        if name in constants:
            return weights[name]
        if name in TENSORS and TENSORS.index(name) in chosen and reader in chosen:
            return made[name]
        number = how[name]
        step = case.qdq.step_of(number)
        assert step is not None
        scale = np.float32(step.scale)
        return case.real(np.clip(np.round(made[name] / scale) + step.zero_point, -128, 127), number)

    made["image"] = image
    for place, (name, nodes) in enumerate(parts.items()):
        weights = dict(constants)
        main = case.qdq.groups[place].main
        for at, constant_name in enumerate(case.qdq.nodes[main].input):
            rounded = case.qdq.dequantized(constant_name)
            bias = rounded is not None and rounded[0].dtype == np.int32
            if rounded is not None and not (place in chosen and (float_weights or bias)):
                weights[nodes[0].input[at]] = (rounded[0].astype(np.float32) - rounded[2]) * rounded[1]
        inside = {n.output[0] for n in nodes}
        given = [i for n in nodes for i in dict.fromkeys(n.input) if i and i not in inside]
        feed = {i: np.asarray(read(i, place)) for i in given}
        types = [onnx.helper.np_dtype_to_tensor_dtype(a.dtype) for a in feed.values()]
        infos = [onnx.helper.make_tensor_value_info(i, t, None) for i, t in zip(feed, types, strict=True)]
        graph = onnx.helper.make_graph(nodes, "part", infos, [onnx.helper.make_tensor_value_info(name, 1, None)])
        model = onnx.helper.make_model(graph, opset_imports=[case.model.opset_import[0]], ir_version=10)
        made[name] = onnx.reference.ReferenceEvaluator(model).run(None, feed)[0]
    return made["y"]


def test_the_operators_of_the_graph(case: Case) -> None:
    groups = case.qdq.groups
    assert tuple(case.qdq.nodes[group.main].op_type for group in groups) == KINDS
    reads = [tuple(sorted(case.twin.values[n] for n in group.inputs)) for group in groups]
    assert reads[:4] == [("image",), ("r0",), ("k1",), ("c2", "r0")] and reads[6] == ("r0", "u")
    assert [case.twin.values[n] for group in groups for n in group.outputs] == list(TENSORS)
    left_out = [n.node.op_type for found in case.twin.left_out.values() for n in found]
    assert sorted(left_out) == ["Clip", "Relu"]  # what onnxruntime's quantizer left to QuantizeLinear


@pytest.mark.parametrize("float_weights", [True, False], ids=["float", "int8"])
@pytest.mark.parametrize("chosen", SUBSETS, ids=str)
def test_a_subset_computes_what_it_is_to_compute(case: Case, chosen: list[int], float_weights: bool) -> None:
    made = case.reverted(chosen, float_weights=float_weights)
    number = case.qdq.groups[-1].outputs[0]
    for image in images(4, 2):
        stored = case.stored(image[None])
        expected = simulated(case, chosen, case.real(stored, 0), float_weights=float_weights)
        found = case.real(run(made, {"image": stored})[0], number)
        np.testing.assert_allclose(found, expected, atol=0.501 * 0.0039216)


@pytest.mark.parametrize(("chosen", "all_in_float"), [([3, 5], [3, 4, 5]), ([9, 11], [9, 10, 11]), ([4, 10], [4, 10])])
def test_what_only_moves_values_comes_along(case: Case, chosen: list[int], all_in_float: list[int]) -> None:
    assert case.reverted(chosen).SerializeToString() == case.reverted(all_in_float).SerializeToString()


def test_nothing_reverted_computes_the_same(case: Case) -> None:
    made = case.reverted([])
    for image in images(4, 2):
        assert np.array_equal(
            run(made, {"image": case.stored(image[None])}), run(case.model, {"image": case.stored(image[None])})
        )


@pytest.mark.parametrize("opset", [13, 15, 17, 18, 19, 20, 21])
def test_all_reverted_is_the_float_file_but_for_the_output(opset: int, tmp_path: Path) -> None:
    path = branched(tmp_path / "a.onnx", opset=opset)
    static_int8(path, tmp_path / "q.onnx", {"image": images(40, 1)})
    exact = fixed_onnx(path)
    case = Case(path, tmp_path / "q.onnx", tmp_path)
    made = case.reverted(range(len(KINDS)))
    assert not {"QuantizeLinear", "DequantizeLinear"} & {n.op_type for n in made.graph.node[1:-1]}
    number = case.qdq.groups[-1].outputs[0]
    step = case.qdq.step_of(number)
    assert step is not None
    for optimized in (False, True):
        for image in images(4, 2):
            stored = case.stored(image[None])
            expected = run(exact, {"image": case.real(stored, 0)})[0]
            found = case.real(run(made, {"image": stored}, optimized=optimized)[0], number)
            assert np.abs(found - expected).max() <= 0.5001 * step.scale


def test_int8_weights_take_a_byte_each_and_are_seen_with_their_scales(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(case.reverted(range(len(KINDS)), float_weights=False).SerializeToString())
    weights = [w for w in inspect_file(path).weights if not w.bias]
    assert sum(w.bytes for w in weights) == 216 + 72 + 64 + 192 + 60
    assert weights[0].dtype == "int8" and weights[-1].dtype == "uint8"  # the products of the last would overflow
    scales = [w.quantization for w in weights]
    assert [(len(q.scale), q.axis) for q in scales if q] == [(8, 0), (8, 0), (8, 0), (12, 0), (5, 1)]
    points = {"int8": {0}, "uint8": {128}}
    assert all(set(q.zero_point) == points[w.dtype] for w, q in zip(weights, scales, strict=True) if q)
    known = case.qdq.dequantized(case.qdq.nodes[case.qdq.groups[0].main].input[1])
    assert known is not None and scales[0] is not None
    assert scales[0].scale == tuple(map(float, known[1].ravel()))
