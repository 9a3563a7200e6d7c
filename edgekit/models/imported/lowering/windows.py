"""Convolutions, pooling and resizing, channels last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgekit.frameworks.tensorflow import tensorflow
from edgekit.frameworks.types import ConfigValue, Tensor
from edgekit.models.imported.graph import (
    Convolution,
    DepthToSpace,
    Pads,
    Pooling,
    Resize,
    SpaceToDepth,
    TransposedConvolution,
)
from edgekit.models.imported.lowering.builder import Builder, Operand
from edgekit.models.imported.lowering.value import Value, of
from edgekit.models.imported.operators import Shape, Unsupported

NEITHER = "it has strides and dilations together, which TensorFlow does not compute"


def same_pads(lengths: Sequence[int], size: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Pads:
    """Return what `padding="same"` of TensorFlow pads."""
    totals = [
        max((-(-length // s) - 1) * s + (k - 1) * d + 1 - length, 0)
        for length, k, s, d in zip(lengths, size, strides, dilations, strict=True)
    ]
    return tuple((total // 2, total - total // 2) for total in totals)


def zero_padded(b: Builder, x: Value, pads: Pads) -> Value:
    """Return a value with zeros around its spatial axes, which stand between batch and channels."""
    if not any(map(any, pads)):
        return x
    amount: ConfigValue = pads if len(pads) > 1 else pads[0]
    tensor = b.layer(f"ZeroPadding{len(pads)}D", "pad", padding=amount)(x.tensor)
    return of(tensor, x.order, x.batch, positive=x.positive)


def _padding(b: Builder, x: Value, size: Shape, strides: Shape, dilations: Shape, pads: Pads) -> tuple[Value, str]:
    """Return what a layer slides over, and its padding."""
    if not any(map(any, pads)):
        return x, "valid"
    if pads == same_pads(x.tensor.shape[1:-1], size, strides, dilations):
        return x, "same"
    return zero_padded(b, x, pads), "valid"


def convolution(op: Convolution, inputs: Sequence[Operand], b: Builder) -> Value:
    """Conv, DepthwiseConv."""
    x, count = b.channels_last(inputs[0], op.channels), len(op.strides)
    size = op.kernel.shape[:-2]
    if max(op.strides) > 1 and max(op.dilations) > 1:
        raise Unsupported(NEITHER)
    x, padding = _padding(b, x, size, op.strides, op.dilations, op.pads)
    options: dict[str, ConfigValue] = {
        "kernel_size": size,
        "strides": op.strides,
        "padding": padding,
        "dilation_rate": op.dilations,
        "use_bias": op.bias is not None,
    }
    kernel = op.kernel
    if op.groups > 1 and kernel.shape[-2] == 1 and len(set(op.strides)) == 1:
        kernel = kernel.reshape(*size, op.groups, -1)
        if count == 1:
            options |= {key: options[key][0] for key in ("kernel_size", "strides", "dilation_rate")}
        kind, options = f"DepthwiseConv{count}D", {**options, "depth_multiplier": kernel.shape[-1]}
    else:
        kind, options = f"Conv{count}D", {**options, "filters": kernel.shape[-1], "groups": op.groups}
    weights = [kernel] if op.bias is None else [kernel, op.bias]
    return of(b.weighted(kind, x.tensor, weights, **options), x.order, x.batch)


def transposed(op: TransposedConvolution, inputs: Sequence[Operand], b: Builder) -> Value:
    """ConvTranspose, and what is cut off behind it where TensorFlow pads otherwise."""
    x, count = b.channels_last(inputs[0], op.channels), len(op.strides)
    size, lengths = op.kernel.shape[:-2], tuple(x.tensor.shape[1:-1])
    full = [n * s + max(k - s, 0) for n, s, k in zip(lengths, op.strides, size, strict=True)]
    cuts = []
    for n, s, k, whole, pad, longer in zip(lengths, op.strides, size, full, op.pads, op.longer, strict=True):
        cuts.append((pad[0], whole - pad[0] - ((n - 1) * s + k - sum(pad) + longer)))
    same = tuple((max(k - s, 0) // 2, -(-max(k - s, 0) // 2)) for s, k in zip(op.strides, size, strict=True))
    padding = "same" if tuple(cuts) == same else "valid"
    tensor = b.weighted(
        f"Conv{count}DTranspose",
        x.tensor,
        [op.kernel] if op.bias is None else [op.kernel, op.bias],
        filters=op.kernel.shape[-2],
        kernel_size=size,
        strides=op.strides,
        padding=padding,
        use_bias=op.bias is not None,
    )
    made = of(tensor, x.order, x.batch)
    if padding == "same" or not any(map(any, cuts)):
        return made
    if op.bias is not None and any(end < 0 for _, end in cuts) and op.bias.any():
        raise Unsupported("its `output_padding` reaches beyond its kernel, and it has a bias")
    made = zero_padded(b, made, tuple((0, max(-end, 0)) for _, end in cuts))
    crop = tuple((begin, max(end, 0)) for begin, end in cuts)
    cropping = b.layer(f"Cropping{count}D", "crop", cropping=crop if count > 1 else crop[0])
    return of(cropping(made.tensor), x.order, x.batch)


def pooling(op: Pooling, inputs: Sequence[Operand], b: Builder) -> Value:
    """MaxPooling, AveragePooling."""
    x, count = b.channels_last(inputs[0], op.channels), len(op.size)
    lengths, ones = tuple(x.tensor.shape[1:-1]), (1,) * count
    reach: Pads = tuple((begin, end + more) for (begin, end), more in zip(op.pads, op.beyond, strict=True))
    same = same_pads(lengths, op.size, op.strides, ones)
    plain = not any(map(any, reach))
    unpadded = op.kind == "max" or (not op.counts_pads and _no_ceiling(op)) or not any(map(any, op.pads))
    kind = f"{'Max' if op.kind == 'max' else 'Average'}Pooling{count}D"
    options: dict[str, ConfigValue] = {"pool_size": op.size, "strides": op.strides}
    if count == 1:
        options = {key: value[0] for key, value in options.items()}
    if plain or (reach == same and unpadded):
        made = b.layer(kind, padding="valid" if plain else "same", **options)(x.tensor)
        return of(made, x.order, x.batch, positive=x.positive)
    mirrored = op.kind == "max" and not x.positive
    x = _mirrored(x, op, reach) if mirrored else zero_padded(b, x, reach)
    made = b.layer(kind, padding="valid", **options)(x.tensor)
    if op.kind == "mean":
        made = _corrected(made, op, lengths)
    return of(made, x.order, x.batch, positive=x.positive)


def _no_ceiling(op: Pooling) -> bool:
    return not any(op.beyond)


def _mirrored(x: Value, op: Pooling, reach: Pads) -> Value:
    """Return a value padded with values that every window that sees them holds anyway: the largest stays the same."""
    spatial = zip(x.tensor.shape[1:-1], op.size, op.strides, reach, strict=True)
    for length, size, stride, (begin, end) in spatial:
        last = ((length + begin + end - size) // stride) * stride - begin  # where the last window starts
        if 2 * begin > size or (end and length - end < last):
            raise Unsupported("its pads are wider than half of its window")
    tensor = tensorflow().pad(x.tensor, [[0, 0], *map(list, reach), [0, 0]], mode="SYMMETRIC")
    return replace(x, tensor=tensor)


def _corrected(made: Tensor, op: Pooling, lengths: Shape) -> Tensor:
    """Multiply means with the number of values that were summed, over that of those which count."""
    area = np.ones((), np.float64)
    for length, size, stride, pad, steps in zip(lengths, op.size, op.strides, op.pads, made.shape[1:-1], strict=True):
        low, high = (-pad[0], length + pad[1]) if op.counts_pads else (0, length)
        starts = np.arange(steps) * stride - pad[0]
        counted = np.minimum(starts + size, high) - np.maximum(starts, low)
        area = area[..., np.newaxis] * counted
    factor = (np.prod(op.size) / area)[..., np.newaxis].astype(np.float32)
    if (factor == 1).all():
        return made
    return tensorflow().math.multiply(made, factor)


def resize(op: Resize, inputs: Sequence[Operand], b: Builder) -> Value:
    """UpSampling, Resizing, or TensorFlow's own where corners are aligned."""
    x = b.channels_last(inputs[0], op.channels)
    lengths, count = tuple(x.tensor.shape[1:-1]), len(op.sizes)
    factors = [size // length for size, length in zip(op.sizes, lengths, strict=True)]
    whole = all(f * n == size for f, n, size in zip(factors, lengths, op.sizes, strict=True))
    if count == 1:
        if not (whole and op.mode == "nearest" and not op.corners):
            raise Unsupported("of one axis, edgekit rebuilds the nearest mode with a whole factor")
        return of(b.layer("UpSampling1D", size=factors[0])(x.tensor), x.order, x.batch, positive=x.positive)
    how = "bilinear" if op.mode == "linear" else "nearest"
    image = tensorflow().compat.v1.image
    if op.corners:
        function = image.resize_bilinear if op.mode == "linear" else image.resize_nearest_neighbor
        made = function(x.tensor, list(op.sizes), align_corners=True)
    elif whole and (op.mode == "nearest" or op.half_pixels):
        made = b.layer("UpSampling2D", size=tuple(factors), interpolation=how)(x.tensor)
    elif op.half_pixels:
        made = b.layer("Resizing", height=op.sizes[0], width=op.sizes[1], interpolation=how)(x.tensor)
    else:
        function = image.resize_bilinear if op.mode == "linear" else image.resize_nearest_neighbor
        made = function(x.tensor, list(op.sizes))
    return of(made, x.order, x.batch, positive=x.positive)


def depth_to_space(op: DepthToSpace, inputs: Sequence[Operand], b: Builder) -> Value:
    """TensorFlow's own, behind channels numbered as it takes them."""
    x, tf = b.channels_last(inputs[0], op.channels), tensorflow()
    if len(x.order) != 3:
        raise Unsupported("it has other axes than batch, channels, rows and columns")
    tensor, area = x.tensor, op.block * op.block
    if not op.split_first:
        order = np.arange(tensor.shape[-1]).reshape(-1, area).T.ravel()
        tensor = tf.gather(tensor, order.tolist(), axis=-1)
    return of(tf.nn.depth_to_space(tensor, op.block), x.order, x.batch, positive=x.positive)


def space_to_depth(op: SpaceToDepth, inputs: Sequence[Operand], b: Builder) -> Value:
    """TensorFlow's own."""
    x = b.channels_last(inputs[0], op.channels)
    return of(tensorflow().nn.space_to_depth(x.tensor, op.block), x.order, x.batch, positive=x.positive)
