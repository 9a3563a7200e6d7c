"""Keeping zeros zero while a pruned model is trained on.

There is no such thing for clusters: plain training moves every weight by its own gradient, and which weights share a
value cannot be restored by setting some of them back. Only clustering itself and cluster-preserving quantization-aware
training keep clusters, because there the shared values are what is trained.
"""

from __future__ import annotations

from collections.abc import Collection

from edgekit.frameworks.layers.register import LAYERS
from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.frameworks.types import KerasModel, KerasObject, Variable

KERNEL_NAMES = frozenset(kernel for row in LAYERS.values() for kernel in row.kernels)


def keep_zeros(model: KerasModel, skip: Collection[str] = ()) -> list[KerasObject]:
    """Return callbacks that hold the kernel weights that are zero now at zero.

    After every batch, also the last before validation, each kernel is multiplied by its mask of zeros and ones.

    Args:
        model: a tf_keras model, with or without pruning or quantize wrappers.
        skip: names of layers to leave alone.

    Returns:
        One tf_keras callback, or none if no kernel has a zero.
    """
    tf = tensorflow()
    kernels = [w for layer in model.layers if layer.name not in skip for w in layer.weights if is_kernel(w)]
    masked = [(kernel, tf.cast(kernel != 0, kernel.dtype)) for kernel in kernels]
    masked = [(kernel, mask) for kernel, mask in masked if not bool(tf.reduce_all(mask == 1))]
    if not masked:
        return []

    def multiply() -> None:
        for kernel, mask in masked:
            kernel.assign(kernel * mask)

    apply = tf.function(multiply)

    class KeepZeros(tf_keras().callbacks.Callback):  # type: ignore[misc]
        """Multiply kernels by their masks."""

        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            apply()

    return [KeepZeros()]


def is_kernel(weight: Variable) -> bool:
    """Return whether a variable is the kernel of a layer, judged by its name."""
    return str(weight.name).rpartition("/")[2].partition(":")[0] in KERNEL_NAMES
