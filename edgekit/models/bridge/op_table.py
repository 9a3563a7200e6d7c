"""Operations of a Keras 3 graph that are one TensorFlow operation each, recorded in a layer of Keras 2.

Keras 2 saves and restores such a layer by the operation's public name. Most operations that a Keras 2 layer expresses
are in ops.py and op_shapes.py instead: pruning and quantization-aware training know layers better.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from edgekit.frameworks.tensorflow import keras3, tensorflow, tf_keras
from edgekit.frameworks.types import ConfigValue, KerasLayer, KerasNode, KerasObject, Tensor, Tensors
from edgekit.models.bridge.layers import NOT_FLOAT32, Unsupported

ACROSS = "it acts across samples, and files for devices take one sample at a time"


@dataclass(frozen=True)
class Traced:
    """A TensorFlow operation in the place of a Keras 3 operation.

    Attributes:
        symbol: public name below `tf.`.
        options: attribute of the Keras 3 operation to keyword of the TensorFlow one.
        promote: whether tensors of other types are cast to the type of the result first, as Keras 3 does.
    """

    symbol: str
    options: tuple[tuple[str, str], ...] = ()
    promote: bool = False


REDUCED = (("axis", "axis"), ("keepdims", "keepdims"))
ALONG = (("axis", "axis"),)

TRACED: dict[str, Traced] = {
    **{kind: Traced(f"math.{kind.lower()}") for kind in ("Log", "Sqrt", "Rsqrt", "Square", "Sign", "Floor", "Ceil")},
    **{kind: Traced(f"math.{kind.lower()}") for kind in ("Round", "Reciprocal", "Sin", "Cos", "Log1p", "Expm1", "Erf")},
    **{kind: Traced(f"math.{kind.lower()}", promote=True) for kind in ("Add", "Subtract", "Multiply", "Divide")},
    **{kind: Traced(f"math.{kind.lower()}", promote=True) for kind in ("Maximum", "Minimum")},
    "Absolute": Traced("math.abs"),
    "TrueDivide": Traced("math.divide", promote=True),
    "Power": Traced("math.pow", promote=True),
    "Matmul": Traced("linalg.matmul", promote=True),
    **{kind: Traced(f"math.reduce_{kind.lower()}", REDUCED) for kind in ("Mean", "Sum", "Max", "Min", "Prod")},
    **{kind: Traced(f"math.reduce_{kind.lower()}", REDUCED) for kind in ("Any", "All", "Std", "Logsumexp")},
    "Var": Traced("math.reduce_variance", REDUCED),
    "Argmax": Traced("math.argmax", ALONG),
    "Argmin": Traced("math.argmin", ALONG),
    "Cumsum": Traced("math.cumsum", ALONG),
    "LogSoftmax": Traced("nn.log_softmax", ALONG),
    "Gelu": Traced("nn.gelu", (("approximate", "approximate"),)),
    "Clip": Traced("clip_by_value", (("x_min", "clip_value_min"), ("x_max", "clip_value_max"))),
    "Stack": Traced("stack", ALONG),
    "Unstack": Traced("unstack", (("num", "num"), ("axis", "axis"))),
    "Flip": Traced("reverse", ALONG),
    "Roll": Traced("roll", (("shift", "shift"), ("axis", "axis"))),
    "Repeat": Traced("repeat", (("repeats", "repeats"), ("axis", "axis"))),
    "Take": Traced("gather", ALONG),
    "Squeeze": Traced("squeeze", ALONG),
    "ExpandDims": Traced("expand_dims", ALONG),
    "Cast": Traced("cast", (("dtype", "dtype"),)),
    "OneHot": Traced("one_hot", (("num_classes", "depth"), ("axis", "axis"), ("dtype", "dtype"))),
    "Where": Traced("where"),
    **{kind: Traced(f"math.{kind.lower()}") for kind in ("Greater", "Less", "Equal")},
    "GreaterEqual": Traced("math.greater_equal"),
    "LessEqual": Traced("math.less_equal"),
    "NotEqual": Traced("math.not_equal"),
    "LogicalAnd": Traced("math.logical_and"),
    "LogicalOr": Traced("math.logical_or"),
    "LogicalNot": Traced("math.logical_not"),
    "DepthToSpace": Traced("nn.depth_to_space", (("block_size", "block_size"),)),
    "SpaceToDepth": Traced("nn.space_to_depth", (("block_size", "block_size"),)),
}
"""Keras 3 operation to TensorFlow operation."""


def trace(node: KerasNode, name: str) -> KerasObject:
    """Make the layer for one call of an operation in `TRACED`.

    Args:
        node: of the Keras 3 graph.
        name: for the layer.

    Returns:
        A function that takes the Keras 2 tensors of the call and returns the result.

    Raises:
        Unsupported: the call does what files for devices cannot, or what Keras 2 cannot save.
    """
    operation = node.operation
    kind, line = type(operation).__name__, TRACED[type(operation).__name__]
    _refuse(node, kind)
    options = {keyword: _plain(getattr(operation, own)) for own, keyword in line.options}
    if line.symbol == "reverse" and not isinstance(options["axis"], (list, tuple)):
        options["axis"] = [options["axis"]]  # tf.reverse takes no single axis
    layer = layer_of(line.symbol, name)
    wanted = str(node.outputs[0].dtype)

    def apply(tensors: list[Tensor]) -> Tensors:
        if line.promote:
            tensors = [_cast(x, wanted) for x in tensors]
        if len(tensors) > 1 and isinstance(node.arguments.args[0], (list, tuple)):
            return layer(tensors, **options)
        args, kwargs = node.arguments.fill_in(dict(zip(map(id, node.arguments.keras_tensors), tensors, strict=True)))
        constants = [a if hasattr(a, "_keras_history") else _constant(a, wanted) for a in (*args, *kwargs.values())]
        return layer(*constants, **options)

    return apply


def layer_of(symbol: str, name: str) -> KerasLayer:
    """Return the Keras 2 layer that applies a TensorFlow operation.

    Args:
        symbol: public name below `tf.`.
        name: of the layer.
    """
    kinds = tf_keras().src.layers.core.tf_op_layer
    kind = kinds.SlicingOpLambda if symbol == "__operators__.getitem" else kinds.TFOpLambda
    return kind(reduce(getattr, symbol.split("."), tensorflow()), name=name)


def _refuse(node: KerasNode, kind: str) -> None:
    """Refuse what crosses samples, and types that the bridge has taken out of the model."""
    operation, tensors = node.operation, node.arguments.keras_tensors
    rank = len(tensors[0].shape)
    own = {own for own, _ in TRACED[kind].options}
    if "axis" in own and kind not in ("LogSoftmax", "OneHot"):
        axes = operation.axis if isinstance(operation.axis, (list, tuple)) else [operation.axis]
        grown = rank + (kind in ("Stack", "ExpandDims"))
        if any(axis is None or axis % grown == 0 for axis in axes):
            raise Unsupported(ACROSS)
    if kind in ("Argmax", "Argmin") and operation.keepdims:
        raise Unsupported("it keeps the axis that it counts along")
    if kind == "Cast" and operation.dtype in NOT_FLOAT32:
        raise Unsupported(f"it casts to {operation.dtype}, and everything here computes in float32")
    if kind == "Matmul" and (rank < 3 or any(len(tensor.shape) != rank for tensor in tensors)):
        if len(tensors) > 1:
            raise Unsupported(ACROSS)
    elif len({len(tensor.shape) for tensor in tensors}) > 1:
        raise Unsupported("tensors of unlike rank are combined, " + ACROSS)
    if getattr(operation, "data_format", None) == "channels_first":
        raise Unsupported("its channels are not on the last axis")
    if kind == "OneHot" and operation.sparse:
        raise Unsupported("sparse tensors have no int8 form")


def _plain(value: ConfigValue) -> ConfigValue:
    """Return an option as JSON can hold it."""
    if isinstance(value, (np.ndarray, np.generic)) or hasattr(value, "numpy"):
        return np.asarray(value).tolist()
    return list(value) if isinstance(value, tuple) else value


def _constant(value: ConfigValue, dtype: str) -> Tensor:
    """Return an argument that is not a tensor of the graph, as an array, as Keras 2 saves it."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    array = np.asarray(value)
    return array.astype(dtype) if array.dtype.kind == "f" else array


def _cast(tensor: Tensor, dtype: str) -> Tensor:
    return tensor if tensor.dtype.name == dtype else tensorflow().cast(tensor, dtype)


def is_traced(operation: KerasLayer) -> bool:
    """Return whether an operation is one of Keras 3's own that `trace` knows."""
    return not isinstance(operation, keras3().layers.Layer) and type(operation).__name__ in TRACED
