"""Float .tflite files in other schemes, compared with the float file over seeded inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.errors import EdgekitError
from edgekit.export.foreign import from_tflite
from edgekit.export.tflite import quantizer as tflite_quantizer
from edgekit.formats.reading import inspect_file
from edgekit.frameworks.tensorflow import quiet, tensorflow, tf_keras
from edgekit.models.files.file_model import FileModel
from edgekit.processes import child
from edgekit.progress import SILENT
from edgekit.stats import sqnr_db
from tests.support import vendor_tflite
from tests.support.raised import raised
from tests.support.tiny_tflite import changed

pytestmark = pytest.mark.tensorflow

FLOORS = {"float32": np.inf, "float16": 45.0, "dynamic": 25.0, "int8": 22.0, "int16x8": 25.0}
"""SQNR in dB that each scheme keeps at least, on models with random weights."""


def image_model() -> Any:
    layers = tf_keras().layers
    x = inputs = layers.Input((12, 12, 3), name="image")
    x = layers.Conv2D(16, 3, activation="relu")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=8, activation="relu")(x)
    x = layers.Conv2DTranspose(8, 3, activation="relu")(x)
    x = layers.Flatten()(x)
    return tf_keras().Model(inputs, layers.Dense(10, activation="softmax")(layers.Dense(32)(x)))


def two_ends() -> Any:
    layers = tf_keras().layers
    a, b = layers.Input((24,), name="a"), layers.Input((40,), name="b")
    joined = layers.Concatenate()([layers.Dense(48, activation="relu")(a), layers.Dense(32, activation="relu")(b)])
    return tf_keras().Model([a, b], [layers.Dense(5, name="p")(joined), layers.Dense(3, name="q")(joined)])


def tokens() -> Any:
    layers = tf_keras().layers
    inputs = layers.Input((6,), dtype="int32", name="tokens")
    x = layers.Flatten()(layers.Embedding(50, 16)(inputs))
    return tf_keras().Model(inputs, layers.Dense(20)(x))


@pytest.fixture(scope="module")
def convert(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[], Any]], Path]:
    """Return a float file of a model, with a dynamic batch, converted once."""
    made: dict[Any, Path] = {}

    def file(build: Callable[[], Any]) -> Path:
        if build not in made:
            tf_keras().utils.set_random_seed(0)
            model = build()
            with quiet():
                data = tensorflow().lite.TFLiteConverter.from_keras_model(model).convert()
            made[build] = tmp_path_factory.mktemp("float") / f"{build.__name__}.tflite"
            made[build].write_bytes(data)
        return made[build]

    return file


def samples(model: FileModel, n: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [
        rng.integers(0, 50, (n, *t.shape[1:])).astype(np.float32)
        if t.dtype == "int32"
        else rng.uniform(size=(n, *t.shape[1:])).astype(np.float32)
        for t in model.inputs
    ]


def answers(path: Path, inputs: list[np.ndarray]) -> tuple[list[np.ndarray], list[float]]:
    """Run a file sample by sample; returns outputs in real units, and their steps (0 for float)."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    ins, outs = interpreter.get_input_details(), interpreter.get_output_details()
    rows: list[list[np.ndarray]] = [[] for _ in outs]
    for index in range(len(inputs[0])):
        for details, column in zip(ins, inputs, strict=True):
            sample, (scale, point) = column[index : index + 1], details["quantization"]
            if scale:
                limits = np.iinfo(details["dtype"])
                sample = np.clip(np.rint(sample / scale) + point, limits.min, limits.max)
            interpreter.set_tensor(details["index"], sample.astype(details["dtype"]))
        interpreter.invoke()
        for found, details in zip(rows, outs, strict=True):
            raw, (scale, point) = interpreter.get_tensor(details["index"]).astype(np.float64), details["quantization"]
            found.append((raw - point) * (scale or 1.0))
    return [np.concatenate(r) for r in rows], [float(d["quantization"][0]) for d in outs]


@pytest.fixture(scope="module")
def all_schemes(convert: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[], Any]], Any]:
    """Return a model's float file with the files of all schemes, made once."""
    made: dict[Any, Any] = {}

    def files(build: Callable[[], Any]) -> tuple[FileModel, dict[str, Path]]:
        if build not in made:
            model, exported = requantized(convert(build), tmp_path_factory.mktemp("made"), *FLOORS)
            made[build] = model, {e.scheme: e.path for e in exported}
        return made[build]

    return files


def requantized(path: Path, folder: Path, *schemes: str) -> tuple[FileModel, list[Any]]:
    model = FileModel(path)
    made = from_tflite.requantize(path, schemes, samples(model, 40, 1), folder, "made", SILENT)
    assert [(e.path.name, e.format, e.scheme) for e in made] == [(f"made-{s}.tflite", "tflite", s) for s in schemes]
    return model, made


@pytest.mark.parametrize("build", [image_model, two_ends, tokens])
@pytest.mark.parametrize("scheme", FLOORS)
def test_every_scheme_stays_close_to_the_float_file(all_schemes: Any, build: Callable[[], Any], scheme: str) -> None:
    model, files = all_schemes(build)
    inputs = samples(model, 50, 2)
    reference = model.predict(inputs)
    found, _ = answers(files[scheme], inputs)
    # The converter may list the outputs in another order than Keras; the file keeps its own.
    for expected, real in zip(reference if len(found) > 1 else [reference], found, strict=True):
        assert expected.shape == real.shape
        assert sqnr_db(expected.astype(np.float64), real) >= FLOORS[scheme]
    info = inspect_file(files[scheme])
    assert all(-1 not in tensor.shape for tensor in (*info.inputs, *info.outputs))


@pytest.mark.parametrize("build", [image_model, two_ends, tokens])
def test_int8_is_within_steps_where_it_was_calibrated(all_schemes: Any, build: Callable[[], Any]) -> None:
    """On the calibration samples nothing saturates, so that what is left is rounding."""
    model, files = all_schemes(build)
    inputs = samples(model, 40, 1)
    reference = model.predict(inputs)
    found, steps = answers(files["int8"], inputs)
    for expected, real, step in zip(reference if len(found) > 1 else [reference], found, steps, strict=True):
        assert step > 0
        assert np.abs(expected - real).max() <= 8 * step


def test_what_each_scheme_stores(all_schemes: Any) -> None:
    infos = {scheme: inspect_file(path) for scheme, path in all_schemes(image_model)[1].items()}
    kinds = {scheme: {w.dtype for w in info.weights if w.elements >= 1024} for scheme, info in infos.items()}
    assert kinds == {
        "float32": {"float32"}, "float16": {"float16"}, "dynamic": {"int8"}, "int8": {"int8"}, "int16x8": {"int8"}
    }  # fmt: skip
    ends = {scheme: {t.dtype for t in (*info.inputs, *info.outputs)} for scheme, info in infos.items()}
    assert ends["int8"] == {"int8"} and ends["int16x8"] == {"int16"}
    assert ends["float16"] == ends["dynamic"] == {"float32"}
    sizes = {scheme: info.bytes / infos["float32"].bytes for scheme, info in infos.items()}
    assert sizes["float16"] < 0.55 and sizes["dynamic"] < 0.35 and sizes["int8"] < 0.35
    convolution = max((w for w in infos["int8"].weights if len(w.shape) == 4), key=lambda w: w.elements)
    assert convolution.quantization is not None and len(convolution.quantization.scale) > 1


@pytest.mark.parametrize(("scheme", "types"), [("float16", ["float16"]), ("dynamic", [])])
def test_weights_are_stored_as_the_converter_stores_them(
    convert: Any, tmp_path: Path, scheme: str, types: list[str]
) -> None:
    """Our file and the converter's, of the same model: the same answers, and no more bytes."""
    tf = tensorflow()
    source = convert(image_model)
    model, (made,) = requantized(source, tmp_path, scheme)
    tf_keras().utils.set_random_seed(0)
    converter = tf.lite.TFLiteConverter.from_keras_model(image_model())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [getattr(tf, name) for name in types]
    theirs = tmp_path / "theirs.tflite"
    with quiet():
        theirs.write_bytes(converter.convert())
    inputs = samples(model, 20, 3)
    (expected,), _ = answers(theirs, inputs)
    (found,), _ = answers(made.path, inputs)
    np.testing.assert_allclose(found, expected, atol=2e-4)
    assert made.path.stat().st_size <= theirs.stat().st_size


def test_int4_of_two_inputs(convert: Any, tmp_path: Path) -> None:
    with raised("int4-single-input", "2 inputs"):
        requantized(convert(two_ends), tmp_path, "int4")


def test_the_same_bytes_again_and_int4_of_the_int8_file(convert: Any, all_schemes: Any, tmp_path: Path) -> None:
    first = {scheme: path.read_bytes() for scheme, path in all_schemes(image_model)[1].items()}
    made = requantized(convert(image_model), tmp_path, *FLOORS, "int4-dense")[1]
    again = {e.scheme: e.path.read_bytes() for e in made}
    int4 = inspect_file(made[-1].path)
    assert "int4" in {w.dtype for w in int4.weights}
    assert len(again.pop("int4-dense")) < len(again["int8"])
    assert again == first


def test_an_old_file_names_operators_in_the_old_field(convert: Any, tmp_path: Path) -> None:
    def age(s: Any, whole: Any) -> None:
        for code in whole.operatorCodes:
            code.builtinCode = 0

    old = tmp_path / "old.tflite"
    old.write_bytes(changed(convert(two_ends).read_bytes(), age))
    _, made = requantized(old, tmp_path, "float16", "dynamic")
    assert {w.dtype for w in inspect_file(made[0].path).weights if w.elements >= 1024} == {"float16"}
    assert {w.dtype for w in inspect_file(made[1].path).weights if w.elements >= 1024} == {"int8"}


def test_attached_files_and_metadata_do_not_disturb(convert: Any, tmp_path: Path) -> None:
    path = tmp_path / "with.tflite"
    named = vendor_tflite.with_metadata(convert(two_ends).read_bytes(), "TFLITE_METADATA")
    path.write_bytes(vendor_tflite.with_attached(named, labels="a\nb\n"))
    description = inspect_file(path).description
    assert description["metadata"] == "TFLITE_METADATA"
    assert description["associated files"] == "labels.txt (4 bytes)"
    _, made = requantized(path, tmp_path, "float32", "dynamic")
    assert inspect_file(made[0].path).description["metadata"] == "TFLITE_METADATA"
    assert "associated files" not in inspect_file(made[0].path).description


def test_weights_that_float16_cannot_hold_stay(tmp_path: Path) -> None:
    def enlarge(s: Any, whole: Any) -> None:
        tensor = whole.subgraphs[0].tensors[1]
        tensor.shape = [3, 40]
        whole.subgraphs[0].tensors[0].shape, whole.subgraphs[0].tensors[0].shapeSignature = [1, 40], [-1, 40]
        whole.buffers[tensor.buffer].data = list(np.full(120, 1e6, "<f4").tobytes())

    path = tmp_path / "large.tflite"
    path.write_bytes(changed(vendor_tflite.dynamic_batch(), enlarge))
    model, (made,) = requantized(path, tmp_path, "float16")
    x = samples(model, 3, 0)
    np.testing.assert_array_equal(answers(made.path, x)[0][0], model.predict(x))


def test_constants_outside_the_flatbuffer(tmp_path: Path) -> None:
    from tests.support.tiny_tflite import tiny_tflite

    path = tiny_tflite(tmp_path / "outside.tflite", outside=True)
    with raised("weights-outside-file"):
        from_tflite.requantize(path, ["float16"], [np.zeros((1, 4, 4, 1), np.float32)], tmp_path, "made", SILENT)


def test_what_the_quantizer_cannot_do_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "custom.tflite"
    path.write_bytes(vendor_tflite.unary("Mine"))
    with raised("operator-unknown", "TFLite int8", "`Mine`") as caught:
        from_tflite.requantize(path, ["int8"], [np.zeros((2, 4), np.float32)], tmp_path, "made", SILENT)
    assert "\n" not in caught.value.message


def test_a_quantizer_that_dies_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow 2.21's does on this file, whose FULLY_CONNECTED has no options; here it is made sure that it does."""
    path = tmp_path / "bare.tflite"
    path.write_bytes(vendor_tflite.dynamic_batch())
    model, (made,) = requantized(path, tmp_path, "float32")
    assert made.path.is_file()
    # The child for small work runs already, and stays; that with TensorFlow in it begins anew.
    child.worker("TensorFlow").close()
    monkeypatch.setattr(child, "_START", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with raised("child-crashed", "TensorFlow's quantizer", "SIGSEGV", "leave the scheme out"):
        from_tflite.requantize(path, ["int8"], samples(model, 4, 0), tmp_path, "made", SILENT)
    monkeypatch.setattr(child, "_START", "raise SystemExit(3)")
    with raised("child-crashed", "code 3"):
        from_tflite.requantize(path, ["int8"], samples(model, 4, 0), tmp_path, "made", SILENT)


def test_without_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "v.tflite"
    path.write_bytes(vendor_tflite.dynamic_batch())
    monkeypatch.setattr(tflite_quantizer, "find_spec", lambda name: None)
    model, _ = requantized(path, tmp_path, "float32", "float16", "dynamic")
    with raised("extra-not-installed", "int8", "`compress`"):
        from_tflite.requantize(path, ["int8"], samples(model, 4, 0), tmp_path, "made", SILENT)


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8), small=st.booleans()
)
def test_a_damaged_file_is_rewritten_or_refused(
    convert: Any, tmp_path_factory: Any, flips: list[tuple[int, int]], small: bool
) -> None:
    """Nothing runs it here; rewriting alone must end in files or in a sentence."""
    data = bytearray(vendor_tflite.dynamic_batch() if small else convert(tokens).read_bytes())
    for position, value in flips:
        data[position % len(data)] = value
    folder = tmp_path_factory.getbasetemp()
    path = folder / "flipped.tflite"
    path.write_bytes(bytes(data))
    try:
        FileModel(path)
        from_tflite.requantize(path, ["float32", "float16", "dynamic"], [], folder, "flipped", SILENT)
    except EdgekitError as error:
        assert error.code, error.message
