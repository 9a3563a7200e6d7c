"""Dictionaries and nested structures of inputs and outputs, on every route."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.frameworks.tensorflow import keras3, tensorflow, tf_keras
from edgekit.models.files.loader import load_model
from edgekit.models.files.plain import PlainModel
from edgekit.models.files.structure import flattened, names_of
from tests.support.heard import Heard

pytestmark = pytest.mark.tensorflow

A, B = (np.random.default_rng(i).random((4, 3)).astype(np.float32) for i in range(2))


def two(keras: Any) -> Any:
    """The order of the keys is neither that in which inputs are made nor that in which layers are called."""
    a, b = keras.Input((3,), name="second"), keras.Input((3,), name="first")
    joined = keras.layers.Concatenate(name="joined")([a, b])
    outputs = {"wide": keras.layers.Dense(5, name="q")(joined), "narrow": keras.layers.Dense(2, name="p")(b)}
    return keras.Model({"second": a, "first": b}, outputs, name="two")


def write(model: Any, folder: Path, route: str) -> Path:
    if route == "export":
        model.export(str(folder / "m"), verbose=False)
        return folder / "m"
    model.save(str(folder / f"m{route}"))
    return folder / f"m{route}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("generation", "route"), [(2, ".keras"), (2, ".h5"), (2, ""), (3, ".keras"), (3, ".h5"), (3, "export")]
)
def test_dictionaries(generation: int, route: str, tmp_path: Path) -> None:
    model = two(tf_keras() if generation == 2 else keras3())
    expected = model.predict({"second": A, "first": B}, verbose=0)
    log = Heard()
    found = load_model(write(model, tmp_path, route), progress=log).model
    assert (list(found.input_names), list(found.output_names)) == (["first", "second"], ["narrow", "wide"])
    narrow, wide = found.predict([B, A], verbose=0)
    np.testing.assert_allclose(narrow, expected["narrow"], atol=1e-6)
    np.testing.assert_allclose(wide, expected["wide"], atol=1e-6)
    if isinstance(found, PlainModel):
        return
    assert "The outputs stand in a dict, and are named by its keys: narrow, wide" in log.notified
    assert [layer.name for layer in found.layers if type(layer).__name__ == "Dense"] == ["narrow", "wide"]


def test_a_dictionary_of_one(tmp_path: Path) -> None:
    keras = tf_keras()
    x = keras.Input((3,), name="x")
    model = keras.Model({"features": x}, {"only": keras.layers.Dense(2, name="dense")(x)})
    model.save(str(tmp_path / "m.keras"))
    found, notes = flattened(model)
    assert (found.input_names, found.output_names, len(notes)) == (["features"], ["only"], 2)
    assert found.predict(A, verbose=0).shape == (4, 2)
    assert load_model(tmp_path / "m.keras", progress=Heard()).model.output_names == ["only"]


def test_one_layer_under_two_keys_an_input_that_is_an_output_and_a_name_that_is_taken() -> None:
    keras = tf_keras()
    x = keras.Input((3,), name="x")
    y = keras.layers.Dense(3, name="b")(keras.layers.Dense(3, name="a")(x))
    model = keras.Model(x, {"a": y, "c": y, "same": x})
    found, _ = flattened(model)
    assert found.output_names == ["a_output", "c", "same"]
    a, c, same = found.predict(A, verbose=0)
    np.testing.assert_array_equal(a, c)
    np.testing.assert_array_equal(same, A)


def test_lists_stay_as_they_are() -> None:
    keras = tf_keras()
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    model = keras.Model([a, b], [keras.layers.Add(name="sum")([a, b]), keras.layers.Dense(1, name="one")(b)])
    assert flattened(model) == (model, [])
    single = keras.Sequential([keras.layers.Dense(2, input_shape=(3,))])
    assert flattened(single) == (single, [])


def test_names_come_from_keys_where_there_are_keys() -> None:
    names = ["p", "q", "r", "s"]
    assert names_of({"b": 0, "a": [1, 2]}, names) == ["a_0", "a_1", "b"]
    assert names_of([{"box": 0}, (1,), {"box": 2}], names) == ["box", "q", "box_2"]
    assert names_of({"left eye": 0, "_x": 1}, names) == ["x_x", "left_eye"]
    assert names_of((0, 1), names) == ["p", "q"]
    assert names_of(0, []) == ["0"]


@pytest.mark.filterwarnings("ignore")
def test_what_keras_2_cannot_express_is_named_by_keys_too(tmp_path: Path) -> None:
    keras = keras3()
    x = keras.Input((3,), name="x")
    y = keras.layers.RMSNormalization(name="norm")(x)
    keras.Model({"x": x}, {"deep": {"y": y}, "z": keras.layers.Dense(2, name="dense")(y)}).save(tmp_path / "m.keras")
    found = load_model(tmp_path / "m.keras", progress=Heard()).model
    assert isinstance(found, PlainModel)
    assert (found.input_names, found.output_names) == (["x"], ["deep_y", "z"])
    assert [o.shape for o in found.predict(A)] == [(4, 3), (4, 2)]
    assert tensorflow().nest.flatten(found(A))[1].shape == (4, 2)
