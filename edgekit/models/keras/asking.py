"""A float model asked with a few samples at a time, without the half second that Keras's `predict` takes each time."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import numpy as np

from edgekit.frameworks.tensorflow import tensorflow
from edgekit.frameworks.types import Function, KerasModel, Tensor
from edgekit.tasks.samples import Array, ModelInputs

BATCH = 32
"""Samples that run together, as of `model.predict`."""
Ask = Callable[[ModelInputs], list[Array]]
"""From model inputs, one array or a tuple of them, to one float32 array an output."""
_compiled: weakref.WeakKeyDictionary[KerasModel, Function] = weakref.WeakKeyDictionary()


def predicted(model: KerasModel, inputs: ModelInputs) -> list[Array]:
    """Return what `model.predict` answers, one array an output.

    Args:
        model: a tf_keras model, or what behaves like one.
        inputs: preprocessed samples, one array or a tuple of them.
    """
    if getattr(model, "_is_graph_network", False) and all(tensor.shape[0] is None for tensor in model.inputs):
        return asking(model)(inputs)
    found = model.predict(list(inputs) if isinstance(inputs, tuple) else inputs, verbose=0)
    return [np.asarray(output) for output in (found if isinstance(found, list | tuple) else [found])]


def asking(model: KerasModel) -> Ask:
    """Return a function that answers as `model.predict` does.

    Args:
        model: a tf_keras model.
    """
    if any(tensor.shape[0] is not None for tensor in model.inputs):
        return lambda inputs: predicted(model, inputs)
    if model not in _compiled:
        _compiled[model] = _function(model)
    call, tf = _compiled[model], tensorflow()

    def ask(inputs: ModelInputs) -> list[Array]:
        dtypes = [tensor.dtype for tensor in model.inputs]  # keeps the model as long as this function
        arrays = list(inputs) if isinstance(inputs, tuple) else [inputs]
        parts = []
        for start in range(0, len(arrays[0]), BATCH):
            batch = [tf.cast(a[start : start + BATCH], dtype) for a, dtype in zip(arrays, dtypes, strict=True)]
            parts.append([output.numpy() for output in call(*batch)])
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    return ask


def _function(model: KerasModel) -> Function:
    """Return the model as a compiled function, which does not keep the model itself."""
    tf, known = tensorflow(), weakref.ref(model)

    def call(*inputs: Tensor) -> list[Tensor]:
        model: KerasModel = known()
        return list(tf.nest.flatten(model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)))

    made: Function = tf.function(call, input_signature=[tf.TensorSpec(t.shape, t.dtype) for t in model.inputs])
    return made
