"""The int8 `.tflite` files that can be made of a Keras model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from edgekit.export.calibration import Ranging
from edgekit.export.mixed.quantized import Quantized
from edgekit.export.mixed.regions import Region
from edgekit.export.mixed.sensitivity import Measured, measured
from edgekit.export.mixed.tflite import TfliteQuantized
from edgekit.export.mixed.ways import few, refined, refused
from edgekit.export.refining.attempts import Attempt
from edgekit.export.refining.tflite import TfliteCalibratable
from edgekit.export.rewrites.apply import rewritten
from edgekit.export.rewrites.trained import BOUNDED, rewritten_for_int8
from edgekit.export.tflite.convert import Calibration, by_name, convert, convert_pair
from edgekit.export.tflite.dense_scales import one_scale
from edgekit.export.tflite.ranges import input_names
from edgekit.export.tflite.saved import without_loops
from edgekit.formats.tflite.pack import pack
from edgekit.frameworks.types import KerasModel
from edgekit.progress import SILENT, Progress
from edgekit.tasks.samples import Array


class KerasWays:
    """See `edgekit.export.mixed.ways.Ways`.

    Args:
        model: a tf_keras model, or a `PlainModel`.
        float_model: of a model trained with fake quantization the same weights without it; else None.
        calibration: preprocessed samples.
        ranging: how ranges are chosen by default.
        folder: for files, temporary.
        corrected: whether biases are corrected by default, which takes as long as some hundred inferences.

    Raises:
        ConversionError: the model cannot be expressed.
    """

    suffix = ".tflite"

    def __init__(
        self,
        model: KerasModel,
        float_model: KerasModel,
        calibration: Calibration,
        ranging: Ranging,
        folder: Path,
        *,
        corrected: bool = True,
    ) -> None:
        self._trained = float_model is not None
        self._saved = without_loops(rewritten_for_int8(model, float_model, calibration).model, folder / "saved")
        saved = self._saved
        self._float, self._plain = convert_pair(
            saved.folder(), saved.signature, "int8", calibration, ranging, corrected=corrected
        )
        if float_model is not None:  # what the converter is given then is int8 inside
            self._float = _float_file(rewritten(float_model, calibration, BOUNDED).model, calibration, folder)
        self._samples = self._ordered(calibration)

    def _ordered(self, samples: Calibration) -> list[Array]:
        """Return preprocessed samples in the order of the file's inputs."""
        columns = by_name(self._saved.signature, samples)
        return [columns[name] for name in input_names(self._plain)]

    def plain(self) -> bytes:
        """See `Ways`."""
        return self._plain

    def refined(self) -> Iterator[Attempt]:
        """See `Ways`."""
        if not self._trained:
            yield from refined(TfliteCalibratable(self._float), self._samples)

    def quantized(self, int8: bytes) -> Quantized:
        """See `Ways`."""
        return TfliteQuantized(self._float, int8)

    def order(self, quantized: Quantized) -> Sequence[Region]:
        """See `Ways`."""
        return _measured(quantized, few(self._samples)).order

    def measured(self, quantized: Quantized, samples: Sequence[Array], progress: Progress) -> Measured:
        """See `Ways`."""
        return _measured(quantized, self._ordered(tuple(samples)), progress)

    def finished(self, int8: bytes) -> bytes:
        """See `Ways`."""
        return one_scale(pack(int8), lambda: self._float, self._samples)


def _float_file(model: KerasModel, calibration: Calibration, folder: Path) -> bytes:
    saved = without_loops(model, folder / "float")
    return convert(saved.folder(), saved.signature, "float32", calibration)


def _measured(quantized: Quantized, samples: Sequence[Array], progress: Progress = SILENT) -> Measured:
    try:
        return measured(quantized, samples, progress=progress, shipped=len(pack(quantized.int8_file)))
    except (RuntimeError, ValueError) as error:
        raise refused(error) from error
