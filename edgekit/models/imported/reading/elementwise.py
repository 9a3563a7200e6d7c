"""Activations and arithmetic of ONNX. Definitions: https://onnx.ai/onnx/operators."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgekit.models.imported.graph import Arithmetic, Choose, Elementwise, ParametricRelu, Step
from edgekit.models.imported.operators import Unsupported
from edgekit.models.imported.reading.at import At, Reading


def function(kind: str, **options: float) -> Reading:
    """Return the reading of a function of every value, with the attributes that it has and their defaults."""

    def read(at: At) -> Sequence[Step]:
        given = tuple(at.node.real(name, default) for name, default in options.items())
        return [at.step(Elementwise(kind, given))]

    return read


def arithmetic(kind: str) -> Reading:
    """Return the reading of an operator with two inputs."""

    def read(at: At) -> Sequence[Step]:
        if len(at.node.inputs) == 1:
            return [at.step(Elementwise("identity"))]
        if len(at.node.inputs) != 2:
            raise Unsupported("edgekit rebuilds it with two inputs")
        integer = at.graph.dtypes[at.node.inputs[0]].startswith(("int", "uint"))
        if kind == "divide" and integer:
            raise Unsupported("it divides integers")
        return [at.step(Arithmetic(kind), at.node.inputs)]

    return read


def clip(at: At) -> Sequence[Step]:
    """Clip; limits are attributes before opset 11."""
    low, high = at.number("min", 1, -math.inf), at.number("max", 2, math.inf)
    low, high = (-math.inf if low < -1e38 else low), (math.inf if high > 1e38 else high)
    return [at.step(Elementwise("clip", (low, high)))]


def gelu(at: At) -> Sequence[Step]:
    """Gelu, exact or by tanh."""
    return [at.step(Elementwise("gelu_tanh" if at.node.text("approximate", "none") == "tanh" else "gelu"))]


def prelu(at: At) -> Sequence[Step]:
    """PRelu: a slope that broadcasts to the input."""
    slope = at.weights(1, "slopes")
    return [at.step(ParametricRelu(slope.reshape((1,) * (at.rank - slope.ndim) + slope.shape)))]


def power(at: At) -> Sequence[Step]:
    """Pow with a constant exponent that layers know, else as arithmetic."""
    exponent = at.known(1)
    if exponent is not None and exponent.size == 1:
        kind = {2.0: "square", 0.5: "sqrt", -1.0: "reciprocal", -0.5: "rsqrt", 1.0: "identity"}.get(
            float(exponent.reshape(-1)[0])
        )
        if kind:
            return [at.step(Elementwise(kind))]
    return [at.step(Arithmetic("pow"), at.node.inputs)]


def where(at: At) -> Sequence[Step]:
    """Where."""
    return [at.step(Choose(), at.node.inputs)]


def cast(at: At) -> Sequence[Step]:
    """Cast between types of floating point, which all are float32 here; of integers and truth to float32."""
    to, of = at.graph.dtypes[at.node.outputs[0]], at.graph.dtypes[at.node.inputs[0]]
    real = ("float32", "float64", "float16")
    if to == of:
        return [at.step(Elementwise("identity"))]
    if to in real:
        return [at.step(Elementwise("identity" if of in real else "to_float"))]
    if of in ("int64", "int32") and to in ("int64", "int32"):
        return [at.step(Elementwise("identity"))]
    raise Unsupported(f"it makes {to} of {of}")
