"""A float `.tflite` file that is calibrated: TensorFlow's quantizer, here or in a process of its own.

What edgekit's own converter wrote is worked on in this process, which has TensorFlow loaded. A stranger's file may end
the process that runs or quantizes it, so that a child is asked for each step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.errors import ConversionError, EdgekitError, RunnerError
from edgekit.export.calibration import Ranging
from edgekit.export.refining.calibratable import Choice, Measured
from edgekit.export.refining.tflite_steps import STEPS, apart
from edgekit.export.tflite.quantizer import CHILD
from edgekit.frameworks.tensorflow import quiet
from edgekit.processes.child import PER_BYTE, memory_for, worker
from edgekit.processes.wire import Value
from edgekit.tasks.samples import Array

SECONDS = 1800.0
"""For a step."""


class TfliteCalibratable:
    """A `Calibratable` of a `.tflite` file.

    Args:
        float_file: with a batch of one; of a stranger's file its normal form.
        strange: whether the file is a stranger's, so that a child does the work.
    """

    def __init__(self, float_file: bytes, *, strange: bool = False) -> None:
        self._float = self._prepared = np.frombuffer(float_file, np.uint8)
        self._numbers = np.zeros(0, np.int64)
        self._strange = strange

    def measured(self, samples: Sequence[Array], rangings: Sequence[Ranging]) -> Measured:
        """Run the float file over samples, once, and return what was seen; see `Calibratable`."""
        methods, percentiles = [way.method for way in rangings], [way.percentile for way in rangings]
        told, arrays = self._do("measure", self._float, *samples, methods=methods, percentiles=percentiles)
        # Ranges inside of operators, which the prepared file holds, are those of the latest samples.
        self._prepared, self._numbers, ends, noise = arrays
        return Measured(tuple(rangings), tuple(told["names"]), ends, noise, tuple(told["inputs"]))

    def quantized(self, measured: Measured, choice: Choice) -> bytes:
        """Return the int8 file with the ranges of a choice; see `Calibratable`."""
        _, [file] = self._do("quantize", self._prepared, self._numbers, measured.chosen(choice))
        return file.tobytes()

    def corrected(self, file: bytes, samples: Sequence[Array]) -> bytes:
        """Return an int8 file with its biases corrected; see `Calibratable`."""
        _, [made] = self._do("correct", np.frombuffer(file, np.uint8), self._float, *samples)
        return made.tobytes()

    def outputs(self, file: bytes | None, samples: Sequence[Array]) -> list[Array]:
        """Return the outputs of a file; see `Calibratable`."""
        data = self._float if file is None else np.frombuffer(file, np.uint8)
        return self._do("outputs", data, *samples)[1]

    def _do(self, step: str, *arrays: Array, **arguments: Value) -> tuple[Value, list[Array]]:
        what = "TFLite int8: calibrating the file"
        if not self._strange:
            try:
                with quiet():
                    return STEPS[step](*arrays, **arguments)
            except (EdgekitError, OSError):
                raise
            except Exception as error:  # the quantizer raises many types
                raise ConversionError(f"{what} failed: {str(error)[:300]}", code="conversion-failed") from error
        try:
            return worker(CHILD).call(
                f"{apart.__module__}:{apart.__name__}",
                *arrays,
                what=what,
                seconds=SECONDS,
                memory=memory_for() + PER_BYTE * self._float.nbytes + 2 * sum(array.nbytes for array in arrays),
                step=step,
                **arguments,
            )
        except RunnerError as error:
            raise ConversionError(error.message, error.hint, code=error.code) from error
