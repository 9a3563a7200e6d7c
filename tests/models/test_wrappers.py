"""Models that are still wrapped by TensorFlow Model Optimization."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import InputError
from edgekit.export.tflite.convert import convert
from edgekit.export.tflite.saved import Saved
from edgekit.formats.reading import inspect_file
from edgekit.frameworks.tensorflow import tf_keras, tfmot
from edgekit.models.files.loader import load_model
from edgekit.models.files.wrappers import is_quantization_aware
from edgekit.models.sources.keras_source import KerasSource
from edgekit.pipeline.stages import untrained
from edgekit.techniques.qat_ranges import variables
from edgekit.techniques.qat_taken import taken
from tests.support.heard import Heard

pytestmark = [pytest.mark.tensorflow, pytest.mark.filterwarnings("ignore")]

X = np.random.default_rng(0).random((16, 6, 6, 1)).astype(np.float32)
ROUTES = pytest.mark.parametrize("route", [".keras", ".h5", ""])


def network() -> Any:
    layers = tf_keras().layers
    return tf_keras().Sequential(
        [
            layers.InputLayer((6, 6, 1), name="image"), layers.Conv2D(4, 3, name="conv"),
            layers.BatchNormalization(name="norm"), layers.ReLU(name="relu"), layers.Flatten(name="flat"),
            layers.Dense(3, activation="softmax", name="top"),
        ],
        name="net",
    )  # fmt: skip


def write(model: Any, folder: Path, route: str) -> Path:
    path = folder / f"m{route}"
    model.save(str(path))
    return path


def layer_names(model: Any) -> list[str]:
    return [layer.name for layer in model.layers if type(layer).__name__ != "InputLayer"]


@ROUTES
def test_pruning_wrappers_are_taken_off(route: str, tmp_path: Path) -> None:
    model = tfmot().sparsity.keras.prune_low_magnitude(network())
    for layer in model.layers:
        for weight, mask, _ in getattr(layer, "pruning_vars", ()):
            weight.assign(np.random.default_rng(1).random(weight.shape))  # as an optimizer's last step leaves it
            mask.assign((np.random.default_rng(2).random(mask.shape) < 0.5).astype(np.float32))
    log = Heard()
    found = load_model(write(model, tmp_path, route), progress=log)
    assert layer_names(found.model) == ["conv", "norm", "relu", "flat", "top"]
    assert log.notified == [
        "5 layers had TFMOT's wrapper for pruning (prune_low_magnitude): taken off, weights as they are"
    ]
    assert list(found.origin.notes) == log.notified
    mask = np.random.default_rng(2).random((3, 3, 1, 4)) < 0.5
    np.testing.assert_array_equal(found.model.get_layer("conv").get_weights()[0] != 0, mask)
    np.testing.assert_allclose(found.model.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-6)


@ROUTES
def test_clustering_wrappers_are_taken_off(route: str, tmp_path: Path) -> None:
    cluster = tfmot().clustering.keras
    init = cluster.CentroidInitialization.LINEAR
    model = cluster.cluster_weights(network(), number_of_clusters=4, cluster_centroids_init=init)
    expected = cluster.strip_clustering(model).predict(X, verbose=0)
    found = load_model(write(model, tmp_path, route), progress=Heard())
    assert layer_names(found.model) == ["conv", "norm", "relu", "flat", "top"]
    assert len(np.unique(found.model.get_layer("top").get_weights()[0])) <= 4
    np.testing.assert_allclose(found.model.predict(X, verbose=0), expected, atol=1e-6)
    assert "5 layers had TFMOT's wrapper for clustering" in found.origin.notes[0]


def test_a_wrapped_layer_among_others(tmp_path: Path) -> None:
    keras = tf_keras()
    image = keras.Input((6, 6, 1), name="image")
    x = tfmot().sparsity.keras.prune_low_magnitude(keras.layers.Conv2D(4, 3, name="conv"))(image)
    inner = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2, name="top")], name="head")
    model = keras.Model(image, inner(x), name="some")
    found = load_model(write(model, tmp_path, ".keras"), progress=Heard()).model
    assert layer_names(found) == ["conv", "head"]
    np.testing.assert_allclose(found.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-6)


def quantized() -> Any:
    model = tfmot().quantization.keras.quantize_model(network())
    for layer in model.layers:  # as training leaves them; none of these comes from calibration
        for name, variable in variables(layer).items():
            if name in ("output_min", "output_max", "pre_activation_min", "pre_activation_max"):
                variable.assign({"min": 0.0, "max": 7.0}[name[-3:]] if layer.name != "quant_top" else variable)
    return model


@ROUTES
def test_quantization_aware_models_keep_their_ranges(route: str, tmp_path: Path) -> None:
    model = quantized()
    path = write(model, tmp_path, route)
    loaded = load_model(path, progress=Heard()).model
    assert is_quantization_aware(loaded)
    np.testing.assert_allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-6)
    trained, plain = taken(loaded)
    assert layer_names(plain) == ["conv", "norm", "relu", "flat", "top"]
    assert layer_names(trained) == ["quantize_input_0", "conv", "norm", "relu", "flat", "top"]
    np.testing.assert_allclose(plain.predict(X, verbose=0), network_with(model).predict(X, verbose=0), atol=1e-6)
    outcome = untrained(KerasSource(plain, trained))
    assert outcome.float_model is plain
    if route != ".keras":  # the models are alike by now; one file tells of all
        return
    saved = Saved(outcome.model, tmp_path / "saved")
    file = tmp_path / "m.tflite"
    file.write_bytes(convert(saved.folder(), saved.signature, "int8", X))
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(file), experimental_preserve_all_tensors=True)
    relu = [d for d in interpreter.get_tensor_details() if len(d["shape"]) == 4 and list(d["shape"][1:]) == [4, 4, 4]]
    assert {round(d["quantization"][0] * 255, 3) for d in relu} == {7.0}  # the trained range, not the measured one
    assert {tensor.dtype for tensor in inspect_file(file).inputs} == {"int8"}


def network_with(model: Any) -> Any:
    """Return the float network with the weights of a quantized one."""
    plain = network()
    for layer in plain.layers:
        found = variables(model.get_layer(f"quant_{layer.name}"))
        layer.set_weights([found[name].numpy() for name in variables(layer)])
    return plain


def changed(path: Path, text: str, other: str) -> Path:
    """Return a copy of a `.keras` file with other text in its configuration."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert text.encode() in members["config.json"]
    members["config.json"] = members["config.json"].replace(text.encode(), other.encode())
    json.loads(members["config.json"])
    with zipfile.ZipFile(path.with_name("changed.keras"), "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path.with_name("changed.keras")


def test_nothing_else_of_the_package_may_be_named(tmp_path: Path) -> None:
    path = write(quantized(), tmp_path, ".keras")
    for text, other, expected in (
        ('"class_name": "AllValuesQuantizer"', '"class_name": "Popen", "module": "subprocess"', "Popen (subprocess)"),
        ("quantize_wrapper", "quantize", "wrappers of a quantization scheme other than the default 8-bit one"),
        ("Default8BitConvQuantizeConfig", "DefaultNBitConvQuantizeConfig", "other than the default 8-bit one"),
        ('"weight_attrs": ["kernel"]', '"weight_attrs": ["__class__"]', "names what no layer has"),
        ('"activation_attrs": ["activation"]', '"activation_attrs": {"call": 1}', "names what no layer has"),
    ):
        with pytest.raises(InputError) as caught:
            load_model(changed(path, text, other), progress=Heard())
        assert expected in caught.value.message
