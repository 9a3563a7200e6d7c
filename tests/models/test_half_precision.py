"""Models that compute in 16 bits, on every route: they compute in float32 from then on, and the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.export.tflite.convert import convert
from edgekit.export.tflite.saved import Saved
from edgekit.frameworks.tensorflow import keras3, tensorflow, tf_keras
from edgekit.models.files.gate.precision import in_float32
from edgekit.models.files.loader import LoadedModel, load_model
from edgekit.models.files.plain import PlainModel
from tests.support.heard import Heard
from tests.support.raised import raised

pytestmark = pytest.mark.tensorflow

X = np.random.default_rng(0).random((5, 6, 6, 1)).astype(np.float32)
MIXED, WHOLE, BRAIN = "mixed_float16", "float16", "mixed_bfloat16"


def network(keras: Any, policy: str, *, operations: bool = True) -> Any:
    layers = keras.layers
    image = keras.Input((6, 6, 1), name="image", dtype="float32")
    x = layers.Conv2D(3, 3, dtype=policy, name="conv")(image)
    x = layers.ReLU(dtype=policy, name="relu")(layers.BatchNormalization(dtype=policy, name="norm")(x))
    if operations:
        half = "bfloat16" if "bfloat16" in policy else "float16"
        x = tensorflow().cast(x, half) * 2.0 if keras is tf_keras() else keras.ops.cast(x, half) * 2.0
    x = layers.Dense(3, dtype=policy, name="logits")(layers.Flatten(dtype=policy, name="flat")(x))
    return keras.Model(image, layers.Softmax(dtype="float32", name="softmax")(x), name="half")


def pair(keras: Any, policy: str, *, operations: bool = True) -> tuple[Any, Any]:
    """Return a model, and the outputs of its float32 form with the same weights."""
    model = network(keras, policy, operations=operations)
    values = [np.random.default_rng(i).random(w.shape).astype(np.float16) for i, w in enumerate(model.weights)]
    model.set_weights([v.astype(np.float32) for v in values])
    same = network(keras, "float32", operations=False)
    same.set_weights([np.asarray(v, np.float32) for v in model.get_weights()])
    if operations:
        same.set_weights([v * (2 if i == 6 else 1) for i, v in enumerate(same.get_weights())])
    return model, same.predict(X, verbose=0)


def write(model: Any, folder: Path, route: str) -> Path:
    if route == "export":
        model.export(str(folder / "m"), verbose=False)
        return folder / "m"
    path = folder / f"m{route}"
    model.save(str(path))
    return path


def loaded(path: Path, **options: Any) -> tuple[LoadedModel, Heard]:
    log = Heard()
    return load_model(path, progress=log, **options), log


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("route", "policy"),
    [(".keras", MIXED), (".keras", BRAIN), (".h5", MIXED), (".h5", WHOLE), ("", MIXED), ("", WHOLE)],
)
def test_keras_2(route: str, policy: str, tmp_path: Path) -> None:
    model, expected = pair(tf_keras(), policy)
    found, log = loaded(write(model, tmp_path, route))
    np.testing.assert_allclose(found.model.predict(X, verbose=0), expected, atol=1e-5)
    assert {layer.dtype_policy.name for layer in found.model.layers} == {"float32"}
    assert any("compute in float32 now" in note and policy in note for note in found.origin.notes)
    assert log.notified == list(found.origin.notes)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("route", "policy"), [(".keras", MIXED), (".keras", WHOLE), (".h5", MIXED), ("export", BRAIN), ("export", WHOLE)]
)
def test_keras_3(route: str, policy: str, tmp_path: Path) -> None:
    model, expected = pair(keras3(), policy, operations=route != ".h5")  # Keras 3 cannot read these back from .h5
    found, _ = loaded(write(model, tmp_path, route))
    np.testing.assert_allclose(found.model.predict(X, verbose=0), expected, atol=1e-5)
    assert isinstance(found.model, PlainModel) == (route == "export")
    assert "compute in float32 now" in found.origin.notes[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("generation", [2, 3])
def test_a_policy_of_one_layer_and_a_file_whose_code_is_trusted(generation: int, tmp_path: Path) -> None:
    keras = tf_keras() if generation == 2 else keras3()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, dtype="mixed_float16", name="one")])
    model.set_weights([np.full((4, 3), 0.1, np.float32), np.zeros(3, np.float32)])
    path = write(model, tmp_path, ".keras")
    for unsafe in (False, True):
        found, _ = loaded(path, allow_unsafe=unsafe)
        np.testing.assert_allclose(found.model.predict(np.ones((1, 4)), verbose=0), [[0.4] * 3], atol=1e-6)
        assert "mixed_float16" in found.origin.notes[0]


@pytest.mark.filterwarnings("ignore")
def test_what_was_in_16_bits_becomes_a_file(tmp_path: Path) -> None:
    """TFLite has no convolution in float16."""
    model, expected = pair(keras3(), "mixed_float16")
    found, _ = loaded(write(model, tmp_path, "export"))
    np.testing.assert_allclose(found.model.predict(X), expected, atol=1e-5)
    saved = Saved(found.model, tmp_path / "saved")
    (tmp_path / "m.tflite").write_bytes(convert(saved.folder(), saved.signature, "float32", X))
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(tmp_path / "m.tflite"))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], X[:1])
    interpreter.invoke()
    output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(output, expected[:1], atol=1e-5)


def test_a_graph_that_cannot_be_widened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tf = tensorflow()
    module = tf.Module()
    module.w = tf.Variable(tf.ones((4, 2), tf.bfloat16))

    @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])
    def call(x: Any) -> Any:
        return tf.cast(tf.cast(x, tf.bfloat16) @ module.w, tf.float32)

    module.call = call
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=call)
    found, _ = loaded(tmp_path / "m")
    np.testing.assert_array_equal(found.model.predict(np.ones((1, 4))), [[4.0, 4.0]])
    monkeypatch.setattr("edgekit.models.files.widened._write_variables", lambda *_: 1 / 0)
    with raised("saved-model-unsupported", "bfloat16", "float32"):
        loaded(tmp_path / "m")


@pytest.mark.filterwarnings("ignore")
def test_weights_that_hdf5_has_no_type_for_are_named(tmp_path: Path) -> None:
    model, _ = pair(tf_keras(), "bfloat16")
    for suffix in (".keras", ".h5"):
        with raised("file-suspicious", "bfloat16", "float32"):
            loaded(write(model, tmp_path, suffix))


def test_only_types_and_policies_are_replaced() -> None:
    config = {
        "class_name": "Dense",
        "config": {"name": "float16", "dtype": "mixed_float16", "activation": "relu"},
        "inbound_nodes": [[["a", 0, 0, {"dtype": "float16", "y": {"config": {"dtype": "bfloat16", "value": [1.0]}}}]]],
        "other": {"class_name": "__keras_tensor__", "config": {"dtype": "half"}},
    }
    found, names = in_float32(config)
    assert names == ("bfloat16", "float16", "mixed_float16")
    assert found["config"] == {"name": "float16", "dtype": "float32", "activation": "relu"}
    assert found["inbound_nodes"][0][0][3] == {
        "dtype": "float32",
        "y": {"config": {"dtype": "float32", "value": [1.0]}},
    }
    assert config["config"]["dtype"] == "mixed_float16"
    assert in_float32({"config": {"dtype": {"class_name": "Policy", "config": {"name": "mixed_float16"}}}}) == (
        {"config": {"dtype": "float32"}},
        ("mixed_float16",),
    )
    assert in_float32({"config": {"dtype": "float32", "dtype_policy": "uint8"}})[1] == ()
