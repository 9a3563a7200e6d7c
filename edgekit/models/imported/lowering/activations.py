"""Functions of every value by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from edgekit.frameworks.tensorflow import tensorflow
from edgekit.frameworks.types import Tensor
from edgekit.models.bridge.activations import step
from edgekit.models.imported.graph import Elementwise, ParametricRelu, Softmax
from edgekit.models.imported.lowering.builder import Builder, Operand
from edgekit.models.imported.lowering.value import Value
from edgekit.models.imported.operators import Unsupported

Function = Callable[[Builder, tuple[float, ...]], Callable[[Tensor], Tensor]]


def _named(activation: str) -> Function:
    """Return what makes the layer Activation."""
    return lambda b, _: b.layer("Activation", activation=activation)


def _traced(symbol: str) -> Function:
    """Return what records an operation of TensorFlow, by its name below `tf.`."""

    def make(b: Builder, _: tuple[float, ...]) -> Callable[[Tensor], Tensor]:
        found = tensorflow()
        for part in symbol.split("."):
            found = getattr(found, part)
        return found  # type: ignore[no-any-return]

    return make


def _clip(b: Builder, limits: tuple[float, ...]) -> Callable[[Tensor], Tensor]:
    low, high = limits
    if low == 0:
        return b.layer("ReLU", max_value=None if math.isinf(high) else high)  # type: ignore[no-any-return]
    if math.isinf(low) or math.isinf(high):
        maths = tensorflow().math
        return lambda x: maths.maximum(x, low) if math.isinf(high) else maths.minimum(x, high)
    return lambda x: tensorflow().clip_by_value(x, low, high)


def _hard_sigmoid(b: Builder, options: tuple[float, ...]) -> Callable[[Tensor], Tensor]:
    """Clip alpha * x + beta to [0, 1]: with alpha = 1 / 6 as ReLU6(x + 3) / 6, which files have operators for."""
    alpha, beta = options
    if math.isclose(alpha, 1 / 6, rel_tol=1e-4) and math.isclose(beta, 0.5, rel_tol=1e-4):
        return step("hard_sigmoid", b.name())
    first = b.layer("Rescaling", "scale", scale=alpha, offset=beta)
    last = b.layer("ReLU", max_value=1.0)
    return lambda x: last(first(x))


def _selu(b: Builder, options: tuple[float, ...]) -> Callable[[Tensor], Tensor]:
    if not np.allclose(options, (1.6732632, 1.0507010), rtol=1e-5):
        raise Unsupported("its alpha and gamma are not the usual ones")
    return b.layer("Activation", activation="selu")  # type: ignore[no-any-return]


def _celu(b: Builder, options: tuple[float, ...]) -> Callable[[Tensor], Tensor]:
    if options != (1.0,):
        raise Unsupported("its alpha is not 1")
    return b.layer("ELU")  # type: ignore[no-any-return]


def _swish(b: Builder, options: tuple[float, ...]) -> Callable[[Tensor], Tensor]:
    if options not in ((), (1.0,)):
        raise Unsupported("its alpha is not 1")
    return b.layer("Activation", activation="swish")  # type: ignore[no-any-return]


FUNCTIONS: dict[str, Function] = {
    **{kind: _named(kind) for kind in ("sigmoid", "tanh", "softplus", "softsign", "mish", "gelu")},
    **{kind: _traced(f"math.{kind}") for kind in ("abs", "ceil", "floor", "round", "sign", "sin", "cos", "erf")},
    **{kind: _traced(f"math.{kind}") for kind in ("log", "sqrt", "rsqrt", "square", "reciprocal")},
    "affine": lambda b, options: b.layer("Rescaling", scale=options[0], offset=options[1]),
    "celu": _celu,
    "clip": _clip,
    "elu": lambda b, options: b.layer("ELU", alpha=options[0]),
    "exp": _named("exponential"),
    "gelu_tanh": lambda b, _: lambda x: tensorflow().nn.gelu(x, approximate=True),
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": lambda b, _: step("hard_swish", b.name()),
    "identity": lambda b, _: lambda x: x,
    "is_nan": _traced("math.is_nan"),
    "leaky_relu": lambda b, options: b.layer("LeakyReLU", alpha=options[0]),
    "negative": lambda b, _: b.layer("Rescaling", scale=-1.0),
    "not": _traced("math.logical_not"),
    "relu": lambda b, _: b.layer("ReLU"),
    "selu": _selu,
    "swish": _swish,
    "thresholded_relu": lambda b, options: b.layer("ThresholdedReLU", theta=options[0]),
    "to_float": lambda b, _: lambda x: tensorflow().cast(x, "float32"),
}
"""By the kind of an `Elementwise`: makes what is called with the tensor."""

_POSITIVE = ("relu", "sigmoid", "hard_sigmoid", "softplus", "abs", "square", "exp", "sqrt")
_KEEPS_POSITIVE = ("identity", "hard_swish", "leaky_relu", "swish", "gelu", "mish", "elu", "selu")


def elementwise(op: Elementwise, inputs: Sequence[Operand], b: Builder) -> Value:
    """Any of `FUNCTIONS`."""
    x = b.computed(inputs[0])
    positive = op.kind in _POSITIVE or (op.kind == "clip" and op.options[0] >= 0)
    positive = positive or (x.positive and op.kind in _KEEPS_POSITIVE)
    tensor = FUNCTIONS[op.kind](b, op.options)(x.tensor)
    return x if tensor is x.tensor else replace(x, tensor=tensor, origin=None, positive=positive)


def prelu(op: ParametricRelu, inputs: Sequence[Operand], b: Builder) -> Value:
    """PReLU: its slopes stand as the stored axes do, those of size 1 shared."""
    x = b.plain(b.computed(inputs[0]))
    slope = op.slope.transpose([*x.order, *(() if x.batch is None else (x.batch,))])
    slope = slope.reshape([op.slope.shape[axis] for axis in x.order])
    if slope.size == 1 and x.shape[x.order[-1]] != 1:
        return b.through(x, b.layer("LeakyReLU", alpha=float(slope.reshape(-1)[0])))
    shared = [i for i, axis in enumerate(x.order, 1) if op.slope.shape[axis] == 1]
    layer = b.layer("PReLU", shared_axes=shared or None)
    made = b.through(x, layer)
    layer.set_weights([slope])
    return made


def softmax(op: Softmax, inputs: Sequence[Operand], b: Builder) -> Value:
    """Softmax, or its logarithm."""
    x = b.plain(b.computed(inputs[0]))
    if x.batch == op.axis:
        x = b.explicit(x)
    axis = x.stored(op.axis)
    axis = -1 if axis == len(x.order) else axis
    if op.log:
        return replace(x, tensor=tensorflow().nn.log_softmax(x.tensor, axis=axis), positive=False)
    return b.through(x, b.layer("Softmax", axis=axis), positive=True)
