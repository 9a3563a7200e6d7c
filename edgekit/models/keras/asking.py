"""A float model asked with a few samples at a time, without the half second that Keras's `predict` takes each time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekit.frameworks.tensorflow import tensorflow
from edgekit.frameworks.types import KerasModel, Tensor
from edgekit.tasks.samples import Array, ModelInputs

BATCH = 128
Ask = Callable[[ModelInputs], list[Array]]
"""From model inputs, one array or a tuple of them, to one float32 array an output."""


def predicted(model: KerasModel, inputs: ModelInputs) -> list[Array]:
    """Return what `model.predict` answers, one array an output.

    Args:
        model: a tf_keras model, or what behaves like one.
        inputs: preprocessed samples, one array or a tuple of them.
    """
    found = model.predict(list(inputs) if isinstance(inputs, tuple) else inputs, verbose=0)
    return [np.asarray(output) for output in (found if isinstance(found, list | tuple) else [found])]


def asking(model: KerasModel) -> Ask:
    """Return a function that answers as `model.predict` does.

    Args:
        model: a tf_keras model.
    """
    if any(tensor.shape[0] is not None for tensor in model.inputs):
        return lambda inputs: predicted(model, inputs)
    tf = tensorflow()
    signature = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in model.inputs]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def call(*inputs: Tensor) -> list[Tensor]:
        return list(tf.nest.flatten(model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)))

    def ask(inputs: ModelInputs) -> list[Array]:
        arrays = list(inputs) if isinstance(inputs, tuple) else [inputs]
        parts = []
        for start in range(0, len(arrays[0]), BATCH):
            batch = [
                tf.cast(array[start : start + BATCH], spec.dtype) for array, spec in zip(arrays, signature, strict=True)
            ]
            parts.append([output.numpy() for output in call(*batch)])
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    return ask
