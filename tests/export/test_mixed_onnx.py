"""A float ONNX file and the int8 one made of it, asked through their child process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.export.mixed.onnx import OnnxQuantized
from edgekit.export.mixed.quantized import Quantized
from edgekit.export.onnx.child import static_int8
from edgekit.formats.fixed_batch import fixed_onnx
from edgekit.stats import sqnr_db
from tests.support import vendor_onnx
from tests.support.branched_onnx import KINDS, TENSORS, branched, images
from tests.support.raised import raised
from tests.support.tiny_onnx import constant, save, value

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.processes
node = onnx.helper.make_node


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("mixed")
    exact = branched(folder / "a.onnx")
    static_int8(exact, folder / "q.onnx", {"image": images(40, 1)})
    return exact, folder / "q.onnx"


@pytest.fixture(scope="module")
def pair(files: tuple[Path, Path]) -> Iterator[Quantized]:
    with OnnxQuantized(*files) as made:
        yield made


def fed(pair: Quantized, count: int) -> Any:
    """Return images whose values are some that the int8 input has."""
    step = pair.step(0)
    assert step is not None
    scale, point = np.float32(step[0]), step[1]
    return (np.clip(np.round(images(count, 2) / scale) + point, -128, 127).astype(np.float32) - point) * scale


def session(data: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def test_what_the_files_are(pair: Quantized, files: tuple[Path, Path]) -> None:
    assert [operator.kind for operator in pair.operators] == list(KINDS)
    assert [operator.weight_bytes for operator in pair.operators if operator.weight_bytes] == [216, 72, 64, 192, 60]
    first = pair.operators[0]
    assert first.inputs == (0,) and all(first.outputs[0] in pair.operators[place].inputs for place in (1, 3, 6))
    names = {name for n in onnx.load(files[1]).graph.node for name in n.output}
    assert {operator.name for operator in pair.operators} <= names
    assert pair.int8_file == files[1].read_bytes() == pair.reverted([], float_weights=True)
    assert session(pair.float_file).get_inputs()[0].shape == [1, 3, 8, 8]


def test_traces_are_the_values_of_each_file(pair: Quantized, files: tuple[Path, Path]) -> None:
    x = fed(pair, 3)
    exact = fixed_onnx(files[0])
    exact.graph.output.extend(onnx.helper.make_tensor_value_info(name, 1, None) for name in TENSORS[:-1])
    reference = session(exact.SerializeToString())
    numbers = [operator.outputs[0] for operator in pair.operators]
    traced = list(zip(pair.traced("float", [x]), pair.traced("int8", [x]), strict=True))
    assert len(traced) == len(x)
    for row, (floats, integers) in zip(x, traced, strict=True):
        assert set(floats) == set(integers) == {0, *numbers}
        assert np.array_equal(floats[0], row[None]) and np.array_equal(integers[0], row[None])
        expected = reference.run(list(TENSORS), {"image": row[None]})
        for number, values in zip(numbers, expected, strict=True):
            assert floats[number].dtype == integers[number].dtype == np.float32
            np.testing.assert_allclose(floats[number], values, rtol=1e-4, atol=1e-5)
            scale, point = pair.step(number) or (0.0, 0)
            steps = integers[number] / np.float32(scale) + point
            np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
            assert sqnr_db(values.astype(np.float64), integers[number].astype(np.float64)) > 15
    assert sum(not np.array_equal(traced[0][0][n], traced[0][1][n]) for n in numbers) == len(numbers)


@pytest.mark.parametrize("float_weights", [True, False])
def test_outputs_come_nearer_the_more_is_in_float(float_weights: bool, pair: Quantized) -> None:
    x = fed(pair, 20)
    (exact,) = pair.outputs(pair.float_file, [x])
    assert exact.shape == (20, 5) and exact.dtype == np.float64
    rows = [session(pair.float_file).run(None, {"image": row[None]})[0][0] for row in x]
    np.testing.assert_allclose(exact, rows, atol=1e-6)
    files = [pair.reverted([o.index for o in pair.operators[:n]], float_weights=float_weights) for n in (0, 14)]
    found = [float(sqnr_db(exact, pair.outputs(file, [x])[0])) for file in files]
    assert found[-1] > found[0] + (3 if float_weights else 1)
    if float_weights:
        scale, _ = pair.step(pair.operators[-1].outputs[0]) or (0.0, 0)
        assert np.abs(pair.outputs(files[-1], [x])[0] - exact).max() <= 0.501 * scale


def test_weights_of_both_files(pair: Quantized, files: tuple[Path, Path]) -> None:
    found = {operator.kind: pair.weights(operator) for operator in pair.operators}
    assert [kind for kind, weights in found.items() if weights is not None] == ["Conv", "Gemm", "MatMul"]
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(files[0]).graph.initializer}
    exact, rounded = found["MatMul"] or (np.zeros(0), np.zeros(0))
    assert np.array_equal(exact, stored["w4"].T) and rounded.shape == (5, 12)
    steps = np.abs(exact).max(1, keepdims=True) / 127
    assert (np.abs(exact - rounded) <= 0.501 * steps).all() and (exact != rounded).any()
    folded, rounded = pair.weights(pair.operators[0]) or (np.zeros(0), np.zeros(0))
    assert folded.shape == (8, 27)  # with the BatchNormalization behind it
    np.testing.assert_allclose(folded, rounded, atol=np.abs(folded).max() / 254)


def test_two_inputs_in_another_order(tmp_path: Path, rng: np.random.Generator) -> None:
    """Samples come in the order of the int8 file; the float file knows its inputs by name."""
    nodes = [node("MatMul", ["a", "u"], ["p"]), node("MatMul", ["b", "v"], ["h"]), node("Sub", ["p", "h"], ["q"])]
    constants = [constant(name, rng.normal(size=(12, 8)), "float32") for name in "uv"]
    ends = [value("a", ["N", 12]), value("b", ["N", 12])], [value("p", ["N", 8]), value("q", ["N", 8])]
    exact = save(tmp_path / "a.onnx", nodes, *ends, constants)
    x = [rng.normal(size=(20, 12)).astype(np.float32) for _ in "ab"]
    static_int8(exact, tmp_path / "q.onnx", dict(zip("ab", x, strict=True)))
    int8 = onnx.load(tmp_path / "q.onnx")
    swapped = [onnx.ValueInfoProto.FromString(v.SerializeToString()) for v in reversed(int8.graph.input)]
    del int8.graph.input[:]
    int8.graph.input.extend(swapped)
    (tmp_path / "q.onnx").write_bytes(int8.SerializeToString())
    with OnnxQuantized(exact, tmp_path / "q.onnx") as pair:
        samples = x[::-1]
        floats = pair.outputs(pair.float_file, samples)
        for found, expected in zip(
            floats, session(exact.read_bytes()).run(None, dict(zip("ab", x, strict=True))), strict=True
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        for one, other in zip(floats, pair.outputs(pair.int8_file, samples), strict=True):
            assert sqnr_db(one, other) > 25
        traced = next(pair.traced("float", samples))
        assert {number: a.shape for number, a in traced.items()}[pair.operators[-1].outputs[0]] == (1, 8)


def test_external_data(tmp_path: Path, rng: np.random.Generator) -> None:
    exact = vendor_onnx.external(tmp_path / "v.onnx")
    x = rng.normal(size=(20, 64)).astype(np.float32)
    static_int8(exact, tmp_path / "q.onnx", {"x": x})
    with OnnxQuantized(exact, tmp_path / "q.onnx") as pair:
        made = pair.reverted([operator.index for operator in pair.operators], float_weights=True)
        assert len(made) > 64 * 32 * 4
        exact_outputs, found = pair.outputs(pair.float_file, [x]), pair.outputs(made, [x])
        assert sqnr_db(exact_outputs[0], found[0]) > 35
    (tmp_path / "v.onnx.data").unlink()
    with raised("external-data-missing", "v.onnx.data"):
        OnnxQuantized(exact, tmp_path / "q.onnx")


def test_what_is_no_operator_cannot_be_reverted(pair: Quantized) -> None:
    with pytest.raises(ValueError, match="operator 1 "):
        pair.reverted([pair.operators[0].index, 1], float_weights=True)


def test_what_onnxruntime_refuses(pair: Quantized, tmp_path: Path, files: tuple[Path, Path]) -> None:
    with pytest.raises(RuntimeError):
        pair.outputs(pair.int8_file, [np.zeros((2, 3, 9, 9), np.float32)])
    with pytest.raises(RuntimeError):
        next(pair.traced("int8", [np.zeros((2, 4, 8, 8), np.float32)]))
    with (
        OnnxQuantized(vendor_onnx.unary(tmp_path / "v.onnx", "Mine"), files[1]) as strange,
        pytest.raises(RuntimeError),
    ):
        strange.outputs(strange.float_file, [np.zeros((1, 4), np.float32)])
    with raised("file-missing", "nothing.onnx"):
        OnnxQuantized(files[0], tmp_path / "nothing.onnx")


def test_a_float_file_of_another_model_is_none_of_it(tmp_path: Path, files: tuple[Path, Path]) -> None:
    nodes = [node("Flatten", ["image"], ["f"]), node("Gemm", ["f", "w"], ["y"])]
    weights = [constant("w", np.ones((192, 5)), "float32")]
    other = save(tmp_path / "o.onnx", nodes, [value("image", [1, 3, 8, 8])], [value("y", [1, 5])], weights)
    with OnnxQuantized(other, files[1]) as pair:
        assert len(pair.operators) == len(KINDS)
        assert all(pair.weights(operator) is None for operator in pair.operators)
        assert not set(next(pair.traced("float", [images(1, 2)]))) & {pair.operators[0].outputs[0]}
