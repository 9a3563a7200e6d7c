"""Small models, weights that are all different, and channels made zero without the help of what is tested."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from edgekit.frameworks.tensorflow import tf_keras
from edgekit.techniques.channels.groups import Analysis

IMAGE = (6, 6, 4)
Block = Callable[[Any, "Maker"], Any]


def shaken(model: Any, seed: int = 0) -> Any:
    """Give every weight another value; variances stay positive, and signals of moderate size."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        shape = tuple(variable.shape)
        if "variance" in variable.name:
            value = rng.uniform(0.5, 2.0, shape)
        else:
            fan_in = int(np.prod(shape[:-1])) if len(shape) > 1 else 1
            value = rng.normal(0.2 if "gamma" in variable.name else 0, 1, shape) / np.sqrt(fan_in)
        variable.assign(value.astype(np.float32))
    return model


def functional(inputs: Any, outputs: Any, seed: int = 0) -> Any:
    return shaken(tf_keras().Model(inputs, outputs, name="model"), seed)


def image(shape: tuple[int, ...] = IMAGE) -> Any:
    return tf_keras().layers.Input(shape, name="image")


def head(x: Any, classes: int = 3) -> Any:
    layers = tf_keras().layers
    return layers.Dense(classes, name="logits")(layers.GlobalAveragePooling2D(name="pool")(x))


def samples(count: int = 5, shape: tuple[int, ...] = IMAGE, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (count, *shape)).astype(np.float32)


def difference(before: Any, after: Any, x: np.ndarray) -> float:
    """The largest absolute difference between the outputs of two models, relative to outputs above 1."""
    flat = [np.concatenate([np.ravel(part) for part in _parts(model(x))]) for model in (before, after)]
    assert np.isfinite(flat[0]).all()
    return float(np.abs(flat[0] - flat[1]).max() / max(1.0, float(np.abs(flat[0]).max())))


def _parts(outputs: Any) -> list[np.ndarray]:
    return [np.asarray(part) for part in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


def make_zero(analysis: Analysis, removed: Mapping[str, Iterable[int]]) -> None:
    """Set the chosen units of a model to zero: filters, biases, and the BatchNormalization after them."""
    for group in analysis.groups:
        for position in removed.get(group.name, ()):
            for path, channel in group.members[position]:
                zero_channel(analysis.layers[path].layer, channel)
            for path in group.followers:
                entry = analysis.layers[path]
                if type(entry.layer).__name__ == "BatchNormalization":
                    own = analysis.roots[entry.ids_in] == group.roots[position]
                    for variable in (entry.layer.gamma, entry.layer.beta):
                        variable.assign(np.where(own, 0, variable.numpy()))


def zero_channel(layer: Any, channel: int) -> None:
    kind = type(layer).__name__
    if kind.startswith("DepthwiseConv"):
        multiplier = layer.depth_multiplier
        kernel, index = layer.depthwise_kernel, (..., channel // multiplier, channel % multiplier)
    elif kind.startswith("SeparableConv"):
        kernel, index = layer.pointwise_kernel, (..., channel)
    elif kind.endswith("Transpose"):
        kernel, index = layer.kernel, (..., channel, slice(None))
    else:
        kernel, index = layer.kernel, (..., channel)
    value = kernel.numpy()
    value[index] = 0
    kernel.assign(value)
    if layer.use_bias:
        bias = layer.bias.numpy()
        bias[channel] = 0
        layer.bias.assign(bias)


class Maker:
    """Layers with names in the order of their making, so that a failing example can be read."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, kind: str, *args: Any, **kwargs: Any) -> Any:
        self.count += 1
        return getattr(tf_keras().layers, kind)(*args, name=f"{kind.lower()}{self.count}", **kwargs)

    def conv(self, x: Any, channels: int, norm: bool = True) -> Any:
        x = self("Conv2D", channels, 3, padding="same", use_bias=not norm)(x)
        return self("BatchNormalization")(x) if norm else x


def conv(x: Any, make: Maker) -> Any:
    return make("ReLU")(make.conv(x, 6))


def strided(x: Any, make: Maker) -> Any:
    return make("Conv2D", 8, 1, 1, activation="relu")(x)


def grouped(x: Any, make: Maker) -> Any:
    x = make("Conv2D", 8, 1)(x)
    x = make("Conv2D", 12, 3, padding="same", groups=2, activation="relu")(x)
    return make("Conv2D", 12, 3, padding="same", groups=4)(x)


def grouped_as_depthwise(x: Any, make: Maker) -> Any:
    channels = x.shape[-1]
    return make("Conv2D", 2 * channels, 3, padding="same", groups=channels)(x)


def depthwise(x: Any, make: Maker) -> Any:
    x = make("BatchNormalization")(make("DepthwiseConv2D", 3, padding="same", use_bias=False)(x))
    return make("DepthwiseConv2D", 3, padding="same", depth_multiplier=2, activation="relu")(x)


def separable(x: Any, make: Maker) -> Any:
    return make("SeparableConv2D", 6, 3, padding="same", depth_multiplier=2, activation="tanh")(x)


def transposed(x: Any, make: Maker) -> Any:
    return make("Cropping2D", 3)(make("Conv2DTranspose", 5, 2, 2, activation="relu")(x))


def residual(x: Any, make: Maker) -> Any:
    return make("ReLU")(make("Add")([make.conv(conv(x, make), x.shape[-1]), x]))


def averaged(x: Any, make: Maker) -> Any:
    branches = [make.conv(x, 6), make.conv(x, 6, norm=False), make.conv(x, 6)]
    return make("Subtract")([make("Average")(branches), make("Maximum")(branches)])


def dense_block(x: Any, make: Maker) -> Any:
    for _ in range(2):
        new = make.conv(make("ReLU")(make("BatchNormalization")(x)), 3, norm=False)
        x = make("Concatenate")([x, new])
    return x


def added_halves(x: Any, make: Maker) -> Any:
    both = make("Concatenate")([make.conv(x, 3), make.conv(x, 5)])
    return make("Minimum")([both, make.conv(x, 8)])


def excited(x: Any, make: Maker) -> Any:
    channels = x.shape[-1]
    gate = make("GlobalAveragePooling2D", keepdims=True)(x)
    gate = make("Conv2D", 3, 1, activation="relu")(gate)
    return make("Multiply")([x, make("Conv2D", channels, 1, activation="sigmoid")(gate)])


def excited_dense(x: Any, make: Maker) -> Any:
    channels = x.shape[-1]
    gate = make("Dense", 4, activation="relu")(make("GlobalMaxPooling2D")(x))
    gate = make("Reshape", (1, 1, channels))(make("Dense", channels, activation="hard_sigmoid")(gate))
    return make("Multiply")([x, gate])


def spatial_attention(x: Any, make: Maker) -> Any:
    return make("Multiply")([x, make("Conv2D", 1, 3, padding="same", activation="sigmoid")(x)])


def shared(x: Any, make: Maker) -> Any:
    layer, norm = make("Conv2D", x.shape[-1], 3, padding="same"), make("BatchNormalization")
    once = make("ReLU")(norm(layer(x)))
    return make("Concatenate")([once, norm(layer(once))])


def operators(x: Any, make: Maker) -> Any:
    y = make.conv(x, x.shape[-1])
    return y * 0.5 + x - y * x


def resized(x: Any, make: Maker) -> Any:
    x = make("ZeroPadding2D", 1)(make("MaxPooling2D", 2)(x))
    x = make("UpSampling2D", 2)(make("AveragePooling2D", 2, padding="same")(x))
    return make("PReLU", shared_axes=[1, 2])(make("SpatialDropout2D", 0.2)(x))


def slopes(x: Any, make: Maker) -> Any:
    return make("LeakyReLU")(make("PReLU")(make.conv(x, 5, norm=False)))


def nested(x: Any, make: Maker) -> Any:
    keras = tf_keras()
    inputs = keras.layers.Input(x.shape[1:])
    inside = keras.Model(inputs, residual(conv(inputs, make), make), name=f"nested{make.count}")
    return inside(x)


def shared_nested(x: Any, make: Maker) -> Any:
    keras, channels = tf_keras(), x.shape[-1]
    parts = [make("Conv2D", channels, 3, padding="same", activation="relu"), make("BatchNormalization")]
    inside = keras.Sequential([keras.layers.Input(x.shape[1:]), *parts], name=f"nested{make.count}")
    return make("Add")([inside(x), inside(make.conv(x, channels))])


def unknown(x: Any, make: Maker) -> Any:
    return make("Lambda", lambda t: t[..., ::-1])(x)


BLOCKS: dict[str, Block] = {
    block.__name__: block
    for block in (
        conv, strided, grouped, grouped_as_depthwise, depthwise, separable, transposed, residual, averaged,
        dense_block, added_halves, excited, excited_dense, spatial_attention, shared, operators, resized, slopes,
        nested, shared_nested, unknown,
    )
}  # fmt: skip


def flatten_dense(x: Any, make: Maker) -> Any:
    return make("BatchNormalization")(make("Dense", 6, activation="relu")(make("Flatten")(x)))


def pooled(x: Any, make: Maker) -> Any:
    return make("Dense", 5, activation="relu")(make("GlobalAveragePooling2D")(x))


def sequence(x: Any, make: Maker) -> Any:
    x = make("Reshape", (-1, x.shape[-1]))(x)
    x = make("Conv1D", 6, 3, padding="causal", activation="relu")(x)
    x = make("MaxPooling1D", 2)(make("SeparableConv1D", 5, 3)(x))
    return make("Dense", 4, activation="relu")(make("GlobalMaxPooling1D")(x))


HEADS: dict[str, Block] = {head.__name__: head for head in (flatten_dense, pooled, sequence)}


def random_model(blocks: list[str], ending: str, seed: int) -> Any:
    """A classifier: the given blocks, the ending, the logits."""
    make = Maker()
    inputs = x = image()
    for name in blocks:
        if x.shape[-1] > 16:
            x = strided(x, make)
        x = BLOCKS[name](x, make)
    x = HEADS[ending](x, make)
    return functional(inputs, make("Dense", 3)(x), seed)
