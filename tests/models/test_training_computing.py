"""Convolutions that are computed in another way while they are trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.frameworks.tensorflow import seed_everything, tensorflow, tf_keras
from edgekit.models.training.computing import trainable

pytestmark = pytest.mark.tensorflow


def strides_of(model: Any) -> list[int]:
    """Return the largest stride of every convolution of the graph that a model is traced to."""
    tf = tensorflow()
    traced = tf.function(model).get_concrete_function(tf.TensorSpec((2, *model.input_shape[1:])))
    return [max(node.get_attr("strides")) for node in traced.graph.get_operations() if node.type == "Conv2D"]


def branches() -> Any:
    """A residual network's shortcut of 4 channels, one of 8, and a convolution of three pixels."""
    layers = tf_keras().layers
    seed_everything(0)
    inputs = x = layers.Input((9, 10, 4))
    short = layers.Conv2D(8, 1, 2, "same", name="short")(x)
    valid = layers.Conv2D(8, 1, (2, 3), name="valid")(x)
    wide = layers.Conv2D(8, 1, 3, name="wide")(layers.Conv2D(16, 3, name="sixteen")(x))
    three = layers.Conv2D(8, 3, 2, "same", name="three")(x)
    row = layers.Conv1D(6, 1, 2, name="row")(layers.Reshape((90, 4))(x))
    return tf_keras().Model(inputs, [layers.Flatten()(y) for y in (short, valid, wide, three, row)])


def test_shortcuts_of_few_channels_are_sampled_before_they_are_convolved(rng: Any) -> None:
    model, x = branches(), rng.random((2, 9, 10, 4), dtype=np.float32)
    before, known = [y.numpy() for y in model(x)], strides_of(model)
    with trainable(model):
        for one, other in zip(before, model(x), strict=True):
            np.testing.assert_allclose(other.numpy(), one, rtol=1e-5, atol=1e-6)
        assert sorted(strides_of(model)) == [1, 1, 1, 1, 2, 3]  # the wide one and that of three pixels keep theirs
    assert sorted(known) == sorted(strides_of(model)) == [1, 2, 2, 2, 3, 3]
    assert model.get_layer("short").strides == (2, 2)


def test_their_gradients_are_right(rng: Any) -> None:
    tf, model = tensorflow(), branches()
    x, step = rng.random((2, 9, 10, 4), dtype=np.float32), 1e-2
    kernel = model.get_layer("short").kernel

    def loss() -> Any:
        return tf.reduce_sum(model(x)[0] ** 2)

    with trainable(model), tf.GradientTape() as tape:
        value = loss()
    [gradient] = tape.gradient(value, [kernel])
    start = kernel.numpy()
    change = np.zeros_like(start)
    change[0, 0, 1, 2] = step
    ends = []
    for sign in (1, -1):
        kernel.assign(start + sign * change)
        ends.append(float(loss()))
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(float(gradient[0, 0, 1, 2]), rel=1e-2)
