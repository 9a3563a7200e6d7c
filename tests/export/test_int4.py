"""int4 weights: the same values in half the bytes, only where the outputs tolerate it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.export.tflite import int4
from edgekit.export.tflite.int4 import narrow, pack_nibbles
from edgekit.formats.reading import inspect_file
from edgekit.formats.tflite.pack import pack
from edgekit.formats.values import decode
from tests.support.raised import raised
from tests.support.tiny_tflite import Op, T, model

STEP = 0.05
CHANCE = np.random.default_rng(4)
SAMPLES = CHANCE.normal(size=(40, 4, 4, 1)).astype(np.float32)

EVEN = (CHANCE.integers(-7, 8, (8, 9)) * 16).astype(np.int8)
EVEN[:, 0] = 7 * 16
"""Weights of a convolution that int4 holds exactly: 15 levels a channel, 16 apart, so that scales grow exactly too."""

UNEVEN = np.full((4, 128), 8, np.int8) * CHANCE.choice(np.array([-1, 1], np.int8), (4, 128))
UNEVEN[:, 0] = 127
"""Weights of a dense layer of which int4 keeps one in 128."""

EVEN_DENSE = (CHANCE.integers(-7, 8, (4, 128)) * 16).astype(np.int8)
EVEN_DENSE[:, 0] = 7 * 16


def network(dense: np.ndarray, *, activation: str = "INT8", shared: bool = False, bias: bool = True) -> bytes:
    """A convolution with `EVEN` weights, then one dense layer, or (shared) two with the same weights."""
    from ai_edge_litert.schema_py_generated import Conv2DOptionsT, FullyConnectedOptionsT

    small: dict[str, Any] = {"scale": [STEP], "zero_point": [0]} if activation == "INT8" else {}
    wide: dict[str, Any] = {"scale": [0.5], "zero_point": [0]} if activation == "INT8" else {}

    def weights(name: str, shape: tuple[int, ...], values: np.ndarray) -> T:
        scales = np.linspace(0.01, 0.02, shape[0]).tolist()
        return T(name, shape, data=values.tobytes(), scale=scales, zero_point=[0] * shape[0])

    def biases(name: str, count: int, source: float) -> T:
        scales = (np.linspace(0.01, 0.02, count) * source).tolist()
        values = (np.arange(count) * 16).astype("<i4")
        return T(name, (count,), "INT32", values.tobytes(), scale=scales, zero_point=[0] * count)

    tensors = [
        T("x", (1, 4, 4, 1), activation, **small),
        weights("conv/Conv2D", (8, 3, 3, 1), EVEN),
        biases("conv/BiasAdd", 8, STEP),
        T("conv", (1, 4, 4, 8), activation, **wide),
        weights("dense/MatMul", (4, 128), dense),
        biases("dense/BiasAdd", 4, 0.5),
        T("y", (1, 4), activation, **wide),
        T("z", (1, 4), activation, **wide),
    ]
    options = Conv2DOptionsT(strideW=1, strideH=1, dilationWFactor=1, dilationHFactor=1)
    full = FullyConnectedOptionsT()
    operators = [Op("CONV_2D", [0, 1, 2], [3], options), Op("FULLY_CONNECTED", [3, 4, 5 if bias else -1], [6], full)]
    if shared:
        operators.append(Op("FULLY_CONNECTED", [3, 4, 5], [7], full))
    return pack(model(tensors, operators, [0], [6, 7] if shared else [6]))


RUN = """
import sys
import numpy as np
try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    from tflite_runtime.interpreter import Interpreter
interpreter = Interpreter(sys.argv[1])
interpreter.allocate_tensors()
source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
found = []
for sample in np.random.RandomState(0).normal(0, 60, (50, *source["shape"])).clip(-128, 127).astype(np.int8):
    interpreter.set_tensor(source["index"], sample)
    interpreter.invoke()
    found.append(interpreter.get_tensor(target["index"]))
np.save(sys.argv[2], np.array(found).astype(int))
"""


def answers(data: bytes, path: Path, folder: str = "") -> np.ndarray:
    """What an interpreter of its own process answers: ai-edge-litert, or tflite-runtime from a folder."""
    path.write_bytes(data)
    env, only = ({**os.environ, "PYTHONPATH": folder}, ["-S"]) if folder else (dict(os.environ), [])
    argv = [sys.executable, *only, "-c", RUN, str(path), str(path.with_suffix(".npy"))]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return np.load(path.with_suffix(".npy"))


def assert_close(old: np.ndarray, new: np.ndarray) -> None:
    """The kernels round the convolution differently by a step, which dense weights (up to 2.2) carry into several."""
    assert old.std() > 20
    assert np.abs(old - new).max() <= 8
    assert np.abs(old - new).mean() < 1


def kinds(data: bytes, path: Path) -> dict[str, str]:
    path.write_bytes(data)
    return {w.name: w.dtype for w in inspect_file(path).weights if "Bias" not in w.name}


def test_weights_that_int4_holds_stay_the_same_numbers(tmp_path: Path) -> None:
    before, after = network(EVEN_DENSE), narrow(network(EVEN_DENSE), "int4", SAMPLES)
    assert kinds(before, tmp_path / "8.tflite") == {"conv/Conv2D": "int8", "dense/MatMul": "int8"}
    assert kinds(after, tmp_path / "4.tflite") == {"conv/Conv2D": "int4", "dense/MatMul": "int4"}
    for old, new in zip(real(before), real(after), strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-6, atol=1e-12)
    for name in ("8.tflite", "4.tflite"):
        assert inspect_file(tmp_path / name).parameters == 9 * 8 + 8 + 4 * 128 + 4
    assert len(before) - len(after) >= (9 * 8 + 4 * 128) // 2 - 16
    assert_close(*(answers(data, tmp_path / "m.tflite") for data in (before, after)))
    assert pack(after) == after


def test_dense_only_leaves_convolutions(tmp_path: Path) -> None:
    found = kinds(narrow(network(EVEN_DENSE), "int4-dense", SAMPLES), tmp_path / "m.tflite")
    assert found == {"conv/Conv2D": "int8", "dense/MatMul": "int4"}


def test_a_layer_that_int4_destroys_stays_int8(tmp_path: Path) -> None:
    before = network(UNEVEN)
    after = narrow(before, "int4", SAMPLES)
    assert kinds(after, tmp_path / "m.tflite") == {"conv/Conv2D": "int4", "dense/MatMul": "int8"}
    old, new = real(before), real(after)
    np.testing.assert_array_equal(old[2], new[2])
    tolerant = narrow(before, "int4", SAMPLES, min_sqnr=-100)
    assert set(kinds(tolerant, tmp_path / "m.tflite").values()) == {"int4"}


def test_where_no_layer_tolerates_it_nothing_is_written() -> None:
    with raised("int4-not-tolerated", "int4-dense", "the best of 1", "20 dB"):
        narrow(network(UNEVEN), "int4-dense", SAMPLES)


def test_the_layers_are_tried_on_samples_from_all_of_the_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    monkeypatch.setattr(int4, "MAX_SAMPLES", 5)
    monkeypatch.setattr(int4, "_outputs", lambda _, samples: seen.append(samples) or np.ones((5, 4)))
    narrow(network(EVEN_DENSE), "int4-dense", np.arange(23 * 16, dtype=np.float32).reshape(23, 4, 4, 1))
    assert (seen[0][:, 0, 0, 0] / 16).tolist() == [0, 5, 10, 15, 20]


def test_a_layer_without_bias(tmp_path: Path) -> None:
    found = kinds(narrow(network(EVEN_DENSE, bias=False), "int4-dense", SAMPLES), tmp_path / "m.tflite")
    assert found["dense/MatMul"] == "int4"


def test_shared_weights_stay_int8(tmp_path: Path) -> None:
    found = kinds(narrow(network(EVEN_DENSE, shared=True), "int4", SAMPLES), tmp_path / "m.tflite")
    assert found == {"conv/Conv2D": "int4", "dense/MatMul": "int8"}


@pytest.mark.parametrize("count", [1, 2, 7, 8])
def test_nibbles(count: int) -> None:
    values = np.arange(-8, 8, dtype=np.int8)[-count:]
    packed = pack_nibbles(values)
    assert len(packed) == (count + 1) // 2
    assert decode(packed.tobytes(), "int4", count).tolist() == values.tolist()
    assert pack_nibbles(np.array([1, -2], np.int8)).tolist() == [0xE1]


@pytest.mark.tflite_runtime
def test_the_older_interpreter_runs_convolutions_with_int4_weights(tmp_path: Path) -> None:
    folder = os.environ.get("EDGEKIT_TFLITE_RUNTIME")
    if not folder:
        pytest.skip("EDGEKIT_TFLITE_RUNTIME names no folder with tflite-runtime")
    both = network(UNEVEN), narrow(network(UNEVEN), "int4", SAMPLES)
    assert both[0] != both[1]
    assert_close(*(answers(data, tmp_path / "m.tflite", folder) for data in both))


@pytest.mark.tensorflow
def test_the_exporter_makes_it_from_the_int8_file(tmp_path: Path) -> None:
    from edgekit.bundle.recipe import Recipe
    from edgekit.export.exporter import export
    from edgekit.frameworks.tensorflow import seed_everything, tf_keras
    from edgekit.progress import SILENT

    keras = tf_keras()
    seed_everything(3)
    inputs = keras.Input((6, 6, 1), name="image")
    x = keras.layers.Conv2D(8, 3, activation="relu", name="conv")(inputs)
    x = keras.layers.Dense(32, activation="relu", name="wide")(keras.layers.Flatten()(x))
    built = keras.Model(inputs, keras.layers.Dense(3, name="scores")(x))
    for layer in built.layers:
        if layer.weights:  # 15 levels a channel
            kernel, bias = layer.get_weights()
            step = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1))) / 7
            layer.set_weights([np.rint(kernel / step) * step, bias])
    samples = np.random.default_rng(0).random((30, 6, 6, 1), np.float32)
    recipe = Recipe("r", schemes=("int8", "int4-dense", "int4"), formats=("tflite", "onnx"))
    made = export(built, recipe, samples, tmp_path, "m", SILENT)
    assert [(m.format, m.scheme) for m in made] == [
        ("tflite", "int8"),
        ("tflite", "int4-dense"),
        ("tflite", "int4"),
        ("onnx", "int8"),
    ]
    assert made[1].made_by == "TFLiteConverter, then int4 weights where the outputs tolerate them"
    sizes = [m.path.stat().st_size for m in made[:3]]
    assert sizes[0] > sizes[1] + 1500 and sizes[1] >= sizes[2]
    first, second = (inspect_file(m.path) for m in made[:2])
    assert (first.parameters, first.macs, first.inputs) == (second.parameters, second.macs, second.inputs)


def real(data: bytes) -> list[np.ndarray]:
    """All constants of a file in real units, in the order of the tensors."""
    from ai_edge_litert import schema_py_generated as schema

    whole = schema.ModelT.InitFromPackedBuf(data, 0)
    found = []
    for tensor in whole.subgraphs[0].tensors:
        raw = whole.buffers[tensor.buffer].data
        if raw is not None:
            name = {schema.TensorType.INT4: "int4", schema.TensorType.INT8: "int8", schema.TensorType.INT32: "int32"}
            values = decode(raw.tobytes(), name[tensor.type], int(np.prod(tensor.shape))).astype(float)
            scale = np.asarray(tensor.quantization.scale, float)
            found.append((values.reshape(len(scale), -1) * scale[:, None]).ravel())
    return found
