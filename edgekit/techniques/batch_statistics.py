"""The statistics of BatchNormalization, measured again for the weights as they are before each validation.

While kernels of few bits are trained, weights jump to and fro between two steps, and the moving averages follow them
late: they are of kernels that are gone. An epoch is then validated, and kept or not, by chance. Measured again over
training samples they are of the kernels that the file will hold (Nagel et al. 2022, arXiv 2203.11086, re-estimation of
batch-normalization statistics).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.frameworks.layers.register import is_batch_normalization
from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.frameworks.types import KerasLayer, KerasModel, KerasObject, Tensor, Tensors
from edgekit.tasks.samples import ModelInputs, part

SAMPLES = 4096
"""Training samples over which statistics are measured."""


def measure_before_validation(model: KerasModel, x: ModelInputs, batch_size: int) -> list[KerasObject]:
    """Return callbacks that measure the statistics of a model's BatchNormalization layers before each validation.

    Each batch is run as in training; its means and variances are averaged over the batches. Ranges of fake quantization
    follow as in training, and no weight moves. The samples are to be like those of training, augmentation included:
    with others a ResNet-8 that was trained on shifted and flipped CIFAR-10 lost 3 points.

    Args:
        model: a tf_keras model; layers that are not trainable keep their statistics.
        x: model inputs, float32 (n, ...), in random order; a tuple for several inputs.
        batch_size: samples that are run at a time.

    Returns:
        One tf_keras callback, or none if there is no such layer.
    """
    layers = [module for module in model.submodules if is_batch_normalization(module) and module.trainable]
    if not layers:
        return []
    tf = tensorflow()

    def statistics(batch: Tensors) -> list[tuple[Tensor, Tensor]]:
        model(batch, training=True)
        return [(tf.identity(layer.moving_mean), tf.identity(layer.moving_variance)) for layer in layers]

    of_batch = tf.function(statistics)
    count = len(x[0] if isinstance(x, tuple) else x)
    starts = range(0, count - count % batch_size or count, batch_size)

    def measure() -> None:
        momenta = [layer.momentum for layer in layers]
        for layer in layers:
            layer.momentum = 0.0  # the moving averages are then those of the last batch
        try:
            batches = [part(x, slice(start, start + batch_size)) for start in starts]
            measured = [of_batch(tf.nest.map_structure(tf.constant, batch)) for batch in batches]
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum
        for layer, pairs in zip(layers, zip(*measured, strict=True), strict=True):
            _assign(layer, pairs)

    class Measure(tf_keras().callbacks.Callback):  # type: ignore[misc]
        """Measure the statistics when a validation begins."""

        def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
            measure()

    return [Measure()]


def _assign(layer: KerasLayer, measured: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Give a layer the mean over all batches, and the variance: that inside batches, and that of their means."""
    means, variances = (np.stack([np.asarray(pair[side]) for pair in measured]) for side in (0, 1))
    layer.moving_mean.assign(means.mean(axis=0))
    layer.moving_variance.assign(variances.mean(axis=0) + means.var(axis=0))
