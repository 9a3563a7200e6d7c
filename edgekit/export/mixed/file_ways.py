"""The int8 files that can be made of a float `.tflite` or `.onnx` file that another tool exported.

Such a file may be anybody's: runtimes work on it in child processes only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgekit.errors import ConversionError, RunnerError
from edgekit.export.calibration import Ranging
from edgekit.export.foreign import best_quantizer
from edgekit.export.foreign.from_tflite import finish, store
from edgekit.export.mixed.apart import measured_apart
from edgekit.export.mixed.onnx import OnnxQuantized
from edgekit.export.mixed.quantized import Quantized
from edgekit.export.mixed.regions import Region
from edgekit.export.mixed.sensitivity import Measured, measured
from edgekit.export.mixed.tflite import TfliteQuantized
from edgekit.export.mixed.ways import few, refined, refused, written
from edgekit.export.onnx.child import static_int8
from edgekit.export.refining.attempts import WAYS, Attempt
from edgekit.export.refining.tflite import TfliteCalibratable
from edgekit.formats.reading import inspect_file
from edgekit.processes.child import PER_BYTE, memory_for, worker
from edgekit.processes.wire import Value
from edgekit.progress import SILENT, Progress
from edgekit.tasks.samples import Array

Arrays = Sequence[Array]
SECONDS = 1800.0
"""In which a child answers."""


class TfliteWays:
    """See `edgekit.export.mixed.ways.Ways`.

    Args:
        path: the float file.
        calibration: one array of preprocessed samples an input, float32 (n, ...), in the order of the file.
        ranging: how ranges are chosen by default.
        folder: for files, temporary.

    Raises:
        ConversionError: the file cannot be expressed.
    """

    suffix = ".tflite"

    def __init__(self, path: Path, calibration: Arrays, ranging: Ranging, folder: Path) -> None:
        self._path, self._samples, self._ranging, self._folder = path, calibration, ranging, folder
        _asked(path, f"{store.__module__}:store", path=str(path), schemes=["float32"], folder=str(folder))
        self._float = (folder / "float32.tflite").read_bytes()

    def plain(self) -> bytes:
        """See `Ways`."""
        return self._made(self._ranging)

    def _made(self, ranging: Ranging) -> bytes:
        return best_quantizer.quantize(self._float, ["int8"], self._samples, self._folder, ranging)["int8"].data

    def refined(self) -> Iterator[Attempt]:
        """See `Ways`."""
        yield from refined(TfliteCalibratable(self._float, strange=True), self._samples)

    def quantized(self, int8: bytes) -> Quantized:
        """See `Ways`."""
        return TfliteQuantized(self._float, int8)

    def order(self, quantized: Quantized) -> Sequence[Region]:
        """See `Ways`."""
        return measured_apart(quantized, few(self._samples), self._path.name).order

    def measured(self, quantized: Quantized, samples: Arrays, progress: Progress) -> Measured:
        """See `Ways`."""
        return measured_apart(quantized, samples, self._path.name)

    def finished(self, int8: bytes) -> bytes:
        """See `Ways`."""
        written(self._folder, "int8.tflite", int8)
        target = self._folder / "finished.tflite"
        where = {"folder": str(self._folder), "target": str(target)}
        named = f"{finish.__module__}:finish"
        _asked(self._path, named, *self._samples, path=str(self._path), source="int8", scheme="int8", **where)
        return target.read_bytes()


class OnnxWays:
    """See `edgekit.export.mixed.ways.Ways`; arguments as of `TfliteWays`."""

    suffix = ".onnx"

    def __init__(self, path: Path, calibration: Arrays, ranging: Ranging, folder: Path) -> None:
        self._path, self._samples, self._ranging, self._folder = path, calibration, ranging, folder

    def plain(self) -> bytes:
        """See `Ways`."""
        return self._made(self._ranging)

    def _made(self, ranging: Ranging) -> bytes:
        names = [tensor.name for tensor in inspect_file(self._path).inputs]
        target = self._folder / "made.onnx"
        static_int8(self._path, target, dict(zip(names, self._samples, strict=True)), ranging=ranging)
        return target.read_bytes()

    def refined(self) -> Iterator[Attempt]:
        """See `Ways`."""
        for ranging in WAYS:
            if ranging != self._ranging:
                yield Attempt(str(ranging), self._made(ranging), math.nan)

    def quantized(self, int8: bytes) -> Quantized:
        """See `Ways`."""
        return OnnxQuantized(self._path, written(self._folder, "int8.onnx", int8))

    def order(self, quantized: Quantized) -> Sequence[Region]:
        """See `Ways`."""
        return self.measured(quantized, few(self._samples), SILENT).order

    def measured(self, quantized: Quantized, samples: Arrays, progress: Progress) -> Measured:
        """See `Ways`."""
        try:
            return measured(quantized, samples, axis=1, progress=progress)
        except (RuntimeError, ValueError) as error:
            raise refused(error) from error

    def finished(self, int8: bytes) -> bytes:
        """See `Ways`."""
        return int8


def _asked(path: Path, function: str, /, *arrays: Array, **arguments: Value) -> tuple[Value, list[Array]]:
    """Let a function work on a file in this process's child, and return what it returns."""
    memory = memory_for(path) + PER_BYTE * sum(array.nbytes for array in arrays)
    try:
        return worker().call(
            function, *arrays, what=f"{path}: mixed precision", seconds=SECONDS, memory=memory, **arguments
        )
    except RunnerError as error:
        raise ConversionError(error.message, error.hint, code=error.code) from error
