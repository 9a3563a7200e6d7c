"""The networks: from Keras's layers and an input to the outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgekit.frameworks.tensorflow import tf_keras

Layers = Any


def activated(name: str) -> Callable[[Layers, Any], Any]:
    def build(L: Layers, x: Any) -> Any:
        for filters in (8, 16, 16):
            x = L.Activation(name)(L.Conv2D(filters, 3, strides=2, padding="same")(x))
        return classes(L, L.Flatten()(x))

    return build


def norm(L: Layers) -> Any:
    """Statistics that settle within a few hundred steps."""
    return L.BatchNormalization(momentum=0.9)


def classes(L: Layers, x: Any, count: int = 10) -> Any:
    return L.Dense(count, activation="softmax", name="classes")(x)


def relu_bn(L: Layers, x: Any) -> Any:
    for filters in (24, 32, 48):
        x = norm(L)(L.Conv2D(filters, 3, padding="same", activation="relu")(x))
        x = L.MaxPooling2D()(x)
    return classes(L, L.GlobalAveragePooling2D()(x))


def relu_bn_dense(L: Layers, x: Any) -> Any:
    x = L.Flatten()(x)
    for units in (64, 32):
        x = norm(L)(L.Dense(units, activation="relu")(x))
    return classes(L, x)


def pre_activation(L: Layers, x: Any) -> Any:
    """Residual blocks that begin with BatchNormalization: nothing to fold it into."""
    x = L.Conv2D(16, 3, strides=2, padding="same")(x)
    for _ in range(2):
        y = L.Conv2D(16, 3, padding="same")(L.ReLU()(norm(L)(x)))
        x = L.Add()([x, L.Conv2D(16, 3, padding="same")(L.ReLU()(norm(L)(y)))])
    return classes(L, L.Flatten()(L.ReLU()(norm(L)(x))))


def mobile(L: Layers, x: Any) -> Any:
    x = L.ReLU()(norm(L)(L.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(x)))
    for filters in (32, 48):
        x = L.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)(x)
        x = L.ReLU()(norm(L)(x))
        x = L.ReLU()(norm(L)(L.Conv2D(filters, 1, use_bias=False)(x)))
    return classes(L, L.Flatten()(x))


def conv1d(normalization: bool) -> Callable[[Layers, Any], Any]:
    def build(L: Layers, x: Any) -> Any:
        x = norm(L)(x) if normalization else x
        x = L.MaxPooling1D()(L.Conv1D(16, 7, padding="same", activation="relu")(x))
        return classes(L, L.GlobalAveragePooling1D()(L.Conv1D(16, 5, padding="same", activation="relu")(x)), 3)

    return build


def residual(L: Layers, x: Any) -> Any:
    """No normalization: what is added grows from block to block."""
    x = L.Conv2D(24, 3, strides=2, padding="same", activation="relu")(x)
    for _ in range(4):
        y = L.Conv2D(24, 3, padding="same", activation="relu")(x)
        x = L.Add()([x, L.Conv2D(24, 3, padding="same")(y)])
    return classes(L, L.Flatten()(L.ReLU()(x)))


def preprocessed(L: Layers, x: Any) -> Any:
    """Raw bytes in, `preprocess_input` of Keras's MobileNet as operations."""
    x = tf_keras().applications.mobilenet_v2.preprocess_input(x)
    x = L.ReLU()(norm(L)(L.Conv2D(16, 3, strides=2, padding="same")(x)))
    x = norm(L)(L.Conv2D(24, 3, strides=2, activation="relu")(x))
    return classes(L, L.Flatten()(x))


def attention(L: Layers, x: Any) -> Any:
    x = L.Reshape((16, 32))(L.Conv2D(32, 7, strides=7)(x))
    for _ in range(2):
        y = L.LayerNormalization()(x)
        x = L.Add()([x, L.MultiHeadAttention(2, 16)(y, y)])
        x = L.Add()([x, L.Dense(32)(L.Dense(64, activation="gelu")(L.LayerNormalization()(x)))])
    return classes(L, L.GlobalAveragePooling1D()(L.LayerNormalization()(x)))


def heads(L: Layers, x: Any) -> Any:
    """Classes, and how bright four pixels are, in another range."""
    for filters in (12, 24):
        x = norm(L)(L.Conv2D(filters, 3, strides=2, activation="relu")(x))
    x = L.Flatten()(x)
    return [classes(L, x), L.Dense(4, activation="softplus", name="amounts")(x)]


def swish_dead(L: Layers, x: Any) -> Any:
    """Two channels of each convolution are dead from the start: swish makes 0 of what lies far below it."""
    for filters in (8, 16, 16):
        dead = tf_keras().initializers.Constant([-400.0, -400.0, *[0.0] * (filters - 2)])
        x = L.Activation("swish")(L.Conv2D(filters, 3, strides=2, padding="same", bias_initializer=dead)(x))
    return classes(L, L.Flatten()(x))


def deep_residual(L: Layers, x: Any) -> Any:
    """Eight residual blocks that begin with BatchNormalization, as ResNets of the second kind do."""
    x = L.Conv2D(16, 3, strides=2, padding="same")(x)
    for block in range(8):
        y = L.Conv2D(16, 3, padding="same")(L.ReLU()(norm(L)(x)))
        y = L.Conv2D(16, 3, padding="same", name=f"branch_{block}")(L.ReLU()(norm(L)(y)))
        x = L.Add()([x, y])
    return classes(L, L.GlobalAveragePooling2D()(L.ReLU()(norm(L)(x))))


def cancelling(L: Layers, x: Any) -> Any:
    """Branches of very different size are added: what int8 holds of the sum is mostly the large one."""
    x = L.Conv2D(16, 3, strides=2, padding="same", activation="relu")(x)
    for block in range(2):
        large = L.Conv2D(16, 3, padding="same", use_bias=False, name=f"large_{block}")(x)
        small = L.Conv2D(16, 3, padding="same", activation="relu")(x)
        x = L.ReLU()(norm(L)(L.Subtract()([L.Add()([large, small]), large])))
    return classes(L, L.Flatten()(x))


def mobile_v3(L: Layers, x: Any) -> Any:
    """Inverted residual blocks with hard-swish and squeeze-and-excite, as in MobileNetV3."""
    x = _hard_swish(L, norm(L)(L.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(x)))
    for filters, strides in ((16, 2), (24, 1), (24, 2)):
        y = _hard_swish(L, norm(L)(L.Conv2D(4 * x.shape[-1], 1, use_bias=False)(x)))
        depthwise = L.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)
        y = _hard_swish(L, norm(L)(depthwise(y)))
        squeezed = L.Conv2D(8, 1, activation="relu")(L.GlobalAveragePooling2D(keepdims=True)(y))
        y = L.Multiply()([y, _hard_sigmoid(L, L.Conv2D(y.shape[-1], 1)(squeezed))])
        x = norm(L)(L.Conv2D(filters, 1, use_bias=False, name=f"project_{filters}_{strides}")(y))
    x = _hard_swish(L, norm(L)(L.Conv2D(64, 1, use_bias=False)(x)))
    return classes(L, L.GlobalAveragePooling2D()(x))


def _hard_sigmoid(L: Layers, x: Any) -> Any:
    return L.Rescaling(1 / 6)(L.ReLU(6.0)(L.Rescaling(1.0, 3.0)(x)))


def _hard_swish(L: Layers, x: Any) -> Any:
    return L.Multiply()([x, _hard_sigmoid(L, x)])


def recurrent(kind: str, units: int = 24, **options: Any) -> Callable[[Layers, Any], Any]:
    def build(L: Layers, x: Any) -> Any:
        rows = L.Reshape((14, 56))(x)
        return classes(L, getattr(L, kind)(units, activation="relu", **options)(rows))

    return build


def regression(L: Layers, x: Any) -> Any:
    for units in (64, 64, 32):
        x = norm(L)(L.Dense(units, activation="relu")(x))
    return L.Dense(1, name="price")(x)
