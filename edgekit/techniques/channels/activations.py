"""Which activations treat every channel by itself."""

from __future__ import annotations

from edgekit.frameworks.layers.knowledge import Role
from edgekit.frameworks.layers.register import names
from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.frameworks.types import KerasObject

KERAS = (
    "linear", "relu", "elu", "selu", "gelu", "sigmoid", "hard_sigmoid", "tanh", "softplus", "softsign", "swish",
    "exponential", "mish",
)  # fmt: skip
TENSORFLOW = ("relu", "relu6", "elu", "selu", "gelu", "sigmoid", "tanh", "softplus", "softsign", "silu", "leaky_relu")
LAYERS = names(lambda row: row.role is Role.ACTIVATION and row.channels == "keep")


def obstacle(activation: KerasObject) -> str | None:
    """Return why an activation keeps channels from being removed, or None if it treats each by itself.

    Args:
        activation: what a layer has as `activation`: None, a function, or a layer.
    """
    keras, tf = tf_keras(), tensorflow()
    if activation is None:
        return None
    if type(activation) in [getattr(keras.layers, name) for name in LAYERS]:
        return None
    known = [getattr(keras.activations, name) for name in KERAS] + [getattr(tf.nn, name) for name in TENSORFLOW]
    if any(activation is function for function in known):
        return None
    if activation is keras.activations.softmax or activation is tf.nn.softmax:
        return "whose softmax sets every channel against the others"
    return f"whose activation `{getattr(activation, '__name__', type(activation).__name__)}` is not known"
