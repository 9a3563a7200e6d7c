from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.backend import tf_keras
from edgekit.errors import InputError
from edgekit.models.saving import ModelCard, card_path, read_card, save_model
from edgekit.preprocessing import Preprocessing

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
    with pytest.raises(InputError, match=r"describes another version of m\.keras") as caught:
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
