"""The reference models, each a function from sample shape and classes to an untrained tf_keras model.

All end in a Dense layer `logits` followed by a softmax `probabilities`, so that distillation finds the logits.
A new one is a function and a line in `REFERENCE`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.errors import InputError

if TYPE_CHECKING:
    from edgekit.frameworks.types import Framework, KerasModel, Tensor

Shape = tuple[int, ...]


def tf_keras() -> Framework:
    """Return Keras 2, imported where a model is built: the names here are in help texts, which stay quick."""
    from edgekit.frameworks import tensorflow

    return tensorflow.tf_keras()


@dataclass(frozen=True)
class ReferenceModel:
    """How to build a reference model, and its default training.

    Attributes:
        build: of a sample's shape, the number of classes and the width factor.
        summary: what it is, a phrase.
        epochs, batch_size, augment, schedule: fields of `TrainConfig`, unless the user gives others.
    """

    build: Callable[[Shape, int, float], KerasModel]
    summary: str
    epochs: int
    batch_size: int = 64
    augment: str = "none"
    schedule: str = "constant"


def build(name: str, sample_shape: Shape, classes: int, width: float = 1.0) -> KerasModel:
    """Build a reference model as a tf_keras functional model.

    Args:
        name: a key of `REFERENCE`.
        sample_shape: (height, width, channels).
        classes: number of outputs.
        width: factor on the number of channels.

    Raises:
        InputError: the sample is not an image, or too small for the model's pooling.
    """
    if len(sample_shape) != 3:
        raise InputError(
            f"`{name}` takes images (height, width, channels), and the samples have shape {sample_shape}",
            "use another data set: reference models classify images",
            code="reference-model-unfit",
        )
    if not 0 < width <= 16:
        raise InputError(
            f"`--width {width}`: expected a factor above 0 and at most 16",
            "1 is the default width",
            code="training-option-invalid",
        )
    try:
        model = REFERENCE[name].build(sample_shape, classes, width)
    except ValueError as error:
        raise InputError(
            f"`{name}` cannot take samples of shape {sample_shape}: {error}",
            "use another reference model, or larger images",
            code="reference-model-unfit",
        ) from error
    model._name = name.replace("-", "_")
    return model


def _channels(base: int, width: float) -> int:
    return max(1, round(base * width))


def _finish(inputs: Tensor, x: Tensor, classes: int) -> KerasModel:
    layers = tf_keras().layers
    x = layers.Dense(classes, name="logits")(x)
    return tf_keras().Model(inputs, layers.Softmax(name="probabilities")(x))


def _digits_cnn(shape: Shape, classes: int, width: float) -> KerasModel:
    layers = tf_keras().layers
    inputs = x = layers.Input(shape, name="image")
    for index, base in enumerate((16, 32)):
        x = layers.Conv2D(_channels(base, width), 3, padding="same", activation="relu", name=f"conv{index + 1}")(x)
        x = layers.MaxPooling2D(name=f"pool{index + 1}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(_channels(64, width), activation="relu", name="dense")(x)
    return _finish(inputs, x, classes)


def _mnist_cnn(shape: Shape, classes: int, width: float) -> KerasModel:
    layers = tf_keras().layers
    inputs = x = layers.Input(shape, name="image")
    for index, base in enumerate((32, 64)):
        x = layers.Conv2D(_channels(base, width), 3, activation="relu", name=f"conv{index + 1}")(x)
        x = layers.MaxPooling2D(name=f"pool{index + 1}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(_channels(128, width), activation="relu", name="dense")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    return _finish(inputs, x, classes)


def _cifar10_cnn(shape: Shape, classes: int, width: float) -> KerasModel:
    layers = tf_keras().layers
    inputs = x = layers.Input(shape, name="image")
    for block, base in enumerate((32, 64, 128)):
        for index in (1, 2):
            name = f"conv{block + 1}_{index}"
            x = layers.Conv2D(_channels(base, width), 3, padding="same", use_bias=False, name=name)(x)
            x = layers.BatchNormalization(name=f"{name}_bn")(x)
            x = layers.ReLU(name=f"{name}_relu")(x)
        x = layers.MaxPooling2D(name=f"pool{block + 1}")(x)
        x = layers.Dropout(0.2 + 0.1 * block, name=f"dropout{block + 1}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(_channels(128, width), activation="relu", name="dense")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    return _finish(inputs, x, classes)


def _resnet8(shape: Shape, classes: int, width: float) -> KerasModel:
    """Build the MLPerf Tiny image classifier (Banbury et al. 2021, arXiv 2106.07597)."""
    return _resnet(shape, classes, width, blocks=1)


def _resnet14(shape: Shape, classes: int, width: float) -> KerasModel:
    """Build the MLPerf Tiny image classifier with twice the blocks, 6n + 2 layers as in He et al. 2015, section 4.2."""
    return _resnet(shape, classes, width, blocks=2)


def _resnet(shape: Shape, classes: int, width: float, blocks: int) -> KerasModel:
    layers, l2 = tf_keras().layers, tf_keras().regularizers.l2(1e-4)

    def conv(x: Tensor, channels: int, kernel: int, stride: int, name: str) -> Tensor:
        return layers.Conv2D(
            channels, kernel, stride, "same", kernel_initializer="he_normal", kernel_regularizer=l2, name=name
        )(x)

    inputs = layers.Input(shape, name="image")
    x = conv(inputs, _channels(16, width), 3, 1, "stem")
    x = layers.ReLU(name="stem_relu")(layers.BatchNormalization(name="stem_bn")(x))
    for stack, (base, first_stride) in enumerate(((16, 1), (32, 2), (64, 2))):
        for block in range(blocks):
            channels, stride = _channels(base, width), 1 if block else first_stride
            name = f"stack{stack + 1}" + (f"_block{block + 1}" if blocks > 1 else "")
            y = conv(x, channels, 3, stride, f"{name}_conv1")
            y = layers.ReLU(name=f"{name}_relu1")(layers.BatchNormalization(name=f"{name}_bn1")(y))
            y = layers.BatchNormalization(name=f"{name}_bn2")(conv(y, channels, 3, 1, f"{name}_conv2"))
            if stride != 1:
                x = conv(x, channels, 1, stride, f"{name}_shortcut")
            x = layers.ReLU(name=f"{name}_relu2")(layers.Add(name=f"{name}_add")([x, y]))
    return _finish(inputs, layers.GlobalAveragePooling2D(name="pool")(x), classes)


def _ds_cnn(shape: Shape, classes: int, width: float) -> KerasModel:
    """Depthwise separable blocks as in MobileNet (Howard et al. 2017, arXiv 1704.04861), scaled by `width`."""
    layers = tf_keras().layers

    def norm(x: Tensor, name: str) -> Tensor:
        return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_bn")(x))

    inputs = layers.Input(shape, name="image")
    x = norm(layers.Conv2D(_channels(32, width), 3, padding="same", use_bias=False, name="stem")(inputs), "stem")
    for block, (base, stride) in enumerate(((64, 1), (128, 2), (128, 1), (256, 2), (256, 1))):
        name = f"block{block + 1}"
        x = layers.DepthwiseConv2D(3, stride, "same", use_bias=False, name=f"{name}_depthwise")(x)
        x = norm(x, f"{name}_depthwise")
        x = layers.Conv2D(_channels(base, width), 1, use_bias=False, name=f"{name}_pointwise")(x)
        x = norm(x, f"{name}_pointwise")
    return _finish(inputs, layers.GlobalAveragePooling2D(name="pool")(x), classes)


REFERENCE: dict[str, ReferenceModel] = {
    "digits-cnn": ReferenceModel(_digits_cnn, "two convolutions for 8x8 digits, the demo model", epochs=20),
    "mnist-cnn": ReferenceModel(_mnist_cnn, "two convolutions and a dense layer, the study's kind of baseline", 12),
    "cifar10-cnn": ReferenceModel(_cifar10_cnn, "six convolutions in three blocks", 30, augment="flip"),
    "resnet8": ReferenceModel(
        _resnet8, "the MLPerf Tiny image classifier", 60, 128, augment="flip-crop", schedule="cosine"
    ),
    "resnet14": ReferenceModel(
        _resnet14, "the same with two blocks a stack", 60, 128, augment="flip-crop", schedule="cosine"
    ),
    "ds-cnn": ReferenceModel(
        _ds_cnn, "depthwise separable blocks, scaled by --width", 40, 128, augment="flip-crop", schedule="cosine"
    ),
}
"""By name. `edgekit train --help` and messages list them from here."""
