"""Inputs of token numbers that a model declares as floats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.frameworks.tensorflow import tf_keras
from edgekit.techniques.token_inputs import with_integer_tokens

pytestmark = pytest.mark.tensorflow
TOKENS = np.random.default_rng(0).integers(0, 2000, (5, 6)).astype(np.float32)


def ends(x: Any) -> Any:
    layers = tf_keras().layers
    return layers.Dense(2)(layers.GlobalAveragePooling1D()(x))


def test_they_become_integers() -> None:
    keras = tf_keras()
    layers = keras.layers
    inner = keras.Sequential([keras.Input((6,)), layers.Embedding(2000, 3)])
    a, b, c = (keras.Input((6,), name=name) for name in "abc")
    joined = layers.Concatenate()(
        [layers.Embedding(2000, 3)(layers.Reshape((6,))(a)), inner(b), layers.Embedding(9, 1)(c)]
    )
    scaled = layers.Dense(2)(c)
    model = keras.Model([a, b, c], layers.Add()([ends(joined), scaled]))
    made, names = with_integer_tokens(model)
    assert names == ["a", "b"]  # c is computed with, too
    assert [tensor.dtype.name for tensor in made.inputs] == ["int32", "int32", "float32"]
    few = TOKENS % 9
    given = [TOKENS.astype(np.int32), TOKENS.astype(np.int32), few]
    np.testing.assert_array_equal(made.predict(given, verbose=0), model.predict([TOKENS, TOKENS, few], verbose=0))
    again, names = with_integer_tokens(made)
    assert again is made
    assert not names


def test_other_inputs_stay_as_they_are() -> None:
    keras = tf_keras()
    layers = keras.layers
    x = keras.Input((6,))
    tokens = keras.Input((6,), dtype="int32")
    for model in (
        keras.Sequential([keras.Input((6,)), layers.Dense(2)]),
        keras.Model(tokens, ends(layers.Embedding(2000, 3)(tokens))),
        keras.Model(x, ends(layers.Embedding(2000, 3)(layers.ReLU()(x)))),
        keras.Model(x, [ends(layers.Embedding(2000, 3)(x)), layers.Identity()(x)]),
        keras.Model(x, [ends(layers.Embedding(2000, 3)(x)), x]),
    ):
        assert with_integer_tokens(model) == (model, [])
