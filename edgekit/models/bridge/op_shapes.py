"""Operations of a Keras 3 graph that move, join or cut tensors, as Keras 2 layers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from edgekit.frameworks.tensorflow import tf_keras
from edgekit.frameworks.types import ConfigValue, KerasNode, Tensor, Tensors
from edgekit.models.bridge.layers import Unsupported
from edgekit.models.bridge.op_table import ACROSS, layer_of, trace

Apply = Callable[[list[Tensor]], Tensors]
"""Takes the Keras 2 tensors of one call, in the order of the Keras 3 call, and returns the result."""


def first(function: Callable[[Tensor], Tensors]) -> Apply:
    """Return an `Apply` for an operation on one tensor."""
    return lambda tensors: function(tensors[0])


def reshape(node: KerasNode, name: str) -> Apply:
    """Reshape, Squeeze, ExpandDims: a Reshape layer, where no more than one size is open."""
    before, after = tuple(node.arguments.keras_tensors[0].shape), tuple(node.outputs[0].shape)
    kind = type(node.operation).__name__
    if not after or not before or before[0] != after[0] or _product(before) not in (_product(after), None):
        raise Unsupported(ACROSS)
    target = [-1 if size is None else size for size in after[1:]]
    if target.count(-1) <= 1 and (kind == "Reshape" or -1 not in target):
        return first(tf_keras().layers.Reshape(target, name=name))
    if kind == "Reshape":
        raise Unsupported("its shape has more than one open size")
    return trace(node, name)  # type: ignore[no-any-return]


def transpose(node: KerasNode, name: str) -> Apply:
    """Transpose, Swapaxes and Moveaxis: a Permute layer."""
    operation, rank = node.operation, len(node.outputs[0].shape)
    axes = np.arange(rank)
    if type(operation).__name__ == "Transpose":
        order = axes[::-1] if operation.axes is None else np.asarray(operation.axes) % rank
    elif type(operation).__name__ == "Swapaxes":
        order = axes.copy()
        order[[operation.axis1, operation.axis2]] = order[[operation.axis2, operation.axis1]]
    else:
        order = np.array(np.moveaxis(np.empty(axes + 1), operation.source, operation.destination).shape) - 1
    if order[0] != 0:
        raise Unsupported(ACROSS)
    return first(tf_keras().layers.Permute([int(axis) for axis in order[1:]], name=name))


def pool(node: KerasNode, name: str) -> Apply:
    """Mean and Max over all positions of an image: a global pooling layer; any other: a TensorFlow operation."""
    operation, tensor = node.operation, node.arguments.keras_tensors[0]
    axes = operation.axis if isinstance(operation.axis, (list, tuple)) else [operation.axis]
    image = len(tensor.shape) == 4 and None not in axes and sorted(axis % 4 for axis in axes) == [1, 2]
    if image and getattr(operation, "initial", None) is None and "float" in str(tensor.dtype):
        kind = {"Mean": "GlobalAveragePooling2D", "Max": "GlobalMaxPooling2D"}[type(operation).__name__]
        return first(getattr(tf_keras().layers, kind)(keepdims=operation.keepdims, name=name))
    if getattr(operation, "initial", None) is not None:
        raise Unsupported("its option initial does not exist in Keras 2")
    return trace(node, name)  # type: ignore[no-any-return]


def window(node: KerasNode, name: str) -> Apply:
    """AveragePool and MaxPool: a pooling layer."""
    operation, rank = node.operation, len(node.outputs[0].shape)
    if operation.data_format == "channels_first":
        raise Unsupported("its channels are not on the last axis")
    kind = f"{type(operation).__name__.removesuffix('Pool')}Pooling{rank - 2}D"
    layer = getattr(tf_keras().layers, kind)
    return first(layer(operation.pool_size, operation.strides, operation.padding, name=name))


def resize(node: KerasNode, name: str) -> Apply:
    """Resize: a Resizing layer."""
    operation = node.operation
    if operation.antialias or operation.pad_to_aspect_ratio or operation.data_format == "channels_first":
        raise Unsupported("Keras 2 resizes without antialias, padding and channels_first only")
    return first(
        tf_keras().layers.Resizing(
            *operation.size,
            interpolation=operation.interpolation,
            crop_to_aspect_ratio=operation.crop_to_aspect_ratio,
            name=name,
        )
    )


def pad(node: KerasNode, name: str) -> Apply:
    """Pad: zeros around positions are a padding layer, everything else is a TensorFlow operation."""
    operation = node.operation
    widths = [[int(v) for v in pair] for pair in np.broadcast_to(operation.pad_width, (len(node.outputs[0].shape), 2))]
    value = node.arguments.kwargs.get("constant_values", next(iter(node.arguments.args[1:]), None)) or 0
    if widths[0] != [0, 0]:
        raise Unsupported(ACROSS)
    if operation.mode not in ("constant", "reflect", "symmetric"):
        raise Unsupported(f"its mode {operation.mode!r} does not exist in Keras 2")
    dimensions = len(widths) - 2
    if operation.mode == "constant" and value == 0 and dimensions in (1, 2, 3) and widths[-1] == [0, 0]:
        amounts = tuple(map(tuple, widths[1:-1]))
        layer = getattr(tf_keras().layers, f"ZeroPadding{dimensions}D")
        return first(layer(amounts[0] if dimensions == 1 else amounts, name=name))
    layer = layer_of("pad", name)
    return first(lambda x: layer(x, paddings=widths, mode=operation.mode.upper(), constant_values=value))


def tile(node: KerasNode, name: str) -> Apply:
    """Tile: a TensorFlow operation."""
    repeats, rank = list(np.atleast_1d(node.operation.repeats)), len(node.outputs[0].shape)
    repeats = [1] * (rank - len(repeats)) + [int(count) for count in repeats]
    if repeats[0] != 1 or rank != len(node.arguments.keras_tensors[0].shape):
        raise Unsupported(ACROSS)
    layer = layer_of("tile", name)
    return first(lambda x: layer(x, multiples=repeats))


def split(node: KerasNode, name: str) -> Apply:
    """Split: a TensorFlow operation, with sizes instead of positions."""
    operation, shape = node.operation, node.arguments.keras_tensors[0].shape
    axis = operation.axis % len(shape)
    if axis == 0:
        raise Unsupported(ACROSS)
    parts: ConfigValue = operation.indices_or_sections
    if not isinstance(parts, int):
        if shape[axis] is None:
            raise Unsupported("it cuts an axis of open size at fixed positions")
        parts = [int(size) for size in np.diff([0, *parts, shape[axis]])]
    layer = layer_of("split", name)
    return first(lambda x: layer(x, num_or_size_splits=parts, axis=axis))


def get_item(node: KerasNode, name: str) -> Apply:
    """x[key]: a slicing layer; the first part of the key must leave the samples alone."""
    key = node.arguments.kwargs.get("key", next(iter(node.arguments.args[1:]), None))
    parts = list(key) if isinstance(key, (tuple, list)) else [key]
    if len(node.arguments.keras_tensors) > 1 or not all(map(_is_static, parts)):
        raise Unsupported("its index is computed in the graph")
    at = [index for index, part in enumerate(parts) if part is Ellipsis]
    taken = sum(part is not None and part is not Ellipsis for part in parts)
    if at:  # JSON has no ellipsis
        parts[at[0] : at[0] + 1] = [slice(None)] * (len(node.arguments.keras_tensors[0].shape) - taken)
    if parts[0] != slice(None):
        raise Unsupported(ACROSS)
    spec = [_slice(part) for part in parts]
    layer = layer_of("__operators__.getitem", name)
    return first(lambda x: layer(x, slice_spec=spec))


def _is_static(part: ConfigValue) -> bool:
    """Whether one part of a key is a number, a range of numbers, an ellipsis or a new axis."""
    if isinstance(part, slice):
        return all(edge is None or isinstance(edge, (int, np.integer)) for edge in (part.start, part.stop, part.step))
    return part is None or part is Ellipsis or (isinstance(part, (int, np.integer)) and not isinstance(part, bool))


def _slice(part: ConfigValue) -> ConfigValue:
    """Return one part of a key as Keras 2 saves it."""
    if isinstance(part, slice):
        edges = (part.start, part.stop, part.step)
        return dict(zip(("start", "stop", "step"), (None if e is None else int(e) for e in edges), strict=True))
    return part if part is None else int(part)


def _product(shape: tuple[int | None, ...]) -> int | None:
    """Return the number of elements of one sample, None if a size is open."""
    sizes = [size for size in shape[1:] if size is not None]
    return None if len(sizes) < len(shape) - 1 else math.prod(sizes)


SHAPES: dict[str, Callable[[KerasNode, str], Apply]] = {
    **dict.fromkeys(("Reshape", "Squeeze", "ExpandDims"), reshape),
    **dict.fromkeys(("Transpose", "Swapaxes", "Moveaxis"), transpose),
    **dict.fromkeys(("Mean", "Max"), pool),
    **dict.fromkeys(("AveragePool", "MaxPool"), window),
    "Resize": resize,
    "Pad": pad,
    "Tile": tile,
    "Split": split,
    "GetItem": get_item,
}
"""Keras 3 operation to the function that makes its Keras 2 form."""
