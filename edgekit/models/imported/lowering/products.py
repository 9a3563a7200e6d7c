"""Arithmetic of two tensors, matrix products and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgekit.frameworks.tensorflow import tensorflow
from edgekit.frameworks.types import ConfigValue, Tensor
from edgekit.models.imported.graph import Arithmetic, Choose, Linear, Lookup, MatrixProduct
from edgekit.models.imported.lowering.builder import Builder, Operand
from edgekit.models.imported.lowering.value import Value, of
from edgekit.models.imported.operators import Shape, Unsupported
from edgekit.tasks.samples import Array

LAYERS = {"add": "Add", "subtract": "Subtract", "multiply": "Multiply", "maximum": "Maximum", "minimum": "Minimum"}
"""Arithmetic of two values that a merging layer of Keras does."""
_TENSORFLOW = {
    **{kind: kind for kind in (*LAYERS, "divide", "pow", "greater", "greater_equal", "less", "less_equal", "equal")},
    "and": "logical_and",
    "or": "logical_or",
}


def linear(op: Linear, inputs: Sequence[Operand], b: Builder) -> Value:
    """Dense, its rows sorted as a flattened input stands."""
    x = b.last(inputs[0])
    kernel = op.kernel if x.mix is None else op.kernel[x.mix]
    weights = [kernel] if op.bias is None else [kernel, op.bias]
    made = b.weighted("Dense", x.tensor, weights, units=kernel.shape[1], use_bias=op.bias is not None)
    return of(made, x.order, x.batch)


def lookup(op: Lookup, inputs: Sequence[Operand], b: Builder) -> Value:
    """Embedding."""
    x = b.plain(b.computed(inputs[0]))
    rows, width = op.table.shape
    made = b.weighted("Embedding", x.tensor, [op.table], input_dim=rows, output_dim=width)
    return of(made, (*x.order, x.rank), x.batch)


def arithmetic(op: Arithmetic, inputs: Sequence[Operand], b: Builder) -> Value:
    """Make a merging layer, a Rescaling by a constant a channel, or TensorFlow's own."""
    same_mix = _flattened_alike(op, inputs)
    if same_mix is not None:
        made = getattr(tensorflow().math, _TENSORFLOW[op.kind]) if op.kind not in LAYERS else None
        tensors = [x.tensor for x in inputs if isinstance(x, Value)]
        tensor = made(*tensors) if made else b.layer(LAYERS[op.kind])(tensors)
        return replace(same_mix, tensor=tensor, origin=None, positive=False)
    like, operands = _aligned(inputs, b)
    tensors = [x for x in operands if not isinstance(x, np.ndarray)]
    if len(tensors) == 2 and op.kind in LAYERS:
        made = b.layer(LAYERS[op.kind])(tensors)
    else:
        made = _rescaled(op.kind, operands, b)
        if made is None:
            made = getattr(tensorflow().math, _TENSORFLOW[op.kind])(*operands)
    positive = op.kind in ("add", "multiply", "maximum") and all(
        x.positive if isinstance(x, Value) else bool((x >= 0).all()) for x in inputs
    )
    return of(made, like.order, like.batch, positive=positive)


def _flattened_alike(op: Arithmetic, inputs: Sequence[Operand]) -> Value | None:
    """Return the first of two values that were flattened in the same way."""
    a, c = inputs
    if not isinstance(a, Value) or not isinstance(c, Value) or a.mix is None or c.mix is None:
        return None
    return a if a.shape == c.shape and a.order == c.order and np.array_equal(a.mix, c.mix) else None


def _aligned(inputs: Sequence[Operand], b: Builder) -> tuple[Value, list[Tensor | Array]]:
    """Return the layout of the result, and operands that broadcast in it: tensors, and constants as arrays."""
    inputs = [b.plain(x) if isinstance(x, Value) else x for x in inputs]
    rank = max(len(x.shape) for x in inputs)
    values = [x for x in inputs if isinstance(x, Value)]
    model = max(values, key=lambda v: (v.rank, int(np.prod(v.shape)), v.order != tuple(sorted(v.order))))
    lead = rank - model.rank
    order: Shape = tuple(axis + lead for axis in model.order)
    batch = None if model.batch is None else model.batch + lead
    if lead:
        order, batch = tuple(range(1, rank)), 0
    long = {i + rank - len(x.shape) for x in inputs for i, size in enumerate(x.shape) if size != 1}
    if batch in long:
        order, batch = (batch, *(axis for axis in order if axis != batch)), None
    elif batch is None and lead and 0 not in long:
        batch = 0
    if batch is not None and set(order) | {batch} != set(range(rank)):
        order = tuple(axis for axis in range(rank) if axis != batch)
    operands: list[Tensor | Array] = []
    for x in inputs:
        more = rank - len(x.shape)
        if isinstance(x, Value):
            operands.append(b.arranged(x, order, batch, more).tensor)
        else:
            full = np.asarray(x).reshape((1,) * more + x.shape)
            moved = full.transpose([*order, *(() if batch is None else (batch,))])
            operands.append(moved.reshape([full.shape[axis] for axis in order]))
    like = b.arranged(model, order, batch, lead)
    return like, operands


def _rescaled(kind: str, operands: Sequence[Tensor | Array], b: Builder) -> Tensor | None:
    """Return x * scale + offset by a Rescaling, where a constant is one number, or one a channel; else None."""
    swapped = isinstance(operands[0], np.ndarray)
    constant, tensor = operands if swapped else operands[::-1]
    if not isinstance(constant, np.ndarray) or constant.dtype.kind != "f" or not np.isfinite(constant).all():
        return None
    if constant.size != 1 and constant.size != constant.shape[-1]:
        return None
    if constant.size != 1 and constant.size != tensor.shape[-1]:  # it widens the tensor
        return None
    values = constant.reshape(-1).astype(np.float64)
    number: ConfigValue = float(values[0]) if len(values) == 1 else values.tolist()
    if kind == "add":
        options = {"scale": 1.0, "offset": number}
    elif kind == "multiply":
        options = {"scale": number}
    elif kind == "subtract":
        options = {"scale": -1.0, "offset": number} if swapped else {"scale": 1.0, "offset": (-values).tolist()}
    elif kind == "divide" and not swapped and values.all():
        options = {"scale": (1 / values).tolist()}
    else:
        return None
    if len(values) == 1:
        options = {key: float(np.reshape(value, -1)[0]) for key, value in options.items()}
    return b.layer("Rescaling", **options)(tensor)


def choose(op: Choose, inputs: Sequence[Operand], b: Builder) -> Value:
    """Where."""
    like, operands = _aligned(inputs, b)
    sizes = np.broadcast_shapes(*(tuple(x.shape) if isinstance(x, np.ndarray) else x.shape[1:] for x in operands))
    if tuple(sizes) != tuple(like.tensor.shape[1:]):
        raise Unsupported("it broadcasts in a way that edgekit does not follow")
    return of(tensorflow().where(*operands), like.order, like.batch)


def matrix_product(op: MatrixProduct, inputs: Sequence[Operand], b: Builder) -> Value:
    """TensorFlow's own, the second matrix read across where it is stored so."""
    rank = max(len(x.shape) for x in inputs)
    values = [b.plain(x) for x in inputs if isinstance(x, Value)]
    batches = {None if v.batch is None else v.batch + rank - v.rank for v in values}
    batch = batches.pop() if len(batches) == 1 else None
    if batch is not None and (
        batch >= rank - 2 or any(x.shape[batch - rank] != 1 for x in inputs if len(x.shape) + batch >= rank)
    ):
        batch = None
    order = tuple(axis for axis in range(rank) if axis != batch)
    across = (*order[:-2], order[-1], order[-2])
    operands, swaps = [], []
    for x in inputs:
        more = rank - len(x.shape)
        swaps.append(False)
        if isinstance(x, Value):
            x = b.plain(x)
            stored = tuple(axis + more for axis in x.order)
            swaps[-1] = stored == across
            operands.append(b.arranged(x, across if swaps[-1] else order, batch, more).tensor)
        else:
            full = np.asarray(x, np.float32).reshape((1,) * more + x.shape)
            operands.append(full.reshape([full.shape[axis] for axis in order]))
    made = tensorflow().linalg.matmul(*operands, transpose_a=swaps[0], transpose_b=swaps[1])
    return of(made, order, batch)
