"""From a float .tflite or .onnx file that was made elsewhere to a bundle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.bundle.manifest import EVAL, read_bundle
from edgekit.bundle.recipe import Recipe, StageSpec
from edgekit.errors import InputError
from edgekit.pipeline.run import compress
from edgekit.reporting.bundle_table import bundle_table
from tests.support import vendor_onnx
from tests.support.raised import raised
from tests.support.tiny_onnx import constant, save, value
from tests.support.tiny_tflite import Op, T, model, tiny_tflite

pytestmark = pytest.mark.tensorflow
SMALL = Recipe(
    "small", schemes=("float32", "float16", "int8"), calibration_samples=50, check_samples=15, eval_samples=30
)

ONNX = replace(SMALL, formats=("onnx",))
"""Keeps an ONNX file what it is; a recipe that makes more rebuilds it as layers."""


def weights() -> np.ndarray:
    """(3, 36): class c is the brightness of row 2c of a 6x6 image, as in the `arrays` fixture."""
    dense = np.zeros((3, 6, 6), np.float32)
    for c in range(3):
        dense[c, c * 2] = 1
    return dense.reshape(3, 36) + np.random.default_rng(0).normal(0, 0.01, (3, 36)).astype(np.float32)


@pytest.fixture
def tflite_file(tmp_path: Path) -> Path:
    """RESHAPE and FULLY_CONNECTED, with a dynamic batch."""
    from ai_edge_litert import schema_py_generated as s

    tensors = [
        T("image", (1, 6, 6, 1), "FLOAT32", signature=(-1, 6, 6, 1)),
        T("shape", (2,), "INT32", np.array([-1, 36], "<i4").tobytes()),
        T("flat", (1, 36), "FLOAT32", signature=(-1, 36)),
        T("w", (3, 36), "FLOAT32", weights().astype("<f4").tobytes()),
        T("b", (3,), "FLOAT32", np.zeros(3, "<f4").tobytes()),
        T("scores", (1, 3), "FLOAT32", signature=(-1, 3)),
    ]
    dense = Op("FULLY_CONNECTED", [2, 3, 4], [5], s.FullyConnectedOptionsT())
    operators = [Op("RESHAPE", [0, 1], [2], s.ReshapeOptionsT()), dense]
    path = tmp_path / "vendor model.tflite"
    path.write_bytes(model(tensors, operators, [0], [5], signature=(["image"], ["scores"])))
    return path


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    """Flatten and Gemm, channels first, with a symbolic batch."""
    from onnx import helper

    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["scores"], transB=1),
    ]
    constants = [constant("w", weights(), "float32"), constant("b", np.zeros(3), "float32")]
    ends = [value("image", ["N", 1, 6, 6])], [value("scores", ["N", 3])]
    return save(tmp_path / "vendor.onnx", nodes, *ends, constants, opset=11)


def test_a_tflite_file_becomes_a_bundle(tflite_file: Path, npz: Path, tmp_path: Path) -> None:
    bundle = compress(tflite_file, str(npz), SMALL, tmp_path / "out")
    found = read_bundle(tmp_path / "out").manifest
    assert found == bundle.manifest
    assert [a.file for a in found.artifacts] == [
        "vendor-model-float32.tflite", "vendor-model-float16.tflite", "vendor-model-int8.tflite", "model_data.h"
    ]  # fmt: skip
    for artifact in found.artifacts[:3]:
        assert artifact.inputs[0].shape == (1, 6, 6, 1)
        assert artifact.validation == {"correct": 15, "samples": 15}
    assert found.artifacts[2].inputs[0].dtype == "int8"
    close = {a.other: a for a in found.agreement}
    assert close["vendor-model-float32.tflite"].max_abs < 1e-5
    assert close["vendor-model-int8.tflite"].top1 == 1
    assert (close["vendor-model-int8.tflite"].sqnr_db or 0) > 25
    assert found.lineage[0]["file"] == tflite_file.name and found.lineage[0]["format"] == "tflite"
    assert len(np.load(tmp_path / "out" / EVAL)["x"]) == 30
    table = bundle_table(bundle)
    assert "vendor-model-int8.tflite" in table
    assert "= source" in table


def test_an_onnx_file_becomes_a_bundle(onnx_file: Path, npz: Path, tmp_path: Path) -> None:
    bundle = compress(onnx_file, str(npz), ONNX, tmp_path / "out", preprocessing={"layout": "NCHW"})
    found = bundle.manifest
    assert [a.file for a in found.artifacts] == ["vendor-float32.onnx", "vendor-int8.onnx"]
    assert all(a.inputs[0].shape == (1, 1, 6, 6) for a in found.artifacts)
    assert all(a.validation == {"correct": 15, "samples": 15} for a in found.artifacts)
    assert "upgraded from opset 11 to 17" in found.artifacts[1].made_by
    assert found.preprocessing.layout == "NCHW"


@pytest.mark.usefixtures("one_latency_round")
def test_a_tflite_file_is_trained(tflite_file: Path, npz: Path, tmp_path: Path) -> None:
    recipe = replace(SMALL, stages=(StageSpec("finetune", {"epochs": 1}),), schemes=("int8",), formats=("tflite",))
    bundle = compress(tflite_file, str(npz), recipe, tmp_path / "out")
    [artifact] = bundle.manifest.artifacts
    assert artifact.file == "vendor-model-int8.tflite" and artifact.inputs[0].shape == (1, 6, 6, 1)
    assert artifact.validation == {"correct": 15, "samples": 15}
    assert any("Rebuilt from TFLite" in note for note in bundle.manifest.lineage[0]["notes"])


def test_what_cannot_be_compressed(tflite_file: Path, npz: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with raised("already-quantized", "int8"):
        compress(tiny_tflite(tmp_path / "int8.tflite"), str(npz), SMALL, out)
    with raised("nothing-to-export", ".tflite", "formats onnx"):
        compress(tflite_file, str(npz), Recipe("r", formats=("onnx",)), out)
    with raised("shape-mismatch"):
        compress(vendor_onnx.external(tmp_path / "flat.onnx"), str(npz), SMALL, out)
    with raised("file-missing", "nothing.tflite"):
        compress(tmp_path / "nothing.tflite", str(npz), SMALL, out)
    renamed = tmp_path / "renamed.onnx"
    renamed.write_bytes(tflite_file.read_bytes())
    with raised("suffix-mismatch", "renamed.onnx", "TFLite"):
        compress(renamed, str(npz), SMALL, out)
    tflite_file.write_bytes(tflite_file.read_bytes()[:300])
    with raised("file-damaged", "vendor model.tflite"):
        compress(tflite_file, str(npz), SMALL, out)
    assert not out.exists()


def test_a_detector_whose_outputs_have_no_batch(tmp_path: Path) -> None:
    """Boxes (36, 4), a best value each (36,), and a bare number: an axis for the samples is added to each."""
    from onnx import helper

    rng, make = np.random.default_rng(0), helper.make_node
    nodes = [
        make("Conv", ["image", "w"], ["c"], kernel_shape=[3, 3]), make("Reshape", ["c", "shape"], ["flat"]),
        make("MatMul", ["flat", "m"], ["boxes"]), make("ReduceMax", ["boxes"], ["best"], axes=[1], keepdims=0),
        make("ReduceSum", ["best"], ["count"], keepdims=0),
    ]  # fmt: skip
    weights = [
        constant("w", rng.normal(size=(5, 1, 3, 3)), "float32"), constant("m", rng.normal(size=(5, 4)), "float32"),
        constant("shape", [36, 5], "int64"),
    ]  # fmt: skip
    outputs = [value("boxes", [36, 4]), value("best", [36]), value("count", [])]
    path = save(tmp_path / "detector.onnx", nodes, [value("image", ["N", 1, 8, 8])], outputs, weights)
    x = rng.random((150, 8, 8, 1)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x_train=x[:120], x_test=x[120:])
    how = {"layout": "NCHW"}
    bundle = compress(path, str(tmp_path / "x.npz"), ONNX, tmp_path / "out", preprocessing=how)
    found = {(a.reference, a.other): a for a in bundle.manifest.agreement}
    assert found["float model", "detector-float32.onnx"].max_abs == 0
    assert (found["float model", "detector-int8.onnx"].sqnr_db or 0) > 25
    with np.load(tmp_path / "out" / EVAL) as archive:
        shapes = {name: archive[name].shape for name in archive.files}
    assert shapes == {"x": (30, 8, 8, 1), "y/boxes": (30, 36, 4), "y/best": (30, 36), "y/count": (30,)}


def test_outputs_of_other_sizes_for_other_samples_are_named(tmp_path: Path) -> None:
    from onnx import helper

    nodes = [
        helper.make_node("Greater", ["x", "half"], ["ok"]), helper.make_node("NonZero", ["ok"], ["where"]),
        helper.make_node("Mul", ["x", "half"], ["y"]),
    ]  # fmt: skip
    ends = [value("x", [1, 6])], [value("y", [1, 6]), value("where", [2, None], "INT64")]
    path = save(tmp_path / "m.onnx", nodes, *ends, [constant("half", 0.5, "float32")])
    x = np.random.default_rng(0).random((60, 6)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x_train=x[:40], x_test=x[40:])
    with pytest.raises(InputError, match="its output `where` has other sizes for other samples"):
        compress(path, str(tmp_path / "x.npz"), SMALL, tmp_path / "out")
