"""TFLite files through the TensorFlow converter; one function a scheme sets it up."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgekit.bundle.binding import bound
from edgekit.bundle.schemes import SCHEMES, Source
from edgekit.errors import ConversionError
from edgekit.export.calibration import MINMAX, Ranging
from edgekit.export.signature import Signature
from edgekit.export.tflite.bias import Noted
from edgekit.export.tflite.lstm_state import mend_states
from edgekit.export.tflite.quantizer import QUANTIZERS, Quantizer, uncorrected_int8
from edgekit.export.tflite.ranges import input_names
from edgekit.export.tflite.unroll import refuse_loops
from edgekit.formats.tflite.pack import pack
from edgekit.frameworks.tensorflow import quiet, tensorflow
from edgekit.frameworks.types import Converter
from edgekit.tasks.samples import Array

Calibration = npt.NDArray[np.float32] | tuple[npt.NDArray[np.float32], ...]
"""Preprocessed samples, float32 (n, ...): one array, or one an input in the model's order."""


def float32(converter: Converter) -> None:
    """Leave the model as it is."""


def float16(converter: Converter) -> None:
    """Store weights as float16."""
    tf = tensorflow()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def dynamic(converter: Converter) -> None:
    """Store weights as int8; activations are quantized at run time."""
    converter.optimizations = [tensorflow().lite.Optimize.DEFAULT]


def int8(converter: Converter) -> None:
    """Everything int8, weights per channel, inputs and outputs too (Jacob et al. 2018, arXiv 1712.05877)."""
    tf = tensorflow()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8


def int16x8(converter: Converter) -> None:
    """int16 activations, int8 weights, int16 inputs and outputs."""
    tf = tensorflow()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int16


def convert(
    saved_model: Path, signature: Signature, scheme: str, calibration: Calibration, ranging: Ranging = MINMAX
) -> bytes:
    """Return a TFLite flatbuffer, packed; as `noted`, without its note."""
    return noted(saved_model, signature, scheme, calibration, ranging).data


def noted(
    saved_model: Path, signature: Signature, scheme: str, calibration: Calibration, ranging: Ranging = MINMAX
) -> Noted:
    """Return a TFLite flatbuffer, packed, and what was done besides.

    Args:
        saved_model: what `Signature.save` wrote.
        signature: the same signature, for the names of the inputs.
        scheme: of `edgekit.bundle.schemes.SCHEMES`, not made from the int8 file.
        calibration: preprocessed samples, used by schemes with the source `SAMPLES`.
        ranging: how those choose the ranges of activations.

    Raises:
        ConversionError: the converter cannot express the model in this scheme.
    """
    if SCHEMES[scheme].source is Source.SAMPLES:
        _, quantized = _pair(saved_model, signature, scheme, calibration, ranging, QUANTIZERS[scheme])
        return Noted(pack(quantized.data), quantized.note)
    return Noted(pack(mend_states(_converted(saved_model, scheme))))


def convert_pair(
    saved_model: Path,
    signature: Signature,
    scheme: str,
    calibration: Calibration,
    ranging: Ranging = MINMAX,
    *,
    corrected: bool = True,
) -> tuple[bytes, bytes]:
    """Return the float flatbuffer that a quantizer is given, and the quantized one, as the converter names them.

    Args:
        saved_model: what `Signature.save` wrote.
        signature: the same signature, for the names of the inputs.
        scheme: of `edgekit.bundle.schemes.SCHEMES`, with the source `SAMPLES`.
        calibration: preprocessed samples.
        ranging: how they choose the ranges of activations.
        corrected: whether biases of an int8 file are corrected where that is clearly better.

    Raises:
        ConversionError: the converter cannot express the model in this scheme.
    """
    quantizer = QUANTIZERS[scheme] if corrected else uncorrected_int8
    plain, quantized = _pair(saved_model, signature, scheme, calibration, ranging, quantizer)
    return plain, quantized.data


def _pair(
    saved_model: Path,
    signature: Signature,
    scheme: str,
    calibration: Calibration,
    ranging: Ranging,
    quantizer: Quantizer,
) -> tuple[bytes, Noted]:
    if keeps_loops(saved_model, signature):
        raise refuse_loops(f"TFLite {scheme}")
    columns = by_name(signature, calibration)
    found: list[tuple[bytes, Noted]] = []

    def quantize(flatbuffer: bytes, *_: object) -> bytes:
        """Take the place of the converter's own step from a float file to a quantized one."""
        samples = [columns[name] for name in input_names(flatbuffer)]
        found.append((bytes(flatbuffer), quantizer(flatbuffer, samples, ranging)))
        return found[0][1].data

    made = mend_states(_converted(saved_model, scheme, quantize))
    [(plain, quantized)] = found
    return mend_states(plain), replace(quantized, data=made)


def _converted(saved_model: Path, scheme: str, quantize: Callable[..., bytes] | None = None) -> bytes:
    converter = tensorflow().lite.TFLiteConverter.from_saved_model(str(saved_model))
    bound(SCHEMES[scheme].where)(converter)
    if quantize:
        converter.representative_dataset = lambda: iter(())  # none is asked for, but without one nothing is quantized
        converter._quantize = quantize
    try:
        with quiet():
            flatbuffer: bytes = converter.convert()
    except OSError:  # a full disk is explained by whoever opened the folder
        raise
    except Exception as error:  # the converter raises many types, its own among them
        lacking = re.findall(r"^(?:TF Select|Custom) ops: (.+)$", str(error), re.MULTILINE)
        if lacking:
            raise ConversionError(
                f"TFLite {scheme}: TFLite has no operator for {', '.join(lacking)}",
                'replace the layer, or leave TFLite out: formats = ["onnx"] with schemes = ["float32"]',
                code="operator-not-in-format",
            ) from error
        raise ConversionError(
            f"TFLite {scheme}: TensorFlow's converter failed: {_reason(error)}", code="conversion-failed"
        ) from error
    return flatbuffer


def _reason(error: Exception) -> str:
    """Return what the converter says of an operator, without where that is in its inner form; else the first line."""
    of_operator = re.search(r"'tf\.\w+' op [^\n]+", str(error))
    lines = [line for line in str(error).splitlines() if line.strip()]
    return (of_operator[0] if of_operator else lines[0].strip() if lines else type(error).__name__)[:300]


def keeps_loops(saved_model: Path, signature: Signature) -> bool:
    """Return whether a loop is left that the converter made no operator of its own: its body is a second graph."""
    from ai_edge_litert import schema_py_generated as schema

    if signature.keeps_loops is None:
        graphs = (
            signature.has_loops() and schema.Model.GetRootAs(_converted(saved_model, "float32"), 0).SubgraphsLength()
        )
        signature.keeps_loops = int(graphs) > 1
    return signature.keeps_loops


def by_name(signature: Signature, calibration: Calibration) -> dict[str, Array]:
    """Return the samples of every input by its name, in the signature's order and dtypes."""
    arrays = calibration if isinstance(calibration, tuple) else (calibration,)
    specs = signature.inputs
    return {s.name: a.astype(s.dtype.as_numpy_dtype, copy=False) for s, a in zip(specs, arrays, strict=True)}
