"""What joins, cuts, repeats and reduces tensors along axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgekit.frameworks.tensorflow import tensorflow
from edgekit.frameworks.types import Tensor
from edgekit.models.imported.graph import Concatenate, Expand, Extreme, Pad, Reduction, Repeat, Slice, Take
from edgekit.models.imported.lowering.builder import Builder, Operand
from edgekit.models.imported.lowering.value import Value, of
from edgekit.models.imported.lowering.windows import zero_padded
from edgekit.models.imported.operators import Unsupported
from edgekit.tasks.samples import Array


def concatenate(op: Concatenate, inputs: Sequence[Operand], b: Builder) -> Value:
    """Concatenate, all in the layout of the first that is not in its own order."""
    values = [b.plain(x) for x in inputs if isinstance(x, Value)]
    model = next((v for v in values if v.order != tuple(sorted(v.order))), values[0])
    if model.batch == op.axis:
        model = b.explicit(model)
    if op.axis == 1 and model.rank == 4 and model.batch == 0 and all(x.shape[1] == 1 for x in inputs):
        model = b.channels_last(model, 1)  # images of one channel become one of several
    parts = []
    for x in inputs:
        if isinstance(x, Value):
            parts.append(b.arranged(x, model.order, model.batch).tensor)
        else:
            parts.append(_constant(x, model))
    axis = model.stored(op.axis)
    joined = b.layer("Concatenate", axis=-1 if axis == len(model.order) else axis)(parts)
    return of(joined, model.order, model.batch, positive=all(v.positive for v in values) and len(values) == len(inputs))


def _constant(values: Array, model: Value) -> Tensor:
    """Return a constant for each sample, in the layout of a value: added to zeros that are made of it."""
    sizes = [values.shape[axis] for axis in model.order]
    stored = values.transpose([*model.order, *(() if model.batch is None else (model.batch,))]).reshape(sizes)
    one = model.tensor[(slice(None), *(slice(0, 1) for _ in sizes))]
    return tensorflow().math.add(tensorflow().math.multiply(one, 0.0), stored.astype(np.float32))


def slice_(op: Slice, inputs: Sequence[Operand], b: Builder) -> Value:
    """Cropping where only spatial axes are cut, else the slice itself."""
    x = b.plain(b.computed(inputs[0]))
    cut = {
        axis: (start, size, step)
        for axis, (start, size, step) in enumerate(zip(op.starts, op.sizes, op.steps, strict=True))
        if (start, size, step) != (0, x.shape[axis], 1)
    }
    if not cut:
        return x
    if x.batch in cut:
        x = b.explicit(x)
    count = len(x.order) - 1
    if count in (1, 2) and x.order[-1] not in cut and all(step == 1 for _, _, step in cut.values()):
        cropping = [(cut[a][0], x.shape[a] - cut[a][0] - cut[a][1]) if a in cut else (0, 0) for a in x.order[:-1]]
        layer = b.layer(f"Cropping{count}D", cropping=tuple(cropping) if count > 1 else cropping[0])
        return of(layer(x.tensor), x.order, x.batch, positive=x.positive)
    slices = [slice(None)]
    for axis in x.order:
        start, size, step = cut.get(axis, (0, x.shape[axis], 1))
        end = start + size * step
        slices.append(slice(None) if axis not in cut else slice(start, end if end >= 0 else None, step))
    return of(x.tensor[tuple(slices)], x.order, x.batch, positive=x.positive)


def pad(op: Pad, inputs: Sequence[Operand], b: Builder) -> Value:
    """ZeroPadding of spatial axes, else TensorFlow's own; negative pads are refused."""
    x = b.plain(b.computed(inputs[0]))
    if min(min(pair) for pair in op.pads) < 0:
        raise Unsupported("its pads are negative: they cut")
    padded = {axis for axis, pair in enumerate(op.pads) if any(pair)}
    if not padded:
        return x
    if x.batch in padded:
        x = b.explicit(x)
    pads = [op.pads[axis] for axis in x.order]
    zero = op.mode == "constant" and op.value == 0
    if zero and len(pads) in (2, 3) and not any(pads[-1]):
        return zero_padded(b, x, tuple(pads[:-1]))
    tf, amounts = tensorflow(), [[0, 0], *map(list, pads)]
    if op.mode == "edge":
        if max(max(pair) for pair in pads) > 1:
            raise Unsupported("it repeats the edge more than once")
        tensor = tf.pad(x.tensor, amounts, mode="SYMMETRIC")
    elif op.mode == "reflect":
        tensor = tf.pad(x.tensor, amounts, mode="REFLECT")
    else:
        tensor = tf.pad(x.tensor, amounts, constant_values=op.value)
    return of(tensor, x.order, x.batch, positive=x.positive and (op.mode != "constant" or op.value >= 0))


_OF_EVERY = {"sumsquare": "square", "l1": "abs", "l2": "square"}
"""What is summed of every value. TFLite has no operators for norms."""
_POOLING = {"mean": "GlobalAveragePooling", "max": "GlobalMaxPooling"}


def reduction(op: Reduction, inputs: Sequence[Operand], b: Builder) -> Value:
    """Global pooling over all spatial axes, else TensorFlow's own."""
    x = b.batch_first(b.plain(b.computed(inputs[0])))
    if x.batch in op.axes and not op.keep:
        x = b.explicit(x)
    axes, tf = [axis for axis in x.order if axis in op.axes], tensorflow()
    places = [x.stored(axis) for axis in axes]
    if op.kind in _POOLING and len(x.order) in (2, 3) and places == list(range(1, len(x.order))):
        made = b.layer(f"{_POOLING[op.kind]}{len(places)}D", keepdims=op.keep)(x.tensor)
    elif op.kind in _OF_EVERY:
        made = tf.math.reduce_sum(getattr(tf.math, _OF_EVERY[op.kind])(x.tensor), axis=places, keepdims=op.keep)
        made = tf.math.sqrt(made) if op.kind == "l2" else made
    elif op.kind == "logsumexp":  # TensorFlow's own asks whether values are finite, which TFLite cannot
        most = tf.math.reduce_max(x.tensor, axis=places, keepdims=True)
        total = tf.math.reduce_sum(tf.math.exp(x.tensor - most), axis=places, keepdims=op.keep)
        made = tf.math.log(total) + (most if op.keep else tf.squeeze(most, places))
    else:
        made = getattr(tf.math, f"reduce_{op.kind}")(x.tensor, axis=places, keepdims=op.keep)
    positive = x.positive or op.kind in _OF_EVERY
    if op.keep:
        return of(made, x.order, x.batch, positive=positive)
    return _without(replace(x, tensor=made, positive=positive), op.axes)


def _without(x: Value, dropped: Sequence[int]) -> Value:
    """Return a value whose tensor has lost axes, its other axes counted anew."""
    left = [axis for axis in range(x.rank) if axis not in dropped]
    new = {axis: i for i, axis in enumerate(left)}
    return Value(
        x.tensor,
        tuple(x.shape[axis] for axis in left),
        tuple(new[axis] for axis in x.order if axis in new),
        None if x.batch is None else new[x.batch],
        positive=x.positive,
    )


def extreme(op: Extreme, inputs: Sequence[Operand], b: Builder) -> Value:
    """ArgMax, ArgMin."""
    x, tf = b.plain(b.computed(inputs[0])), tensorflow()
    if x.batch == op.axis:
        x = b.explicit(x)
    function = tf.math.argmax if op.kind == "max" else tf.math.argmin
    made = function(x.tensor, axis=x.stored(op.axis))
    if not op.keep:
        return _without(replace(x, tensor=made), [op.axis])
    return of(tf.expand_dims(made, x.stored(op.axis)), x.order, x.batch)


def take(op: Take, inputs: Sequence[Operand], b: Builder) -> Value:
    """Gather with constant places: a slice where they are next to each other."""
    x, places = b.plain(b.computed(inputs[0])), op.places
    if x.batch == op.axis:
        x = b.explicit(x)
    flat = places.reshape(-1)
    if len(flat) and (np.diff(flat) == 1).all():
        starts = tuple(int(flat[0]) if axis == op.axis else 0 for axis in range(x.rank))
        sizes = tuple(len(flat) if axis == op.axis else size for axis, size in enumerate(x.shape))
        made = slice_(Slice(starts, sizes, (1,) * x.rank), [x], b)
    else:
        made = of(tensorflow().gather(x.tensor, flat.tolist(), axis=x.stored(op.axis)), x.order, x.batch)
    if places.ndim == 1:
        return made
    if places.ndim > 1:
        raise Unsupported("its places have several axes")
    order = tuple(axis for axis in made.order if axis != op.axis)
    tensor = b.resized(made.tensor, [made.shape[axis] for axis in order])
    return _without(replace(made, tensor=tensor), [op.axis])


def expand(op: Expand, inputs: Sequence[Operand], b: Builder) -> Value:
    """Axes of size 1, repeated."""
    x = b.computed(inputs[0])
    lead = len(op.shape) - x.rank
    natural = tuple(axis for axis in range(len(op.shape)) if axis != 0 or op.shape[0] != 1)
    x = b.arranged(x, natural, 0 if op.shape[0] == 1 else None, lead)
    times = tuple(size // own for size, own in zip(op.shape, x.shape, strict=True))
    return repeat(Repeat(times), [x], b)


def repeat(op: Repeat, inputs: Sequence[Operand], b: Builder) -> Value:
    """Tile."""
    x = b.plain(b.computed(inputs[0]))
    if x.batch is not None and op.times[x.batch] != 1:
        x = b.explicit(x)
    times = [op.times[axis] for axis in x.order]
    if set(times) <= {1}:
        return x
    return of(tensorflow().tile(x.tensor, [1, *times]), x.order, x.batch, positive=x.positive)
