"""TensorFlow's quantizers on a float flatbuffer, with ranges that edgekit measured.

They are the ones inside TensorFlow's converter: the same work as on a Keras model. But they trust the file, and die of
what another converter wrote differently (options left out, for one). So files that were made elsewhere are quantized by
`quantize`, which has a child that runs `work`. It stays for the next file: TensorFlow takes seconds to start.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from edgekit.errors import ConversionError, MissingExtraError, RunnerCrashed, RunnerError
from edgekit.export.calibration import MINMAX, Ranging
from edgekit.export.tflite.bias import Noted, nearer
from edgekit.export.tflite.dataflow import Dataflow
from edgekit.export.tflite.division import divided_in_float, said_in_float
from edgekit.export.tflite.lstm_state import mend_states
from edgekit.export.tflite.ranges import Arrays, hides_values, in_dtypes, with_ranges
from edgekit.files.temporary import temporary_folder
from edgekit.formats.operators import foreign_tflite
from edgekit.formats.tflite.flatbuffer import Walker
from edgekit.formats.tflite.graph import parse
from edgekit.frameworks.tensorflow import tensorflow
from edgekit.processes.child import PER_BYTE, memory_for, worker
from edgekit.tasks.samples import Array

SCHEMES = ("int8", "int16x8")
SECONDS = 1800.0
"""In which a file is quantized."""
CHILD = "TensorFlow"
"""The kind of work that has the child with TensorFlow in it."""
_NO_INT16 = "not yet supported for op"
"""In what TensorFlow's quantizer says of an operator that has no int16 kernel."""
HINT = "leave the scheme out; float16 and dynamic need no quantizer"


def quantize(data: bytes, schemes: Sequence[str], calibration: Arrays, ranging: Ranging = MINMAX) -> dict[str, Noted]:
    """Return a float file in other schemes, inputs and outputs included.

    Args:
        data: the float file, its batch fixed to one.
        schemes: of `SCHEMES`.
        calibration: one array of samples an input, (n, ...), in the order of the file.
        ranging: how the ranges of activations are chosen.

    Raises:
        ConversionError: the file cannot be expressed in a scheme.
        MissingExtraError: TensorFlow is not installed.
    """
    if find_spec("tensorflow") is None:
        raise MissingExtraError(f"making {' and '.join(schemes)} of a .tflite file", "compress")
    # Eight bytes a value of the samples: they are fed one by one, but they are held here and there.
    memory = memory_for() + PER_BYTE * len(data) + 2 * sum(a.nbytes for a in calibration)
    made: dict[str, Noted] = {}
    for scheme in schemes:
        what = f"TFLite {scheme}: TensorFlow's quantizer"
        try:
            note, [found] = worker(CHILD).call(
                f"{__name__}:work",
                np.frombuffer(data, np.uint8),
                *calibration,
                what=what,
                seconds=SECONDS,
                memory=memory,
                scheme=scheme,
                method=ranging.method,
                percentile=ranging.percentile,
            )
        except RunnerCrashed as error:
            reason = "it expects a file as TensorFlow's own converter writes it"
            raise ConversionError(f"{error.message}; {reason}", HINT, code=error.code) from error
        except RunnerError as error:
            raise ConversionError(error.message, HINT, code=error.code) from error
        made[scheme] = Noted(found.tobytes(), str(note))
    return made


def work(
    data: npt.NDArray[np.uint8], *calibration: Array, scheme: str, method: str, percentile: float
) -> tuple[str, list[Array]]:
    """Do what `quantize` asks for, in its child; return the note beside the file.

    Raises:
        ConversionError: the file has operators that only TensorFlow knows; its flex operators read and write files.
    """
    flatbuffer = data.tobytes()
    with of_a_stranger(flatbuffer, scheme):
        made = QUANTIZERS[scheme](flatbuffer, in_dtypes(flatbuffer, calibration), Ranging(method, percentile))
    return made.note, [np.frombuffer(made.data, np.uint8)]


@contextmanager
def of_a_stranger(flatbuffer: bytes, scheme: str) -> Iterator[None]:
    """Let a child work on a file that was made elsewhere.

    Raises:
        ConversionError: it has operators that only TensorFlow knows; its flex operators read and write files.
    """
    names = {
        operator.name for graph in parse(flatbuffer, Walker(len(flatbuffer))).graphs for operator in graph.operators
    }
    foreign = foreign_tflite(sorted(names))
    if foreign:
        raise ConversionError(
            f"TFLite {scheme}: the file has the operator `{foreign[0]}`, which is not run here",
            HINT,
            code="operator-unknown",
        )
    with temporary_folder("keras") as home:
        os.environ["KERAS_HOME"] = str(home)  # Keras, which comes along with TensorFlow, writes into it
        yield


def int8(data: bytes, samples: Arrays, ranging: Ranging = MINMAX) -> Noted:
    """Return a float file with everything int8, weights per channel, its biases corrected where that is clearly better.

    Args:
        data: the float file, its batch fixed to one.
        samples: one array an input, (n, ...), in the order of the file and in its dtypes.
        ranging: how the ranges of activations are chosen.
    """
    made = uncorrected_int8(data, samples, ranging)
    found = nearer(made.data, data, samples)
    return replace(found, note=", ".join(filter(None, [made.note, found.note])))


def uncorrected_int8(data: bytes, samples: Arrays, ranging: Ranging = MINMAX) -> Noted:
    """Return the same with its biases as they are rounded; arguments as of `int8`."""
    return to_int8(with_ranges(prepared(data, samples), samples, ranging, "int8"))


def to_int8(calibrated: bytes) -> Noted:
    """Return a float file that holds ranges with everything int8 but divisions."""
    tf = tensorflow()
    from tensorflow.lite.python.convert import mlir_quantize

    made = mlir_quantize(calibrated, input_data_type=tf.int8, output_data_type=tf.int8)
    return divided_in_float(mend_states(made))


def int16x8(data: bytes, samples: Arrays, ranging: Ranging = MINMAX) -> Noted:
    """Return a float file with int16 activations, int8 weights, int64 biases; arguments as of `int8`.

    Operators that TFLite has no int16 kernel of, such as DIV, compute in float32; the note names them.
    """
    calibrated = with_ranges(prepared(data, samples), samples, ranging, "int16x8")
    try:
        return Noted(mend_states(_to_int16x8(calibrated, allow_float=False)))
    except RuntimeError as error:
        if _NO_INT16 not in str(error):
            raise
        try:
            made = mend_states(_to_int16x8(calibrated, allow_float=True))
        except RuntimeError:  # where such an operator reads what is fed, or makes a result, that would not be int16
            raise error from None
    flow = Dataflow(made)
    computing = [index for index in range(len(flow.kinds)) if not flow.casts(index)]
    return Noted(made, said_in_float(flow.kinds[i] for i in computing if any(map(flow.in_float, flow.inputs[i]))))


def _to_int16x8(calibrated: bytes, *, allow_float: bool) -> bytes:
    tf = tensorflow()
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    # Ranges are in the file: the calibrator is given no sample, and so has none of its own to write over them.
    made: bytes = Calibrator(calibrated).calibrate_and_quantize(
        lambda: iter(()), tf.int16, tf.int16, allow_float, tf.int16, tf.int64
    )
    return made


Quantizer = Callable[[bytes, Arrays, Ranging], Noted]
"""From a float file, samples and how ranges are chosen to a quantized file."""
QUANTIZERS: dict[str, Quantizer] = {"int8": int8, "int16x8": int16x8}


def prepared(data: bytes, samples: Arrays) -> bytes:
    """Return the float file with the ranges that only TensorFlow's calibrator can measure, those inside of operators.

    Args:
        data: the float file, its batch fixed to one.
        samples: one array an input, (n, ...), in the order of the file and in its dtypes.
    """
    from tensorflow.lite.python.optimize.calibrator import Calibrator, add_intermediate_tensors

    data = bytes(add_intermediate_tensors(data))
    if hides_values(data):
        rows = ([column[i : i + 1] for column in samples] for i in range(len(samples[0])))
        data = bytes(Calibrator(data).calibrate(lambda: rows))
    return data
