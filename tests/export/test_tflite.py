"""What TFLite cannot express is said in a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.bundle.recipe import Recipe
from edgekit.export.exporter import export
from edgekit.frameworks.tensorflow import tf_keras
from edgekit.progress import SILENT
from tests.support.raised import raised

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("scheme", ["float32", "int8"])
def test_missing_operators_are_named(scheme: str, tmp_path: Path) -> None:
    keras = tf_keras()
    inputs = keras.Input((4, 4, 4, 1))
    model = keras.Model(inputs, keras.layers.MaxPooling3D()(keras.layers.Conv3D(2, 1)(inputs)))
    recipe = Recipe("r", schemes=(scheme,), formats=("tflite",))
    with raised("operator-not-in-format", f"TFLite {scheme}", "MaxPool3D", "replace the layer"):
        export(model, recipe, np.ones((9, 4, 4, 4, 1), np.float32), tmp_path, "m", SILENT)
