"""Saving a trained model with what it needs to be used again: `MODEL.keras` and, beside it, `MODEL.keras.json`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NotRequired, TypedDict

from edgekit.errors import InputError
from edgekit.files.whole import atomic_file, sha256, write_json
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.frameworks.types import KerasModel
from edgekit.models.bridge.backward import to_keras3
from edgekit.models.files.reproducible import settle
from edgekit.progress import Progress
from edgekit.schema.gate import read, read_json
from edgekit.schema.rules import Digest
from edgekit.schema.types import JsonObject
from edgekit.schema.versions import WRITER, Versions
from edgekit.tasks.preprocessing import Preprocessing

VERSIONS = Versions("model card", 1)


class CardForm(TypedDict):
    """A card as JSON."""

    model_sha256: Digest
    preprocessing: Preprocessing
    class_names: list[str]
    lineage: list[JsonObject]
    edgekit: NotRequired[str]


@dataclass(frozen=True)
class ModelCard:
    """What edgekit notes beside a model file.

    Attributes:
        preprocessing: what the model was trained with.
        class_names: in the order of the outputs.
        lineage: the steps that made the model, oldest first, JSON values.
    """

    preprocessing: Preprocessing
    class_names: tuple[str, ...] = ()
    lineage: list[JsonObject] = field(default_factory=list)


def card_path(model_path: Path) -> Path:
    """Return where the card of a model file lies."""
    return model_path.with_name(model_path.name + ".json")


def save_model(model: KerasModel, path: Path, card: ModelCard, *, replace: bool = True) -> None:
    """Write a tf_keras model (`.keras`, the Keras 2 zip format), without what training left in it, and its card.

    Raises:
        OutputError: it cannot be written, or exists and `replace` is not set.
    """
    with atomic_file(path, replace=replace) as temporary:
        bare(model).save(temporary, save_format="keras")
        settle(temporary)
    _write_card(path, card)


def save_keras3(model: KerasModel, path: Path, card: ModelCard, progress: Progress) -> None:
    """Write a tf_keras model as a Keras 3 `.keras` file, and its card.

    Raises:
        ConversionError: it cannot be expressed in Keras 3.
    """
    made = to_keras3(bare(model), progress).model
    with atomic_file(path) as temporary:
        made.save(temporary)
        settle(temporary)
    _write_card(path, card)


def _write_card(path: Path, card: ModelCard) -> None:
    write_json(
        card_path(path),
        {
            "schema": VERSIONS.newest,
            "edgekit": WRITER,
            "model_sha256": sha256(path),
            "preprocessing": card.preprocessing.to_dict(),
            "class_names": list(card.class_names),
            "lineage": card.lineage,
        },
    )


def bare(model: KerasModel) -> KerasModel:
    """Copy a tf_keras model without its optimizer, which triples a file, and its loss, which may be a closure."""
    copy = tf_keras().models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def read_card(model_path: Path) -> ModelCard | None:
    """Return the card of a model file, or None if there is none.

    Raises:
        InputError: there is one, but it is damaged or belongs to another version of the file.
    """
    path = card_path(model_path)
    if not path.exists():
        return None
    hint = "delete it, and give the preprocessing with `--scale`, `--mean` and `--std`"
    value = read_json(path, "model card")
    card: CardForm = read(CardForm, value, str(path), "model card", hint, VERSIONS)
    if card["model_sha256"] != sha256(model_path):
        raise InputError(f"{path}: describes another version of `{model_path.name}`", hint, code="card-of-other-model")
    return ModelCard(card["preprocessing"], tuple(card["class_names"]), card["lineage"])
