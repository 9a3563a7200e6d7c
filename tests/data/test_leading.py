"""Arithmetic at a model's start, recognised in every kind of model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.data.lint.model_facts import ModelInput
from edgekit.data.lint.report import data_findings
from edgekit.data.loading import load_data
from edgekit.formats.reading import inspect_file
from edgekit.formats.steps import arithmetic, backwards, reverses
from edgekit.frameworks.tensorflow import keras3, tensorflow, tf_keras
from edgekit.models.files.loader import load_model
from edgekit.models.keras.facts import keras_facts
from edgekit.models.sources.file_source import FileSource
from edgekit.models.sources.plain_source import PlainSource
from edgekit.models.sources.source import SourceModel
from edgekit.progress import SILENT
from edgekit.tasks.preprocessing import Preprocessing

pytestmark = pytest.mark.tensorflow
SHAPE = (8, 8, 3)
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


def caffe(x: Any) -> Any:
    return tf_keras().applications.vgg16.preprocess_input(x)


def halves(x: Any) -> Any:
    return tf_keras().applications.mobilenet_v2.preprocess_input(x)


def torch_way(x: Any) -> Any:
    return tf_keras().applications.densenet.preprocess_input(x)


def plain(x: Any) -> Any:
    return (x - 127.5) * (1 / 127.5)


def of_unit(x: Any) -> Any:
    return (x - MEAN) / STD


def swapped(x: Any) -> Any:
    return 1.0 - x / 255.0


def unknown(x: Any) -> Any:
    return tensorflow().math.log(x + 1.0)


WAYS: list[tuple[Callable[[Any], Any], float | None, float, bool]] = [
    (caffe, 1.0, -114.8, True),
    (halves, 1 / 127.5, -1.0, True),
    (torch_way, 1 / 255 / 0.226, -1.98, True),
    (plain, 1 / 127.5, -1.0, True),
    (of_unit, 1 / 0.226, -1.98, False),
    (swapped, 1 / 255, 1.0, True),
]


def model(way: Callable[[Any], Any], keras: Any) -> Any:
    inputs = keras.Input(SHAPE, name="image")
    x = keras.layers.Conv2D(2, 3, strides=2, padding="same", name="conv")(way(inputs))
    return keras.Model(inputs, keras.layers.Dense(2, name="scores")(keras.layers.Flatten()(x)))


def check(found: ModelInput | None, rescales: float | None, shift: float, raw: bool) -> None:
    assert found is not None
    assert rescales is not None and found.rescales == pytest.approx(rescales, rel=0.05)
    assert found.shift == pytest.approx(shift, abs=0.3)
    assert found.takes_raw == raw
    assert not found.computes


@pytest.mark.parametrize(("way", "rescales", "shift", "raw"), WAYS)
def test_operations_in_keras_2(way: Any, rescales: float, shift: float, raw: bool) -> None:
    check(keras_facts(model(way, tf_keras())).inputs[0], rescales, shift, raw)


@pytest.mark.parametrize(("way", "rescales", "shift", "raw"), WAYS[3:])
def test_operations_in_keras_3(way: Any, rescales: float, shift: float, raw: bool) -> None:
    check(keras_facts(model(way, keras3())).inputs[0], rescales, shift, raw)


def test_channels_turned_round_in_keras_3() -> None:
    keras = keras3()
    found = keras_facts(model(lambda x: keras.ops.flip(x, -1) - np.float32([103.9, 116.8, 123.7]), keras)).inputs[0]
    check(found, 1.0, -114.8, True)


def test_what_is_not_arithmetic_is_not_known() -> None:
    found = keras_facts(model(unknown, tf_keras())).inputs[0]
    assert found is not None and found.computes and not found.takes_raw


@pytest.fixture(scope="module", params=[WAYS[0], WAYS[1], WAYS[2]], ids=lambda way: str(way[0].__name__))
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model as SavedModel without Keras, as `.tflite` and as `.onnx`."""
    tf, way = tensorflow(), request.param[0]
    made, folder = model(way, tf_keras()), tmp_path_factory.mktemp("written")
    module = tf.Module()
    module.inner = made
    module.call = tf.function(
        lambda image: made(image), input_signature=[tf.TensorSpec((None, *SHAPE), tf.float32, name="image")]
    )
    tf.saved_model.save(module, str(folder / "saved"), signatures=module.call)
    (folder / "m.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(made).convert())
    import tf2onnx

    onnx_model, _ = tf2onnx.convert.from_tflite(str(folder / "m.tflite"), opset=17)
    (folder / "m.onnx").write_bytes(onnx_model.SerializeToString())
    return folder, request.param[1:]


def sources(folder: Path) -> list[SourceModel]:
    saved = load_model(folder / "saved", progress=SILENT)
    files = [folder / "m.tflite", folder / "m.onnx"]
    return [PlainSource(saved.model, saved.untrainable), *(FileSource(path, inspect_file(path)) for path in files)]


def test_saved_models_and_files(written: tuple[Path, Any]) -> None:
    folder, expected = written
    for source in sources(folder):
        assert source.untrainable
        check(source.facts().inputs[0], *expected)


def test_the_lint_speaks_of_every_kind(written: tuple[Path, Any], tmp_path: Path) -> None:
    folder, _ = written
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (60, *SHAPE), np.uint8), np.arange(60) % 2
    np.savez(tmp_path / "d.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    data = load_data(str(tmp_path / "d.npz"))
    for source in sources(folder):
        codes = [f.code for f in data_findings(data, Preprocessing(1 / 255), source.facts(), 500, int8=True)]
        assert "normalised-twice" in codes
        codes = [f.code for f in data_findings(data, Preprocessing(), source.facts(), 500, int8=True)]
        assert not {"normalised-twice", "not-normalised"} & set(codes)


def test_constants() -> None:
    step = arithmetic("SUB", "subtract", [1.0, 2.0], swapped=True)
    assert (step.factor, step.offset) == ((-1.0, -1.0), (1.0, 2.0))
    assert arithmetic("DIV", "divide", [0.0]).kind == "other"
    assert arithmetic("ADD", "add", [np.nan]).kind == "other"
    assert arithmetic("ADD", "add", np.full((4, 4), 2.0)).offset == (2.0,)
    assert reverses([2, 1, 0]) and not reverses([0, 1, 2]) and not reverses([0])


def test_strides_of_a_scalar_read_nothing_backwards() -> None:
    assert backwards([1, -1]) and not backwards([-1, 1]) and not backwards([])
