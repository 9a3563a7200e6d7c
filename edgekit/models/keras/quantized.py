"""Models with fake quantization (TFMOT): what Keras must know to make their layers again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache

from edgekit.frameworks.tensorflow import tensorflow, tf_keras, tfmot
from edgekit.frameworks.types import ConfigValue, KerasClass, KerasLayer, KerasModel, Tensor, Variable


@contextlib.contextmanager
def scope(model: KerasModel | None = None) -> Iterator[None]:
    """Let Keras make again what TFMOT takes apart: its own wrappers, and the Lambda and custom layers of a model.

    The functions are those already in memory or in a file edgekit wrote; no foreign code is let in.
    """
    from tf_keras.src.saving.serialization_lib import SafeModeScope

    config = depthwise_config()
    custom = {type(layer).__name__: type(layer) for layer in model.layers} if model else {}
    custom = {name: kind for name, kind in custom.items() if not hasattr(tf_keras().layers, name)}
    custom[config.__name__] = config
    with (
        tfmot().quantization.keras.quantize_scope(),
        SafeModeScope(False),
        tf_keras().utils.custom_object_scope(custom),
    ):
        yield


@cache
def depthwise_config() -> KerasClass:
    """Return the class of TFMOT configurations for DepthwiseConv2D with one weight scale a channel."""
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_registry as registry,
    )

    keras, tf = tf_keras(), tensorflow()

    class PerChannelQuantizer(tfmot().quantization.keras.quantizers.LastValueQuantizer):  # type: ignore[misc]
        """Quantize a kernel (height, width, channels, multiplier) by its last two axes."""

        def __init__(self) -> None:
            super().__init__(num_bits=8, per_axis=True, symmetric=True, narrow_range=True)

        def build(self, tensor_shape: ConfigValue, name: str, layer: KerasLayer) -> dict[str, Variable]:
            shape = (int(tensor_shape[-2] * tensor_shape[-1]),)
            return {
                f"{end}_var": layer.add_weight(
                    f"{name}_{end}", shape=shape, initializer=keras.initializers.Constant(value), trainable=False
                )
                for end, value in (("min", -6.0), ("max", 6.0))
            }

        def __call__(
            self, inputs: Tensor, training: bool, weights: dict[str, Variable], **kwargs: ConfigValue
        ) -> Tensor:
            height, width, channels, multiplier = inputs.shape
            flat = tf.reshape(inputs, (height, width, 1, channels * multiplier))
            return tf.reshape(super().__call__(flat, training, weights, **kwargs), inputs.shape)

    class PerChannelDepthwiseConfig(registry.Default8BitConvQuantizeConfig):  # type: ignore[misc]
        """TFMOT's configuration of convolutions with the quantizer above."""

        def __init__(self, weight_attrs: list[str], activation_attrs: list[str], quantize_output: bool) -> None:
            super().__init__(weight_attrs, activation_attrs, quantize_output)
            self.weight_quantizer = PerChannelQuantizer()

    return PerChannelDepthwiseConfig
