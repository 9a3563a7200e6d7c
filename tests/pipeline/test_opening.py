"""What a run is told of its data before any work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.bundle.recipe import Recipe
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.pipeline.opening import opened
from edgekit.pipeline.request import Request

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(("apart", "doubted"), [(60, False), (6, True)])
def test_an_unusual_scale_is_doubted_unless_a_trial_proves_it(apart: int, doubted: bool, tmp_path: Path) -> None:
    """A model of values from 0 to 255, and no layer that says so: right on all images, or on two thirds of them."""
    rng, y = np.random.default_rng(1), np.arange(600) % 2
    means = 100 + apart * y[:, np.newaxis, np.newaxis, np.newaxis]
    x = np.clip(rng.normal(means, 30, (600, 4, 4, 1)), 0, 255).astype(np.uint8)
    np.savez(tmp_path / "d.npz", x_train=x[:500], y_train=y[:500], x_test=x[500:], y_test=y[500:])
    layers = tf_keras().layers
    image = layers.Input((4, 4, 1))
    model = tf_keras().Model(image, layers.Dense(2, name="brightness")(layers.Flatten()(image)))
    bias = 0.01 * 16 * (100 + apart / 2)
    model.get_layer("brightness").set_weights([np.tile([[-0.01, 0.01]], (16, 1)), np.array([bias, -bias])])
    model.save(tmp_path / "m.keras")
    recipe = Recipe("plain", schemes=("int8",), formats=("tflite",))
    _, findings = opened(Request(tmp_path / "m.keras", str(tmp_path / "d.npz"), recipe, preprocessing={"scale": 1.0}))
    assert ("not-normalised" in {finding.code for finding in findings}) == doubted
