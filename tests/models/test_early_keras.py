"""Files as Keras 2.12 to 2.14 wrote them; real ones are read by `benchmarks/generations`."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.frameworks.tensorflow import tf_keras
from edgekit.models.files.loader import load_model
from edgekit.progress import SILENT
from tests.support.raised import raised

pytestmark = pytest.mark.tensorflow

LAYERS = "_layer_checkpoint_dependencies"


def network() -> Any:
    layers = tf_keras().layers
    model = tf_keras().Sequential(
        [tf_keras().Input((4,)), layers.Dense(3), layers.ReLU(6.0), layers.Dense(3), layers.Dense(2)], name="early"
    )
    rng = np.random.default_rng(2)
    model.set_weights([rng.random(values.shape).astype(np.float32) for values in model.get_weights()])
    return model


def as_in_hdf5(value: Any) -> Any:
    """Describe layers without their modules, and 6.0 as a NumPy number."""
    if isinstance(value, dict):
        kept = {key: as_in_hdf5(item) for key, item in value.items()}
        return {k: v for k, v in kept.items() if k not in ("module", "registered_name", "build_config")}
    if isinstance(value, list):
        return [as_in_hdf5(item) for item in value]
    return {"class_name": "__numpy__", "config": {"value": 6.0, "dtype": "float32"}} if value == 6.0 else value


def write(path: Path, model: Any, version: str, *, twice: bool, **changes: Any) -> Path:
    """Write a file; before 2.14 layers were described as in HDF5, or not, and layers with weights counted twice."""
    import h5py

    model.save(str(path))
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    names = ["dense", "dense_2", "dense_4"] if twice else ["dense", "dense_1", "dense_2"]
    if version == "2.12.0":
        config["config"] = as_in_hdf5(config["config"])
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_group("vars")
        dense = [layer for layer in model.layers if layer.weights]
        for name, layer in zip(names, dense, strict=True):
            for index, values in enumerate(layer.get_weights()):
                file[f"{LAYERS}/{name}/vars/{index}"] = values
        for place, values in changes.items():
            del file[f"{LAYERS}/{place}"]
            if values is not None:
                file[f"{LAYERS}/{place}/vars/0"] = values
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", buffer.getvalue())
    return path


@pytest.mark.parametrize(
    ("version", "twice"), [("2.12.0", True), ("2.13.1", True), ("2.13.1", False), ("2.14.0", False)]
)
def test_early_files_load(version: str, twice: bool, tmp_path: Path) -> None:
    source = network()
    loaded = load_model(write(tmp_path / "m.keras", source, version, twice=twice), progress=SILENT)
    assert loaded.trainable
    assert (loaded.origin.generation, loaded.origin.keras_version) == (2, version)
    for found, wanted in zip(loaded.model.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)
    x = np.random.default_rng(0).random((3, 4)).astype(np.float32)
    np.testing.assert_array_equal(loaded.model(x), source(x))


@pytest.mark.parametrize(
    ("values", "code", "named"),
    [
        (None, "model-incomplete", "dense"),
        (np.zeros((3, 3), np.float32), "file-damaged", "dense"),
    ],
)
def test_weights_that_are_missing_or_do_not_fit(values: Any, code: str, named: str, tmp_path: Path) -> None:
    path = write(tmp_path / "m.keras", network(), "2.12.0", twice=True, dense_2=values)
    with raised(code, str(path), named):
        load_model(path, progress=SILENT)
