"""First ranges for fake quantization, from calibration samples.

TFMOT starts every activation at -6 to 6 and moves a thousandth of the way a batch: after a few hundred batches a ReLU
still has half of its int8 values for numbers below zero. Measured on the float model first, the ranges are right from
the first batch on, and training only follows.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.export.calibration import MINMAX, Ends, Observer, Ranging
from edgekit.frameworks.tensorflow import tensorflow, tf_keras
from edgekit.frameworks.types import KerasLayer, KerasModel, Tensor, Tensors, Variable
from edgekit.models.keras.rebuild import clone
from edgekit.tasks.samples import ModelInputs, part
from edgekit.techniques.qat_scheme import input_quantizers

LEVELS = 256
"""Of int8."""
OUTPUTS = ("output", "post_activation")
"""TFMOT's names of ranges of what a layer returns; `pre_activation` is of what its activation gets."""


def calibrate(
    quantized: KerasModel, model: KerasModel, x: ModelInputs, batch_size: int, ranging: Ranging = MINMAX
) -> None:
    """Set the activation ranges of `quantized`.

    Args:
        quantized: a model with quantize wrappers.
        model: the flat float model it was made from, with the same layer names.
        x: model inputs, float32 (n, ...), or a tuple of them.
        batch_size: samples that are run at a time.
        ranging: how ranges are chosen.
    """
    ranges = list(_ranges(quantized, model))
    if ranges:
        for (low, high, _), observer in zip(ranges, _observed(ranges, model, x, batch_size, ranging), strict=True):
            _assign(low, high, ranging.ends(observer, LEVELS))
    _calibrate_inputs(quantized, x, ranging)


def _observed(
    ranges: list[tuple[Variable, Variable, list[Tensor]]],
    model: KerasModel,
    x: ModelInputs,
    batch_size: int,
    ranging: Ranging,
) -> list[Observer]:
    """Run the float model; return what was seen of the tensors of each range."""
    tf = tensorflow()
    probe = tf_keras().Model(model.inputs, [tensors for _, _, tensors in ranges])

    def values(batch: Tensors) -> Tensors:
        outputs = [tf.nest.flatten(tensors) for tensors in probe(batch, training=False)]
        if ranging.method != "minmax":
            return outputs
        # Two numbers a tensor in place of all: what leaves TensorFlow is copied.
        return [[tf.stack([tf.reduce_min(t), tf.reduce_max(t)]) for t in tensors] for tensors in outputs]

    run = tf.function(values, reduce_retracing=True)
    count = len(x[0] if isinstance(x, tuple) else x)
    batches = -(-count // batch_size)
    observers = [ranging.observer(batches * len(tensors)) for _, _, tensors in ranges]
    for start in range(0, count, batch_size):
        batch = part(x, slice(start, start + batch_size))
        outputs = run(tf.nest.map_structure(tf.constant, batch))
        for observer, tensors in zip(observers, outputs, strict=True):
            for tensor in tensors:
                observer.update(tensor.numpy())
    return observers


def variables(layer: KerasLayer) -> dict[str, Variable]:
    """Return a layer's variables by the last part of their names."""
    return {str(w.name).rpartition("/")[2].partition(":")[0]: w for w in layer.weights}


def _ranges(quantized: KerasModel, model: KerasModel) -> Iterator[tuple[Variable, Variable, list[Tensor]]]:
    """Yield the two variables of every range, and the float tensors they are of; a shared layer has several."""
    for layer in quantized.layers:
        by_name = variables(layer)
        for name in (*OUTPUTS, "pre_activation"):
            if f"{name}_min" not in by_name:
                continue
            source = model.get_layer(layer.name)
            count = len(source._inbound_nodes)
            if name in OUTPUTS:
                tensors = [source.get_output_at(i) for i in range(count)]
            else:
                linear = clone(source, activation="linear", name=f"{source.name}_before_activation")
                tensors = [linear(source.get_input_at(i)) for i in range(count)]
                linear.set_weights(source.get_weights())
            yield by_name[f"{name}_min"], by_name[f"{name}_max"], tensors


def _calibrate_inputs(quantized: KerasModel, x: ModelInputs, ranging: Ranging) -> None:
    arrays = dict(zip(quantized.input_names, x if isinstance(x, tuple) else (x,), strict=True))
    for layer in input_quantizers(quantized):
        ends = {name.rpartition("_")[2]: variable for name, variable in variables(layer).items()}
        if "min" in ends:  # absent before a Concatenate
            observer = ranging.observer()
            observer.update(arrays[layer.input._keras_history.layer.name])
            _assign(ends["min"], ends["max"], ranging.ends(observer, LEVELS))


def _assign(low: Variable, high: Variable, ends: Ends | None) -> None:
    """Set a range; it holds zero, as TFLite requires, and is not empty."""
    least, greatest = ends or (0.0, 0.0)
    low.assign(min(least, 0.0))
    high.assign(max(greatest, 0.0 if least < 0 else 1e-6))
