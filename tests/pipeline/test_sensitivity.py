"""The layer table of a model, from its file: the planted culprit is named, whatever the format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit.bundle.sensitivity import Sensitivity
from edgekit.cli import app
from edgekit.cli.entry import run
from edgekit.pipeline.sensitivity import sensitivity
from tests.documents import DOCUMENTS, faults
from tests.support.heard import Heard
from tests.support.raised import raised

pytestmark = pytest.mark.tensorflow
CHANNELS = 8


def uneven() -> Any:
    """Convolutions: the second scales its channels apart, the third together again; it computes as before."""
    from edgekit.frameworks.tensorflow import tf_keras

    keras = tf_keras()
    keras.utils.set_random_seed(3)
    x = y = keras.Input((8, 8, 2))
    for name in ("first", "wide", "back", "last"):
        y = keras.layers.Conv2D(CHANNELS, 3, padding="same", activation="relu", name=name)(y)
    y = keras.layers.Dense(3, name="head")(keras.layers.Flatten(name="flat")(y))
    model = keras.Model(x, y, name="uneven")
    factors = np.geomspace(0.003, 3, CHANNELS, dtype=np.float32)
    kernel, bias = model.get_layer("wide").get_weights()
    model.get_layer("wide").set_weights([kernel * factors, bias * factors])
    kernel, bias = model.get_layer("back").get_weights()
    model.get_layer("back").set_weights([kernel / factors[:, None], bias])
    return model


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model in three formats, and samples with its own decisions as labels."""
    from edgekit.export.onnx.convert import write_float
    from edgekit.export.signature import Signature
    from edgekit.frameworks.tensorflow import tensorflow

    folder = tmp_path_factory.mktemp("uneven")
    model, x = uneven(), np.random.default_rng(5).normal(size=(150, 8, 8, 2)).astype(np.float32)
    kernel, bias = model.get_layer("head").get_weights()
    model.get_layer("head").set_weights([kernel, bias - np.mean(model(x), axis=0)])
    model.save(folder / "uneven.keras")
    signature = Signature(model)
    signature.save(folder / "saved")
    made = tensorflow().lite.TFLiteConverter.from_saved_model(str(folder / "saved")).convert()
    (folder / "uneven.tflite").write_bytes(made)
    write_float(folder / "uneven.onnx", signature)
    np.savez(folder / "rows.npz", x=x, y=np.argmax(model(x), axis=1))
    return folder


def looked_into(files: Path, suffix: str, **options: Any) -> Sensitivity:
    data = str(files / "rows.npz")
    return sensitivity(files / f"uneven{suffix}", data, preprocessing={"scale": 1.0}, **options)


@pytest.mark.parametrize(("suffix", "kind"), [(".keras", "CONV_2D"), (".tflite", "CONV_2D"), (".onnx", "Conv")])
def test_the_culprit_is_named(files: Path, suffix: str, kind: str) -> None:
    found = looked_into(files, suffix, samples=8)
    assert found.samples == 8
    assert found.format == ("onnx" if suffix == ".onnx" else "tflite")
    culprit = found.culprit
    assert culprit is not None and culprit.kind == kind
    convolutions = [layer for layer in found.layers if layer.kind == kind]
    assert culprit is convolutions[1]
    assert (culprit.gain_db or 0) > 10
    assert culprit.with_it == (convolutions[2].name,)
    assert (culprit.narrow_channels or 0) > 0.2 and convolutions[3].narrow_channels == 0
    assert (convolutions[2].acting_weights_sqnr_db or 99) < 20 < (convolutions[1].acting_weights_sqnr_db or 0)
    if suffix != ".onnx":
        assert "wide" in culprit.name and [layer.kind for layer in found.layers if layer.exact] == ["RESHAPE"]
    before, after, true = (found.score(name) for name in ("int8", "reverted", "float"))
    assert before is not None and after is not None and true is not None and true.metric == "accuracy"
    assert before.value < after.value and true.value == 1
    assert (found.sqnr_db or 0) < 20


def test_the_test_part_is_not_read(files: Path, tmp_path: Path) -> None:
    """Validation samples are run; those of the test part may be anything."""
    x, y = (np.load(files / "rows.npz")[name] for name in "xy")
    tables = []
    for n, test in enumerate((x[:20], np.zeros_like(x[:20]))):
        np.savez(tmp_path / f"{n}.npz", x_train=x[20:], y_train=y[20:], x_test=test, y_test=y[:20])
        found = sensitivity(files / "uneven.keras", str(tmp_path / f"{n}.npz"), preprocessing={"scale": 1.0}, samples=4)
        tables.append(found)
    assert tables[0] == tables[1]


def test_a_large_model_gets_fewer_samples(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.pipeline.sensitivity.LEAST_CALIBRATION", 11)
    monkeypatch.setattr("edgekit.pipeline.sensitivity.CALIBRATION_MACS", 1.0)
    heard = Heard()
    looked_into(files, ".keras", samples=2, progress=heard)
    assert any("11 samples" in line and "--calibration-samples" in line for line in heard.lines)
    monkeypatch.setattr("edgekit.export.mixed.sensitivity.GAIN_VALUES", 1)
    heard = Heard()
    found = looked_into(files, ".keras", samples=6, calibration_samples=20, progress=heard)
    assert not any("--calibration-samples" in line for line in heard.lines)
    true = found.score("float")
    assert found.samples == 6 and true is not None and true.samples == 1


def test_from_python(files: Path, tmp_path: Path) -> None:
    picture = tmp_path / "layers.svg"
    found = edgekit.sensitivity(files / "uneven.keras", files / "rows.npz", scale=1.0, samples=4, plot=picture)
    assert isinstance(found, edgekit.Sensitivity)
    assert found.culprit is not None and "wide" in found.culprit.name
    assert picture.read_bytes().startswith(b"<?xml")
    assert found.conclusion in repr(found)


def test_on_the_command_line(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["sensitivity", str(files / "uneven.keras"), "--data", str(files / "rows.npz"), "--scale", "1", "-q"]
    argv += ["--samples", "4"]
    assert run(app, "edgekit", [*argv, "--json", "--plot", str(tmp_path / "layers.png")]) == 0
    value = json.loads(capsys.readouterr().out)
    assert not faults(value, DOCUMENTS["sensitivity"])
    assert "wide" in value["culprit"] and value["samples"] == 4
    assert (tmp_path / "layers.png").read_bytes().startswith(b"\x89PNG")
    assert run(app, "edgekit", [*argv, "--top", "2"]) == 0
    out = capsys.readouterr().out
    assert "wide" in out.splitlines()[2]
    assert f"edgekit compress {files / 'uneven.keras'} --data {files / 'rows.npz'} --max-drop 0.5" in out


def test_what_is_refused_before_any_work(files: Path, tmp_path: Path) -> None:
    (tmp_path / "there.png").write_text("mine")
    data = files / "rows.npz"
    for plot, code in (("layers.pdf", "plot-format"), ("there.png", "output-exists")):
        with raised(code, plot):
            edgekit.sensitivity(files / "uneven.tflite", data, plot=tmp_path / plot)
    assert (tmp_path / "there.png").read_text() == "mine"
    for count in (0, -3, 5000, 2.5, True):
        with raised("value-out-of-range", str(count), "4096"):
            edgekit.sensitivity(files / "uneven.tflite", data, samples=count)  # type: ignore[arg-type]
    with raised("file-missing", "none.tflite"):
        edgekit.sensitivity(tmp_path / "none.tflite", data)
