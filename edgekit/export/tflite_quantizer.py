"""TensorFlow's quantizers on a float flatbuffer, in a process of their own.

They are the ones inside TensorFlow's converter: the same work as on a Keras model. But they trust the file, and die of
what another converter wrote differently (options left out, for one). So `quantize` has a child that runs `work`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.backend import tensorflow
from edgekit.errors import ConversionError, MissingExtraError, RunnerCrashed, RunnerError
from edgekit.export.lstm_state import mend_states
from edgekit.inspect.flatbuffer import Walker
from edgekit.inspect.operators import foreign_tflite
from edgekit.inspect.tflite_graph import parse
from edgekit.isolated.child import PER_BYTE, Child, memory_for
from edgekit.temporary import temporary_folder

Arrays = Sequence[npt.NDArray[Any]]

SCHEMES = ("int8", "int16x8")
SECONDS = 1800.0
"""In which a file is quantized."""
HINT = "leave the scheme out; float16 and dynamic need no quantizer"


def quantize(data: bytes, schemes: Sequence[str], calibration: Arrays) -> dict[str, bytes]:
    """Return a float file in other schemes, inputs and outputs included.

    Args:
        data: the float file, its batch fixed to one.
        schemes: of `SCHEMES`.
        calibration: one array of samples an input, (n, ...), in the order of the file.

    Raises:
        ConversionError: the file cannot be expressed in a scheme.
        MissingExtraError: TensorFlow is not installed.
    """
    if find_spec("tensorflow") is None:
        raise MissingExtraError(f"making {' and '.join(schemes)} of a .tflite file", "compress")
    # Eight bytes a value of the samples: TensorFlow's quantizer sees them one by one, but they are held here and there.
    memory = memory_for() + PER_BYTE * len(data) + 2 * sum(a.nbytes for a in calibration)
    made: dict[str, bytes] = {}
    with Child() as child:
        for scheme in schemes:
            what = f"TFLite {scheme}: TensorFlow's quantizer"
            try:
                _, [found] = child.call(
                    f"{__name__}:work",
                    np.frombuffer(data, np.uint8),
                    *calibration,
                    what=what,
                    seconds=SECONDS,
                    memory=memory,
                    scheme=scheme,
                )
            except RunnerCrashed as error:
                reason = "as it does where a file leaves out what TensorFlow's own converter writes"
                raise ConversionError(f"{error.message}, {reason}", HINT) from error
            except RunnerError as error:
                raise ConversionError(error.message, HINT) from error
            made[scheme] = found.tobytes()
    return made


def work(data: npt.NDArray[np.uint8], *calibration: npt.NDArray[Any], scheme: str) -> tuple[None, list[Any]]:
    """Do what `quantize` asks for, in its child.

    Raises:
        ConversionError: the file has operators that only TensorFlow knows; its flex operators read and write files.
    """
    flatbuffer = data.tobytes()
    names = {
        operator.name for graph in parse(flatbuffer, Walker(len(flatbuffer))).graphs for operator in graph.operators
    }
    foreign = foreign_tflite(sorted(names))
    if foreign:
        raise ConversionError(f"TFLite {scheme}: the file has the operator `{foreign[0]}`, which is not run here", HINT)
    with temporary_folder("keras") as home:
        os.environ["KERAS_HOME"] = str(home)  # Keras, which comes along with TensorFlow, writes into it
        made = _QUANTIZERS[scheme](flatbuffer, _feed(flatbuffer, calibration))
    return None, [np.frombuffer(mend_states(made), np.uint8)]


Feed = Callable[[], Iterator[list[npt.NDArray[Any]]]]


def _int8(data: bytes, feed: Feed) -> bytes:
    """Everything int8, weights per channel."""
    tf = tensorflow()
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.python.optimize.calibrator import Calibrator, add_intermediate_tensors

    calibrated = Calibrator(add_intermediate_tensors(data)).calibrate(feed)
    made: bytes = mlir_quantize(calibrated, input_data_type=tf.int8, output_data_type=tf.int8)
    return made


def _int16x8(data: bytes, feed: Feed) -> bytes:
    """int16 activations, int8 weights, int64 biases."""
    tf = tensorflow()
    from tensorflow.lite.python.optimize.calibrator import Calibrator, add_intermediate_tensors

    made: bytes = Calibrator(add_intermediate_tensors(data)).calibrate_and_quantize(
        feed, tf.int16, tf.int16, False, tf.int16, tf.int64
    )
    return made


_QUANTIZERS: dict[str, Callable[[bytes, Feed], bytes]] = {"int8": _int8, "int16x8": _int16x8}


def _feed(data: bytes, calibration: Arrays) -> Feed:
    """Return what the calibrator reads samples from: a list of arrays, one per input, with a batch of one."""
    from ai_edge_litert.interpreter import Interpreter

    dtypes = [details["dtype"] for details in Interpreter(model_content=data).get_input_details()]
    columns = [a.astype(dtype, copy=False) for a, dtype in zip(calibration, dtypes, strict=True)]

    def samples() -> Iterator[list[npt.NDArray[Any]]]:
        for index in range(len(columns[0])):
            yield [column[index : index + 1] for column in columns]

    return samples
