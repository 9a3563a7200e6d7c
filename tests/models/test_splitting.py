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


def test_what_cannot_be_split_is_said() -> None:
    layers = tf_keras().layers
    x = layers.Input((5, 4))
    with raised("split-not-possible", "Dense"):
        split_end(tf_keras().Model(x, layers.Dense(8)(x)), 2, [4, 4])
    with raised("split-not-possible", "axis 2"):
        split_end(ending(), 1, [4, 1])
    with raised("split-not-possible", "2, 2, 1, 3"):
        split_end(ending(), 2, [3, 5])
