"""TensorFlow's quantizers on a float flatbuffer, in a process of their own.

They are the ones inside TensorFlow's converter: the same work as on a Keras model. But they trust the file, and die of
what another converter wrote differently (options left out, for one). So `quantize` starts a Python that runs `work`.
"""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.backend import tensorflow
from edgekit.errors import ConversionError, MissingExtraError
from edgekit.export.lstm_state import mend_states
from edgekit.temporary import temporary_folder
from edgekit.transports.base import Completed
from edgekit.transports.local import LocalTransport

Arrays = Sequence[npt.NDArray[Any]]

SCHEMES = ("int8", "int16x8")
SOURCE, SAMPLES = "float.tflite", "samples.npz"
HINT = "leave the scheme out; float16 and dynamic need no quantizer"
_START = "import sys; from edgekit.export.tflite_quantizer import work; work(sys.argv[1], sys.argv[2:])"


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
    with temporary_folder("quantize") as folder:
        (folder / SOURCE).write_bytes(data)
        np.savez(folder / SAMPLES, *calibration)
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        argv = [sys.executable, "-c", _START, str(folder), *schemes]
        done = LocalTransport().run(argv, env=env, timeout=math.inf)
        return {scheme: mend_states(_result(folder, scheme, done)) for scheme in schemes}


def _result(folder: Path, scheme: str, done: Completed) -> bytes:
    made, failed = folder / f"{scheme}.tflite", folder / f"{scheme}.error"
    if made.is_file():
        return made.read_bytes()
    if failed.is_file():
        reason = failed.read_text(encoding="utf-8")
    elif done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        reason = f"it died of {name}, as it does where a file leaves out what TensorFlow's own converter writes"
    else:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reason = lines[-1] if lines else f"it ended with exit code {done.returncode}"
    raise ConversionError(f"TFLite {scheme}: TensorFlow's quantizer failed: {reason[:300]}", HINT)


def work(folder: str, schemes: Sequence[str]) -> None:
    """Do what `quantize` asks for: write `SCHEME.tflite`, or the reason why not to `SCHEME.error`.

    Args:
        folder: holds `SOURCE` and `SAMPLES`.
        schemes: of `SCHEMES`.
    """
    data = (Path(folder) / SOURCE).read_bytes()
    with np.load(Path(folder) / SAMPLES, allow_pickle=False) as archive:
        calibration = [archive[name] for name in archive.files]
    for scheme in schemes:
        try:
            made = _QUANTIZERS[scheme](data, _feed(data, calibration))
        except Exception as error:  # the quantizers raise many types, some private
            reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            (Path(folder) / f"{scheme}.error").write_text(reason.strip(), encoding="utf-8")
        else:
            part = Path(folder) / f"{scheme}.part"
            part.write_bytes(made)
            part.rename(Path(folder) / f"{scheme}.tflite")


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
