"""A model that is asked answers as Keras's `predict` does."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.models.keras.asking import BATCH, asking, predicted

pytestmark = pytest.mark.tensorflow


def test_as_predict_with_two_inputs_and_outputs_over_several_batches(rng: np.random.Generator) -> None:
    layers = tf_keras().layers
    ends = layers.Input((3,), dtype="int32"), layers.Input((2,))
    x = layers.Concatenate()([layers.Flatten()(layers.Embedding(5, 2)(ends[0])), ends[1]])
    model = tf_keras().Model(ends, [layers.Dense(2)(x), layers.Softmax()(layers.Dense(3)(x))])
    samples = rng.integers(0, 5, (2 * BATCH + 1, 3)).astype(np.float32), rng.normal(0, 1, (2 * BATCH + 1, 2))
    for _ in range(2):
        for found, expected in zip(predicted(model, samples), model.predict(list(samples), verbose=0), strict=True):
            assert (found.shape, found.dtype) == (expected.shape, np.float32)
            np.testing.assert_allclose(found, expected, atol=1e-6)
        model.set_weights([2 * weights for weights in model.get_weights()])


def test_a_batch_that_is_fixed() -> None:
    inputs = tf_keras().layers.Input((2,), batch_size=1)
    model = tf_keras().Model(inputs, tf_keras().layers.ReLU()(inputs))
    x = np.float32([[-1, 2]])
    for answer in (predicted(model, x), asking(model)(x)):
        np.testing.assert_array_equal(answer[0], [[0, 2]])


def test_a_layer_that_decides_by_its_values() -> None:
    class Larger(tf_keras().layers.Layer):  # type: ignore[misc,name-defined]
        def call(self, x: Any) -> Any:
            if tensorflow().reduce_sum(x) > 0:
                return x
            return -x

    inputs = tf_keras().layers.Input((2,))
    ask = asking(tf_keras().Model(inputs, Larger()(inputs)))
    np.testing.assert_array_equal(ask(np.float32([[-1, -2]]))[0], [[1, 2]])
    np.testing.assert_array_equal(ask(np.float32([[1, 2]]))[0], [[1, 2]])


def test_a_model_that_was_asked_is_not_kept() -> None:
    inputs = tf_keras().layers.Input((2,))
    model = tf_keras().Model(inputs, tf_keras().layers.Dense(2)(inputs))
    predicted(model, np.zeros((1, 2), np.float32))
    known = weakref.ref(model)
    del model
    gc.collect()
    assert known() is None
