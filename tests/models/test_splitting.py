"""Detectors whose last concatenation is taken away: the same values, in outputs of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.frameworks.tensorflow import tf_keras
from edgekit.models.keras.splitting import split_end
from tests.support.raised import raised

pytestmark = pytest.mark.tensorflow


def ending(*, permuted: bool = False, axis: int = 2) -> Any:
    """Return a model that ends in a concatenation of 2, 2, 1 and 3 channels, (5, 8), or with channels first, (8, 5)."""
    layers = tf_keras().layers
    x = layers.Input((5, 4))
    parts = [layers.Dense(units)(x) for units in (2, 2, 1, 3)]
    if axis == 1:
        parts = [layers.Permute((2, 1))(part) for part in parts]
    y = layers.Concatenate(axis=axis if axis == 1 else -1)(parts)
    return tf_keras().Model(x, layers.Permute((2, 1))(y) if permuted else y)


@pytest.mark.parametrize(("permuted", "axis", "of_output"), [(False, 2, 2), (True, 2, 1), (False, 1, 1), (True, 1, 2)])
def test_parts_hold_the_same_values(
    permuted: bool,
    axis: int,
    of_output: int,
    rng: np.random.Generator,
) -> None:
    model, x = ending(permuted=permuted, axis=axis), rng.random((3, 5, 4)).astype(np.float32)
    whole = model.predict(x, verbose=0)
    parts = split_end(model, of_output, [4, 1, 3]).predict(x, verbose=0)
    assert [part.shape[of_output] for part in parts] == [4, 1, 3]
    np.testing.assert_array_equal(np.concatenate(parts, axis=of_output), whole)


@pytest.mark.parametrize("first", [False, True])
def test_scales_are_split_each_and_joined_again(first: bool, rng: np.random.Generator) -> None:
    """As YOLOX ends: maps of three kinds, joined along the channels, flattened, joined scale by scale, turned."""
    layers = tf_keras().layers
    x = layers.Input((8, 8, 3))
    scales = []
    for stride in (2, 4):
        kinds = [layers.Conv2D(channels, 1, strides=stride)(x) for channels in (4, 1, 3)]
        joined = layers.Concatenate(axis=-1)(kinds)
        cells = (8 // stride) ** 2
        scales.append(
            layers.Reshape((8, cells))(layers.Permute((3, 1, 2))(joined))
            if first
            else layers.Reshape((cells, 8))(joined)
        )
    y = layers.Concatenate(axis=2 if first else 1)(scales)
    model = tf_keras().Model(x, layers.Permute((2, 1))(y) if first else y)
    values = rng.random((3, 8, 8, 3)).astype(np.float32)
    parts = split_end(model, 2, [4, 1, 3]).predict(values, verbose=0)
    assert [part.shape for part in parts] == [(3, 20, 4), (3, 20, 1), (3, 20, 3)]
    np.testing.assert_allclose(np.concatenate(parts, axis=2), model.predict(values, verbose=0), atol=1e-6)


def test_what_cannot_be_split_is_said() -> None:
    layers = tf_keras().layers
    x = layers.Input((5, 4))
    with raised("split-not-possible", "Dense"):
        split_end(tf_keras().Model(x, layers.Dense(8)(x)), 2, [4, 4])
    with raised("split-not-possible", "Dense"):
        split_end(ending(), 1, [4, 1])
    with raised("split-not-possible", "2, 2, 1, 3"):
        split_end(ending(), 2, [3, 5])
