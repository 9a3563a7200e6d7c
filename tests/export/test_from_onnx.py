"""Float .onnx files in int8, compared with the float file over seeded inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.export.calibration import Ranging
from edgekit.export.foreign import from_onnx
from edgekit.formats.reading import inspect_file
from edgekit.measuring.loaded import load_onnx
from edgekit.measuring.ports import specs
from edgekit.models.files.file_model import FileModel
from edgekit.progress import SILENT
from edgekit.stats import sqnr_db
from edgekit.tasks.scoring import real
from tests.support import vendor_onnx
from tests.support.raised import raised
from tests.support.tiny_onnx import constant, save, value

onnx = pytest.importorskip("onnx")
node = onnx.helper.make_node


def network(path: Path, *, opset: int = 17, batch: Any = "N") -> Path:
    """Conv, batch norm, Relu, global pooling and a dense layer, NCHW."""
    rng = np.random.default_rng(0)
    nodes = [
        node("Conv", ["image", "w"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["c", "gamma", "beta", "mean", "var"], ["n"]),
        node("Relu", ["n"], ["r"]),
        node("GlobalAveragePool", ["r"], ["g"]),
        node("Flatten", ["g"], ["f"]),
        node("Gemm", ["f", "dense", "bias"], ["y"], transB=1),
    ]
    constants = [
        constant("w", rng.normal(size=(16, 3, 3, 3)), "float32"),
        constant("gamma", rng.uniform(0.5, 2, 16), "float32"),
        constant("beta", rng.normal(size=16), "float32"),
        constant("mean", rng.normal(size=16), "float32"),
        constant("var", rng.uniform(0.5, 2, 16), "float32"),
        constant("dense", rng.normal(size=(10, 16)), "float32"),
        constant("bias", rng.normal(size=10), "float32"),
    ]
    ends = [value("image", [batch, 3, 8, 8])], [value("y", [batch, 10])]
    return save(path, nodes, *ends, constants, opset=opset, check=False)


def two_ends(path: Path) -> Path:
    """Two inputs, two dense layers, two outputs."""
    rng = np.random.default_rng(0)
    nodes = [
        node("MatMul", ["a", "u"], ["p"]),
        node("MatMul", ["b", "v"], ["h"]),
        node("Add", ["p", "h"], ["q"]),
    ]
    constants = [constant("u", rng.normal(size=(12, 8)), "float32"), constant("v", rng.normal(size=(20, 8)), "float32")]
    ends = [value("a", ["N", 12]), value("b", ["N", 20])], [value("p", ["N", 8]), value("q", ["N", 8])]
    return save(path, nodes, *ends, constants)


def samples(model: FileModel, n: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(size=(n, *t.shape[1:])).astype(np.float32) for t in model.inputs]


def run_file(path: Path, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Feed a file real values and return its real outputs, by the scales that `inspect` finds."""
    info, run = inspect_file(path), load_onnx(path)
    fed = [stored(a, t) for a, t in zip(inputs, info.inputs, strict=True)]
    rows = [run([a[i : i + 1] for a in fed]) for i in range(len(fed[0]))]
    columns = [np.concatenate(column) for column in zip(*rows, strict=True)]
    return [real(c, specs([t])[0].quantization()) for c, t in zip(columns, info.outputs, strict=True)]


def stored(values: np.ndarray, tensor: Any) -> np.ndarray:
    q = tensor.quantization
    if q is None:
        return values.astype(tensor.dtype)
    return np.clip(np.round(values / q.scale[0]) + q.zero_point[0], -128, 127).astype(tensor.dtype)


def requantized(path: Path, folder: Path, *schemes: str) -> tuple[FileModel, list[Any]]:
    model = FileModel(path)
    made = from_onnx.requantize(path, schemes, samples(model, 40, 1), folder, "made", SILENT)
    assert [(e.path.name, e.format, e.scheme) for e in made] == [(f"made-{s}.onnx", "onnx", s) for s in schemes]
    return model, made


@pytest.mark.parametrize(
    "write",
    [
        network,
        lambda path: network(path, batch=1),
        lambda path: network(path, opset=9),
        lambda path: network(path, opset=21),
        two_ends,
        lambda path: vendor_onnx.of_opset(path, 7, 3),
        vendor_onnx.external,
    ],
)
def test_it_stays_close_to_the_float_file(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    model, (float32, int8) = requantized(write(tmp_path / "v.onnx"), tmp_path, "float32", "int8")
    inputs = samples(model, 50, 2)
    expected = model.predict(inputs)
    expected = expected if isinstance(expected, list) else [expected]
    for made, floor in ((float32, 100.0), (int8, 25.0)):
        for reference, found in zip(expected, run_file(made.path, inputs), strict=True):
            assert found.shape == reference.shape
            assert sqnr_db(reference.astype(np.float64), found) >= floor
        info = inspect_file(made.path)
        assert {t.dtype for t in (*info.inputs, *info.outputs)} == {made.scheme}
        assert all(t.shape[0] == 1 and -1 not in t.shape for t in info.inputs)
        assert "external data" not in info.description
    assert "DequantizeLinear" in inspect_file(int8.path).operators


def test_weights_are_int8_per_channel(tmp_path: Path) -> None:
    _, (made,) = requantized(network(tmp_path / "v.onnx"), tmp_path, "int8")
    info = inspect_file(made.path)
    assert "BatchNormalization" not in info.operators  # folded into the convolution
    convolution = next(w for w in info.weights if len(w.shape) == 4)
    assert convolution.dtype == "int8"
    assert convolution.quantization is not None
    assert (len(convolution.quantization.scale), convolution.quantization.axis) == (16, 0)
    assert made.made_by.startswith("onnxruntime static calibration of v.onnx")


def test_an_old_opset_is_upgraded_and_that_is_said(tmp_path: Path) -> None:
    _, (made,) = requantized(network(tmp_path / "v.onnx", opset=9), tmp_path, "int8")
    assert "upgraded from opset 9 to 17" in made.made_by
    assert inspect_file(made.path).description["opset"].startswith("ai.onnx 17")


def test_constants_listed_as_inputs_are_weights(tmp_path: Path) -> None:
    path = vendor_onnx.of_opset(tmp_path / "v.onnx", 11, 3)
    _, (made,) = requantized(path, tmp_path, "int8")
    info = inspect_file(made.path)
    assert [t.name for t in info.inputs] == ["x"]
    assert "int8" in {w.dtype for w in info.weights}


def test_nothing_to_quantize(tmp_path: Path) -> None:
    path = vendor_onnx.unary(tmp_path / "v.onnx", "Erf")
    with raised("nothing-to-quantize", "int8"):
        requantized(path, tmp_path, "int8")
    assert not (tmp_path / "made-int8.onnx").exists()


def test_what_onnxruntime_lacks_is_a_sentence(tmp_path: Path) -> None:
    path = vendor_onnx.unary(tmp_path / "v.onnx", "Mine")
    with raised("operator-not-in-format", "ONNX int8", "`Mine`") as caught:
        requantized(path, tmp_path, "int8")
    assert "\n" not in caught.value.message


def test_an_outlier_costs_less_where_it_may_saturate(tmp_path: Path) -> None:
    path = network(tmp_path / "net.onnx")
    model = FileModel(path)
    calibration = samples(model, 40, 1)
    calibration[0].flat[7] = 500.0
    fresh = samples(model, 20, 2)
    exact = run_file(path, fresh)
    ratio = {}
    for method in ("minmax", "percentile", "mse"):
        folder = tmp_path / method
        folder.mkdir()
        [made] = from_onnx.requantize(path, ["int8"], calibration, folder, "made", SILENT, Ranging(method))
        ratio[method] = min(sqnr_db(a, b) for a, b in zip(exact, run_file(made.path, fresh), strict=True))
    assert ratio["percentile"] > ratio["minmax"] + 10
