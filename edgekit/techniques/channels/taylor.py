"""What the loss would change, to first order, if a channel were zero where it is read.

Molchanov et al. 2017, arXiv 1611.06440, equation 8: the activation times its gradient, summed over the positions of the
channel, the absolute value of that averaged over the samples. It is taken at the inputs of the layers that read the
channel; where several do, their terms are added before the absolute value. After a ReLU that equals what the paper
takes at its feature map. (The paper divides by the number of positions; importances are scaled later anyway.)
"""

from __future__ import annotations

import inspect

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import InputError
from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.frameworks.types import Arguments, KerasLayer, KerasModel, Keywords, Tensor, Tensors
from edgekit.models.keras.calls import is_graph, replay
from edgekit.tasks.samples import Array
from edgekit.techniques.channels.groups import Analysis
from edgekit.techniques.channels.tracking import MAKES

Samples = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Model inputs, float32, preprocessed; and labels from 0, int64."""

BATCH = 32


def contributions(analysis: Analysis, samples: Samples) -> NDArray[np.float64]:
    """Return the mean absolute contribution of every channel to the loss, by root id; zero for ids that no layer reads.

    Args:
        analysis: of a classifier with one input and one output: class probabilities, or the logits.
        samples: those to average over.

    Raises:
        InputError: the model is no such classifier, or the samples do not fit it.
    """
    x, y = _checked(analysis.model, samples)
    total = np.zeros(len(analysis.roots))
    for start in range(0, len(x), BATCH):
        taps, gradients = _gradients(analysis, x[start : start + BATCH], y[start : start + BATCH])
        rows = np.zeros((len(analysis.roots), len(taps[0][1])))
        for (path, value), gradient in zip(taps, gradients, strict=True):
            if gradient is not None:
                terms = np.multiply(value, gradient, dtype=np.float64)
                terms = terms.sum(axis=tuple(range(1, terms.ndim - 1)))
                np.add.at(rows, analysis.roots[analysis.layers[path].ids_in], terms.T)
        total += np.abs(rows).sum(axis=1)
    return total / len(x)


def _gradients(analysis: Analysis, x: Array, y: Array) -> tuple[list[tuple[str, Tensor]], list[Tensor]]:
    """Run the model on a batch, and return what every reading layer got, and the gradient of the loss there."""
    tf = tensorflow()
    reading = {id(entry.layer): path for path, entry in analysis.layers.items() if entry.slices.role == MAKES}
    taps: list[tuple[str, Tensor]] = []
    with tf.GradientTape() as tape:

        def call(layer: KerasLayer, args: Arguments, kwargs: Keywords) -> Tensors:
            if is_graph(layer):
                return replay(layer, tf.nest.flatten(args), call)
            if id(layer) in reading:
                value = tf.identity(args[0])
                tape.watch(value)
                taps.append((reading[id(layer)], value))
                args = (value, *args[1:])
            if "training" in inspect.signature(layer.call).parameters:
                kwargs = {**kwargs, "training": False}
            return layer(*args, **kwargs)

        output = tf.nest.flatten(replay(analysis.model, [tf.constant(x)], call))[0]
        loss = _loss(analysis.model, output, y)
    gradients = tape.gradient(loss, [value for _, value in taps])
    values = [None if gradient is None else gradient.numpy() for gradient in gradients]
    return [(path, value.numpy()) for path, value in taps], values


def _loss(model: KerasModel, output: Tensor, y: Array) -> Tensor:
    """Return the cross-entropy, summed over the samples."""
    tf, losses = tensorflow(), tf_keras().losses
    last = model.outputs[0]._keras_history.layer
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    if output.shape[-1] == 1:
        loss = losses.BinaryCrossentropy(from_logits=activation != "sigmoid", reduction="none")
        return tf.reduce_sum(loss(tf.constant(y, tf.float32)[:, None], output))
    probabilities = activation == "softmax" or type(last).__name__ == "Softmax"
    loss = losses.SparseCategoricalCrossentropy(from_logits=not probabilities, reduction="none")
    return tf.reduce_sum(loss(y, output))


def _checked(model: KerasModel, samples: Samples) -> Samples:
    if len(model.inputs) != 1 or len(model.outputs) != 1 or model.outputs[0].shape.rank != 2:
        raise InputError(
            "the criterion `taylor` needs a classifier with one input and one output (samples, classes)",
            "use `l1`, `l2` or `bn-gamma`",
            code="criterion-unfit",
        )
    x, y = np.asarray(samples[0], np.float32), np.asarray(samples[1])
    wanted = tuple(model.inputs[0].shape.as_list()[1:])
    fits = x.ndim == len(wanted) + 1 and all(b in (None, a) for a, b in zip(x.shape[1:], wanted, strict=True))
    if not fits or not len(x):
        raise InputError(
            f"samples of shape {x.shape} do not fit the model, which takes (samples, {wanted})", code="criterion-unfit"
        )
    if y.shape != (len(x),) or not np.issubdtype(y.dtype, np.integer):
        raise InputError(f"expected {len(x)} integer labels, got {y.dtype} of shape {y.shape}", code="criterion-unfit")
    classes = max(2, int(model.outputs[0].shape[-1]))
    if y.min() < 0 or y.max() >= classes:
        raise InputError(
            f"labels from {y.min()} to {y.max()} do not fit a model with {classes} classes", code="criterion-unfit"
        )
    return x, y
