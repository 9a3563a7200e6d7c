"""The float file and the int8 file of a model, with the names and tensors that they have in common.

Files that ship are packed, which takes the names of activations away; these are not.
"""

from __future__ import annotations

from typing import NamedTuple

from edgekit.export.calibration import MINMAX, Ranging
from edgekit.export.rewrites.trained import rewritten_for_int8
from edgekit.export.tflite.convert import Calibration, convert_pair
from edgekit.export.tflite.saved import without_loops
from edgekit.files.temporary import temporary_folder
from edgekit.frameworks.types import KerasModel


class Pair(NamedTuple):
    """Two files of one model.

    Attributes:
        float_file: computes in float.
        int8_file: was made of it; int8 inside, at its inputs and at its outputs.
    """

    float_file: bytes
    int8_file: bytes


def pair_of(
    model: KerasModel, calibration: Calibration, ranging: Ranging = MINMAX, float_model: KerasModel = None
) -> Pair:
    """Return the `.tflite` files of a model, rewritten for int8 as the exporter does it.

    Args:
        model: a tf_keras model, or a `PlainModel`.
        calibration: preprocessed samples.
        ranging: how they choose the ranges of activations.
        float_model: of a model that was trained with fake quantization the same weights without it; the float file is
            that of `model` all the same.

    Raises:
        ConversionError: the model cannot be expressed.
    """
    with temporary_folder("pair") as scratch:
        found = rewritten_for_int8(model, float_model, calibration)
        saved = without_loops(found.model, scratch / "int8")
        return Pair(*convert_pair(saved.folder(), saved.signature, "int8", calibration, ranging))
