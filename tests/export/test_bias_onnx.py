"""Biases of int8 ONNX graphs that take back what rounding adds on average."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.export.onnx import bias
from edgekit.export.onnx.ranges import measured
from edgekit.export.onnx.static import prepared, quantized, upgraded, with_ranges
from tests.support.planted import one_sided
from tests.support.tiny_onnx import constant, save, value

onnx = pytest.importorskip("onnx")
node = onnx.helper.make_node


def network(path: Path, rng: Any) -> Any:
    """Return a convolution with relu, pooling and a dense layer; all weights are rounded down."""
    conv = one_sided(rng, 3 * 3 * 3, 16).reshape(16, 3, 3, 3)
    nodes = [
        node("Conv", ["image", "w", "b"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"]),
        node("GlobalAveragePool", ["r"], ["g"]),
        node("Flatten", ["g"], ["f"]),
        node("Gemm", ["f", "dense", "bias"], ["y"], transB=1),
    ]
    constants = [
        constant("w", conv, "float32"),
        constant("b", rng.normal(size=16), "float32"),
        constant("dense", one_sided(rng, 16, 10), "float32"),
        constant("bias", rng.normal(size=10), "float32"),
    ]
    save(path, nodes, [value("image", [1, 3, 8, 8])], [value("y", [1, 10])], constants)
    return onnx.load(path)


@pytest.fixture
def pair(tmp_path: Path, rng: Any) -> tuple[Any, Any, Any, list[dict[str, Any]]]:
    """An int8 model without corrected biases, the prepared float one, scales, and samples."""
    rows = [{"image": x[None]} for x in rng.uniform(0, 1, (100, 3, 8, 8)).astype(np.float32)]
    ready = prepared(upgraded(network(tmp_path / "net.onnx", rng))[0], tmp_path)
    made, scales, _ = with_ranges(ready, measured(ready, rows))
    return made, ready, {**scales["inputs"], **scales["outputs"]}, rows


def error(made: Any, ready: Any, scales: Any, rows: Any) -> Any:
    return bias.outputs(made, rows, scales)[0] - bias.outputs(ready, rows, {})[0]


def test_means_come_back_layer_after_layer(pair: Any) -> None:
    made, ready, scales, rows = pair
    mended = bias.corrected(made, ready, rows[:50], scales)
    before, after = (error(model, ready, scales, rows[50:]) for model in (made, mended))
    assert np.sqrt((before**2).mean()) > 4 * np.sqrt((after**2).mean())
    assert np.abs(after.mean(axis=0)).max() < 0.1 * np.abs(before.mean(axis=0)).max()
    assert mended.ByteSize() == made.ByteSize()
    changed = [a.name for a, b in zip(made.graph.initializer, mended.graph.initializer, strict=True) if a != b]
    kinds = {t.name: t.data_type for t in made.graph.initializer}
    assert len(changed) == 2 and {kinds[name] for name in changed} == {onnx.TensorProto.INT32}


def test_static_calibration_ends_with_it_and_says_so(tmp_path: Path, rng: Any) -> None:
    model = network(tmp_path / "net.onnx", rng)
    rows = [{"image": x[None]} for x in rng.uniform(0, 1, (100, 3, 8, 8)).astype(np.float32)]
    made, note = quantized(model, iter(rows), tmp_path)
    assert note.startswith(", biases corrected (")
    before, after = (
        float(number) for number in note.removeprefix(", biases corrected (").split(" dB")[0].split(" to ")
    )
    assert after > before + 6
    assert made.metadata_props[0].key == "edgekit.quantization"


def test_a_bias_of_two_layers_stays(pair: Any) -> None:
    made, ready, scales, rows = pair
    twice = onnx.ModelProto.FromString(made.SerializeToString())
    dequantized = next(n for n in twice.graph.node if n.op_type == "Gemm").input[2]
    stored = next(n for n in twice.graph.node if dequantized in n.output).input[0]
    step = next(n for n in twice.graph.node if dequantized in n.output)
    twice.graph.node.add().CopyFrom(step)
    twice.graph.node[-1].output[0], twice.graph.node[-1].name = "again", "again"
    mended = bias.corrected(twice, ready, rows, scales)
    values = {t.name: onnx.numpy_helper.to_array(t) for t in mended.graph.initializer}
    first = {t.name: onnx.numpy_helper.to_array(t) for t in made.graph.initializer}
    assert (values[stored] == first[stored]).all()


def test_nothing_to_correct(tmp_path: Path, rng: Any) -> None:
    nodes = [node("Relu", ["x"], ["y"])]
    save(tmp_path / "relu.onnx", nodes, [value("x", [1, 4])], [value("y", [1, 4])])
    model = onnx.load(tmp_path / "relu.onnx")
    assert bias.corrected(model, model, [{"x": np.ones((1, 4), np.float32)}], {}) is None
