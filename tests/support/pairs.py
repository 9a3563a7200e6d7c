"""The float and the int8 `.tflite` file of a model, as the exporter makes them."""

from __future__ import annotations

from typing import Any, NamedTuple

from edgekit.export.calibration import MINMAX, Ranging
from edgekit.export.rewrites.trained import rewritten_for_int8
from edgekit.export.tflite.convert import Calibration, convert_pair
from edgekit.export.tflite.saved import without_loops
from edgekit.files.temporary import temporary_folder


class Pair(NamedTuple):
    """Two files of one model; activations have the same names in both."""

    float_file: bytes
    int8_file: bytes


def pair_of(model: Any, calibration: Calibration, ranging: Ranging = MINMAX, float_model: Any = None) -> Pair:
    """Return the files of a tf_keras model, rewritten for int8.

    Args:
        model: the model.
        calibration: preprocessed samples.
        ranging: how they choose the ranges of activations.
        float_model: of a model that was trained with fake quantization the same weights without it.
    """
    with temporary_folder("pair") as scratch:
        found = rewritten_for_int8(model, float_model, calibration)
        saved = without_loops(found.model, scratch / "int8")
        return Pair(*convert_pair(saved.folder(), saved.signature, "int8", calibration, ranging))
