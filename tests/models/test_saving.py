from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.errors import InputError
from edgekit.models.saving import ModelCard, card_path, read_card, save_model
from edgekit.preprocessing import Preprocessing

CARD = ModelCard(Preprocessing(1 / 255), ("cat", "dog"), [{"step": "train", "seed": 3}])


class Model:
    """Stands in for a Keras model: only `save` is called."""

    def save(self, path: Path, save_format: str) -> None:
        path.write_bytes(b"weights")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "m.keras"
    save_model(Model(), path, CARD)
    return path


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
