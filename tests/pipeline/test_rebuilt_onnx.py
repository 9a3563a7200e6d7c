"""From an ONNX file to everything that is made of a Keras model: rebuilt as layers, trained, exported."""

from __future__ import annotations

import contextlib
import gc
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.manifest import README, read_bundle
from edgekit.bundle.recipe import Recipe, StageSpec
from edgekit.models.imported.proof import run_values
from edgekit.pipeline.run import compress
from tests.models.imported.nets import Net
from tests.support.heard import Heard
from tests.support.raised import raised

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("one_latency_round")]
TRAINED = Recipe(
    "trained", stages=(StageSpec("finetune", {"epochs": 1}),), schemes=("float32", "int8"), formats=("tflite",),
    calibration_samples=50, check_samples=15, eval_samples=30,
)  # fmt: skip
PLAIN = replace(TRAINED, name="plain", stages=())


def classifier(last: str = "", channels: int = 1) -> Net:
    """Class c is the brightness of row 2c of a 6x6 image, as in the `arrays` fixture; channels first."""
    net = Net()
    x = net.input("image", "n", channels, 6, 6)
    kernel = np.zeros((2, channels, 3, 3))
    kernel[:, 0, 1, 1] = 1, 0.5
    y = net.op("Relu", net.op("Conv", x, net.const(kernel), net.const([0.0, 0.0]), pads=[1, 1, 1, 1]))
    if last:
        y = net.op(last, y, "", net.const([1.0, 1.0, 1.0, 1.0]), mode="cubic")
    rows = np.zeros((3, 2, 6, 6))
    for c in range(3):
        rows[c, :, c * 2] = 1
    net.out("Gemm", net.op("Flatten", y), net.const(rows.reshape(3, 72)), net.random(3), transB=1)
    return net


def test_an_onnx_file_is_trained_and_becomes_tflite(npz: Path, tmp_path: Path) -> None:
    path = classifier().save(tmp_path / "net.onnx", "n", 3)
    heard = Heard()
    how = {"layout": "NCHW"}  # as the file takes them; the graph says so itself
    compress(path, str(npz), TRAINED, tmp_path / "out", preprocessing=how, progress=heard)
    found = read_bundle(tmp_path / "out").manifest
    assert [a.file for a in found.artifacts] == ["net-float32.tflite", "net-int8.tflite"]
    assert all(a.inputs[0].shape == (1, 6, 6, 1) and a.inputs[0].name == "image" for a in found.artifacts)
    assert all(a.validation == {"correct": 15, "samples": 15} for a in found.artifacts)
    assert found.preprocessing.layout == "NHWC"
    assert found.lineage[0]["format"] == "onnx" and found.lineage[0]["channels_last"] == {"image": [0, 2, 3, 1]}
    assert "x.transpose(0, 2, 3, 1)" in (tmp_path / "out" / README).read_text()


@pytest.mark.parametrize("layout", ["", "NCHW"])
def test_samples_with_channels_first_are_taken(layout: str, npz: Path, tmp_path: Path) -> None:
    with np.load(npz) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for name in ("x_train", "x_test"):
        arrays[name] = np.stack([arrays[name].reshape(-1, 6, 6)] * 2, axis=1)
    np.savez(tmp_path / "first.npz", **arrays)
    path = classifier(channels=2).save(tmp_path / "net.onnx", "n", 3)
    recipe = replace(PLAIN, schemes=("int8",), layout_out=layout)
    found = compress(path, str(tmp_path / "first.npz"), recipe, tmp_path / "out").manifest
    assert found.artifacts[0].inputs[0].shape == ((1, 2, 6, 6) if layout else (1, 6, 6, 2))
    assert found.artifacts[0].validation == {"correct": 15, "samples": 15}
    assert found.preprocessing.layout == (layout or "NHWC")
    told = (tmp_path / "out" / README).read_text()
    run = _told(told, "Python", tmp_path / "out")
    if layout:
        assert "transpose(0, 3, 1, 2)" in told and "i % 2 * 36 + i / 2" in told
    else:
        x = arrays["x_test"][:1] / np.float32(255)
        (expected,) = run_values(x, path=str(path), names=["Gemm_3"])[1]
        assert np.allclose(run["run"](x), expected[0], atol=0.1)


def _told(readme: str, title: str, folder: Path) -> dict[str, Any]:
    """Run the Python of a README, and return its names."""
    names: dict[str, Any] = {}
    text = readme[readme.index(f"\n{title}\n") : readme.index("\nKotlin")]
    code = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    with contextlib.chdir(folder), contextlib.redirect_stdout(None), warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # a README need not close what it loads
        exec(code, names)
        gc.collect()
    return names


def test_what_cannot_be_rebuilt_is_named_and_still_quantized(npz: Path, tmp_path: Path) -> None:
    path = classifier("Resize").save(tmp_path / "net.onnx", "n", 3)
    with raised("operator-not-rebuilt", "`Resize`", "node_Resize", "cubic"):
        compress(path, str(npz), TRAINED, tmp_path / "out", preprocessing={"layout": "NCHW"})
    heard = Heard()
    recipe = replace(PLAIN, formats=("tflite", "onnx"))
    bundle = compress(path, str(npz), recipe, tmp_path / "out", preprocessing={"layout": "NCHW"}, progress=heard)
    assert [a.file for a in bundle.manifest.artifacts] == ["net-float32.onnx", "net-int8.onnx"]
    assert list(heard.codes).count("operator-not-rebuilt") == 1
    with raised("nothing-to-export", ".onnx"):
        compress(path, str(npz), PLAIN, tmp_path / "again", preprocessing={"layout": "NCHW"})
