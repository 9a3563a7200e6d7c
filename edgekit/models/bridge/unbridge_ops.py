"""TensorFlow operations recorded in a Keras 2 graph, as `keras.ops`: the table of the bridge, read backwards."""

from __future__ import annotations

import inspect
import re

import numpy as np

from edgekit.frameworks.tensorflow import keras3
from edgekit.frameworks.types import Arguments, ConfigValue, KerasLayer, KerasObject, Keywords, Tensors
from edgekit.models.bridge.layers import Unsupported
from edgekit.models.bridge.op_table import TRACED

WRITTEN_OUT = {
    "__operators__.add": "add",
    "__operators__.truediv": "true_divide",
    "math.truediv": "true_divide",
    "math.negative": "negative",
    "math.exp": "exp",
    "math.tanh": "tanh",
    "math.sigmoid": "sigmoid",
    "math.softplus": "softplus",
    **{f"nn.{name}": name for name in ("relu", "relu6", "elu", "selu", "silu", "sigmoid", "softsign", "softplus")},
    **{f"nn.{name}": name for name in ("leaky_relu", "tanh")},
}
"""Operations that the bridge makes layers of, and that users of Keras 2 write as they are."""

OPERANDS = ("x", "y")
"""Names of arguments that are tensors or constants."""
PADDINGS, MULTIPLES, SECTIONS = "pad", "tile", "split"


def is_operation(layer: KerasLayer) -> bool:
    """Return whether a Keras 2 layer is a recorded TensorFlow operation."""
    kinds = ("TFOpLambda", "SlicingOpLambda")
    return type(layer).__name__ in kinds and type(layer).__module__.startswith("tf_keras.")


def apply_operation(layer: KerasLayer, args: Arguments, kwargs: Keywords) -> Tensors:
    """Repeat a recorded operation on Keras 3 tensors.

    Args:
        layer: the recorded operation.
        args: of the call, with Keras 3 tensors.
        kwargs: the same by keyword.

    Raises:
        Unsupported: it has no form in Keras 3 here.
    """
    symbol = str(layer.symbol).removeprefix("compat.v1.")
    bound = inspect.signature(layer.function).bind(*args, **kwargs)
    given = {key: value for key, value in bound.arguments.items() if key != "name" and value is not None}
    values = {key: _constant(value) if key in OPERANDS else value for key, value in given.items()}
    ops = keras3().ops
    if symbol == "__operators__.getitem":
        return values["tensor"][tuple(map(_slice, _listed(values["slice_spec"])))]
    if symbol == PADDINGS:
        constant = {"constant_values": values["constant_values"]} if values.get("constant_values") else {}
        return ops.pad(values["tensor"], values["paddings"], values.get("mode", "CONSTANT").lower(), **constant)
    if symbol == MULTIPLES:
        return ops.tile(values["input"], values["multiples"])
    if symbol == SECTIONS:
        return ops.split(values["value"], _positions(values["num_or_size_splits"]), axis=values.get("axis", 0))
    if symbol in WRITTEN_OUT:
        return getattr(ops, WRITTEN_OUT[symbol])(*values.values())
    kind = next((kind for kind, line in TRACED.items() if line.symbol == symbol), None)
    if kind is None:
        raise Unsupported(f"the TensorFlow operation tf.{symbol} has no Keras 3 form here")
    named = {theirs: own for own, theirs in TRACED[kind].options}
    options = {named[key]: value for key, value in values.items() if key in named}
    rest = [value for key, value in values.items() if key not in named and not _is_default(layer.function, key, value)]
    operation = getattr(ops, _snake(kind), None)
    if operation is None:
        raise Unsupported(f"the TensorFlow operation tf.{symbol} has no form in this Keras 3")
    return operation(*rest, **options)


def _constant(value: ConfigValue) -> ConfigValue:
    """Return nested lists of numbers, as which Keras 2 keeps constants, as an array."""
    return np.asarray(value, np.float32) if isinstance(value, list) else value


def _is_default(function: KerasObject, key: str, value: ConfigValue) -> bool:
    default = inspect.signature(function).parameters[key].default
    return default is not inspect.Parameter.empty and type(default) is type(value) and bool(default == value)


def _snake(kind: str) -> str:
    """Return the name of the function for an operation class: `ReduceMax` is `reduce_max`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()


def _slice(part: ConfigValue) -> ConfigValue:
    return slice(part["start"], part["stop"], part["step"]) if isinstance(part, dict) else part


def _listed(spec: ConfigValue) -> list[ConfigValue]:
    return list(spec) if isinstance(spec, (list, tuple)) else [spec]


def _positions(parts: ConfigValue) -> ConfigValue:
    """Return where Keras 3 cuts, from the sizes that TensorFlow makes."""
    if isinstance(parts, int):
        return parts
    edges, end = [], 0
    for size in parts[:-1]:
        end += int(size)
        edges.append(end)
    return edges
