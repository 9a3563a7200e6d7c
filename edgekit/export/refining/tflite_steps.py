"""The steps of calibrating a float `.tflite` file, each a function that a child can be asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from edgekit.export.calibration import Histogram, Ranging
from edgekit.export.refining.calibratable import HISTOGRAMS, ranged
from edgekit.export.tflite import bias, nearness, quantizer
from edgekit.export.tflite.ranges import LEVELS, in_dtypes, observed, tensor_names, written
from edgekit.processes.wire import Value
from edgekit.tasks.samples import Array

File = npt.NDArray[np.uint8]


def apart(*arrays: Array, step: str, **arguments: Value) -> tuple[Value, list[Array]]:
    """Do a step on a stranger's file, in a child; arguments as of the step.

    Raises:
        ConversionError: the file has operators that only TensorFlow knows.
    """
    with quantizer.of_a_stranger(arrays[0].tobytes(), "int8"):
        return STEPS[step](*arrays, **arguments)


def measure(
    data: File, *samples: Array, methods: Sequence[str], percentiles: Sequence[float]
) -> tuple[Value, list[Array]]:
    """Run a float file over samples, and let several rangings choose from what was seen.

    Args:
        data: the file.
        samples: one array an input, (n, ...), in the order of the file, in real units.
        methods: of the rangings.
        percentiles: the same.

    Returns:
        `names` and `inputs` as of a `Measured`, and: the file as the quantizer takes it; the activations' indices,
        int64; `ends` and `noise`.
    """
    rangings = [Ranging(*way) for way in zip(methods, percentiles, strict=True)]
    flatbuffer, levels = data.tobytes(), LEVELS["int8"]
    fed = in_dtypes(flatbuffer, samples)
    prepared = quantizer.prepared(flatbuffer, fed)
    seen = observed(prepared, fed, [*rangings, HISTOGRAMS])
    kept = {index: o for index, o in seen.items() if isinstance(o, Histogram) and o.low <= o.high}
    ends, noise = ranged(list(kept.values()), rangings, levels)
    inputs, names = tensor_names(prepared)
    numbers = np.array(list(kept), np.int64)
    places = {index: place for place, index in enumerate(kept)}
    told = {"names": [names[index] for index in kept], "inputs": [places.get(index, -1) for index in inputs]}
    return told, [np.frombuffer(prepared, np.uint8), numbers, ends, noise]


def quantize(prepared: File, numbers: npt.NDArray[np.int64], ends: npt.NDArray[np.float64]) -> tuple[None, list[Array]]:
    """Return the int8 file.

    Args:
        prepared: as `measure` returned it.
        numbers: likewise.
        ends: of the activations' ranges, (activations, 2).
    """
    ranges = {int(index): (float(low), float(high)) for index, (low, high) in zip(numbers, ends, strict=True)}
    return None, [np.frombuffer(quantizer.to_int8(written(prepared.tobytes(), ranges)).data, np.uint8)]


def correct(file: File, data: File, *samples: Array) -> tuple[None, list[Array]]:
    """Return an int8 file with its biases corrected; arguments as of `edgekit.export.tflite.bias.corrected`."""
    return None, [np.frombuffer(bias.corrected(file.tobytes(), data.tobytes(), samples), np.uint8)]


def outputs(file: File, *samples: Array) -> tuple[None, list[Array]]:
    """Return the outputs of a file for samples, in real units, float64 (n, values) each."""
    return None, nearness.outputs(file.tobytes(), samples)


STEPS: dict[str, Callable[..., tuple[Value, list[Array]]]] = {
    step.__name__: step for step in (measure, quantize, correct, outputs)
}
