"""Every rewrite computes the same in float, applies where it should, and leaves alone what it cannot do exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgekit.backend import seed_everything, tensorflow, tf_keras
from edgekit.export.rewrites.apply import Rewritten, rewritten
from edgekit.export.rewrites.registry import REWRITES, Rewrite

pytestmark = pytest.mark.tensorflow

Builder = Callable[[Any, Any], Any]
"""Takes Keras's layers and an input, and returns the output."""


def model_of(build: Builder, shape: tuple[int, ...] = (8, 8, 3)) -> Any:
    """A model with weights as after training: scales of both signs, some of them zero, unlike from channel to channel."""
    keras = tf_keras()
    seed_everything(0)
    x = keras.Input(shape)
    model = keras.Model(x, build(keras.layers, x))
    spread(model)
    return model


def spread(model: Any) -> None:
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if hasattr(layer, "layers"):
            spread(layer)
        elif type(layer).__name__ == "BatchNormalization":
            n = layer.moving_mean.shape[0]
            gamma = rng.normal(size=n) * np.exp(rng.normal(size=n))
            gamma[: n // 4] = 0
            mean, variance = rng.normal(size=n), np.exp(2 * rng.normal(size=n))
            layer.set_weights([gamma] * layer.scale + [rng.normal(size=n)] * layer.center + [mean, variance])
        elif layer.weights and type(layer).__name__ != "Normalization":
            layer.set_weights([w + 0.3 * rng.normal(size=w.shape) for w in layer.get_weights()])


def samples(model: Any, n: int = 16) -> Any:
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, *model.inputs[0].shape[1:])).astype(np.float32)


def kinds(model: Any) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def check(model: Any, x: Any = None) -> Rewritten:
    x = samples(model) if x is None else x
    before = [w.copy() for w in model.get_weights()]
    found = rewritten(model, x)
    for a, b in zip(*(tensorflow().nest.flatten(m(x)) for m in (model, found.model)), strict=True):
        assert np.abs(a - b).max() <= 1e-5 * np.abs(a).max()
    assert all((w == v).all() for w, v in zip(before, model.get_weights(), strict=True))
    return found


def bn(L: Any, x: Any) -> Any:
    return L.BatchNormalization()(x)


def relu_conv(L: Any, x: Any, n: int = 8, **options: Any) -> Any:
    return L.Conv2D(n, 3, padding="same", activation="relu", **options)(x)


def residual(L: Any, x: Any) -> Any:
    x = relu_conv(L, x)
    return L.Conv2D(4, 1)(L.Add()([x, L.Conv2D(8, 1)(L.ReLU()(bn(L, x)))]))


def two_readers(L: Any, x: Any) -> Any:
    x = bn(L, relu_conv(L, x))
    return L.Concatenate()([L.Conv2D(2, 3)(x), L.Conv2D(3, 3)(x)])


def shared(L: Any, x: Any) -> Any:
    conv, norm = L.Conv2D(3, 3, padding="same", activation="relu"), L.BatchNormalization()
    return L.Conv2D(4, 1)(norm(conv(norm(conv(x)))))


def nested(L: Any, x: Any) -> Any:
    inside = tf_keras().Sequential([L.Conv2D(8, 3, activation="relu"), L.BatchNormalization(trainable=False)])
    return L.Dense(3)(L.Flatten()(inside(x)))


def mixed(L: Any, x: Any) -> Any:
    """Concatenated and added, then normalized."""
    a, b, c = relu_conv(L, x, 4), bn(L, L.Conv2D(8, 3, padding="same")(x)), L.LeakyReLU(0.3)(L.Conv2D(4, 1)(x))
    return L.Conv2D(4, 1)(bn(L, L.ReLU()(L.Add()([L.Concatenate()([a, c]), L.MaxPooling2D(2, 1, "same")(b)]))))


def operations(L: Any, x: Any) -> Any:
    tf = tensorflow()
    return L.Conv2D(4, 3)((tf.math.softplus(L.Conv2D(4, 1)(x / 127.5 - [1.0, 0.5, 0.2])) + 1.0) * 3.0)


CASES: dict[str, tuple[Builder, dict[str, int]]] = {
    "behind relu, before padding": (
        lambda L, x: L.Conv2D(4, 3, padding="same")(bn(L, relu_conv(L, x))),
        {"fold-behind": 1, "depthwise-affine": 1},
    ),
    "behind relu, before no padding": (
        lambda L, x: L.Conv2D(4, 3)(bn(L, relu_conv(L, x, use_bias=False))),
        {"fold-behind": 1, "fold-ahead": 1},
    ),
    "through pooling and dropout": (
        lambda L, x: bn(L, L.Dropout(0.5)(L.AveragePooling2D()(L.LeakyReLU()(L.DepthwiseConv2D(3)(x))))),
        {"fold-behind": 1, "depthwise-affine": 1},
    ),
    "whole, through a mean": (
        lambda L, x: L.ReLU()(bn(L, L.AveragePooling2D()(L.Conv2DTranspose(8, 3, use_bias=False)(x)))),
        {"fold-behind": 1},
    ),
    "without scale and centre": (
        lambda L, x: L.Dense(3)(L.GlobalAveragePooling2D()(L.BatchNormalization(scale=False)(relu_conv(L, x)))),
        {"fold-behind": 1, "fold-ahead": 1},
    ),
    "separable, PReLU, flattened": (
        lambda L, x: L.Dense(5)(
            L.Flatten()(L.BatchNormalization(center=False)(L.PReLU()(L.SeparableConv2D(8, 3, depth_multiplier=2)(x))))
        ),
        {"fold-behind": 1, "fold-ahead": 1},
    ),
    "grouped, depthwise, separable readers": (
        lambda L, x: L.SeparableConv2D(3, 2)(
            bn(L, L.ReLU()(L.DepthwiseConv2D(2, depth_multiplier=2)(bn(L, relu_conv(L, x)))))
        ),
        {"fold-behind": 2, "fold-ahead": 2},
    ),
    "grouped reader": (
        lambda L, x: L.Conv2D(6, 2, groups=2)(bn(L, relu_conv(L, x))),
        {"fold-behind": 1, "fold-ahead": 1},
    ),
    "rows of a sequence": (
        lambda L, x: L.Conv1D(4, 3, padding="causal")(bn(L, L.Conv1D(6, 3, activation="relu")(L.Reshape((8, 24))(x)))),
        {"fold-behind": 1, "depthwise-affine": 1},
    ),
    "dense": (
        lambda L, x: L.Dense(4)(bn(L, L.Dense(16, activation="relu")(L.Flatten()(x)))),
        {"fold-behind": 1, "fold-ahead": 1},
    ),
    "concatenated and added": (mixed, {"fold-behind": 1, "fold-ahead": 1}),
    "several readers, all of them convolutions": (two_readers, {"fold-behind": 1, "fold-ahead": 1}),
    "several readers before": (residual, {"depthwise-affine": 1}),
    "relu6": (lambda L, x: bn(L, L.ReLU(6.0)(L.Conv2D(8, 3)(x))), {"depthwise-affine": 1}),
    "shared": (shared, {}),
    "nested and frozen": (nested, {"fold-behind": 1, "fold-ahead": 1}),
    "another axis": (lambda L, x: L.BatchNormalization(axis=1)(relu_conv(L, x)), {}),
    "what TensorFlow folds": (lambda L, x: L.ReLU()(bn(L, L.Conv2D(8, 3)(x))), {}),
    "leading, before no padding": (
        lambda L, x: L.Conv2D(4, 3)(L.Normalization(mean=[1, 2, 3], variance=[1, 2, 3])(L.Rescaling(1 / 255.0)(x))),
        {"fold-ahead": 1},
    ),
    "leading, before padding": (
        lambda L, x: relu_conv(L, L.Rescaling(1 / 127.5, -1)(x)),
        {"depthwise-affine": 1},
    ),
    "leading, channels unlike": (
        lambda L, x: L.Conv2D(4, 3)(L.Normalization(mean=[1, 2, 3], variance=[1, 1, 1e4])(x)),
        {"depthwise-affine": 1},
    ),
    "operations": (operations, {"bounded-activations": 1, "fold-ahead": 2}),
    "an output that is read as well": (
        lambda L, x: [y := relu_conv(L, x), L.Conv2D(4, 1)(L.ReLU(6.0)(bn(L, y)))],
        {"depthwise-affine": 1},
    ),
    "activations": (
        lambda L, x: L.Dense(4, "selu")(L.ELU(0.5)(L.Activation("mish")(L.Conv2D(8, 3, activation="softplus")(x)))),
        {"bounded-activations": 4},
    ),
    "activations inside": (
        lambda L, x: L.Bidirectional(L.LSTM(4, activation="softplus"))(
            L.TimeDistributed(L.Dense(5, activation="elu"))(L.Reshape((8, 24))(x))
        ),
        {"bounded-activations": 2},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_computes_the_same_and_applies(name: str) -> None:
    build, expected = CASES[name]
    assert check(model_of(build)).rewrites == expected
