"""TFLite files through the TensorFlow converter, one function a scheme."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.backend import quiet, tensorflow
from edgekit.errors import ConversionError
from edgekit.export.pack import pack
from edgekit.export.signature import Signature

Calibration = npt.NDArray[np.float32]


def _float32(converter: Any) -> None:
    """Leave the model as it is."""


def _float16(converter: Any) -> None:
    """Store weights as float16."""
    tf = tensorflow()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def _dynamic(converter: Any) -> None:
    """Store weights as int8; activations are quantized at run time."""
    converter.optimizations = [tensorflow().lite.Optimize.DEFAULT]


def _int8(converter: Any) -> None:
    """Everything int8, weights per channel, inputs and outputs too (Jacob et al. 2018, arXiv 1712.05877)."""
    tf = tensorflow()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8


def _int16x8(converter: Any) -> None:
    """int16 activations, int8 weights, int16 inputs and outputs."""
    tf = tensorflow()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int16


SCHEMES: dict[str, Callable[[Any], None]] = {
    "float32": _float32,
    "float16": _float16,
    "dynamic": _dynamic,
    "int8": _int8,
    "int16x8": _int16x8,
}
CALIBRATED = frozenset({"int8", "int16x8"})


def convert(saved_model: Path, signature: Signature, scheme: str, calibration: Calibration) -> bytes:
    """Return a TFLite flatbuffer, packed.

    Args:
        saved_model: what `Signature.save` wrote.
        signature: the same signature, for the names of the inputs.
        scheme: a key of `SCHEMES`.
        calibration: preprocessed samples, float32 (n, ...), used by the schemes in `CALIBRATED`.

    Raises:
        ConversionError: the converter cannot express the model in this scheme.
    """
    tf = tensorflow()
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model))
    SCHEMES[scheme](converter)
    if scheme in CALIBRATED:
        if len(signature.inputs) != 1:
            raise ConversionError(f"{scheme} of a model with {len(signature.inputs)} inputs is not supported yet")
        converter.representative_dataset = lambda: _feed(signature.inputs[0].name, calibration)
    try:
        with quiet():
            flatbuffer: bytes = converter.convert()
    except OSError:  # a full disk is explained by whoever opened the folder
        raise
    except Exception as error:  # the converter raises many types, its own among them
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ConversionError(f"TFLite {scheme}: the TensorFlow converter failed: {reason.strip()[:300]}") from error
    return pack(flatbuffer)


def _feed(name: str, calibration: Calibration) -> Iterator[dict[str, Calibration]]:
    for index in range(len(calibration)):
        yield {name: calibration[index : index + 1]}
