"""int8 weights whose products overflow in onnxruntime on x86 without VNNI, stored as uint8 instead.

There (SSE4.1, AVX2, AVX-512 without VNNI) onnxruntime multiplies unsigned activations with int8 weights by
`vpmaddubsw`, which adds two neighbouring products in 16 bits and saturates: 255 * 127 * 2 is 64,770, 32,767 the
largest (github.com/microsoft/onnxruntime/pull/12088). Where activations lie near the upper end of their range, as
those with mostly negative values, most sums do. uint8 weights, which stand for the same values around 128, take
another kernel, which adds in 32 bits; it is slower, so that only layers get them that need them.

What a layer loses is computed here, from its activations on samples, so that the file does not depend on the CPU that
it was made on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.export.onnx.qdq import Qdq
from edgekit.export.onnx.tidy import tidy
from edgekit.export.onnx.tracing import Rows, Scales, traced
from edgekit.formats.types import OnnxModel, OnnxNode
from edgekit.tasks.samples import Array

LOST = 1e-4
"""Of the power of a layer's results: about as much as rounding to int8 costs."""
SAMPLES = 8
ROWS = 128
"""Of a layer's matrix, which are patches of a convolution's input, that are looked at; over all samples."""
_HIGHEST, _LOWEST = 32767, -32768
_LARGEST = 255
"""Of an activation as onnxruntime multiplies it."""
_CHUNK = 4 << 20
"""Products that are held at a time."""

Integers = npt.NDArray[np.int32]


@dataclass(frozen=True)
class _Layer:
    """A node that multiplies activations with a constant of int8.

    Attributes:
        node: the node.
        activation: name of the integers behind its first input.
        zero_point: of those.
        constant: name of the weights.
        weights: its integers.
    """

    node: OnnxNode
    activation: str
    zero_point: int
    constant: str
    weights: Array


def without_overflow(model: OnnxModel, rows: Rows, scales: Scales) -> str:
    """Store the weights of layers as uint8 where int8 ones would overflow on samples.

    Args:
        model: an onnx.ModelProto in QDQ form; changed.
        rows: samples; some are used.
        scales: of its integer inputs.

    Returns:
        What was done, `uint8 weights in 2 layers`, or nothing.
    """
    risky = [layer for layer in _layers(model) if any(len(_risky(each)[0]) for each, _ in _matrices(layer, ()))]
    used = rows[:: -(-len(rows) // SAMPLES)] if rows else []
    if not risky or not used:
        return ""
    names = list(dict.fromkeys(layer.activation for layer in risky))
    try:
        seen = list(traced(model, names, used, scales, exact=True))
    except (RuntimeError, ValueError):  # onnxruntime does not run it, which whoever compares the file's outputs says
        return ""
    columns = dict(zip(names, zip(*seen, strict=True), strict=True))
    changed = {layer.constant for layer in risky if _lost(layer, columns[layer.activation]) > LOST}
    if not changed:
        return ""
    _store_unsigned(model, changed)
    return f"uint8 weights in {len(changed)} layer{'s' if len(changed) > 1 else ''}"


def _layers(model: OnnxModel) -> Iterator[_Layer]:
    """Yield the layers whose activations onnxruntime makes unsigned: those that QuantizeLinear computes.

    What is fed as int8 stays so, for a kernel that does not overflow; depthwise convolutions have one of their own.
    """
    qdq = Qdq(model.graph)
    for node in qdq.nodes:
        if node.op_type not in ("Gemm", "MatMul", "Conv") or _attribute(node, "transA"):
            continue
        stored, made = (qdq.makers.get(name) for name in node.input[:2])
        if stored is None or made is None or not qdq.is_step(qdq.nodes[stored]):
            continue
        activation = qdq.nodes[stored].input[0]
        if activation not in qdq.makers or qdq.nodes[qdq.makers[activation]].op_type != "QuantizeLinear":
            continue
        found, how = qdq.dequantized(node.input[1]), qdq.stored.get(activation)
        if found is None or how is None or found[0].dtype != np.int8 or found[0].ndim < 2 or found[0].shape[1] < 2:
            continue
        if node.op_type != "Conv" and found[0].ndim != 2:
            continue
        constant = qdq.nodes[made].input[0]
        if all(qdq.nodes[reader].op_type == "DequantizeLinear" for reader in qdq.readers[constant]):
            yield _Layer(node, activation, how.zero_point, constant, found[0])


def _matrices(layer: _Layer, seen: Sequence[Array]) -> Iterator[tuple[Integers, Integers]]:
    """Yield what a layer or each of its groups multiplies: weights (results, terms), and activations (rows, terms).

    Terms are in the kernel's order: in convolutions channels come last.

    Args:
        layer: the layer.
        seen: its activations as they are stored, one sample each.
    """
    weights = layer.weights.astype(np.int32)
    if layer.node.op_type != "Conv":
        matrix = weights if layer.node.op_type == "Gemm" and _attribute(layer.node, "transB") else weights.T
        terms = matrix.shape[1]
        yield matrix, _joined([values.reshape(-1, terms) for values in seen], (terms,))
        return
    groups = _attribute(layer.node, "group") or 1
    each = np.moveaxis(weights, 1, -1).reshape(groups, len(weights) // groups, -1)
    shape = (groups, *weights.shape[1:])
    patches = _joined([_patches(layer, values).reshape(-1, *shape) for values in seen], shape)
    for group in range(groups):
        yield each[group], np.moveaxis(patches[:, group], 1, -1).reshape(len(patches), each.shape[2])


def _joined(rows: Sequence[Array], shape: tuple[int, ...]) -> Integers:
    """Return some rows of every sample."""
    return np.concatenate([np.zeros((0, *shape), np.int32), *(_some(each, ROWS // SAMPLES) for each in rows)])


def _patches(layer: _Layer, activations: Array) -> Array:
    """Return some of what a kernel meets when it moves over a sample by one, (patches, channels, ...)."""
    sizes = layer.weights.shape[2:]
    steps = _attribute(layer.node, "dilations") or [1] * len(sizes)
    spans = [step * (size - 1) for step, size in zip(steps, sizes, strict=True)]
    image = np.pad(
        activations[0], [(0, 0), *((span // 2, span - span // 2) for span in spans)], constant_values=layer.zero_point
    )
    starts = np.stack(np.unravel_index(np.arange(activations[0, 0].size), activations.shape[2:]), axis=1)
    found = [
        image[(slice(None), *(slice(a, a + span + 1, step) for a, span, step in zip(start, spans, steps, strict=True)))]
        for start in _some(starts, ROWS // SAMPLES)
    ]
    return np.stack(found)


def _some(rows: Array, count: int) -> Array:
    return rows[:: max(1, -(-len(rows) // count))]


def _attribute(node: OnnxNode, name: str) -> Any:
    """Return an attribute of numbers; None where it is left out."""
    found = next((a for a in node.attribute if a.name == name), None)
    return None if found is None else list(found.ints) or found.i


def _risky(weights: Integers) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Integers]:
    """Return pairs of neighbouring weights that overflow with the largest activations.

    Args:
        weights: (results, terms).

    Returns:
        For every pair its result; its place among the pairs; and both weights, (2, pairs).
    """
    pairs = np.pad(weights, [(0, 0), (0, weights.shape[1] % 2)]).reshape(len(weights), -1, 2)
    highest = _LARGEST * pairs.clip(min=0).sum(axis=2)
    lowest = _LARGEST * pairs.clip(max=0).sum(axis=2)
    results, places = np.nonzero((highest > _HIGHEST) | (lowest < _LOWEST))
    return results, places, pairs[results, places].T


def _lost(layer: _Layer, seen: Sequence[Array]) -> float:
    """Return how much of the power of a layer's results is lost by overflow, in the group that loses most."""
    up = 128 if seen[0].dtype == np.int8 else 0
    shares = []
    for weights, rows in _matrices(layer, seen):
        exact = (rows - layer.zero_point).astype(np.float32) @ weights.T.astype(np.float32)
        lost = _overflow(weights, rows + up)
        shares.append(float(np.square(lost).sum() / max(np.square(exact).sum(), 1.0)))
    return max(shares)


def _overflow(weights: Integers, rows: Integers) -> npt.NDArray[np.float64]:
    """Return by how much saturated sums differ from exact ones, (rows, results)."""
    results, places, pairs = _risky(weights)
    even = np.pad(rows, [(0, 0), (0, rows.shape[1] % 2)])
    lost = np.zeros((len(rows), len(weights)))
    step = max(1, _CHUNK // max(1, len(rows)))
    for start in range(0, len(results), step):
        part = slice(start, start + step)
        products = even[:, 2 * places[part]] * pairs[0, part] + even[:, 2 * places[part] + 1] * pairs[1, part]
        first = np.flatnonzero(np.diff(results[part], prepend=-1))  # they are in the order of the results
        lost[:, results[part][first]] += np.add.reduceat(products - products.clip(_LOWEST, _HIGHEST), first, axis=1)
    return lost


def _store_unsigned(model: OnnxModel, names: Collection[str]) -> None:
    """Store constants of int8 as uint8, and what they are read with."""
    from onnx import numpy_helper

    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in names:
            continue
        point = np.full(tuple(constants[node.input[1]].dims), 128, np.uint8)
        if len(node.input) > 2 and node.input[2]:
            point = _moved(numpy_helper.to_array(constants[node.input[2]]))
        name = f"{node.output[0]}_zero_point"
        graph.initializer.append(numpy_helper.from_array(point, name))
        node.input[:] = [node.input[0], node.input[1], name]
    for name in names:
        constants[name].CopyFrom(numpy_helper.from_array(_moved(numpy_helper.to_array(constants[name])), name))
    tidy(model, {value.name: value.name for value in (*graph.input, *graph.output)})


def _moved(values: Array) -> npt.NDArray[np.uint8]:
    """Return int8 values as uint8 ones around 128."""
    return (values.astype(np.int16) + 128).astype(np.uint8)
