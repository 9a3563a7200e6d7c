"""The loss a model was compiled with stays, through files of both generations and both containers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.frameworks.tensorflow import keras3, tf_keras
from edgekit.models.files.keras_file import read_keras_file
from edgekit.models.files.own_loss import compiled_loss
from edgekit.models.training.losses import hard
from edgekit.tasks.task import CLASSIFICATION, Head, Task


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("generation", [2, 3])
@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize(
    ("loss", "expected"),
    [("mae", "mean_absolute_error"), ("Huber", "huber"), ("binary_crossentropy", ""), (None, "")],
)
def test_what_is_read_back(tmp_path: Path, generation: int, suffix: str, loss: str | None, expected: str) -> None:
    keras = keras3() if generation == 3 else tf_keras()
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    if loss is not None:
        model.compile(loss=keras.losses.Huber() if loss == "Huber" else loss)
    path = tmp_path / f"m.{suffix}"
    model.save(path)
    assert compiled_loss(read_keras_file(path).config) == expected


@pytest.mark.parametrize(
    "compiled", [None, 5, {"loss": ["mae", "mse"]}, {"loss": {"a": "mae"}}, {"loss": "mine"}, {"loss": {"config": 3}}]
)
def test_other_losses_are_not_taken(compiled: Any) -> None:
    assert compiled_loss({"compile_config": compiled}) == ""


@pytest.mark.tensorflow
def test_training_uses_it() -> None:
    y, outputs = np.array([[1.0], [5.0]], np.float32), np.array([[2.0], [1.0]], np.float32)
    head = Task((Head("y", "regression", "mae"),)).with_loss("mean_absolute_error").main
    np.testing.assert_allclose(hard(y, outputs, head), [1, 4])
    np.testing.assert_allclose(hard(y, outputs, Head("y", "regression", "mae")), [1, 16])
    assert CLASSIFICATION.with_loss("huber") == CLASSIFICATION
