from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import keras3, tf_keras
from edgekit.models.files.saving import ModelCard, card_path, read_card, save_keras3, save_model
from edgekit.progress import SILENT
from edgekit.tasks.preprocessing import Preprocessing
from tests.support.raised import raised

CARD = ModelCard(Preprocessing(1 / 255), ("cat", "dog"), [{"step": "train", "seed": 3}])


pytestmark = pytest.mark.tensorflow


def trained() -> Any:
    """A model with an optimizer's state, and a loss that exists here only."""
    keras = tf_keras()
    model = keras.Sequential([keras.layers.Dense(2, input_shape=(3,))])
    model.compile("adam", lambda y, p: (y - p) ** 2)
    model.fit(np.zeros((4, 3)), np.ones((4, 2)), verbose=0)
    return model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "m.keras"
    save_model(trained(), path, CARD)
    return path


def test_a_trained_model_is_saved_without_optimizer_and_loss(tmp_path: Path) -> None:
    model = trained()
    save_model(model, tmp_path / "t.keras", CARD)
    loaded = tf_keras().models.load_model(tmp_path / "t.keras")
    assert loaded.optimizer is None
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])
    assert model.optimizer is not None


def test_a_card_comes_back(path: Path) -> None:
    assert read_card(path) == CARD
    assert sorted(p.name for p in path.parent.iterdir()) == ["m.keras", "m.keras.json"]


def test_a_model_without_a_card(path: Path) -> None:
    card_path(path).unlink()
    assert read_card(path) is None


def test_a_card_of_another_version_of_the_model(path: Path) -> None:
    path.write_bytes(b"trained again elsewhere")
    with raised("card-of-other-model", "m.keras") as caught:
        read_card(path)
    assert "--scale" in caught.value.hint


@pytest.mark.parametrize("change", [{"schema": 2}, {"preprocessing": 3}, {"preprocessing": {}}, {"class_names": None}])
def test_damaged_cards(path: Path, change: dict[str, object]) -> None:
    value = json.loads(card_path(path).read_text())
    card_path(path).write_text(json.dumps({**value, **change}))
    with pytest.raises(InputError):
        read_card(path)
    card_path(path).write_text("[1]")
    with pytest.raises(InputError):
        read_card(path)


@pytest.mark.parametrize("generation", [2, 3])
def test_the_same_model_is_the_same_bytes(tmp_path: Path, generation: int) -> None:
    """Keras writes the date, and addresses of memory for what could be shared."""
    keras = tf_keras()
    layers = keras.layers
    inputs = keras.Input((6, 3), name="x")
    shared = layers.Dense(3, kernel_initializer="he_normal", name="shared")
    x = layers.LSTM(2, name="loop")(shared(shared(inputs)))
    model = keras.Model(inputs, layers.Dense(2, name="scores")(x), name="m")
    files, kept = [], []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.keras"
        if generation == 2:
            save_model(model, path, ModelCard(Preprocessing()))
        else:
            save_keras3(model, path, ModelCard(Preprocessing()), SILENT)
        kept.append(keras.layers.LSTM(2))  # the next copy lies elsewhere, under other numbers
        files.append(path)
    assert files[0].read_bytes() == files[1].read_bytes()
    with zipfile.ZipFile(files[0]) as archive:
        assert json.loads(archive.read("metadata.json"))["date_saved"] == "1980-01-01@00:00:00"
        assert {info.date_time[:3] for info in archive.infolist()} == {(1980, 1, 1)}
    library = keras if generation == 2 else keras3()
    again = library.models.load_model(files[0])
    sample = np.ones((2, 6, 3), np.float32)
    np.testing.assert_allclose(np.asarray(again(sample)), np.asarray(model(sample)), atol=1e-6)
    assert sum("shared" in layer.name for layer in again.layers) == 1
