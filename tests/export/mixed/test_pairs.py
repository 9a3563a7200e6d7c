"""The float and the int8 file of a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.measuring.loaded import load_tflite
from edgekit.stats import sqnr_db
from tests.support.pairs import pair_of

pytestmark = pytest.mark.tensorflow


def model() -> Any:
    from edgekit.frameworks.tensorflow import tf_keras

    layers = tf_keras().layers
    x = tf_keras().Input((8, 8, 2))
    y = layers.Conv2D(4, 3, activation="softplus", name="first")(x)
    y = layers.Conv2D(4, 3, activation="relu", name="second")(y)
    return tf_keras().Model(x, layers.Dense(3, name="last")(layers.Flatten()(y)))


def names(file: bytes) -> set[str]:
    from ai_edge_litert.interpreter import Interpreter

    kinds = (np.float32, np.int8)
    details = Interpreter(model_content=file).get_tensor_details()
    return {entry["name"] for entry in details if entry["dtype"] in kinds and len(entry["shape"]) == 4}


def test_both_files_are_of_the_rewritten_model_and_call_activations_the_same(rng: np.random.Generator) -> None:
    made, x = model(), rng.normal(size=(20, 8, 8, 2)).astype(np.float32)
    pair = pair_of(made, x)
    found = [load_tflite(file) for file in pair]
    assert [spec.dtype for file in found for spec in (*file.inputs, *file.outputs)] == ["float32"] * 2 + ["int8"] * 2
    true = made(x).numpy().astype(np.float64)
    assert sqnr_db(true, found[0].real_outputs([x])[0]) > 90
    assert 15 < sqnr_db(true, found[1].real_outputs([x])[0]) < 60
    shared = names(pair.float_file) & names(pair.int8_file)
    assert any("first" in name for name in shared) and any("second" in name for name in shared)
    assert any("Log" in name for name in shared)  # softplus from bounded values: it was rewritten
