"""The proof that a model and its form in the other Keras compute the same: the same random inputs through both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.errors import ConversionError
from edgekit.frameworks.tensorflow import keras3, tensorflow, tf_keras
from edgekit.frameworks.types import KerasModel, Operation, SymbolicTensor, Tensors
from edgekit.models.bridge.graph import Graph, call_tensors, graph_of, is_model, reason
from edgekit.models.keras.proof import Proof, difference, largest
from edgekit.tasks.samples import Array

SEED = 20260601
SAMPLES = 4
"""Of each of two kinds: uniform in [0, 1) and standard normal; integers for integer inputs."""

TOLERANCE = 1e-5
"""Of a model's outputs: times the largest absolute output, or times 1 if that is smaller."""

LAYER_TOLERANCE = 1e-4
"""Of every layer's output, which finds what a saturated output hides: times its largest absolute value."""
LAYER_FLOOR = 1e-6

NEXT_STEPS = {
    "Keras 2": "replace that layer, or build and save the model with tf_keras (TF_USE_LEGACY_KERAS=1)",
    "Keras 3": "go on with the Keras 2 file, which tf_keras loads, or replace that layer before compressing",
}
"""By the Keras in which the second model was made."""

OPEN_DIMENSION = 96
"""The size used where a model leaves one open."""


@dataclass(frozen=True)
class Pair:
    """One tensor of the Keras 3 graph and its Keras 2 counterpart, with the operation that makes it."""

    operation: Operation
    old: SymbolicTensor
    new: SymbolicTensor


def prove(source: KerasModel, target: KerasModel, pairs: dict[int, list[Pair]], made: str = "Keras 2") -> Proof:
    """Compare a Keras 3 model and a Keras 2 model on seeded random inputs: the outputs, and those of every layer.

    Args:
        source: the Keras 3 model.
        target: the Keras 2 model.
        pairs: by `id()` of the Keras 3 model and of every model nested in it, what to compare.
        made: which of the two was made from the other, for messages.

    Raises:
        ConversionError: the outputs differ, naming the first layer that does; or a model cannot be run.
    """
    graph, tf = graph_of(source), tensorflow()
    worst, samples = Proof(0.0, TOLERANCE, 0), 0
    for inputs in _batches(graph):
        where = _first_difference(source, target, pairs, inputs)
        packed = tf.nest.pack_sequence_as(graph.inputs, inputs)
        outputs = [_run(model, packed, inputs) for model in (source, target)]
        samples += len(inputs[0])
        for old, new in zip(*outputs, strict=True):
            if not np.isfinite(old).any():
                raise ConversionError(
                    f"model `{source.name}` gives no finite output for random inputs, so nothing can be proved",
                    "check its weights for NaN",
                    code="keras-forms-not-compared",
                )
            off, tolerance = difference(old, new), TOLERANCE * max(1.0, largest(old))
            if off > tolerance or where:
                raise ConversionError(
                    f"the {made} form of model `{source.name}` computes something else: "
                    f"{where or f'no layer differs by itself, but the outputs do by {off:.3g}'}",
                    NEXT_STEPS[made],
                    code="keras-forms-differ",
                )
            if off / tolerance >= worst.max_abs_diff / worst.tolerance:
                worst = Proof(off, tolerance, 0)
    return Proof(worst.max_abs_diff, worst.tolerance, samples)


def _first_difference(
    source: KerasModel, target: KerasModel, pairs: dict[int, list[Pair]], inputs: Sequence[Array]
) -> str:
    """Say which layer is the first whose output differs; an empty string if none does."""
    graph, compared = graph_of(source), pairs[id(source)]
    if not compared:
        return ""
    old = keras3().Model(graph.flat_inputs, [pair.old for pair in compared])
    new = tf_keras().Model(target.inputs, [pair.new for pair in compared])
    for pair, x, y in zip(compared, *(_run(model, list(inputs), inputs) for model in (old, new)), strict=True):
        off, tolerance = difference(x, y), max(LAYER_FLOOR, LAYER_TOLERANCE * largest(x))
        if off <= tolerance:
            continue
        if id(pair.operation) in pairs:
            node = next(n for n in graph.nodes if any(tensor is pair.old for tensor in n.outputs))
            arrive = keras3().Model(graph.flat_inputs, call_tensors(node))
            nested = pair.new._keras_history.layer
            deeper = _first_difference(pair.operation, nested, pairs, _run(arrive, list(inputs), inputs))
            if deeper:
                return f"in {pair.operation.name}, {deeper}"
        name, kind = pair.operation.name, type(pair.operation).__name__
        return f"layer {name} ({kind}) is the first to differ, by {off:.3g} (tolerance {tolerance:.3g})"
    return ""


def _run(model: KerasModel, packed: Tensors, inputs: Sequence[Array]) -> list[Array]:
    try:
        outputs = model(packed, training=False)
    except Exception as error:  # TensorFlow raises what it likes
        shapes = ", ".join(str(x.shape) for x in inputs)
        raise ConversionError(
            f"model `{model.name}` cannot be run here with random inputs of shape {shapes}, so the two forms "
            f"cannot be compared: {reason(error)}",
            "give the model fixed input sizes that it accepts; use channels_last",
            code="keras-forms-not-compared",
        ) from error
    return [np.asarray(output) for output in tensorflow().nest.flatten(outputs)]


def _batches(graph: Graph) -> Iterator[list[Array]]:
    """Yield two batches of inputs, in flat order: uniform in [0, 1), and standard normal with padding at the end."""
    rng = np.random.default_rng(SEED)
    classes, magnitude = _embeddings(graph), _magnitude(graph)
    for normal in (False, True):
        yield [
            _sample(tensor, normal, _feeds_embedding(tensor, graph), classes, magnitude, rng)
            for tensor in graph.flat_inputs
        ]


def _sample(
    tensor: SymbolicTensor, normal: bool, tokens: bool, classes: int, magnitude: float, rng: np.random.Generator
) -> Array:
    shape = [tensor.shape[0] or SAMPLES, *(size or OPEN_DIMENSION for size in tensor.shape[1:])]
    dtype = str(tensor.dtype)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if tokens or "int" in dtype:
        top = classes if tokens else classes // 2 or (127 if "8" in dtype else 10)  # half: it may be added to
        x: Array = rng.integers(0, max(1, top), shape)
    else:
        x = (rng.standard_normal(shape) if normal else rng.random(shape)) * magnitude
    if normal and len(shape) > 1 and shape[1] > 2:
        x[: len(x) // 2, -(shape[1] // 3) :] = 0  # padding, for layers that mask it
    return x.astype(dtype)


def _operations(graph: Graph) -> Iterator[Operation]:
    for node in graph.nodes:
        if is_model(node.operation):
            yield from _operations(graph_of(node.operation))
        yield node.operation
        inner = getattr(node.operation, "layer", None)
        if is_model(inner):
            yield from _operations(graph_of(inner))
        elif inner is not None:
            yield inner


def _embeddings(graph: Graph) -> int:
    """Return the smallest vocabulary, 0 without one."""
    sizes = [operation.input_dim for operation in _operations(graph) if type(operation).__name__ == "Embedding"]
    return min(sizes, default=0)


def _magnitude(graph: Graph) -> float:
    """Return 255 for a model that scales bytes itself, so that its layers see values as large as those of images."""
    scales = [np.max(np.abs(op.scale)) for op in _operations(graph) if type(op).__name__ == "Rescaling"]
    return 255.0 if any(scale < 0.02 for scale in scales) else 1.0


def _feeds_embedding(tensor: SymbolicTensor, graph: Graph) -> bool:
    """Whether an input, of whatever dtype, holds token numbers."""
    for node in graph.nodes:
        tensors = call_tensors(node)
        if not any(item is tensor for item in tensors):
            continue
        if type(node.operation).__name__ == "Embedding":
            return True
        if is_model(node.operation):
            inner = graph_of(node.operation)
            for outer, own in zip(tensors, inner.flat_inputs, strict=False):
                if outer is tensor and _feeds_embedding(own, inner):
                    return True
    return False
