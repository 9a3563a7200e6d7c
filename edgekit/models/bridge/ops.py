"""Operations in a Keras 3 graph that are not layers, such as `x + y` or `keras.ops.relu(x)`, as Keras 2 layers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekit.frameworks.tensorflow import keras3, tf_keras
from edgekit.frameworks.types import ConfigValue, KerasLayer, KerasNode, Tensors
from edgekit.models.bridge.activations import RENAMED, step
from edgekit.models.bridge.layers import Unsupported
from edgekit.models.bridge.op_shapes import SHAPES, Apply, first
from edgekit.models.bridge.op_table import ACROSS, TRACED, is_traced, trace

MERGES = ("Add", "Subtract", "Multiply", "Maximum", "Minimum")

ARITHMETIC = (*MERGES, "Divide", "TrueDivide")

ACTIVATIONS = {
    **{kind: kind.lower() for kind in ("Relu", "Relu6", "Sigmoid", "Tanh", "Softplus", "Softsign", "Silu", "Selu")},
    **{"HardSigmoid": "hard_sigmoid", "HardSilu": "hard_silu", "HardTanh": "hard_tanh", "LogSigmoid": "log_sigmoid"},
    **{"TanhShrink": "tanh_shrink", "SparseSigmoid": "sparse_sigmoid", "SparsePlus": "sparse_plus"},
    "Exp": "exponential",
}
"""Operation class to activation name."""


def _negative(operation: KerasLayer, name: str) -> Apply:
    return first(tf_keras().layers.Rescaling(-1.0, name=name))


def _softmax(operation: KerasLayer, name: str) -> Apply | None:
    return None if operation.axis is None else first(tf_keras().layers.Softmax(axis=operation.axis, name=name))


def _leaky_relu(operation: KerasLayer, name: str) -> Apply:
    return first(tf_keras().layers.LeakyReLU(alpha=operation.negative_slope, name=name))


def _elu(operation: KerasLayer, name: str) -> Apply:
    return first(tf_keras().layers.ELU(alpha=operation.alpha, name=name))


def _gelu(operation: KerasLayer, name: str) -> Apply | None:
    return None if operation.approximate else first(tf_keras().layers.Activation("gelu", name=name))


def _celu(operation: KerasLayer, name: str) -> Apply | None:
    return first(tf_keras().layers.ELU(name=name)) if operation.alpha == 1 else None


def _relu(operation: KerasLayer, name: str) -> Apply:
    options = {key: getattr(operation, key) for key in ("max_value", "negative_slope", "threshold")}
    return first(tf_keras().layers.ReLU(**options, name=name))


def _clip(operation: KerasLayer, name: str) -> Apply | None:
    return first(tf_keras().layers.ReLU(max_value=float(operation.x_max), name=name)) if operation.x_min == 0 else None


SINGLE: dict[str, Callable[[KerasLayer, str], Apply | None]] = {
    "Negative": _negative,
    "Softmax": _softmax,
    "LeakyRelu": _leaky_relu,
    "Elu": _elu,
    "Gelu": _gelu,
    "Celu": _celu,
    "ReLU": _relu,
    "Clip": _clip,
}
"""Operation class to what makes its layer from the operation and a name; None where no layer computes the same."""


def operations() -> dict[str, str]:
    """Return every operation class that has a Keras 2 form, and in words what it becomes."""
    return {
        **{kind: f"`tf.{traced.symbol}`" for kind, traced in TRACED.items()},
        **{kind: f"activation `{activation}`" for kind, activation in ACTIVATIONS.items()},
        **dict.fromkeys((*SINGLE, "Concatenate"), "a layer"),
        **dict.fromkeys(SHAPES, "a layer"),
        **dict.fromkeys(ARITHMETIC, "`Rescaling` with a constant, else a merging layer"),
        **{
            kind: f"a layer, or `tf.{TRACED[kind].symbol}`"
            for kind in (*SINGLE, *SHAPES, *ARITHMETIC)
            if kind in TRACED
        },
    }


def translate_op(node: KerasNode, name: str) -> Apply:
    """Make what one call of an operation computes.

    Args:
        node: of the Keras 3 graph.
        name: for the new layer.

    Raises:
        Unsupported: Keras 2 layers cannot express it.
    """
    operation, layers = node.operation, tf_keras().layers
    kind = type(operation).__name__
    if not str(type(operation).__module__).startswith("keras."):
        raise Unsupported("a custom operation has no Keras 2 form here")
    if kind in ARITHMETIC and "float" in str(node.outputs[0].dtype):
        return _arithmetic(node, kind, name)
    if kind in SHAPES:
        return SHAPES[kind](node, name)
    if kind in ACTIVATIONS:
        activation = ACTIVATIONS[kind]
        if activation in RENAMED:
            return first(layers.Activation(RENAMED[activation], name=name))
        return first(step(activation, name))
    if kind in SINGLE and (made := SINGLE[kind](operation, name)) is not None:
        return made
    if kind == "Concatenate":
        if operation.axis % len(node.outputs[0].shape) == 0:
            raise Unsupported(ACROSS)
        return layers.Concatenate(axis=operation.axis, name=name)  # type: ignore[no-any-return]
    if is_traced(operation):
        return trace(node, name)  # type: ignore[no-any-return]
    raise Unsupported("this operation has no Keras 2 form here")


def _arithmetic(node: KerasNode, kind: str, name: str) -> Apply:
    """Two tensors of equal rank are merged; a tensor and a constant (scalar, or one a channel) are rescaled.

    Everything else is a TensorFlow operation.
    """
    layers, tensor = tf_keras().layers, keras3().KerasTensor
    operands: list[Tensors] = [*node.arguments.args, *node.arguments.kwargs.values()]
    left, right = operands
    if isinstance(left, tensor) and isinstance(right, tensor):
        if kind not in MERGES or len(left.shape) != len(right.shape) or left.dtype != right.dtype:
            return trace(node, name)  # type: ignore[no-any-return]
        return getattr(layers, kind)(name=name)  # type: ignore[no-any-return]
    swapped = isinstance(right, tensor)
    constant = np.asarray(left if swapped else right, np.float64)
    rescale = _rescale(kind, constant, swapped)
    if rescale is None or constant.ndim > 1:
        return trace(node, name)  # type: ignore[no-any-return]
    scale, offset = (float(v) if v.ndim == 0 else v.tolist() for v in map(np.asarray, rescale))
    return first(layers.Rescaling(scale, offset, name=name))


def _rescale(kind: str, constant: ConfigValue, swapped: bool) -> tuple[ConfigValue, ConfigValue] | None:
    """Return (scale, offset) for x * scale + offset; `swapped` means that the constant stands on the left."""
    if kind == "Add":
        return 1.0, constant
    if kind == "Multiply":
        return constant, 0.0
    if kind == "Subtract":
        return (-1.0, constant) if swapped else (1.0, -constant)
    if kind in ("Divide", "TrueDivide") and not swapped:
        return 1.0 / constant, 0.0
    return None
