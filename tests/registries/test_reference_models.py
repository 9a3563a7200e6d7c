"""A reference model that is added is in the help and in messages, and can be built."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgekit.frameworks.types import KerasModel
from edgekit.models.reference.reference import REFERENCE, ReferenceModel, Shape, build
from edgekit.models.reference.train_reference import find
from edgekit.pipeline.trainable import names, summaries
from tests.support.raised import raised


def perceptron(shape: Shape, classes: int, width: float) -> KerasModel:
    from edgekit.frameworks.tensorflow import tf_keras

    layers = tf_keras().layers
    return tf_keras().Sequential([layers.Input(shape), layers.Flatten(), layers.Dense(classes, name="logits")])


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(REFERENCE, "perceptron", ReferenceModel(perceptron, "one dense layer", epochs=3))
    return "perceptron"


def test_messages_list_it(added: str) -> None:
    assert find(added).epochs == 3
    with raised("unknown-name", "perceptro", "did you mean `perceptron`?"):
        find("perceptro")


def test_the_help_describes_it(added: str) -> None:
    assert f"- {added}: one dense layer" in summaries() and names().endswith(added)
    script = (
        "from edgekit.models.reference.reference import REFERENCE, ReferenceModel\n"
        "REFERENCE['perceptron'] = ReferenceModel(None, 'one dense layer', 3)\n"
        "from edgekit.cli import main\n"
        "main()"
    )
    argv = [sys.executable, "-c", script, "train", "--help"]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert "perceptron: one dense layer" in " ".join(shown.split())


@pytest.mark.tensorflow
def test_it_can_be_built(added: str) -> None:
    model = build(added, (8, 8, 1), 10)
    assert model.name == added and model.output_shape == (None, 10)


@pytest.mark.parametrize("name", REFERENCE)
def test_every_row_is_whole(name: str) -> None:
    assert REFERENCE[name].summary and REFERENCE[name].epochs >= 1
