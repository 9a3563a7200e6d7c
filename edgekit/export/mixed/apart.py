"""The layer table of files of strangers: in a child process, which takes the runtime's crashes along."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgekit.bundle.sensitivity import Layer
from edgekit.errors import ConversionError, RunnerError
from edgekit.export.mixed.quantized import Quantized
from edgekit.export.mixed.regions import Region
from edgekit.export.mixed.sensitivity import MEASURED, Gain, Measured, measured
from edgekit.export.mixed.tflite import TfliteQuantized
from edgekit.processes.child import PER_BYTE, memory_for, worker
from edgekit.processes.wire import Value
from edgekit.tasks.samples import Array

SECONDS = 1800.0
"""In which both files are run, and some with layers in float."""


def measured_apart(pair: Quantized, samples: Sequence[Array], what: str, most: int = MEASURED) -> Measured:
    """Return the layer table of a `.tflite` file.

    Args:
        pair: the float file and the int8 file.
        samples: one array an input, (n, ...), in the order of the files, in real units.
        what: names the file in messages.
        most: regions whose gain is measured on the file.

    Raises:
        ConversionError: the runtime refuses a file, or dies of it.
    """
    files = [np.frombuffer(file, np.uint8) for file in (pair.float_file, pair.int8_file)]
    try:
        value, arrays = worker().call(
            f"{__name__}:work",
            *files,
            *samples,
            what=f"{what}: running it layer by layer",
            seconds=SECONDS,
            memory=memory_for() + PER_BYTE * sum(map(len, files)) + 2 * sum(array.nbytes for array in samples),
            most=most,
        )
    except RunnerError as error:
        raise ConversionError(error.message, error.hint, code=error.code) from error
    return _unpacked(value, arrays)


def work(
    plain: npt.NDArray[np.uint8], small: npt.NDArray[np.uint8], *samples: Array, most: int
) -> tuple[Value, list[Array]]:
    """Do what `measured_apart` asks for, in its child."""
    return _packed(measured(TfliteQuantized(plain.tobytes(), small.tobytes()), samples, most=most))


def _packed(found: Measured) -> tuple[Value, list[Array]]:
    value = {
        "layers": [layer.to_dict() for layer in found.layers],
        "order": [_region(region) for region in found.order],
        "sqnr_db": found.sqnr_db,
        "inputs_share": found.inputs_share,
        "outputs_share": found.outputs_share,
        "step": found.step,
        "gains": [[_region(gain.region), gain.db, gain.more_bytes] for gain in found.gains],
    }
    return value, [*found.true, *found.found, *(output for gain in found.gains for output in gain.outputs)]


def _unpacked(value: Value, arrays: list[Array]) -> Measured:
    count = len(arrays) // (2 + len(value["gains"]))
    outputs = [arrays[start : start + count] for start in range(0, len(arrays), count)]
    gains = [
        Gain(_of(region), db, more, made) for (region, db, more), made in zip(value["gains"], outputs[2:], strict=True)
    ]
    return Measured(
        layers=tuple(map(Layer.from_dict, value["layers"])),
        order=tuple(map(_of, value["order"])),
        sqnr_db=value["sqnr_db"],
        inputs_share=value["inputs_share"],
        outputs_share=value["outputs_share"],
        gains=tuple(gains),
        true=outputs[0],
        found=outputs[1],
        step=value["step"],
    )


def _region(region: Region) -> list[Value]:
    return [region.lead, sorted(region.operators), region.share]


def _of(form: list[Value]) -> Region:
    return Region(form[0], frozenset(form[1]), form[2])
