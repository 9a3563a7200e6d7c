"""Matrix products of ONNX. Definitions: https://onnx.ai/onnx/operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from string import ascii_uppercase

import numpy as np

from edgekit.models.imported.graph import (
    Arithmetic,
    Elementwise,
    Expand,
    Linear,
    Lookup,
    MatrixProduct,
    Permute,
    Reshape,
    Step,
    Take,
)
from edgekit.models.imported.operators import Unsupported
from edgekit.models.imported.reading.at import At
from edgekit.tasks.samples import Array


def gemm(at: At) -> Sequence[Step]:
    """Gemm: alpha * A * B + beta * C."""
    node = at.node
    if node.integer("transA"):
        raise Unsupported("its first matrix is transposed, so that it acts across samples")
    kernel = at.weights(1, "weights")
    kernel = (kernel.T if node.integer("transB") else kernel) * np.float32(node.real("alpha", 1.0))
    bias = at.bias(2)
    if bias is not None:
        if bias.size != 1 and bias.shape not in ((kernel.shape[1],), (1, kernel.shape[1])):
            raise Unsupported(f"its bias has the shape {list(bias.shape)}, expected one number a column")
        bias = np.broadcast_to(bias.reshape(-1), kernel.shape[1:]) * np.float32(node.real("beta", 1.0))
    return [at.step(Linear(kernel, bias))]


def product(at: At) -> Sequence[Step]:
    """MatMul: of values and a constant matrix, of a constant matrix and values, or of two values."""
    right, left = at.known(1), at.known(0)
    if right is not None and right.ndim == 2:
        return [at.step(Linear(at.weights(1, "weights"), None))]
    if right is not None and right.ndim > 2 and right.size == right.shape[-1] * right.shape[-2]:
        return [at.step(Linear(at.weights(1, "weights").reshape(right.shape[-2:]), None))]
    if left is not None and left.ndim == 2 and len(at.shape(1)) >= 2:  # W x = (x' W')'
        x, rank = at.node.inputs[1], len(at.shape(1))
        swap = Permute((*range(rank - 2), rank - 1, rank - 2))
        a, b = (f"{at.node.outputs[0]}:{side}" for side in ("across", "made"))
        return [
            at.step(swap, [x], a),
            at.step(Linear(np.ascontiguousarray(at.weights(0, "weights").T), None), [a], b),
            at.step(swap, [b]),
        ]
    if min(len(at.shape(0)), len(at.shape(1))) < 2:
        raise Unsupported("it multiplies a vector that is not constant")
    return [at.step(MatrixProduct(), at.node.inputs)]


def gather(at: At) -> Sequence[Step]:
    """Gather: rows of a constant table, or constant places of values."""
    table, places = at.known(0), at.known(1)
    axis = at.axis(at.node.integer("axis"))
    if table is not None and places is None:
        if axis or table.ndim != 2:
            raise Unsupported("its table is not one row a number")
        return [at.step(Lookup(np.asarray(table, np.float32)), at.node.inputs[1:2])]
    if places is None:
        raise Unsupported("its places depend on the values of the model's inputs")
    size = at.shape()[axis]
    found = np.where(places < 0, places + size, places).astype(np.int64)
    if found.size and not 0 <= found.min() <= found.max() < size:
        raise Unsupported(f"it takes places outside an axis of {size}")
    if found.ndim < 2:
        return [at.step(Take(found, axis))]
    if len(at.shape()) == 1 and (order := _strides_of(found)):
        return _restrided(at, found.shape, order)
    taken = f"{at.node.outputs[0]}:taken"
    return [at.step(Take(found.reshape(-1), axis), output=taken), at.step(Reshape(at.made), [taken])]


def _strides_of(places: Array) -> tuple[int, ...]:
    """Return the axes of places in a flat list from the slowest to the fastest, if they take all of it; else nothing.

    PyTorch's `as_strided` is exported so, of tensors in its `channels_last` format.
    """
    steps = [int(np.take(places, min(1, size - 1), axis).flat[0]) for axis, size in enumerate(places.shape)]
    order = tuple(sorted(range(places.ndim), key=lambda axis: (places.shape[axis] > 1, -steps[axis])))
    whole = np.arange(places.size).reshape([places.shape[axis] for axis in order]).transpose(np.argsort(order))
    return order if np.array_equal(whole, places) else ()


def _restrided(at: At, sizes: Sequence[int], order: Sequence[int]) -> Sequence[Step]:
    """Return the steps that give a flat list axes, of which the first of `order` is the slowest."""
    if list(order) == sorted(order):
        return [at.step(Reshape(at.made))]
    parted = f"{at.node.outputs[0]}:parted"
    back = tuple(int(place) for place in np.argsort(order))
    shape = tuple(sizes[axis] for axis in order)
    return [at.step(Reshape(shape), output=parted), at.step(Permute(back), [parted])]


def expand(at: At) -> Sequence[Step]:
    """Expand."""
    return [at.step(Expand(at.made))]


def einsum(at: At) -> Sequence[Step]:
    """Einsum of two values that is a matrix product between permutations; of anything else it is refused."""
    terms, _, made = at.node.text("equation").replace(" ", "").partition("->")
    parts = terms.split(",")
    if len(parts) == 2 and "..." in terms:
        parts, made = _spelled(parts, made, [len(at.shape(0)), len(at.shape(1))])
    if len(parts) != 2 or not made or "." in "".join((*parts, made)):
        raise Unsupported(f"of `{at.node.text('equation')}`: edgekit rebuilds those of two tensors with a result")
    a, b = parts
    common = [c for c in a if c in b]
    summed = [c for c in common if c not in made]
    kept = [c for c in common if c in made]
    rows, columns = [c for c in a if c not in b], [c for c in b if c not in a]
    single = len(summed) == len(rows) == len(columns) == 1 and len(set(a)) == len(a) and len(set(b)) == len(b)
    if not single or set(made) != {*kept, *rows, *columns} or len(made) != len(set(made)):
        raise Unsupported(f"of `{at.node.text('equation')}`: it is no matrix product between permutations")
    base, (x, y) = at.node.outputs[0], at.node.inputs
    names = [f"{base}:{side}" for side in ("left", "right", "product")]
    left, right, out = [*kept, *rows, *summed], [*kept, *summed, *columns], [*kept, *rows, *columns]
    return [
        at.step(Permute(tuple(map(a.index, left))), [x], names[0]),
        at.step(Permute(tuple(map(b.index, right))), [y], names[1]),
        at.step(MatrixProduct(), names[:2], names[2]),
        at.step(Permute(tuple(map(out.index, made))), names[2:]),
    ]


def _spelled(parts: list[str], made: str, ranks: list[int]) -> tuple[list[str], str]:
    """Return the terms of an equation with letters for an ellipsis, as many as its longest tensor has axes for it."""
    free = [letter for letter in ascii_uppercase if letter not in "".join((*parts, made))]
    counts = [rank - len(part.replace("...", "")) for part, rank in zip(parts, ranks, strict=True)]
    letters = "".join(free[: max(counts)])
    named = [
        part.replace("...", letters[len(letters) - count :] if count > 0 else "")
        for part, count in zip(parts, counts, strict=True)
    ]
    return named, made.replace("...", letters)


def mean(at: At) -> Sequence[Step]:
    """Mean of several tensors."""
    made, count = f"{at.node.outputs[0]}:sum", len(at.node.inputs)
    *steps, last = total(at)
    return [*steps, replace(last, outputs=(made,)), at.step(Elementwise("affine", (1 / count, 0.0)), [made])]


def total(at: At) -> Sequence[Step]:
    """Sum of several tensors, as a chain of additions."""
    inputs, base = at.node.inputs, at.node.outputs[0]
    if len(inputs) < 2:
        raise Unsupported("edgekit rebuilds sums of at least two tensors")
    names = [*(f"{base}:{i}" for i in range(1, len(inputs) - 1)), base]
    return [
        at.step(Arithmetic("add"), [inputs[0] if i == 0 else names[i - 1], inputs[i + 1]], name)
        for i, name in enumerate(names)
    ]
